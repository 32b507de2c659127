"""The latent explorer: a decoder that runs in the page."""

from vaecourse.widgets.latent_explorer.latent_explorer import LatentExplorer

__all__ = ["LatentExplorer"]
