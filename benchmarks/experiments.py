"""The nine experiments in the plane, three seeds each, on all cores: what all of it would take.

    python benchmarks/experiments.py

Every experiment runs for a twentieth of its epochs through the scheduler that `vaecourse
reproduce` uses, and the time is multiplied by twenty. One seed of the programme is 2,075,000
steps; the three seeds train side by side.
"""

import tempfile
import time

from vaecourse import experiments
from vaecourse.experiments import runs, schedule

SHARE = 20
SEEDS = 3


def shortened(name):
    """The parameters of an experiment with a twentieth of its epochs."""
    params = experiments.params(name)
    training = params.training.model_copy(update={"epochs": params.training.epochs // SHARE or 1})
    return params.model_copy(update={"training": training})


def main():
    names = [name for name in experiments.names() if name.endswith(("_diagonal", "_full"))]
    tasks = [task for name in names for task in runs.tasks(name, shortened(name))]
    steps = sum(
        task.params.training.epochs * task.params.data.n_train // task.params.training.batch_size
        for task in tasks
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        schedule.run_all(tasks, folder, "{}", report=lambda line: None)
        seconds = time.perf_counter() - start
    per_step = seconds / steps / SEEDS
    print(f"{steps * SEEDS:,} steps in {seconds:.0f} s: {1e6 * per_step:.0f} µs a step and model")
    print(f"2,075,000 steps: {2_075_000 * per_step / 60:.1f} min; three seeds, three times that")


if __name__ == "__main__":
    main()
