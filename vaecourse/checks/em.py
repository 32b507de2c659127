"""Self-check for one step of EM on a Gaussian mixture, taught in chapter 04.

The reader's function is tried on a few points. A wrong answer is compared with what the well-known
mistakes give, so that the message can name the one that was made.
"""

import torch
from torch.distributions import MultivariateNormal

from vaecourse.checks.answers import as_tensor, check_function, close, seeded
from vaecourse.checks.mistakes import Mistake

_NAMES = ("weights", "means", "covariances")


def em_step(fn):
    """Check `fn(x, weights, means, covariances) -> (weights, means, covariances)`, one E and one M.

    Points x [N, D] of a mixture of K Gaussians, with weights [K], means [K, D] and covariances
    [K, D, D], all float64. Returns a sentence beginning "Right:"; raises `Mistake` with one that
    names the mistake, TypeError when fn is not a function. Chapter 04.
    """
    check_function(fn)
    x, theta = _problem()
    answer = _answer(fn, x, theta)
    r = _responsibilities(x, theta)
    # One parameter after the other: weights show the E step, means and covariances the M step.
    _check_weights(answer[0], x, theta, r)
    _check_means(answer[1], x, theta, r)
    _check_covariances(answer[2], x, theta, r)
    _check_far_point(fn, x, theta)
    return "Right: responsibilities over components, in the logarithm, then weighted averages."


def _problem():
    """Nine points of the plane, and three components that are nowhere near a fixed point."""
    generator = seeded(4)
    x = 1.5 * torch.randn(9, 2, generator=generator, dtype=torch.float64) + 0.5
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    means = torch.tensor([[0.0, 0.0], [1.5, -0.5], [-0.5, 1.0]], dtype=torch.float64)
    factor = torch.tensor([[0.9, 0.0], [0.3, 1.1]], dtype=torch.float64)
    shape = factor @ factor.T
    covariances = torch.stack(
        [shape, 2 * torch.eye(2, dtype=torch.float64), 0.7 * shape.flip(0, 1)]
    )
    return x, (weights, means, covariances)


def _answer(fn, x, theta):
    """The reader's three tensors, [K], [K, D] and [K, D, D]."""
    given = [value.clone() for value in (x, *theta)]
    value = fn(*given)
    for name, before, after in zip(("x", *_NAMES), (x, *theta), given, strict=True):
        if not torch.equal(before, after):
            raise Mistake(f"You change {name} in place; the caller still needs it.")
    if value is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    if isinstance(value, torch.Tensor) or not hasattr(value, "__len__") or len(value) != 3:
        raise Mistake("Return three things: weights, means and covariances.")
    parts = [_part(part) for part in value]
    for name, part, expected in zip(_NAMES, parts, theta, strict=True):
        if part.shape != expected.shape:
            shapes = f"{list(part.shape)}; it must be {list(expected.shape)}"
            raise Mistake(f"{name} has shape {shapes}, as it came in.")
    for name, part in zip(_NAMES, parts, strict=True):
        if not part.isfinite().all():
            raise Mistake(f"{name} has values that are NaN or infinite.")
    return parts


def _part(value):
    """A tensor, an array, or a list of tensors, one for each component."""
    if isinstance(value, (list, tuple)):
        return torch.stack([_part(item) for item in value])
    return as_tensor(value)


def _log_densities(x, means, covariances):
    return MultivariateNormal(means, covariances).log_prob(x[:, None])


def _responsibilities(x, theta):
    weights, means, covariances = theta
    return torch.softmax(weights.log() + _log_densities(x, means, covariances), dim=1)


def _weighted_means(x, r):
    return r.T @ x / r.sum(0)[:, None]


def _scatters(x, r, means):
    """Σ_n r_nk (x_n − means_k)(x_n − means_k)ᵀ, [K, D, D]."""
    offsets = x[:, None] - means
    return torch.einsum("nk,nki,nkj->kij", r, offsets, offsets)


def _check_weights(given, x, theta, r):
    weights, means, covariances = theta
    counts = r.sum(0)
    right = counts / len(x)
    log_density = _log_densities(x, means, covariances)
    joint = (weights.log() + log_density).exp()
    over_data = joint / joint.sum(0)
    forgotten = torch.softmax(log_density, 1)
    no_det = torch.softmax(weights.log() + log_density + 0.5 * covariances.logdet(), 1)
    squares = -2 * (log_density + 0.5 * covariances.logdet())  # and a constant
    no_half = torch.softmax(weights.log() - squares - 0.5 * covariances.logdet(), 1)
    hard = torch.nn.functional.one_hot(r.argmax(1), len(weights)).to(r)
    _name_one(
        "weights",
        given,
        right,
        [
            (counts, "weights are the counts N_k; divide them by N."),
            (weights, "weights have not changed; the M step sets them to N_k / N."),
            (
                over_data.sum(0) / len(x),
                "Your responsibilities are normalized over the data, so that columns sum to one; "
                "normalize each row, over components.",
            ),
            (
                over_data.mean(0) / over_data.mean(0).sum(),
                "Your responsibilities are normalized over the data, so that columns sum to one; "
                "normalize each row, over components.",
            ),
            (
                joint.sum(0) / len(x),
                "Your responsibilities are the joint p(x, z = k), not normalized; divide each row "
                "by its sum over components.",
            ),
            (
                joint.sum(0) / joint.sum(),
                "Your responsibilities are the joint p(x, z = k), not normalized; divide each row "
                "by its sum over components.",
            ),
            (joint.sum(0), "Your responsibilities are the joint p(x, z = k), not normalized."),
            (
                forgotten.mean(0),
                "The weights are missing in your E step: the prior of z is not flat.",
            ),
            (
                hard.mean(0),
                "You give each point to its likeliest component; EM counts it for all of them, in "
                "proportion to the responsibilities.",
            ),
            (
                no_det.mean(0),
                "The determinant is missing in your Gaussian: without it a wide component is "
                "as dense at its mean as a narrow one.",
            ),
            (no_half.mean(0), "The ½ in the exponent of your Gaussian is missing."),
        ],
    )


def _check_means(given, x, theta, r):
    _, means, _ = theta
    counts = r.sum(0)
    right = _weighted_means(x, r)
    _name_one(
        "means",
        given,
        right,
        [
            (means, "means have not changed; the M step sets them to the weighted means of x."),
            (
                right * counts[:, None] / len(x),
                "means are divided by N; each must be divided by its own N_k.",
            ),
            (right * counts[:, None], "means are not divided by N_k yet."),
            (
                x.mean(0).expand_as(right),
                "means are all the mean of x; the responsibilities are missing.",
            ),
            (
                _weighted_means(x, r.square()),
                "means are weighted by the responsibilities twice.",
            ),
        ],
    )


def _check_covariances(given, x, theta, r):
    _, old_means, covariances = theta
    counts, means = r.sum(0), _weighted_means(x, r)
    scatters = _scatters(x, r, means)
    right = scatters / counts[:, None, None]
    even = torch.ones_like(r)
    second = torch.einsum("nk,ni,nj->kij", r, x, x) / counts[:, None, None]
    about_old = _scatters(x, r, old_means) / counts[:, None, None]
    _name_one(
        "covariances",
        given,
        right,
        [
            (covariances, "covariances have not changed; the M step updates them as well."),
            (
                about_old,
                "covariances are taken around the old means; the bound is largest around the new.",
            ),
            (
                scatters / len(x),
                "covariances are divided by N; each must be divided by its own N_k.",
            ),
            (scatters, "covariances are not divided by N_k yet."),
            (
                scatters / (counts - 1)[:, None, None],
                "covariances are divided by N_k − 1; the maximum of the bound has N_k.",
            ),
            (
                _scatters(x, even, means) / len(x),
                "The responsibilities are missing in covariances: every point counts fully.",
            ),
            (
                _scatters(x, even, means) / counts[:, None, None],
                "The responsibilities are missing in covariances: every point counts fully.",
            ),
            (
                _scatters(x, r.square(), means) / counts[:, None, None],
                "covariances are weighted by the squares of the responsibilities.",
            ),
            (second, "covariances are second moments about zero; subtract the new means."),
            (
                right * torch.eye(x.shape[1], dtype=right.dtype),
                "covariances have lost what is off the diagonal.",
            ),
            (
                torch.linalg.inv(right),
                "You return precisions, the inverses; covariances are asked for.",
            ),
            (
                torch.linalg.cholesky(right),
                "You return Cholesky factors; covariances are asked for.",
            ),
        ],
    )


def _check_far_point(fn, x, theta):
    """A point whose density is zero to the machine under every component."""
    far = torch.cat([x, torch.full((1, x.shape[1]), 200.0, dtype=x.dtype)])
    weights = _answer_far(fn, far, theta)
    right = _responsibilities(far, theta).mean(0)
    if not close(weights, right):
        raise Mistake(
            "With a point far from every component your responsibilities are 0/0 or nearly so: "
            "stay in the logarithm and subtract logsumexp before you exponentiate."
        )


def _answer_far(fn, far, theta):
    try:
        return as_tensor(_part(fn(far, *(value.clone() for value in theta))[0]))
    except (ArithmeticError, ValueError):  # what 0/0 becomes without torch
        return torch.full_like(theta[0], torch.nan)


def _name_one(parameter, given, right, wrong):
    """Raise the Mistake for one parameter unless it is right; by name where it is known."""
    if close(given, right):
        return
    for value, sentence in wrong:
        if close(given, value):
            raise Mistake(sentence)
    place = (given - right).abs().flatten().argmax()
    worst, expected = given.flatten()[place].item(), right.flatten()[place].item()
    raise Mistake(f"{parameter} has {worst:.4f} where {expected:.4f} is right.")
