"""The latent explorer: a decoder that runs in the page."""

from vaecourse.widgets.latent_explorer.widget import LatentExplorer

__all__ = ["LatentExplorer"]
