"""The KL explorer: move a Gaussian over a target with two modes, and see both divergences."""

from vaecourse.widgets.kl_explorer.kl_explorer import KLExplorer

__all__ = ["KLExplorer"]
