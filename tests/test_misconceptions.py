"""Every figure of misconceptions.md, computed again from the shipped records."""

import json
import math
import re
from functools import cache
from pathlib import Path

import pytest
import torch

import vaecourse as vc
from vaecourse import experiments
from vaecourse.checkpoint import PRETRAINED

PAGE = (Path(__file__).parents[1] / "misconceptions.md").read_text(encoding="utf-8")
RESULTS = PRETRAINED.parent / "results"

# Data set -> experiment -> model; a table each, since numbers of different data do not compare.
IMAGES = {
    "MNIST, pixels drawn anew each time": {
        "mnist_vae_2d": "2 latents",
        "mnist_vae_10d": "10 latents, the network of the 10 kinds",
        "vae_mnist_same_size": "16 latents, a small network",
        "mnist_dynamic_vae_50d": "50 latents",
        "mnist_dynamic_iwae5_50d": "50 latents, trained with five weights",
        "mnist_vae_128d": "128 latents",
        "gmvae_mnist": "10 latents, 10 kinds, five seeds",
        "vrnn_mnist_rows": "16 latents for each row of pixels",
    },
    "MNIST, pixels drawn once by Larochelle": {
        "mnist_static_vae_50d": "50 latents",
        "mnist_static_iwae5_50d": "50 latents, trained with five weights",
    },
    "MNIST, pixels cut at ½": {
        "mnist_model_1": "model 1: 2 latents",
        "mnist_bernoulli_exponential": "2 exponential latents",
    },
    "MNIST, counts from 0 to 10": {
        "mnist_poisson_normal": "2 latents, Poisson pixels",
    },
    "MNIST, grey levels from 0 to 1": {
        "mnist_model_2": "model 2: 2 latents, one variance",
        "mnist_model_3": "model 3: 2 latents, variances from z",
        "mnist_model_3_mended": "model 3, no variance below 0.05",
    },
    "Frey faces, grey levels from 0 to 1": {
        "frey_model_2": "2 latents, one variance",
    },
    "CIFAR-10, 256 levels a colour": {
        "cifar10_conv_vae": "64 latents, convolutional, one seed",
    },
}
PLANE = {
    "axis-aligned Gaussian": "axis_aligned_gaussian_{}",
    "rotated Gaussian": "rotated_gaussian_{}",
    "figure eight": "figure_eight_{}",
    "three blobs": "three_blobs_{}",
    "mixture of three": "gaussian_mixture_{}",
}


@cache
def metrics(name):
    """The test metrics of a shipped experiment, one dict a seed, with what the loss is made of."""
    found = []
    for seed in experiments.params(name).seeds:
        here = json.loads((PRETRAINED / f"{name}_seed{seed}.json").read_text())["metrics"]
        if "elbo" in here:
            here["loss"], here["distortion"] = -here["elbo"], -here["reconstruction"]
            here["nll"] = -here["log_likelihood"]
            here["rate"] = here["kl"] if "kl" in here else here["kl_z"] + here["kl_y"]
            assert abs(here["distortion"] + here["rate"] - here["loss"]) < 2e-3
        found.append(here)
    return found


def span(values, digits):
    """The range of the values in print, or the one value where they agree."""
    low, high = (f"{value:.{digits}f}".replace("-", "−") for value in (min(values), max(values)))
    low, high = (re.sub(r"^−(0\.?0*)$", r"\1", text) for text in (low, high))
    return low if low == high else f"{low} to {high}"


def of(name, key, digits):
    return span([each[key] for each in metrics(name)], digits)


def mean(name, key):
    values = [each[key] for each in metrics(name)]
    return sum(values) / len(values)


def images_tables():
    lines = []
    for data, models in IMAGES.items():
        lines += [
            f"### {data}",
            "| model | loss | distortion | rate | $-\\log p(x)$ | experiment |",
            "|---|---|---|---|---|---|",
        ]
        for name, model in models.items():
            found = metrics(name)
            digits = 1 if max(abs(each["loss"]) for each in found) < 200 else 0
            keys = {"loss": digits, "distortion": digits, "rate": 1, "nll": digits}
            numbers = [span([each[key] for each in found], n) for key, n in keys.items()]
            lines.append("| " + " | ".join([model, *numbers, f"`{name}`"]) + " |")
    return lines


def plane_table():
    lines = [
        "### Points in the plane",
        "| data | best possible | loss, diagonal $q$ | rate | loss, full $q$ | rate |",
        "|---|---|---|---|---|---|",
    ]
    for data, pattern in PLANE.items():
        diagonal, full = (pattern.format(kind) for kind in ("diagonal", "full"))
        best = span([-each["log_density"] for each in metrics(diagonal)], 2)
        cells = [data, best, of(diagonal, "loss", 2), of(diagonal, "rate", 2)]
        trained = full in experiments.names()
        cells += [of(full, "loss", 2), of(full, "rate", 2)] if trained else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def ladder():
    """Minus the test log-likelihood of the best mixture on train, by number of components."""
    record = json.loads((RESULTS / "bernoulli_mixture_static_mnist.json").read_text())
    best = {}
    for run in record["metrics"]["runs"]:
        k = run["n_components"]
        best[k] = max(best.get(k, run), run, key=lambda candidate: candidate["train"])
    return {k: -run["test"] for k, run in best.items()}


def phrases():
    """The phrases of the prose that hold a figure, written from the records."""
    two, many = "mnist_vae_2d", "mnist_vae_128d"
    two_rate, many_rate = mean(two, "rate"), mean(many, "rate")
    saved = mean(two, "loss") - mean(many, "loss")
    seeds = [each["loss"] for each in metrics(two)]
    error = max(each["elbo_se"] for each in metrics(two))
    assert round((max(seeds) - min(seeds)) / error, 1) == 3.8  # "nearly four times"
    others = [name for data in list(IMAGES)[:2] for name in IMAGES[data] if name != two]
    for name in others:  # "less than one nat"
        losses = [each["loss"] for each in metrics(name)]
        assert len(losses) >= 3 and max(losses) - min(losses) < 1
    mixtures = [
        each for kind in ("diagonal", "full") for each in metrics(f"gaussian_mixture_{kind}")
    ]
    sweep = [
        each["gap"]
        for name in ("gaussian_mixture_1d", "gaussian_mixture_diagonal", "gaussian_mixture_4d")
        for each in metrics(name)
    ]
    coins, steps = 784 * math.log(2), ladder()
    frey = metrics("frey_model_2")
    eight = max(each["loss"] for each in metrics("figure_eight_diagonal"))
    train, test = (vc.data.mnist(split).x for split in ("train", "test"))
    mean_image = (test - train.mean(0)).square().sum(1).mean().item()
    return [
        "My loss is 150",
        f"two latents ends at {of(two, 'loss', 0)} nats an image and one with 128 latents at "
        f"{of(many, 'loss', 0)}",
        f"costs {coins:.0f}.",
        "higher than 1 at a point",
        f"model 2 lies between {of('mnist_model_2', 'loss', 0).replace('to', 'and')}",
        "pixels outside 0 to 1",
        "a probability is at most 1",
        "larger than 1?",
        "What must be 1 is its integral",
        f"one nat is {1 / math.log(2):.2f} bits",
        f"a loss of {mean(many, 'loss'):.0f} nats is {mean(many, 'loss') / coins:.2f} bits",
        f"of the {mean(two, 'loss'):.0f} nats that two latents cost, "
        f"{mean(two, 'distortion'):.0f} are distortion",
        f"and {two_rate:.0f} are rate",
        "784 times on MNIST",
        f"span {max(seeds) - min(seeds):.1f} nats",
        f"standard error of {error:.1f} that the 10,000 test images leave",
        f"stop at a loss of {span([each['loss'] for each in mixtures], 2)}, where "
        f"{-mixtures[0]['log_density']:.2f} is possible",
        f"128 latents spend {many_rate:.0f} nats where two spend {two_rate:.0f}, and their loss "
        f"is lower by {saved:.0f}",
        "of the 128",
        f"lacks {span(sweep, 2)} nats",
        "with 128 latents",
        f"half the squared error one of variance {variance_for(0.5):.0f}",
        f"half the squared error belongs to variance {variance_for(0.5):.0f}",
        "a test at $\\sigma = 1$",
        "sigmoid of a large logit *is* 1",
        "the logarithm of 1 minus that",
        "no probability to 0.4",
        "by 100 importance-weighted draws on 1,000 images",
        "(of Frey on all 165)",
        "density above 1",
        f"standard error is about {sum(each['elbo_se'] for each in frey) / 3:.0f} nats, for there "
        "are 165 test images",
        f"models with 50 latents had {experiments.params('mnist_dynamic_vae_50d').training.epochs}"
        " epochs",
        f"each of 784 pixels costs {coins:.1f} nats",
        f"its own frequency costs {steps[1]:.1f}, ten mixture components {steps[10]:.1f}, a "
        f"hundred {steps[100]:.1f} and five hundred {steps[500]:.1f}",
        f"squared error is {of('mnist_autoencoder_2d', 'squared_error', 1)} on the test set, where "
        f"the mean of the training images has {mean_image:.1f}",
        f"a loss of {eight:.2f} on the figure eight",
    ]


def plain(text):
    """The prose of the page: no tables, links, formulas, code or numbers of chapters and models."""
    text = re.sub(r"^\|.*$", " ", text, flags=re.MULTILINE)
    for data in IMAGES:
        text = text.replace(f"### {data}", " ")
    text = re.sub(r"\[[^\]]*\]\([^)]*\)|\{\w+\}`[^`]*`|\{doc\}`[^`]*`", " ", text)
    text = re.sub(r"chapter \d\d|model \d(?! lies)", " ", text)
    return " ".join(text.split())


def without_formulas(text):
    return re.sub(r"\$[^$]*\$|`[^`]*`", " ", text)


def variance_for(weight):
    """The variance of the Gaussian whose −log p charges `weight` times the squared error."""
    variance = 1 / (2 * weight)
    normal = torch.distributions.Normal(torch.tensor(0.0), torch.tensor(variance**0.5))
    charged = normal.log_prob(torch.tensor(0.0)) - normal.log_prob(torch.tensor(3.0))
    assert charged.item() == pytest.approx(weight * 9)
    return variance


def test_the_tables_are_those_of_the_records():
    tables = PAGE.split("\n## Reference losses\n")[1].splitlines()
    tables = [line for line in tables if line.startswith(("|", "### "))]
    tables.remove("### Without a network")
    assert tables == images_tables() + plane_table()


def test_every_figure_in_the_prose_is_computed():
    prose = plain(PAGE)
    for phrase in sorted(phrases(), key=len, reverse=True):
        assert phrase in prose, phrase
        prose = prose.replace(phrase, " ")
    left = re.findall(r".{0,30}\d[\d.,]*.{0,20}", without_formulas(prose))
    assert left == []


QUESTIONS = {
    part.split("\n", 1)[0]: part.split("\n", 1)[1].split("\n## ")[0].split("\n(reference")[0]
    for part in PAGE.split("\n### ")[1:]
    if part.split("\n", 1)[0].endswith(("?", "."))
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_a_short_answer_and_a_place(question):
    answer = QUESTIONS[question]
    links = re.findall(r"\(chapters/\d\d_\w+\.ipynb#[\w-]+\)|\{ref\}`[^`]+`", answer)
    assert links
    said = re.sub(r"\bSee\b.*", "", " ".join(answer.split()))
    assert 2 <= len(re.findall(r"[.?](?=\s|$)", said)) <= 5


def test_there_are_enough_questions():
    assert len(QUESTIONS) >= 25
