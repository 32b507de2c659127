"""log p(x) of the shipped models in the literature's setting: 5,000 draws, every test image.

    vaecourse reproduce likelihood_table

judges each seed of `MODELS`, the models of [BGS16] that ship, on the test images of its own data,
and writes `data/results/likelihood_table.json`, about five minutes for each on one core. The rows
of weights that were judged before, rounded or not yet (see `rounding`), are kept, so that it goes
on where it was stopped. A run that was watched on its way is looked at once more, on more images of
both kinds, those that it was trained on and those that it was not. It needs the static binarization
(`vaecourse data fetch static_mnist`). Shown in chapter 13.
"""

import json
import time

import torch

from vaecourse import checkpoint, experiments
from vaecourse._files import check_writable, read_json, write_text
from vaecourse.evaluation import active_units, importance_estimate
from vaecourse.experiments.datasets import test_data, train_data
from vaecourse.experiments.runs import WATCHED_DRAWS
from vaecourse.models.base import error_of_mean

NAME = "likelihood_table"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
DRAWS, IMAGES, KEPT = 5_000, 10_000, 20
MODELS = [name for name in experiments.names() if "_50d" in name]


def run(path=PATH, models=None, draws=DRAWS, images=IMAGES, command=f"vaecourse reproduce {NAME}"):
    """Judge every seed of `models`, names of experiments, and write the record; returns it."""
    check_writable(path)
    setting, rows = {"draws": draws, "images": images}, []
    judged = read_json(path) if path.exists() else {"setting": None}
    kept = judged["metrics"]["models"] if judged["setting"] == setting else []
    asked = [(name, seed) for name in models or MODELS for seed in experiments.params(name).seeds]
    for name, seed in asked:
        weights = known_as(checkpoint.pretrained(name, seed)[1])
        before = [row for row in kept if row["weights_sha256"] in weights]
        rows += before[:1] or [judge(name, seed, draws, images)]
        seconds = sum(row["seconds"] for row in rows)
        record = {
            "setting": setting,
            **checkpoint.provenance(command, seconds, {"models": rows}),
        }
        left = [row for row in kept if row not in rows]
        shown = {**record, "metrics": {"models": rows + left}}
        write_text(path, json.dumps(shown) + "\n")  # a later row may take minutes, or be stopped
    write_text(path, json.dumps(record) + "\n")
    return record


def known_as(trained):
    """The SHA-256 of the weights of a record, and of what they were before they were rounded."""
    before = trained.get("before_rounding", {})
    return {found["weights_sha256"] for found in (trained, before) if found}


def judge(name, seed, draws, images):
    """One shipped model: mean log p(x) in nats, and what is known of its error.

    standard_error: over images. error_of_draws: of the mean, by the draws. The first images' own
    values are kept, so that they can be checked without an hour of work.
    """
    model, trained = checkpoint.pretrained(name, seed)
    params = experiments.params(name).data
    x = test_data(params).x[:images]
    start = time.perf_counter()
    seen = {"seen": look(model, params, images)} if "watched" in trained else {}
    estimate = importance_estimate(model, x, draws, torch.Generator().manual_seed(seed))
    log_likelihood = estimate.log_likelihood
    return {
        "name": name,
        "seed": seed,
        "weights_sha256": trained["weights_sha256"],
        "data": trained["data"],
        "log_likelihood": log_likelihood.mean().item(),
        "standard_error": error_of_mean(log_likelihood),
        "error_of_draws": (estimate.standard_error.square().sum().sqrt() / len(x)).item(),
        "median_effective_sample_size": estimate.effective_sample_size.median().item(),
        "active_units": int(active_units(model, x).sum()),
        "first_images": log_likelihood[:KEPT].tolist(),
        **seen,
        "seconds": round(time.perf_counter() - start, 1),
    }


def look(model, params, images):
    """Mean log p(x) by `WATCHED_DRAWS` draws of training and of test images, with its error.

    `images` of each, spread over the set; where training binarizes anew, the training images are
    binarized once more, with noise that it has not seen. Returns a dict: `train` and `test`.
    """
    rows, transform = train_data(params, 0)
    found = {}
    for split, x in {"train": rows, "test": test_data(params).x}.items():
        x, generator = x[:: max(1, len(x) // images)][:images], torch.Generator().manual_seed(0)
        if transform is not None:
            x = transform(x, generator)  # changes no pixel of the test images, which are binary
        value = importance_estimate(model, x, WATCHED_DRAWS, generator).log_likelihood
        found[split] = {
            "log_likelihood": value.mean().item(),
            "standard_error": error_of_mean(value),
            "first_images": value[:KEPT].tolist(),
        }
    return found
