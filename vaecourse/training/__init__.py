"""Training: one loop for any model, and another for several small models side by side."""

from vaecourse.training import optimizers
from vaecourse.training.loop import fit
from vaecourse.training.side_by_side import fit_together
from vaecourse.training.state import History

__all__ = ["History", "fit", "fit_together", "optimizers"]
