"""The page for examiners: points, programs and numbers; and it is built apart."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

import vaecourse as vc
from vaecourse.evaluation.frechet import frechet_distance

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "exam" / "examiner.md").read_text(encoding="utf-8")
LECTURER = (ROOT / "lecturer.md").read_text(encoding="utf-8")
WORDS = " ".join((PAGE + LECTURER).split())  # the same, however its lines are broken
SECTIONS = dict(re.findall(r"^## Chapter (\d\d)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
QUESTION = re.compile(
    r"^Question (\d+)\.(\d) \((\d+) points, [\w ]+\)\..*?^```\{dropdown\} Rubric\n(.*?)^```",
    re.M | re.S,
)


def test_every_chapter_has_a_section():
    chapters = {path.name[:2] for path in (ROOT / "chapters").glob("[0-9]*.ipynb")}
    assert set(SECTIONS) == chapters


@pytest.mark.parametrize("chapter", SECTIONS)
def test_a_section_has_questions_of_two_levels(chapter):
    section = SECTIONS[chapter]
    levels = re.findall(r"^Question \d+\.\d \(\d+ points, ([\w ]+)\)", section, re.M)
    assert len(set(levels)) >= 2
    assert [int(found[0]) for found in QUESTION.findall(section)] == [int(chapter)] * len(levels)


@pytest.mark.parametrize("question", QUESTION.findall(PAGE), ids=lambda found: ".".join(found[:2]))
def test_the_points_of_a_rubric_add_up(question):
    *_, points, rubric = question
    given = [int(found) for found in re.findall(r"^- (\d) points?: ", rubric, re.M)]
    assert len(given) == len(rubric.strip().splitlines())
    assert sum(given) == int(points)


def program(start):
    """The Python block of the page that begins with `start`."""
    (found,) = re.findall(rf"^```python\n({re.escape(start)}.*?)^```", PAGE, re.M | re.S)
    return found


def test_the_check_of_your_own_takes_what_is_right_and_names_what_is_wrong():
    names = {}
    exec(program("from vaecourse.checks.answers"), names)
    look = names["weighted_mean"]
    assert look(lambda x, w: (x * w / w.sum()).sum()).startswith("Right: a mean in which")
    words = look(lambda x, w: np.average(x, weights=w))
    assert words.startswith("Right: ") and "Without a gradient, though" in words
    for fn, words in (
        (lambda x, w: x.mean(), "The weights are missing"),
        (lambda x, w: x @ w, "not divided by their sum"),
        (lambda x, w: 2 * x @ w / w.sum(), "The answer is 2 times what is right"),
        (lambda x, w: x.detach() @ w / w.sum(), "detached"),
        (lambda x, w: x * w / w.sum(), "so that it is one number"),
    ):
        with pytest.raises(vc.checks.Mistake, match=words):
            look(fn)


def test_a_mistake_fails_an_assert_based_test():
    assert issubclass(vc.checks.Mistake, AssertionError)


def test_the_bug_hunt_has_one_named_bug_in_each_function():
    names = {
        "torch": torch,
        "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
        "right_kl": lambda loc, log_var: 0.5 * (log_var.exp() + loc**2 - 1 - log_var).sum(1),
    }
    exec(program("def kl"), names)
    expected = {
        "kl": "averaged over the latents",
        "reparameterize": "The variance is used as a deviation",
        "elbo": "The KL is added",
        "minibatch_total": "You scaled by M/N",
    }
    for name, words in expected.items():
        with pytest.raises(vc.checks.Mistake, match=words):
            getattr(vc.checks, name)(names[name])


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def computed():
    """The phrases of the exam that hold a result, written from a computation."""
    scores = 3.2 * 100
    eigenvalues = np.array([9, 4, 1.5, 0.5])
    shares = eigenvalues / (eigenvalues + 1)
    fair, bent = Bernoulli(tensor(0.5)), Bernoulli(tensor(0.75))
    mean = 0.3 * -4 + 0.7 * 4
    variance = 1 + 16 - mean**2
    x = np.array([-1, 0.1, 2])
    r = 1 / (1 + np.exp(-2 * x))
    of_two = Normal(0, math.sqrt(4 / 3)).log_prob(torch.tensor(2.0)).item()
    of_one = Normal(0, math.sqrt(2)).log_prob(torch.tensor(1.0)).item()
    posterior = Normal(tensor(0.5), tensor(0.5).sqrt())
    gap = kl_divergence(Normal(tensor(0.0), tensor(1.0)), posterior).item()
    second = 0.5 * (0.25 - 1 - math.log(0.25))
    v = 12 / 784
    line = frechet_distance(tensor(0), tensor(1)[None], tensor(3), tensor(4)[None])
    plane = frechet_distance(tensor(0, 0), tensor(1, 4).diag(), tensor(0, 0), tensor(9, 1).diag())
    slope = (5.3 - 5.1) / (1 / 1_000 - 1 / 3_000)
    entropy = 0.5 * math.log((2 * math.pi * math.e) ** 2 * 9.2 * 0.3111)
    eight = [
        json.loads(path.read_text())["metrics"]
        for path in sorted((ROOT / "data" / "pretrained").glob("figure_eight_diagonal_seed?.json"))
    ]
    full = ROOT / "data" / "pretrained" / "figure_eight_full_seed0.json"
    return [
        f"{scores:.0f}, since the same probability",
        f"$V/2S = {8 / 200:.2f}$ nats",
        f"1.5 + 0.5 = {eigenvalues[2:].sum():.0f}.",
        f"{shares[0]:.1f}, {shares[1]:.1f}, {shares[2]:.1f} and {shares[3]:.3f}.",
        f"\\tfrac12\\log\\tfrac43 = {kl_divergence(fair, bent).item():.3f}$",
        f"\\tfrac14\\log\\tfrac12 = {kl_divergence(bent, fair).item():.3f}$",
        f"mean {mean:.1f} and variance $1 + 16 - {mean:.1f}^2 = {variance:.2f}$",
        f"$-\\log 0.7 = {-math.log(0.7):.3f}$ and $-\\log 0.3 = {-math.log(0.3):.3f}$",
        f"$r = 1/(1 + e^{{-2x}})$: {r[0]:.3f}, {r[1]:.3f} and {r[2]:.3f}",
        f"weight {r.mean():.3f}",
        f"mean {(r @ x) / r.sum():.3f}",
        f"precision 1 + 3 = 4, so $\\mathcal N({3 / 4 * 2:.1f}, {1 / 4:.2f})$",
        f"$\\log p(2) = {of_two:.3f}$",
        f"$1 - 0.6^2 = {1 - 0.6**2:.2f}$",
        f"$-\\tfrac12\\log 0.64 = {-0.5 * math.log(0.64):.3f}$",
        f"{2 * 0.64:.2f}, where the truth is {2 + 2 * 0.6:.1f}",
        f"$\\log p(1) = {of_one:.3f}$",
        f"\\log 2 + \\tfrac12) = {gap:.3f}$",
        f"are {1.5**4 + 18 * 1.5**2 + 15 - 9:.1f} and {4 * 1.0:.0f}",
        f"$\\mu^2/\\sigma^2 + 2 = {3**2 + 2}$",
        f"\\log 4) = {second:.3f}$ for the second: {0.5 + second:.3f} nats",
        f"{(0.5 + second) / math.log(2):.2f} bits",
        f"−{60_000 / 100 * 15_000:,.0f} in total",
        f"−{15_000 / 100:.0f} per image",
        f"12/784 = {v:.4f}",
        f"= {-392 * (math.log(2 * math.pi * v) + 1):.0f} nats",
        f"= −{392 * math.log(2 * math.pi) + 6:.0f} nats",
        f"= {entropy:.3f}$ nats",
        f"losses of {-eight[0]['elbo']:.2f}, {-eight[1]['elbo']:.2f} and {-eight[2]['elbo']:.2f} "
        f"nats with KLs of {eight[0]['kl']:.2f}, {abs(eight[1]['kl']):.2f} and "
        f"{eight[2]['kl']:.2f}",
        f"the best possible loss is {-eight[0]['log_density']:.2f}",
        f"variance {1 / (1 + 4 + 2):.3f}",
        f"$(2 + 2)/7 = {4 / 7:.3f}$",
        f"9 + 1 = {line:.0f}.",
        f"^2 = {plane:.0f}$",
        f"the slope is {slope:.0f} and the intercept {5.3 - slope / 1_000:.1f}",
        f"$\\log 10 = {math.log(10):.3f}$",
        f"\\log 20 = {0.5 * math.log(20):.3f}$ and $\\tfrac12\\log 10 = {0.5 * math.log(10):.3f}$",
        f"0.2 + 0.2 + 0.15 = {2 * 0.2 + 0.15:.2f}",
        f"\\tfrac12\\log 4 = {0.5 * math.log(8 / 2):.3f}$ nats; error 2 + 2 + 1 = {2 + 2 + 1}",
        f"$\\log 0.2 = {math.log(np.mean([0.4, 0.2, 0.1, 0.1])):.3f}$",
        f"$\\log 0.4 - \\log 4 = {math.log(0.4) - math.log(4):.3f}$",
        f"$\\log 2 = {math.log(0.2) - math.log(0.1):.3f}$",
        f"precision 1 + 3 = {1 + 3:.0f}, and the guess",
        f"the error is {1 / 4:.2f}.",
        f"\\tfrac12(3 - 1) \\cdot 0.5 = {0.5 * (3 - 1) / (1 + 1):.3f}$ nats",
        f"$\\tfrac12\\log(1 + 2 \\cdot 0.5) = {0.5 * math.log(1 + 2 * 0.5):.3f}$ nats",
        f"$\\log(1 + 0.5) = {math.log(1 + 0.5 * 1 + 0 * 2):.3f}$",
        f"$u^\\top w = {-0.5 * 1 - 0.5 * 2}$",
        f"$-101 + \\log 2 = {-101 + math.log(2):.3f}$",
        f"= {-100 + math.log(1 + math.exp(-2)):.3f}$, at $q(1 \\mid x) "
        f"= {1 / (1 + math.exp(-2)):.3f}$",
        f"full covariance, at {-json.loads(full.read_text())['metrics']['elbo']:.2f}",
    ]


def test_the_results_in_the_exam_are_computed():
    assert [phrase for phrase in computed() if phrase not in WORDS] == []


def test_posterior_of_question_seven_is_the_one_given():
    model = vc.inference.posteriors.linear_posterior([1.0], [[1.0]], 1.0, 1.0)
    assert abs(model.mean.item() - 0.5) < 1e-12
    assert abs(model.covariance.item() - 0.5) < 1e-12


def test_variances_of_question_eight_by_drawing():
    eps = torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = 3 + eps
    for baseline, variance in ((0, 11), (3, 2)):
        found = (z - baseline) * eps
        assert abs(found.mean() - 1) < 4 * found.std() / len(eps) ** 0.5
        # Relative error of a variance: sqrt((kurtosis - 1)/S), and 15 bounds the kurtosis here.
        assert abs(found.var() / variance - 1) < 4 * math.sqrt(14 / len(eps))


def test_it_is_built_apart_and_complete():
    build = [sys.executable, str(ROOT / "_ext" / "build_instructors.py")]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = (ROOT / "_build" / "instructors" / "examiner.html").read_text(encoding="utf-8")
    assert made.count("<summary") == PAGE.count("{dropdown} Rubric")
    assert "https://cdn" not in made
