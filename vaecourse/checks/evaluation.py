"""Self-checks of chapter 13: a distance of Gaussians, its bias, and a likelihood from draws."""

import math

import torch

from vaecourse.checks.answers import Mistake, Trial, as_tensor, check, close, normal

# --- the distance ----------------------------------------------------------------------------


def _gaussian_pairs():
    yield _two_gaussians()
    yield normal(4), _covariance(4, 1), normal(4, seed=3), _covariance(4, 2)
    yield normal(2, seed=4), _covariance(2, 5), normal(2, seed=6), 3 * _covariance(2, 7)
    one = torch.tensor([[2.5]], dtype=torch.float64)
    yield Trial((normal(1), one, normal(1, seed=1), 0.3 * one), "In one dimension")
    scales = torch.tensor([1e-4, 1.0, 100.0], dtype=torch.float64)
    wide = normal(3) * scales, _covariance(3, 1) * scales * scales[:, None]
    yield Trial((*wide, 2 * scales, torch.diag(scales**2)), "With columns of very unlike size")
    mean, covariance = normal(3), _covariance(3, 3)
    yield Trial((mean, covariance, mean, covariance), "For two equal Gaussians", atol=1e-4)
    far = 500 * mean, covariance, -500 * mean, 2 * covariance
    yield Trial(far, "With means near 500 and −500")
    equal = mean, covariance, mean + 1.25, covariance
    yield Trial(equal, "For two equal covariances", atol=1e-4)
    advice = "Use no inverse, and clamp eigenvalues at zero before their roots."
    mean, line = (
        torch.zeros(3, dtype=torch.float64),
        torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64),
    )
    flat = torch.outer(line, line)
    where = "For two Gaussians on one line, with singular covariances"
    yield Trial((mean, flat, mean + 1, 4 * flat), where, advice, atol=1e-4)
    few = [torch.cov(normal(40, 64, seed=seed).T) for seed in (1, 2)]
    where = "For covariances of 40 draws in 64 dimensions"
    yield Trial((normal(64), few[0], normal(64, seed=1), few[1]), where, advice, atol=1e-3)
    nothing = torch.zeros(3, 3, dtype=torch.float64)
    yield Trial((mean, nothing, mean + 2, flat), "For a Gaussian of no width", advice, atol=1e-4)


def _two_gaussians():
    """Of three dimensions, with covariances that do not commute and have no negative entry."""
    mean1, mean2 = torch.tensor([[1.0, -2.0, 0.5], [0.2, 0.6, 1.0]], dtype=torch.float64)
    cov1 = torch.tensor([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]], dtype=torch.float64)
    cov2 = torch.tensor([[0.7, 0.1, 0.4], [0.1, 1.6, 0.5], [0.4, 0.5, 2.4]], dtype=torch.float64)
    return mean1, cov1, mean2, cov2


def _covariance(dim, seed):
    root = normal(dim, dim, seed=seed).abs() + torch.eye(dim)
    return root @ root.T + 0.1 * torch.eye(dim)


_ALL_ENTRIES = "You added up all entries; the trace is the sum of the diagonal."


def _wrong_distances(mean1, cov1, mean2, cov2):
    """(what a mistake gives, the sentence that names it), …"""
    right, root = _frechet(mean1, cov1, mean2, cov2), _root(cov1, cov2)
    means = (mean1 - mean2).square().sum()
    traces, cross, dim = (cov1 + cov2).trace(), root.trace(), len(mean1)
    elementwise = cov1.sqrt() @ cov2 @ cov1.sqrt()
    whole, roots1, roots2 = cov1 + cov2 - 2 * root, _roots(cov1), _roots(cov2)
    by_rows, vectors = roots1.diag(), torch.linalg.eigh(cov1).eigenvectors
    unsymmetric = cov1 + cov2 - 2 * _unsymmetric_root(cov1, cov2)
    return [
        (right.sqrt(), "This is the root of the distance; it is asked for squared."),
        (right - means + means.sqrt(), "|μ₁ − μ₂| enters squared; yours does not."),
        (right - means + means / dim, "The squared differences of the means are averaged; sum."),
        (right / dim, "The distance is divided by the dimension; it is a sum."),
        (
            (mean1 - mean2).square() + traces - 2 * cross,
            "The squared differences of the means are not summed; sum them before the traces are "
            "added.",
        ),
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
        (
            means + (roots1 - roots2).square().sum(),
            "The eigenvalues of the two are paired in order, as if they had the same eigenvectors.",
        ),
        (
            means + traces - 2 * _power(cov1 @ cov2 @ cov1, 0.5).trace(),
            "C₁ stands on both sides of C₂ where its root belongs.",
        ),
        (
            means + traces - 2 * _power(by_rows @ cov2 @ by_rows, 0.5).trace(),
            "The roots multiply the rows of V, or V is left out; in V √λ Vᵀ they multiply columns.",
        ),
        (means + (cov1 - cov2).square().sum(), "|C₁ − C₂|² is no transport cost; roots are."),
        (
            means + traces - 2 * cov1.trace(),
            "The last term is 2 tr C₁, as if C₁ stood between its own roots; C₂ belongs there.",
        ),
        (
            means + traces - 2 * (cov1 @ cov2).trace().sqrt(),
            "That is the root of the trace; the trace of the root is asked for.",
        ),
        (
            means + traces - 2 * _root_trace(vectors.T * roots1 @ vectors, cov2),
            "Vᵀ √λ V stands where V √λ Vᵀ belongs: eigenvectors are columns.",
        ),
        (means + traces - 2 * _root_trace(vectors * roots1, cov2), "Vᵀ is missing from V √λ Vᵀ."),
        (means + cov1.sum() + cov2.sum() - 2 * cross, _ALL_ENTRIES),
        (means + whole.sum(), _ALL_ENTRIES),
        (means + unsymmetric.sum(), "You added up all entries; a trace is that of the diagonal."),
        (
            means + traces - 2 * torch.linalg.eigvalsh(cov1 @ cov2).clamp(min=0).sqrt().sum(),
            "eigh and eigvalsh read one triangle, for symmetric matrices; C₁C₂ is not symmetric, "
            "C₁^½ C₂ C₁^½ is.",
        ),
        (
            means + traces - 2 * torch.linalg.eigvalsh(cov2 @ cov1).clamp(min=0).sqrt().sum(),
            "eigh and eigvalsh read one triangle, for symmetric matrices; C₂C₁ is not symmetric, "
            "C₁^½ C₂ C₁^½ is.",
        ),
        (
            means + traces - 2 * torch.linalg.eigvalsh(root)[-1],
            "Only the largest eigenvalue of the root counts; its trace is the sum of all.",
        ),
        (
            means + traces - 2 * torch.linalg.det(root),
            "The determinant of the root stands where its trace belongs.",
        ),
        (_kl(mean1, cov1, mean2, cov2), "This is KL(1 ‖ 2), another divergence."),
        (_kl(mean2, cov2, mean1, cov1), "This is KL(2 ‖ 1), another divergence."),
        (right - means + (mean1 + mean2).square().sum(), "The means are added; subtract them."),
        (
            means + (_factor(cov1) - _factor(cov2)).square().sum(),
            "Cholesky factors stand where the roots of the covariances belong.",
        ),
        *(
            (
                _frechet(mean1, cov1 + small, mean2, cov2 + small),
                "A small number is added to the variances; singular covariances need none.",
            )
            for small in (size * torch.eye(dim).double() for size in (1e-2, 1e-3, 1e-4, 1e-6))
        ),
    ]


def _factor(cov):
    """The Cholesky factor, NaN for a singular matrix."""
    factor, failed = torch.linalg.cholesky_ex(cov)
    return torch.full_like(cov, math.nan) if failed else factor


def _roots(cov):
    return torch.linalg.eigvalsh(cov).clamp(min=0).sqrt()


def _power(cov, exponent):
    if not cov.isfinite().all():
        return torch.full_like(cov, math.nan)
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0) ** exponent @ vectors.T


def _root_trace(half, cov):
    return torch.linalg.eigvalsh(half @ cov @ half).clamp(min=0).sqrt().sum()


def _root(cov1, cov2):
    """(C₁^½ C₂ C₁^½)^½."""
    half = _power(cov1, 0.5)
    return _power(half @ cov2 @ half, 0.5)


def _unsymmetric_root(cov1, cov2):
    """(C₁ C₂)^½, of the same trace."""
    return _power(cov1, 0.5) @ _root(cov1, cov2) @ _power(cov1, -0.5)


def _kl(mean1, cov1, mean2, cov2):
    """KL(1 ‖ 2), NaN for covariances that are singular."""
    dim, gap = len(mean1), mean2 - mean1
    inverse = torch.linalg.pinv(cov2)
    logs = torch.logdet(cov2) - torch.logdet(cov1)
    return 0.5 * ((inverse @ cov1).trace() + gap @ inverse @ gap - dim + logs)


@check(
    _gaussian_pairs,
    "squared means plus traces minus twice the trace of the root, singular or not.",
    _wrong_distances,
    parts=lambda mean1, cov1, mean2, cov2: {
        "The term of the means": (mean1 - mean2).square().sum(),
        "The root": -2 * _root(cov1, cov2).trace(),
    },
)
def frechet(mean1, cov1, mean2, cov2):
    """Check `fn(mean1, cov1, mean2, cov2)`: the squared 2-Wasserstein distance of two Gaussians.

    Means are [D], covariances [D, D], float64; one number is asked for, for singular covariances
    too.
    """
    return (mean1 - mean2).square().sum() + (cov1 + cov2).trace() - 2 * _root(cov1, cov2).trace()


_frechet = frechet.right


# --- a likelihood from draws -----------------------------------------------------------------


def _weights():
    def weights(draws, rows, seed):
        log_q = 2 * normal(draws, rows, seed=seed)
        return log_q + 1.5 * normal(draws, rows, seed=seed + 1) - 3, log_q

    yield weights(6, 4, 0)
    yield weights(3, 5, 2)
    log_joint, log_q = weights(6, 4, 4)
    advice = "Exponentials leave the range of floating-point numbers; stay in logarithms."
    for shift in (-10_000, 10_000, -5_000):
        where = f"With log weights near {shift:,}".replace("-", "−")
        yield Trial((log_joint + shift, log_q), where, advice)
    apart = torch.tensor([0.0, -1e4, -100.0, 500.0], dtype=torch.float64)
    yield Trial((log_joint + apart, log_q), "With columns 10,000 apart", advice)
    shift = 1000 * normal(6, 1).roll(2, 0)  # neither the first row nor the last is the largest
    yield Trial((log_joint + shift, log_q), "With rows far apart", advice)
    yield Trial((log_joint - 3000, log_q - 3000), "With both densities near e⁻³⁰⁰⁰", advice)
    yield Trial((log_joint[:1], log_q[:1]), "With a single draw")
    yield Trial((log_joint[:, :1], log_q[:, :1]), "For one row of data alone")
    yield Trial(weights(4, 4, 6), "With as many draws as data")
    yield Trial((log_q + 2.345678, log_q), "With weights that are equal")


def _log_mean_weight(log_joint, log_q):
    return (log_joint - log_q).logsumexp(0) - math.log(len(log_q))


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
        (
            log_w.logsumexp(0) - math.log(log_w.shape[1]),
            "log B is subtracted, the number of data; it must be log S, that of draws.",
        ),
        (
            log_w.logsumexp(1) - math.log(log_w.shape[1]),
            "The mean runs over the data; it must run over the draws, dimension 0.",
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
        (log_w.logsumexp(0) / len(log_w), "The logarithm is divided by S; subtract log S."),
        (
            log_w.logsumexp(0) - math.log10(len(log_w)),
            "log S is to base 10; take the natural one.",
        ),
        (log_w.logsumexp(0) - math.log2(len(log_w)), "log S is to base 2; take the natural one."),
        (
            log_w.logsumexp(0) - math.log(len(log_w) - 1 or math.nan),
            "log (S − 1) is subtracted; a mean divides by S.",
        ),
        (right - log_w.amax(0), "The largest value is subtracted and not added back."),
        *(
            (_log_mean_weight(log_joint[:half], log_q[:half]), "Only half of the draws count.")
            for half in {len(log_w) // 2 or 1, (len(log_w) + 1) // 2}
        ),
    ]


@check(
    _weights,
    "the logarithm of the mean weight, over the draws, also far from zero.",
    _wrong_likelihoods,
)
def importance_log_likelihood(log_joint, log_q):
    """Check `fn(log_joint, log_q)`, both [S, B], to [B]: log p(x) by S draws from q(z|x), in nats.

    log_joint holds log p(x, z_s), log_q log q(z_s|x).
    """
    return _log_mean_weight(log_joint, log_q)


# --- the limit -------------------------------------------------------------------------------


def _measurements():
    """Sizes and distances on a line over 1/n, so that every sound fit gives the same limit."""
    for sizes, limit, slope, where in (
        ([50.0, 100.0, 200.0, 800.0], 5.0371, 300.0, ""),
        ([2000.0, 500.0, 250.0, 100.0, 40.0], 0.7138, 90.0, ""),
        ([10.0, 30.0, 20.0], -2.1926, 45.0, ""),
        ([100.0, 400.0], 3.0, -120.0, "With a negative bias"),
        ([30.0, 60.0, 90.0, 120.0, 150.0, 1e6], 0.0, 700.0, "With a limit of 0"),
        ([40.0, 100.0, 250.0], 0.1673, 90.0, "With a limit below 0.5"),
        ([500.0, 1000.0, 3000.0], 2.5, 300.0, "With sizes up to 3,000"),
        ([50.0, 50.0, 200.0, 800.0], 1234.56789, 4e4, "With a size that comes twice"),
        ([25.0, 100.0], -5432.1, 1.5, "With a limit near −5,000"),
    ):
        sizes = torch.tensor(sizes, dtype=torch.float64)
        yield Trial((sizes, limit + slope / sizes), where, rtol=1e-4, atol=1e-4)
    sizes = torch.tensor([50, 100, 400])
    where = "With whole numbers as sizes, and distances in single precision"
    yield Trial((sizes, 2 + 300 / sizes), where, rtol=1e-3, atol=1e-3)


def _intercept(at, distances):
    """Where the least-squares line through distances [K] over `at` [K] meets zero."""
    offset = at - at.mean()
    slope = (offset @ distances) / (offset @ offset)
    return distances.mean() - slope * at.mean()


def _wrong_limits(sizes, distances):
    """(what a mistake gives, the sentence that names it), …"""
    sizes, distances = sizes.double(), distances.double()
    at = 1 / sizes
    limit = _intercept(at, distances)
    slope = _intercept(at - 1, distances) - limit
    return [
        (slope, "This is the slope of the line; the limit is its intercept."),
        (_intercept(sizes, distances), "The line is through distance against n; take 1/n."),
        (_intercept(sizes.log(), distances), "The line is through distance against log n."),
        (
            _intercept(at.square(), distances),
            "The line is through distance against 1/n²; take 1/n.",
        ),
        *(
            ((w * distances).sum() / w.sum(), "This is a weighted mean of biased distances.")
            for w in (sizes, at, sizes.square())
        ),
        (_intercept(at.sqrt(), distances), "The line is through distance against 1/√n; take 1/n."),
        (distances.mean(), "This is a mean of the distances, all of which are biased."),
        (limit + slope, "The line is read off at n = 1; read it off where 1/n is 0."),
        (distances[-1], "This is the distance measured last, with its bias."),
        (distances.min(), "This is the smallest distance measured, with its bias."),
        (
            _intercept(sizes.rsqrt(), distances),
            "The line is through distance against 1/√n; take 1/n.",
        ),
        (distances[sizes.argmax()], "This is the distance at the largest n, with its bias."),
        (
            (sizes @ distances) / (sizes @ sizes) * sizes.max(),
            "The line is through distance against n, and through the origin; take 1/n.",
        ),
        ((at @ distances) / (at @ at), "This is the slope of a line through the origin."),
        (
            2 * distances[sizes.argmax()] - distances[sizes.argsort()[-2]],
            "2 d₂ − d₁ is the limit only if the size doubles; draw the line for any sizes.",
        ),
        (
            2 * distances[-1] - distances[-2],
            "2 d₂ − d₁ is the limit only if the size doubles; draw the line for any sizes.",
        ),
        *(
            (limit + slope / n, "The line is read off at a large n; read it off where 1/n is 0.")
            for n in (1e3, 1e4, 1e5, 1e6)
        ),
        (
            _intercept(at, distances.sort().values),
            "The distances are sorted and the sizes not; each distance keeps its size.",
        ),
        (
            _intercept(at, distances.sort(descending=True).values),
            "The distances are sorted and the sizes not; each distance keeps its size.",
        ),
        (
            _intercept(at.sort().values, distances),
            "The sizes are sorted and the distances not; each distance keeps its size.",
        ),
        (
            _intercept(at, distances.log()).exp(),
            "The logarithm of the distance is fitted; the distance itself is a line over 1/n.",
        ),
        (
            _intercept(at, distances.log()),
            "The logarithm of the distance is fitted; the distance itself is a line over 1/n.",
        ),
        (
            limit + slope / sizes.max(),
            "This is the distance at the largest n, with its bias.",
        ),
    ]


def _all_distances_count(student):
    sizes, distances = (value for value in next(iter(_measurements())).arguments)
    before = as_tensor(student(sizes, distances))
    for k, bump in enumerate(torch.eye(len(sizes), dtype=torch.float64)):
        if close(as_tensor(student(sizes, distances + bump)), before, 0, 1e-6):
            raise Mistake(
                f"The distance at n = {sizes[k]:g} does not count; all four were measured."
            )


@check(
    _measurements,
    "a straight line through distance against 1/n, read off where 1/n is 0.",
    _wrong_limits,
    then=_all_distances_count,
)
def bias_free(sizes, distances):
    """Check `fn(sizes, distances)`, both [K], to one number: the distance as 1/n goes to 0.

    The distances were measured with `sizes` samples each, and their bias is proportional to 1/n;
    every one of them must count.
    """
    return _intercept(1 / sizes.double(), distances.double())
