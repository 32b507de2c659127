"""Bernoulli mixtures on static MNIST: log-likelihood against the number of components.

    vaecourse reproduce bernoulli_mixture_static_mnist

fits every rung of `LADDER` and writes `data/results/bernoulli_mixture_static_mnist.json`. It needs
the static binarization (`vaecourse data fetch static_mnist`). Shown in chapter 04.
"""

import json
import time

from vaecourse import checkpoint, data
from vaecourse._files import check_writable, write_text
from vaecourse.inference.em import BernoulliMixture

NAME = "bernoulli_mixture_static_mnist"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
SMOOTHING = 0.05
MAX_STEPS = 100
# Seeds for each number of components.
LADDER = {1: 1, 10: 5, 20: 3, 50: 3, 100: 3, 200: 1, 500: 2}


def run(path=PATH, ladder=None, command=f"vaecourse reproduce {NAME}"):
    """Fit the ladder, a dict of components to seeds, and write the record to `path`; returns it."""
    check_writable(path)
    train, test = data.static_mnist("train").x, data.static_mnist("test").x
    start = time.perf_counter()
    runs = [
        fit_one(train, test, n_components, seed)
        for n_components, seeds in (ladder or LADDER).items()
        for seed in range(seeds)
    ]
    record = {
        "data": {
            "name": "static_mnist",
            "rows": {"train": len(train), "test": len(test)},
            "pixels_on": {
                "train": train.sum(0).int().tolist(),
                "test": test.sum(0).int().tolist(),
            },
        },
        "setting": {"smoothing": SMOOTHING, "max_steps": MAX_STEPS, "tol": 0, "dtype": "float32"},
        **checkpoint.provenance(command, time.perf_counter() - start, {"runs": runs}),
    }
    write_text(path, json.dumps(record) + "\n")
    return record


def fit_one(train, test, n_components, seed):
    """Fit one mixture; its mean log-likelihoods in nats, and what they cost."""
    mixture = BernoulliMixture(
        n_components, smoothing=SMOOTHING, max_steps=MAX_STEPS, tol=0, seed=seed
    )
    start = time.perf_counter()
    mixture.fit(train)
    return {
        "n_components": n_components,
        "seed": seed,
        "steps": len(mixture.bound_trace_),
        "train": mixture.log_likelihood_trace_[-1].item(),
        "test": mixture.score(test),
        "empty": int((mixture.weights_ == 0).sum()),
        "seconds": round(time.perf_counter() - start, 1),
    }
