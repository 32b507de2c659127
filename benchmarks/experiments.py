"""The nine experiments in the plane, three seeds each, on all cores: what all of it would take.

    python benchmarks/experiments.py

Trains a twentieth of every experiment's epochs in the workers that `vaecourse reproduce` uses,
started beforehand, and multiplies the time by twenty. One seed of the programme is 2,075,000
steps; three seeds train side by side. The evaluation at the end, about a second for each model,
is not part of it.
"""

import time

import joblib

from vaecourse import experiments
from vaecourse.experiments import runs

SHARE = 20
SEEDS = 3


def main():
    names = [name for name in experiments.names() if name.endswith(("_diagonal", "_full"))]
    tasks = [task for name in names for task in runs.tasks(name, experiments.params(name))]
    epochs = {task.name: max(1, task.params.training.epochs // SHARE) for task in tasks}
    steps = {
        task.name: epochs[task.name] * task.params.data.n_train // task.params.training.batch_size
        for task in tasks
    }
    tasks.sort(key=lambda task: -steps[task.name])
    with joblib.Parallel(n_jobs=joblib.cpu_count()) as parallel:
        parallel(joblib.delayed(runs.advance)(tasks[-1], None, 0, 1) for _ in range(4))
        start = time.perf_counter()
        parallel(joblib.delayed(runs.advance)(task, None, 0, epochs[task.name]) for task in tasks)
        seconds = time.perf_counter() - start
    total = SEEDS * sum(steps.values())
    per_step = seconds / total
    print(f"{total:,} steps in {seconds:.0f} s: {1e6 * per_step:.0f} µs a step and model")
    print(
        f"one seed, 2,075,000 steps: {2_075_000 * per_step / 60:.1f} min; three: three times that"
    )


if __name__ == "__main__":
    main()
