"""The family explorer: a GMVAE and a VRNN that run in the page."""

from vaecourse.widgets.family_explorer.family_explorer import FamilyExplorer

__all__ = ["FamilyExplorer"]
