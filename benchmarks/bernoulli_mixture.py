"""EM for a Bernoulli mixture, K = 500 on 50,000 × 784, beside the E and M steps in plain numpy.

    .venv/bin/python benchmarks/bernoulli_mixture.py

Prints seconds for 60 steps, extrapolated from three, on two threads, all in this one process.
The data are MNIST, binarized once; the numpy version keeps the whole table of responsibilities.
"""

import sys
import time

import numpy as np
import torch
from scipy.special import logsumexp

import vaecourse as vc

COMPONENTS, STEPS, TIMED = 500, 60, 3


def numpy_steps(x, steps):
    """EM as a textbook has it, in float64."""
    rng = np.random.default_rng(0)
    weights = np.full(COMPONENTS, 1 / COMPONENTS)
    probabilities = rng.uniform(0.25, 0.75, (COMPONENTS, x.shape[1]))
    for _ in range(steps):
        log_joint = x @ np.log(probabilities).T + (1 - x) @ np.log(1 - probabilities).T
        log_joint += np.log(weights)
        responsibilities = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
        counts = responsibilities.sum(0)
        weights = counts / len(x)
        probabilities = (responsibilities.T @ x + 0.05) / (counts[:, None] + 0.1)


def course_steps(x, steps):
    """`vc.inference.BernoulliMixture`, its starting values included."""
    mixture = vc.inference.BernoulliMixture(
        COMPONENTS, smoothing=0.05, max_steps=steps, tol=0, seed=0
    )
    mixture.fit(x)


def seconds(function, x):
    """Of `STEPS` steps: the difference of two runs, so that the start is counted once."""
    times = []
    for steps in (1, 1 + TIMED):
        start = time.perf_counter()
        function(x, steps)
        times.append(time.perf_counter() - start)
    return times[0] + (STEPS - 1) * (times[1] - times[0]) / TIMED


def main():
    torch.set_num_threads(2)
    print("four short runs; this takes about a minute", file=sys.stderr)
    x = vc.data.mnist("train", binarize="sample").x[:50_000]
    print(f"numpy, float64, whole table      {seconds(numpy_steps, x.double().numpy()):.0f} s")
    print(f"vc.inference.BernoulliMixture    {seconds(course_steps, x):.0f} s")


if __name__ == "__main__":
    main()
