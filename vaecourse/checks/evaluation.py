"""Self-checks of chapter 13: a distance between Gaussians, its bias, and a likelihood from draws.

Each takes the reader's function, tries it on seeded numbers, and compares a wrong answer with what
the well-known mistakes give, so that the message can name the one that was made.
"""

import math

import torch

from vaecourse.checks.answers import as_tensor, check_function, close, name_mistake, seeded
from vaecourse.checks.mistakes import Mistake


def frechet(fn):
    """Check `fn(mean1, cov1, mean2, cov2)`: the squared 2-Wasserstein distance of two Gaussians.

    Means are [D], covariances [D, D], float64; one number is asked for, for singular covariances
    too. Returns a sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function.
    """
    check_function(fn)
    given = _two_gaussians()
    answer = _real_number(fn(*(value.clone() for value in given)), "the distance")
    right = _frechet(*given)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_distances(*given))
    mean, line = torch.zeros(3, dtype=torch.float64), torch.tensor([2.0, 1.0, 0.0]).double()
    flat = torch.outer(line, line)
    # Roots of rounding errors are of order 1e-8, and a sound answer may hold a few of them.
    answer = _real_number(fn(mean, flat, mean + 1, 4 * flat), "the distance")
    if not torch.allclose(answer, torch.tensor(8.0).double(), atol=1e-4):
        raise Mistake(
            f"For two Gaussians on one line, with singular covariances, you give {answer:.4g} "
            "where 8 is right; use no inverse, and clamp eigenvalues at zero before their roots."
        )
    return "Right: squared means plus traces minus twice the trace of the root, singular or not."


def importance_log_likelihood(fn):
    """Check `fn(log_joint, log_q)`, both [S, B], to [B]: log p(x) by S draws from q(z|x), in nats.

    log_joint holds log p(x, z_s), log_q log q(z_s|x). Returns a sentence beginning "Right:";
    raises `Mistake` with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    log_joint, log_q = _log_joint_and_q()
    right = _log_mean_weight(log_joint, log_q)
    answer = as_tensor(fn(log_joint.clone(), log_q.clone()))
    if answer.shape == (len(log_joint),):
        raise Mistake("The mean runs over the data; it must run over the draws, dimension 0.")
    if answer.shape != right.shape:
        shape = list(answer.shape)
        raise Mistake(f"The answer has shape {shape}; it must be [{len(right)}], one for each x.")
    if not close(answer, right):
        name_mistake(answer, right, _wrong_likelihoods(log_joint, log_q))
    for shift in (-10_000.0, 10_000.0):
        far = as_tensor(fn(log_joint + shift, log_q.clone()))
        # A sum kept in single precision has three digits left there.
        if not torch.allclose(far - shift, right, atol=0.02):
            raise Mistake(
                f"With log weights near {shift:,.0f} the result breaks, because their exponentials "
                "leave the range of floating-point numbers; stay in logarithms, with logsumexp."
            )
    return "Right: the logarithm of the mean weight, over the draws, also far from zero."


def bias_free(fn):
    """Check `fn(sizes, distances)`, both [K], to one number: the distance as 1/n goes to 0.

    The distances were measured with `sizes` samples each, and their bias is proportional to 1/n.
    Returns a sentence beginning "Right:"; raises `Mistake` with one that names the mistake,
    TypeError when fn is not a function.
    """
    check_function(fn)
    sizes, distances = _measured()
    answer = _real_number(fn(sizes.clone(), distances.clone()), "the limit")
    right = _intercept(1 / sizes, distances)
    if not close(answer, right):
        name_mistake(answer, right, _wrong_limits(sizes, distances))
    return "Right: a straight line through distance against 1/n, read off where 1/n is 0."


# --- what is right ---------------------------------------------------------------------------


def _frechet(mean1, cov1, mean2, cov2):
    return (mean1 - mean2).square().sum() + (cov1 + cov2).trace() - 2 * _root(cov1, cov2).trace()


def _log_mean_weight(log_joint, log_q):
    return (log_joint - log_q).logsumexp(0) - math.log(len(log_q))


def _intercept(at, distances):
    """Where the least-squares line through distances [K] over `at` [K] meets zero."""
    line = torch.stack([torch.ones_like(at), at], dim=1)
    return torch.linalg.lstsq(line, distances[:, None]).solution[0, 0]


# --- what the checks are tried on ------------------------------------------------------------


def _two_gaussians():
    """Of three dimensions, with covariances that do not commute and have no negative entry."""
    mean1, mean2 = torch.tensor([[1.0, -2.0, 0.5], [0.2, 0.6, 1.0]]).double()
    cov1 = torch.tensor([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]]).double()
    cov2 = torch.tensor([[0.7, 0.1, 0.4], [0.1, 1.6, 0.5], [0.4, 0.5, 2.4]]).double()
    return mean1, cov1, mean2, cov2


def _log_joint_and_q():
    """Log densities [6, 4], negative and positive, whose weights differ by a few nats."""
    log_q = 2 * torch.randn(6, 4, generator=seeded(0), dtype=torch.float64)
    log_weight = 1.5 * torch.randn(6, 4, generator=seeded(1), dtype=torch.float64)
    return log_q + log_weight - 3, log_q


def _measured():
    """Sizes and distances with a limit of 5, a bias of 300 / n, and a little noise."""
    sizes = torch.tensor([50.0, 100.0, 200.0, 800.0], dtype=torch.float64)
    noise = torch.tensor([0.11, -0.12, 0.07, -0.03], dtype=torch.float64)
    return sizes, 5 + 300 / sizes + noise


# --- what the well-known mistakes give -------------------------------------------------------


def _wrong_distances(mean1, cov1, mean2, cov2):
    """(what a mistake gives, the sentence that names it), …"""
    right, root = _frechet(mean1, cov1, mean2, cov2), _root(cov1, cov2)
    means = (mean1 - mean2).square().sum()
    traces, cross, dim = (cov1 + cov2).trace(), root.trace(), len(mean1)
    elementwise = cov1.sqrt() @ cov2 @ cov1.sqrt()
    whole = cov1 + cov2 - 2 * root
    unsymmetric = cov1 + cov2 - 2 * _unsymmetric_root(cov1, cov2)
    return [
        (right.sqrt(), "This is the root of the distance; it is asked for squared."),
        (right - means + means.sqrt(), "|μ₁ − μ₂| enters squared; yours does not."),
        (right - means + means / dim, "The squared differences of the means are averaged; sum."),
        (right / dim, "The distance is divided by the dimension; it is a sum."),
        (right - means, "The means are missing: |μ₁ − μ₂|² is part of the distance."),
        (means, "Only the means are compared; the covariances have their part."),
        (means + traces - cross, "The factor 2 before the root is missing."),
        (means + traces + 2 * cross, "The root is added; its trace must be subtracted, twice."),
        (means + traces, "The root is missing: the two would have nothing to do with each other."),
        (means + traces - 2 * (cov1 @ cov2).trace(), "The outer root is missing: (…)^½."),
        (
            means + traces - 2 * (cov1 @ cov2).diagonal().sqrt().sum(),
            "That is the root of every entry; the root of a matrix is another matrix.",
        ),
        (
            means + traces - 2 * elementwise.diagonal().sqrt().sum(),
            "Those are the roots of every entry; the root of a matrix is another matrix.",
        ),
        (
            means + traces - 2 * _root(elementwise, torch.eye(dim).double()).trace(),
            "The inner root is taken of every entry; take the root of the matrix.",
        ),
        (
            means + traces - 2 * _power(cov1 + cov2, 0.5).trace(),
            "You took the root of the sum of the covariances; it is of C₁^½ C₂ C₁^½.",
        ),
        (
            means + traces - 2 * (_power(cov1, 0.5) @ _power(cov2, 0.5)).trace(),
            "tr(C₁^½ C₂^½) is right for covariances that commute, and these do not.",
        ),
        (
            means + (cov1.diagonal().sqrt() - cov2.diagonal().sqrt()).square().sum(),
            "Only the variances are used; the correlations count too.",
        ),
        (
            _frechet(mean1, cov1 @ cov1, mean2, cov2 @ cov2),
            "You took the covariances for standard deviations, and squared them.",
        ),
        (
            _frechet(mean1, _power(cov1, 0.5), mean2, _power(cov2, 0.5)),
            "You put the roots of the covariances in the place of the covariances.",
        ),
        (means + (cov1 - cov2).square().sum(), "|C₁ − C₂|² is no transport cost; roots are."),
        (means + whole.sum(), "You added up all entries; the trace is the sum of the diagonal."),
        (means + unsymmetric.sum(), "You added up all entries; a trace is that of the diagonal."),
        (_kl(mean1, cov1, mean2, cov2), "This is KL(1 ‖ 2), another divergence."),
        (_kl(mean2, cov2, mean1, cov1), "This is KL(2 ‖ 1), another divergence."),
    ]


def _wrong_likelihoods(log_joint, log_q):
    """(what a mistake gives [B], the sentence that names it), …"""
    log_w = log_joint - log_q
    right, count = _log_mean_weight(log_joint, log_q), math.log(len(log_w))
    normalized = log_w.softmax(0)
    return [
        (
            log_w.mean(0),
            "This is the mean of the logarithms, the ELBO; take the logarithm of the mean.",
        ),
        (log_w.logsumexp(0), "The sum is not divided by S; subtract log S."),
        (log_w.logsumexp(0) + count, "log S is added; it must be subtracted."),
        (log_w.logsumexp(0) - len(log_w), "You subtracted S; it is log S."),
        (right.exp(), "This is p(x) itself; its logarithm was asked for."),
        (
            _log_mean_weight(log_joint, torch.zeros_like(log_q)),
            "The weights lack 1/q: subtract log q(z|x) from the log joint.",
        ),
        (
            _log_mean_weight(log_joint, -log_q),
            "log q(z|x) is added; a weight is p(x, z) over q(z|x).",
        ),
        (_log_mean_weight(log_q, log_joint), "The weights are upside down: q over p."),
        (-right, "The sign is wrong: log p(x), not minus it."),
        (-_log_mean_weight(log_q, log_joint), "You averaged 1/w; the weights are p over q."),
        (
            _log_mean_weight(log_joint, torch.zeros_like(log_q))
            - _log_mean_weight(log_q, torch.zeros_like(log_q)),
            "This is a ratio of two means; the mean of the ratios was asked for.",
        ),
        (log_w.amax(0), "Only the largest weight is kept; the others count too."),
        (log_w.amax(0) - count, "Only the largest weight is kept; the others count too, all S."),
        (log_w.sum(0), "This is a sum of logarithms, as for independent data."),
        (
            (normalized * log_w).sum(0),
            "You averaged log w with weights w; the plain mean of w comes first, then its log.",
        ),
        (right / math.log(2), "This is in bits; the unit is the nat."),
    ]


def _wrong_limits(sizes, distances):
    """(what a mistake gives, the sentence that names it), …"""
    at = 1 / sizes
    limit = _intercept(at, distances)
    slope = (_intercept(at - 1, distances) - limit).reshape(())
    return [
        (slope, "This is the slope of the line; the limit is its intercept."),
        (_intercept(sizes, distances), "The line is through distance against n; take 1/n."),
        (_intercept(sizes.log(), distances), "The line is through distance against log n."),
        (_intercept(at.sqrt(), distances), "The line is through distance against 1/√n; take 1/n."),
        (distances.mean(), "This is a mean of the distances, all of which are biased."),
        (distances[-1], "This is the distance at the largest n, with its bias."),
        (
            limit + slope / sizes[-1],
            "This is the line at the largest n; read it off where 1/n is 0.",
        ),
    ]


# --- matrices --------------------------------------------------------------------------------


def _power(cov, exponent):
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0) ** exponent @ vectors.T


def _root(cov1, cov2):
    """(C₁^½ C₂ C₁^½)^½."""
    half = _power(cov1, 0.5)
    return _power(half @ cov2 @ half, 0.5)


def _unsymmetric_root(cov1, cov2):
    """(C₁ C₂)^½, of the same trace."""
    return _power(cov1, 0.5) @ _root(cov1, cov2) @ _power(cov1, -0.5)


def _kl(mean1, cov1, mean2, cov2):
    one, two = (
        torch.distributions.MultivariateNormal(mean, cov)
        for mean, cov in ((mean1, cov1), (mean2, cov2))
    )
    return torch.distributions.kl_divergence(one, two)


def _real_number(value, name):
    if value is not None:
        value = torch.as_tensor(value)
        if value.is_complex():
            raise Mistake(
                f"{name} is a complex number; a route through symmetric matrices stays real."
            )
    answer = as_tensor(value)
    if answer.numel() != 1:
        raise Mistake(f"The answer has shape {list(answer.shape)}; {name} is one number.")
    return answer.reshape(())
