"""The precision explorer: how prior and noise make a posterior, and how long a step should be."""

from vaecourse.widgets.precision_explorer.precision_explorer import PrecisionExplorer

__all__ = ["PrecisionExplorer"]
