"""The family explorer: a GMVAE and a VRNN that run in the page."""

from vaecourse.widgets.family_explorer.widget import FamilyExplorer

__all__ = ["FamilyExplorer"]
