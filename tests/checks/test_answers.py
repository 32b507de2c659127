"""What all checks share: what they say of anything that is handed to them, and how they say it."""

import functools
import importlib
import inspect
import math
import random
import re
import sys
import time

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse.checks import answers
from vaecourse.checks.answers import Mistake, Trial, check, normal, shown, uniform

CHECKS = [name for name in vc.checks.__all__ if name != "Mistake"]


def said(fn, name="kl"):
    with pytest.raises(Mistake) as caught:
        getattr(vc.checks, name)(fn)
    return str(caught.value)


def kl(loc, log_var):
    return 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(-1)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("value", [1.0, torch.zeros(3), None, "kl"])
def test_a_value_in_place_of_the_function_is_refused(name, value):
    assert "pass the function itself, without calling it" in said(value, name)


NONSENSE = [
    "text",
    {"a": 1.0},
    {1, 2},
    (),
    [],
    [1.0, "a"],
    (torch.zeros(2), torch.zeros(3)),
    torch.distributions.Normal(0.0, 1.0),
    torch.nn.Linear(2, 2),
    math.log,
    object(),
    1j,
    torch.zeros(3, dtype=torch.complex64),
    np.array(["a"]),
    np.array([None]),
    torch.zeros(0),
    torch.zeros(3, device="meta"),
    torch.zeros(3).to_sparse(),
    10**400,
    True,
    torch.full((5,), math.nan),
    -math.inf,
]


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: type(value).__name__)
def test_nonsense_is_refused_in_a_sentence(name, value):
    text = said(lambda *arguments: value, name)
    assert re.fullmatch(r"[\w−].*[.!]", text) and "Error" not in text and "\n" not in text


@pytest.mark.parametrize("name", CHECKS)
def test_no_value_at_all_is_open_or_a_missing_return(name):
    assert said(lambda *arguments: None, name).startswith("Your function returns nothing")
    assert said(lambda *arguments: ..., name) == "Still open: your function returns nothing yet."


@pytest.mark.parametrize("name", CHECKS)
def test_another_number_of_arguments_is_said(name):
    assert re.match(r"Your function takes \(\); it is called with \(\w+", said(lambda: 0.0, name))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("m.missing", "Something is asked for what it does not have"),
        ("undefined(m)", "A name is used that is not defined"),
        ("m + v[:, :1].T[:, :2]", "Two shapes do not fit together"),
        ("math.log(v)", "A whole tensor, or a tuple, stands where one number is wanted"),
        ("max(m, 0)", "whole tensor is true"),
        ("torch.nn.functional.binary_cross_entropy(5 + m, v)", "binary_cross_entropy_with_logits"),
        ("m @ torch.ones(m.shape[1])", "Numbers of two precisions meet"),
        ("1 / 0", "division by zero"),
        ("torch.linalg.inv(0 * m.T @ m)", "singular"),
        ("[].pop()", "Your function stops with IndexError"),
        ("exit()", "Your function stops with SystemExit"),
    ],
)
def test_errors_of_the_students_code_are_put_in_our_words(code, words):
    names = {"torch": torch, "math": math}
    text = said(eval(f"lambda m, v: {code}", names))
    assert words in text and "\n" not in text


def test_where_the_students_code_stops_is_shown():
    def fn(loc, log_var):
        return loc.nothing

    assert said(fn).endswith("It stops at `return loc.nothing`.")


def test_a_function_that_does_not_end_is_stopped(monkeypatch):
    monkeypatch.setattr(answers, "SECONDS", 0.05)

    def fn(loc, log_var):
        while True:
            try:
                loc.sum()
            except Exception:
                return loc

    assert said(fn) == "Your function is still running after 0.05 seconds of computing."


def test_a_function_that_waits_is_not_one_that_computes(monkeypatch):
    monkeypatch.setattr(answers, "SECONDS", 0.2)

    def slow(loc, log_var):
        time.sleep(0.3)
        return kl(loc, log_var)

    assert vc.checks.kl(slow).startswith("Right:")
    monkeypatch.setattr(answers, "PATIENCE", 0.2)
    assert said(slow) == "Your function is still running after 0.2 seconds."


def test_an_import_is_let_end_and_does_not_count(monkeypatch, tmp_path):
    work = "import time\nbegun = time.thread_time()\nwhile time.thread_time() < begun + 0.5: pass\n"
    (tmp_path / "heavy_library.py").write_text(work + "scale = 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(answers, "SECONDS", 0.25)

    def fn(loc, log_var):
        import heavy_library

        return heavy_library.scale * kl(loc, log_var)

    assert vc.checks.kl(fn).startswith("Right:")
    del sys.modules["heavy_library"]


def test_a_file_that_asks_a_check_while_it_is_imported_is_limited(monkeypatch, tmp_path):
    code = "import vaecourse as vc\ndef fn(loc, log_var):\n    while True: pass\nvc.checks.kl(fn)\n"
    (tmp_path / "asks_at_once.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(answers, "SECONDS", 0.05)
    with pytest.raises(Mistake, match="still running after 0.05 seconds of computing"):
        importlib.import_module("asks_at_once")


# --- what may never be -----------------------------------------------------------------------


@pytest.mark.parametrize("gap", [1e-3, 1e-9, 3e-16])
@pytest.mark.parametrize("value", [0.0, 3.7577, -1e5, 1e-7])
def test_two_numbers_that_differ_are_shown_to_differ(value, gap):
    other = value + gap * max(1, abs(value)) * 2
    assert other == value or len(set(shown(value, other))) == 2
    assert shown(math.nan, value)[0] == "NaN" and shown(-math.inf, value)[0] == "−∞"


@pytest.mark.parametrize("seed", range(20))
def test_a_random_change_gets_no_name_and_no_equal_numbers(seed):
    def fn(loc, log_var):
        change = normal(*loc.shape, seed=seed) * 10.0 ** -(seed % 4)
        return kl(loc, log_var) + (change * loc).sum(-1)

    given, right = re.search(r"answer is (\S+) where (\S+?)\.? ?(is right.*|)$", said(fn)).groups()[
        :2
    ]
    assert given != right


@pytest.mark.parametrize("c", [0.3, 7.0, -2.5])
def test_a_constant_factor_or_a_constant_is_said(c):
    text = f"{c:g}".replace("-", "−")
    assert (
        said(lambda m, v: c * kl(m, v)) == f"The answer is {text} times what is right, everywhere."
    )
    assert f"is {abs(c):g} too" in said(lambda m, v: kl(m, v) + c)
    assert "whatever the arguments are" in said(lambda m, v: c + 0 * kl(m, v))


def test_random_numbers_of_the_process_stay_as_they_are():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    before = answers._random_states()
    assert "no random draw" in said(lambda m, v: kl(m, v) + 0 * torch.randn(len(m)))
    assert "no random draw" in said(lambda m, v: (torch.manual_seed(0), kl(m, v))[1])
    assert "no random draw" in said(lambda m, v: (random.seed(0), kl(m, v))[1])
    assert answers._random_states() == before


def test_arguments_that_are_overwritten_are_named():
    text = said(lambda m, v: kl(m, v.clamp_(-2, 2)))
    assert text.endswith("You change log_var in place; the caller still needs it.")
    assert said(lambda m, v: kl(m.mul_(2), v)).startswith("You change loc in place")


def test_extra_arguments_partials_and_callables_are_functions():
    class Callable:
        def __call__(self, loc, log_var, scale=1.0):
            return scale * kl(loc, log_var)

    def by_name(*, loc, log_var):
        return kl(loc, log_var)

    for fn in (Callable(), functools.partial(Callable(), scale=1.0), by_name):
        assert vc.checks.kl(fn).startswith("Right:")


# --- in a notebook, and in a grader ----------------------------------------------------------


def test_a_mistake_is_an_assertion_error_of_one_line():
    assert issubclass(Mistake, AssertionError)
    assert Mistake("The sign.")._render_traceback_() == ["Mistake: The sign."]


def test_a_notebook_is_told_and_a_grader_raises(monkeypatch, capsys):
    monkeypatch.delenv("VAECOURSE_STRICT", raising=False)
    monkeypatch.setattr(answers, "_has_kernel", lambda: True)
    verdict = vc.checks.kl(lambda m, v: -kl(m, v))
    assert verdict == "Not yet. The sign is wrong: a KL is never negative, and yours is."
    verdict._ipython_display_()
    assert capsys.readouterr().out == f"{verdict}\n"
    assert vc.checks.kl(lambda m, v: ...) == "Still open: your function returns nothing yet."
    for name in ("NBGRADER_EXECUTION", "NBGRADER_VALIDATING", "VAECOURSE_STRICT"):
        with monkeypatch.context() as there, pytest.raises(Mistake):
            there.setenv(name, "1")
            vc.checks.kl(lambda m, v: -kl(m, v))


# --- every check -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_says_what_it_asks_for(name):
    fn = getattr(vc.checks, name)
    assert re.match(r"Check `fn\(", inspect.getdoc(fn))


def test_a_new_check_takes_a_right_answer_and_names_a_mistake():
    @check(
        lambda: [(normal(4),), (uniform(7),), Trial((1e4 + normal(3),), "With values near 10,000")],
        "the largest minus the smallest.",
        lambda x: [(x.max(), "This is the largest alone."), (x.std(), "This is a deviation.")],
    )
    def span(x):
        """Check `fn(x)`: the span of x [N]."""
        return x.max() - x.min()

    assert span(lambda x: x.sort().values[-1] - min(x)) == "Right: the largest minus the smallest."
    with pytest.raises(Mistake, match="This is the largest alone."):
        span(max)


def test_a_check_runs_on_one_thread_and_sets_the_number_back():
    before, seen = torch.get_num_threads(), set()

    def kl(loc, log_var):
        seen.add(torch.get_num_threads())
        return 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(-1)

    torch.set_num_threads(2)
    try:
        assert vc.checks.kl(kl).startswith("Right")
        assert seen == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_only_evaluates_needs_no_gradient():
    def importance(log_joint, log_q):
        return (log_joint - log_q).logsumexp(0) - math.log(len(log_q))

    for fn in (torch.no_grad()(importance), lambda *given: importance(*given).detach()):
        assert vc.checks.importance_log_likelihood(fn).startswith("Right")
    with pytest.raises(vc.checks.Mistake, match="detached: no gradient reaches terms"):
        vc.checks.minibatch_total(lambda terms, total: total * terms.mean().detach())
