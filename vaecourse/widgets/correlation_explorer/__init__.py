"""The correlation explorer: turn up a correlation, and see what independence costs."""

from vaecourse.widgets.correlation_explorer.correlation_explorer import CorrelationExplorer

__all__ = ["CorrelationExplorer"]
