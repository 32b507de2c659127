"""The Fréchet explorer: two Gaussians to drag and turn, and how far apart they are."""

from vaecourse.widgets.frechet_explorer.frechet_explorer import FrechetExplorer

__all__ = ["FrechetExplorer"]
