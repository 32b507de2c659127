"""Training: one loop for any model, and another for several small models side by side."""

from vaecourse.training import optimizers
from vaecourse.training.loop import History, fit
from vaecourse.training.side_by_side import fit_together

__all__ = ["History", "fit", "fit_together", "optimizers"]
