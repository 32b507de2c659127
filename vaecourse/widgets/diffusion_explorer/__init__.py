"""The diffusion explorer: move the noise and the number of levels, see what the bound lacks."""

from vaecourse.widgets.diffusion_explorer.diffusion_explorer import DiffusionExplorer

__all__ = ["DiffusionExplorer"]
