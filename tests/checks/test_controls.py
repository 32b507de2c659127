"""Negative controls and odd styles, made of every check's own right answer.

A wrong answer that is no known mistake gets a fact and never a name; a right one passes in any
honest style.
"""

import functools
import inspect

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse.checks.answers import Mistake, normal

CHECKS = {
    name: getattr(vc.checks, name)
    for name in vc.checks.__all__
    if hasattr(getattr(vc.checks, name), "right")
}
FACTS = (
    "our answer is .* where .* is right|times what is right, everywhere|too (large|small), every"
    "|^(In .*: )?Only the (last|first) row is wrong|^(In .*: )?Right for every .* tried"
    "|counts .* times; it must count once|not the gradient.*where .* is right|answer is zero"
    "|whatever the arguments are|cut off at|rounded to|In some places the sign|another answer alone"
)


def each(change):
    """The right answer with `change` made to every output."""

    def control(right):
        def fn(*arguments):
            answer = right(*arguments)
            several = isinstance(answer, tuple)
            changed = [change(part) for part in (answer if several else (answer,))]
            return tuple(changed) if several else changed[0]

        return fn

    return control


def noise(part):
    draws = normal(part.numel(), seed=part.numel()).reshape(part.shape)
    return part + 1e-3 * (1 + part.abs()) * (draws + 3)


def without_last_row(part):
    if part.ndim == 0:
        return part * 0.9
    mask = torch.ones(len(part), dtype=torch.float64)
    mask[-1] = 0.5
    return part * mask.reshape(-1, *[1] * (part.ndim - 1))


def one_nan(part):
    flat = part.flatten().clone()
    flat[len(flat) // 2] = torch.nan
    return flat.reshape(part.shape)


def moves(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def on_arguments(change):
    def control(right):
        def fn(*arguments):
            return right(*(change(a) if moves(a) else a for a in arguments))

        return fn

    return control


def half_detached(part):
    return 0.7 * part + (0.3 * part).detach()


WRONG = {
    "scaled": (each(lambda part: 1.37 * part), FACTS),
    "shifted": (each(lambda part: part + 0.37), FACTS),
    "minus a little": (each(lambda part: part - 0.002 * (1 + part.abs())), FACTS),
    "perturbed": (each(noise), FACTS),
    "rounded": (each(lambda part: part.round(decimals=1) + 0.01), FACTS),
    "a row halved": (each(without_last_row), FACTS),
    "cut off": (each(lambda part: part.clamp(-0.3, 0.3)), FACTS),
    "one NaN": (each(one_nan), "answer is NaN where .* is right"),
    "infinite": (each(lambda part: part / 0), "answer is −?(∞|NaN) where .* is right|NaN"),
    "all the same": (each(lambda part: 0 * part + 1.2345), FACTS),
    "arguments moved": (on_arguments(lambda a: 0.93 * a + 0.011), FACTS),
    "a copy too many": (each(lambda part: torch.stack([part, part, part])), "has shape|returns"),
    "and something else": (
        lambda right: lambda *a: [right(*a), "text", None],
        "returns a (list|tuple|str)|returns nothing|return \\d things",
    ),
    "a seed set": (lambda right: lambda *a: (torch.manual_seed(0), right(*a))[1], "random"),
    "not returned": (lambda right: lambda *a: print(end=str(right(*a))[:0]), "returns nothing"),
    "in place": (
        lambda right: lambda *a: right(next(v for v in a if torch.is_tensor(v)).mul_(0.5), *a[1:]),
        "in place",
    ),
    "in bits and thrice": (each(lambda part: part / 0.231), FACTS),
}


@pytest.mark.parametrize("control", WRONG)
@pytest.mark.parametrize("name", CHECKS)
def test_a_control_gets_a_fact_and_no_name(name, control):
    change, words = WRONG[control]
    with pytest.raises(Mistake, match=words):
        CHECKS[name](change(CHECKS[name].right))


def with_gradients(name):
    """Whether a check asks for gradients, as a detached answer shows."""
    try:
        CHECKS[name](each(torch.detach)(CHECKS[name].right))
    except Mistake as mistake:
        assert "no gradient" in str(mistake)
        return True
    return False


def test_half_a_gradient_is_refused_where_gradients_count():
    asking = [name for name in CHECKS if with_gradients(name)]
    assert len(asking) >= 10
    for name in asking:
        with pytest.raises(Mistake, match="not the gradient"):
            CHECKS[name](each(half_detached)(CHECKS[name].right))


def in_numpy(right):
    """The same in arrays; nothing in between is a tensor with a gradient."""

    def fn(*arguments):
        arrays = [a.numpy() if isinstance(a, torch.Tensor) else a for a in arguments]
        answer = right(*(torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arrays))
        if isinstance(answer, tuple):
            return tuple(part.numpy() for part in answer)
        return answer.numpy()

    return fn


class Callable:
    def __init__(self, right):
        self.right = right

    def __call__(self, *arguments, **options):
        return self.right(*arguments)


ODD = {
    "numpy": in_numpy,
    "single precision": each(lambda part: part.to(torch.float32)),
    "a callable object": Callable,
    "a partial": lambda right: functools.partial(lambda scale, *a: right(*a), 1.0),
    "a list of outputs": lambda right: (
        lambda *a: list(right(*a)) if isinstance(right(*a), tuple) else right(*a)
    ),
    "times one, plus zero": each(lambda part: 2 * part - part + 0.0),
    "halves that add up": each(lambda part: 0.5 * part + 0.5 * part),
    "transposed memory": each(
        lambda part: part.mT.contiguous().mT if part.ndim > 1 else part.clone()
    ),
}


@pytest.mark.parametrize("style", ODD)
@pytest.mark.parametrize("name", CHECKS)
def test_an_odd_style_passes(name, style):
    verdict = CHECKS[name](ODD[style](CHECKS[name].right))
    assert verdict.startswith("Right:") and verdict.count("gradient") <= 1


@functools.cache
def tried(name):
    """{argument: its values in every trial of a check}, as tensors, and what is right there."""
    right, seen, answers = CHECKS[name].right, [], []

    def spy(*arguments):
        seen.append([torch.as_tensor(a).detach().clone() for a in arguments])
        answer = right(*arguments)
        parts = answer if isinstance(answer, tuple) else (answer,)
        answers.append(torch.cat([part.detach().flatten() for part in parts]))
        return answer

    CHECKS[name](spy)
    return dict(zip(inspect.signature(right).parameters, zip(*seen), strict=True)), answers


# a line takes two sizes, a gap two latents, a deviation or a mean of the others two draws;
# torch.cov with weights overwrites a single point, so that a right step would be refused for it
MORE = {
    ("bias_free", "sizes", 0): 2,
    ("bias_free", "distances", 0): 2,
    ("em_step", "x", 0): 8,
    ("information_gap", "information", 0): 2,
    ("monte_carlo", "values", 0): 2,
    ("score_function_gradient", "values", 0): 2,
    ("score_function_gradient", "z", 0): 2,
}


@pytest.mark.parametrize("name", CHECKS)
def test_every_size_is_one_in_some_trial(name):
    for argument, values in tried(name)[0].items():
        for axis in range(values[0].ndim):
            least = min(value.shape[axis] for value in values)
            assert least == MORE.get((name, argument, axis), 1), (argument, axis)


@pytest.mark.parametrize("name", CHECKS)
def test_two_trials_of_one_shape_have_unlike_answers(name):
    """Else an answer that is kept by the shape of the arguments passes."""
    kept, (arguments, answers) = {}, tried(name)
    for values, answer in zip(zip(*arguments.values()), answers, strict=True):
        kept.setdefault(tuple(value.shape for value in values), []).append(answer)
    assert any(not torch.allclose(one, many[0]) for many in kept.values() for one in many)


def test_log_variances_run_from_minus_20_to_20():
    """The logarithms of rates and of signal to noise, too."""
    looked = 0
    for name in CHECKS:
        for argument, values in tried(name)[0].items():
            if argument.startswith(("log_var", "log_rate", "log_snr")):
                looked += 1
                assert min(v.min() for v in values) <= -20, (name, argument)
                assert max(v.max() for v in values) >= 20, (name, argument)
    assert looked == 12


# What is subtracted before the exponentials: only the largest of each row will do.
SHIFTS = {
    "first": lambda v: v[:, :1],
    "last": lambda v: v[:, -1:],
    "least": lambda v: v.amin(1, keepdim=True),
    "mean": lambda v: v.mean(1, keepdim=True),
    "middle": lambda v: v.median(1, keepdim=True).values,
    "largest of all": lambda v: v.max(),
    "nothing": lambda v: 0 * v[:, :1],
}


def softmax_by(shift):
    def softmax(v):
        e = (v - shift(v)).exp()
        return e / e.sum(1, keepdim=True)

    return softmax


def mean_by(shift):
    return lambda v: shift(v).expand(len(v), 1)[:, 0] + (v - shift(v)).exp().mean(1).log()


def chosen(v, k):
    return v.gather(1, k[:, None])


UNSTABLE = {
    "log_evidence": lambda shift: lambda v: mean_by(shift)(v.T),
    "importance_log_likelihood": lambda shift: lambda p, q: mean_by(shift)((p - q).T),
    "word_evidence": lambda shift: (
        lambda v, k: (mean_by(shift)(v), CHECKS["word_evidence"].right(v, k)[1])
    ),
    "word_gradient": lambda shift: (
        lambda v, f: (lambda q: q * (f - (q * f).sum(1, keepdim=True)))(softmax_by(shift)(v))
    ),
    "missing_pixels": lambda shift: lambda p, v: softmax_by(shift)(p) @ v.sigmoid(),
    "mixture_elbo": lambda shift: (
        lambda a, f, k: (
            (softmax_by(shift)(a) * (f - k - a.log_softmax(1))).sum(1) - np.log(a.shape[1])
        )
    ),
}


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("name", UNSTABLE)
def test_exponentials_that_leave_the_range_are_refused(name, shift):
    with pytest.raises(Mistake):
        CHECKS[name](UNSTABLE[name](SHIFTS[shift]))


@pytest.mark.parametrize("name", UNSTABLE)
def test_exponentials_after_the_largest_of_each_row_are_right(name):
    said = CHECKS[name](UNSTABLE[name](lambda v: v.amax(1, keepdim=True)))
    assert said.startswith("Right:")
