"""The ELBO explorer: move q by hand, and see what the bound loses."""

from vaecourse.widgets.elbo_explorer.elbo_explorer import ElboExplorer

__all__ = ["ElboExplorer"]
