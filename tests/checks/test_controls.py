"""Negative controls and odd styles, made of every check's own right answer.

A wrong answer that is no known mistake gets a fact and never a name; a right one passes in any
honest style.
"""

import functools

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
    assert CHECKS[name](ODD[style](CHECKS[name].right)).startswith("Right:")
