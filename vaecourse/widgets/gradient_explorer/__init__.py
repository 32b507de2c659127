"""The gradient explorer: two estimators of one gradient, sample by sample."""

from vaecourse.widgets.gradient_explorer.gradient_explorer import GradientExplorer

__all__ = ["GradientExplorer"]
