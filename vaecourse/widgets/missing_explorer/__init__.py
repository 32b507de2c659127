"""The missing explorer: hide pixels of a digit, and see p(z | seen) and what they may have been."""

from vaecourse.widgets.missing_explorer.missing_explorer import MissingExplorer

__all__ = ["MissingExplorer"]
