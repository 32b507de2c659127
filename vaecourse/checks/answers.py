"""What the self-checks share: calling a reader's function, and naming what it returned."""

import torch

from vaecourse.checks.mistakes import Mistake


def check_function(fn):
    """Raise TypeError unless `fn` can be called."""
    if not callable(fn):
        raise TypeError(
            f"fn is a {type(fn).__name__}; pass the function itself, without calling it."
        )


def seeded(seed):
    """A generator started from `seed`, for the numbers that a check makes up."""
    return torch.Generator().manual_seed(seed)


def as_tensor(value):
    """What a reader's function returned, a tensor, array or number, as float64."""
    if value is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    return torch.as_tensor(value).detach().to(torch.float64)


def per_row(value, like, dimensions):
    """The answer as [B]; a Mistake that says what was reduced too much or too little."""
    answer, rows = as_tensor(value), len(like)
    if answer.ndim == 0:
        raise Mistake(
            f"The answer is one number, reduced over the batch; give one value a row, [{rows}]."
        )
    if answer.shape == (rows, 1):
        raise Mistake(f"The shape is [{rows}, 1]; sum without keepdim, so that it is [{rows}].")
    if answer.ndim == 2 and len(answer) == rows:
        raise Mistake(
            f"The shape is {list(answer.shape)}; sum over the {dimensions}, the last axis."
        )
    if answer.shape == (like.shape[1],):
        raise Mistake("You summed over the data, the first axis; sum over the last one.")
    if answer.shape != (rows,):
        raise Mistake(f"The shape is {list(answer.shape)}; it must be one value a row, [{rows}].")
    return answer


def close(one, two):
    """Whether two tensors agree in shape and in five digits."""
    return one.shape == two.shape and torch.allclose(one, two, rtol=1e-5, atol=1e-5)


def name_mistake(answer, right, wrong):
    """Raise the Mistake whose value the answer is, or one that shows the first difference."""
    for value, sentence in wrong:
        if close(answer, value):
            raise Mistake(sentence)
    given, expected = answer.flatten()[0].item(), right.flatten()[0].item()
    raise Mistake(f"The first value is {given:.4f} where {expected:.4f} is right.")


def check_gradients_reach(fn, parameters):
    """Raise a Mistake unless the answer has a gradient with respect to every parameter."""
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    answer = fn(leaves.values())
    names = ", ".join(leaves)
    if not (isinstance(answer, torch.Tensor) and answer.requires_grad):
        raise Mistake(f"The answer is detached: no gradient reaches {names}.")
    gradients = torch.autograd.grad(answer.sum(), leaves.values(), allow_unused=True)
    for name, gradient in zip(leaves, gradients, strict=True):
        if gradient is None or not gradient.any():
            raise Mistake(f"No gradient reaches {name}; it is detached somewhere on the way.")
