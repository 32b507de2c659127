"""Self-check for one step of EM on a Gaussian mixture, taught in chapter 04."""

import torch
from torch.distributions import MultivariateNormal

from vaecourse.checks.answers import Trial, check, normal, uniform
from vaecourse.checks.slips import UNUSABLE


def _mixtures():
    x = 1.5 * normal(9, 2, seed=4) + 0.5
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    means = torch.tensor([[0.0, 0.0], [1.5, -0.5], [-0.5, 1.0]], dtype=torch.float64)
    factor = torch.tensor([[0.9, 0.0], [0.3, 1.1]], dtype=torch.float64)
    shape = factor @ factor.T
    covariances = torch.stack([shape, 2 * torch.eye(2).double(), 0.7 * shape.flip(0, 1)])
    yield x, weights, means, covariances
    tilted = torch.eye(3).double() + 0.3 * uniform(2, 3, 3)
    yield normal(12, 3), weights[:2] / 0.8, normal(2, 3, seed=1), tilted @ tilted.mT
    far = torch.cat([x, torch.full((1, 2), 200.0, dtype=x.dtype)])
    advice = (
        "With a point far from every component your responsibilities are 0/0 or nearly so: stay in "
        "the logarithm and subtract logsumexp before you exponentiate."
    )
    yield Trial((far, weights, means, covariances), "With a point far from every component", advice)
    apart = torch.tensor([0.0, 1e4], dtype=torch.float64)
    moved = (x + apart, weights, means + apart, covariances)
    yield Trial(moved, "With columns 10,000 apart", rtol=1e-4, atol=1e-3)
    thin = torch.tensor([[1.0, 0.95], [0.95, 1.0]], dtype=torch.float64).expand(3, 2, 2).clone()
    yield Trial((x, weights, means, thin), "With narrow covariances", advice)
    yield Trial((x, weights[:1] / 0.5, means[:1], covariances[:1]), "With one component")
    line = x[:, :1], weights, means[:, :1], covariances[:, :1, :1]
    yield Trial(line, "In one dimension")
    tilted = torch.eye(3).double() + 0.4 * uniform(3, 3, 3, seed=7)
    three = normal(8, 3, seed=8), weights, normal(3, 3, seed=9), tilted @ tilted.mT
    yield Trial(three, "With as many components as dimensions")
    yield Trial((x[[0, 0, 1, 2, 2, 2, 3, 4, 4]], weights, means, covariances), "With equal points")
    large = 1000 * x, weights, 1000 * means, 1e6 * covariances
    yield Trial(large, "With points near 1,000")
    rare = torch.tensor([0.5, 0.4995, 0.0005], dtype=torch.float64)
    yield Trial((x, rare, means, covariances), "With a component of small weight")
    many = 1.5 * normal(150, 2, seed=6), weights, means, covariances
    yield Trial(many, "With 150 points")
    small = 0.01 * x, weights, 0.01 * means, 1e-4 * covariances
    yield Trial(small, "With points near 0.01", atol=1e-7)
    eye = torch.eye(12, dtype=torch.float64)
    two = 0.1 * torch.ones(2, 12, dtype=torch.float64) * torch.tensor([[1.0], [-1.0]])
    wide = (
        20 * normal(60, 12),
        torch.tensor([0.4, 0.6], dtype=torch.float64),
        two,
        eye.repeat(2, 1, 1),
    )
    yield Trial(wide, "With densities near e⁻²⁰⁰⁰", advice, rtol=1e-4, atol=0.02)


def _log_densities(x, means, covariances):
    return MultivariateNormal(means, covariances).log_prob(x[:, None])


def _responsibilities(x, weights, means, covariances):
    return torch.softmax(weights.log() + _log_densities(x, means, covariances), dim=1)


def _weighted_means(x, r):
    return r.T @ x / r.sum(0)[:, None]


def _scatters(x, r, means):
    """Σ_n r_nk (x_n − means_k)(x_n − means_k)ᵀ, [K, D, D]."""
    offsets = x[:, None] - means
    return torch.einsum("nk,nki,nkj->kij", r, offsets, offsets)


_DAMPED = "half the old and half the new; the M step takes the new."


def _step(x, *theta):
    r = _responsibilities(x, *theta)
    means = _weighted_means(x, r)
    return r.mean(0), means, _scatters(x, r, means) / r.sum(0)[:, None, None]


def _twice(x, *theta):
    """The weights after two steps, NaN where the first leaves a covariance singular."""
    try:
        return _step(x, *_step(x, *theta))[0]
    except UNUSABLE:
        return torch.full_like(theta[0], torch.nan)


def _wrong_weights(x, *theta):
    weights, means, covariances = theta
    r = _responsibilities(x, *theta)
    counts = r.sum(0)
    log_density = _log_densities(x, means, covariances)
    joint = (weights.log() + log_density).exp()
    over_data = joint / joint.sum(0)
    forgotten = torch.softmax(log_density, 1)
    no_det = torch.softmax(weights.log() + log_density + 0.5 * covariances.logdet(), 1)
    full_det = torch.softmax(weights.log() + log_density - 0.5 * covariances.logdet(), 1)
    offsets = x[:, None] - means
    squares = -2 * (log_density + 0.5 * covariances.logdet())  # and a constant
    no_half = torch.softmax(weights.log() - squares - 0.5 * covariances.logdet(), 1)
    spread = torch.einsum("nki,kij,nkj->nk", offsets, covariances, offsets)
    not_inverted = torch.softmax(weights.log() - 0.5 * (spread + covariances.logdet()), 1)
    hard = torch.nn.functional.one_hot(r.argmax(1), len(weights)).to(r)
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    wrong_sign = torch.softmax(weights.log() + log_density + covariances.logdet(), 1)
    as_factor = MultivariateNormal(means, scale_tril=covariances.tril()).log_prob(x[:, None])
    inverse = torch.linalg.inv(covariances)
    raised = [(joint + small, small) for small in (1e-6, 1e-8, 1e-10, 1e-12, 1e-16, 1e-300)]
    return [
        (counts, "weights are the counts N_k; divide them by N."),
        (counts / len(weights), "weights are N_k / K; divide the counts by N."),
        (weights, "weights have not changed; the M step sets them to N_k / N."),
        (
            over_data.sum(0) / len(x),
            "Your responsibilities are normalized over the data, so that columns sum to one; "
            "normalize each row, over components.",
        ),
        (
            over_data.mean(0) / over_data.mean(0).sum(),
            "weights are all 1/K; each is N_k / N, of responsibilities that are normalized over "
            "components in each row.",
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
        (
            not_inverted.mean(0),
            "The covariance stands where its inverse belongs, in the exponent of your Gaussian.",
        ),
        (full_det.mean(0), "The determinant counts twice in your Gaussian: its root is enough."),
        (wrong_sign.mean(0), "The determinant has the wrong sign in your Gaussian."),
        (
            _responsibilities(x, weights, means, covariances * eye).mean(0),
            "Your E step has lost what is off the diagonal of the covariances.",
        ),
        (
            _responsibilities(x, weights, means, eye.expand_as(covariances)).mean(0),
            "Your E step takes I for every covariance.",
        ),
        (
            _responsibilities(x, weights, means, 0.5 * (inverse + inverse.mT)).mean(0),
            "Your E step takes the covariances for precisions.",
        ),
        (
            torch.softmax(weights.log() + as_factor, 1).mean(0),
            "Your E step takes the covariances for Cholesky factors, scale_tril.",
        ),
        *(
            (some.mean(0), "A small number is added to the densities; stay in the logarithm.")
            for p, small in raised
            for some in (p / p.sum(1, keepdim=True), joint / (joint.sum(1, keepdim=True) + small))
        ),
        (r.mean(0).flip(0), "The components come in reversed order; keep theirs."),
        (r.mean(0).sort().values, "The components are sorted by weight; keep their order."),
        (
            r.mean(0).sort(descending=True).values,
            "The components are sorted by weight; keep their order.",
        ),
        (0.5 * (weights + r.mean(0)), f"weights are {_DAMPED}"),
        (_twice(x, *theta), "These are two steps; one is asked for."),
    ]


def _wrong_means(x, *theta):
    _, means, _ = theta
    r = _responsibilities(x, *theta)
    counts = r.sum(0)
    right = _weighted_means(x, r)
    return [
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
        (0.5 * (means + right), f"means are {_DAMPED}"),
    ]


def _wrong_covariances(x, *theta):
    _, old_means, covariances = theta
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    r = _responsibilities(x, *theta)
    counts, means = r.sum(0), _weighted_means(x, r)
    scatters = _scatters(x, r, means)
    right = scatters / counts[:, None, None]
    even = torch.ones_like(r)
    second = torch.einsum("nk,ni,nj->kij", r, x, x) / counts[:, None, None]
    about_old = _scatters(x, r, old_means) / counts[:, None, None]
    middle = x.mean(0).expand_as(means)
    later = _responsibilities(x, r.mean(0), means, covariances)
    return [
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
            _scatters(x, even, middle) / len(x),
            "The responsibilities are missing in covariances: every point counts fully.",
        ),
        (
            _scatters(x, r, middle) / counts[:, None, None],
            "covariances are taken around the mean of x; take each around its own new mean.",
        ),
        (
            _scatters(x, later, means) / later.sum(0)[:, None, None],
            "covariances have responsibilities of a second E step; those of the first serve all.",
        ),
        (
            right.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * eye,
            "covariances are one variance times I; each axis has its own, and they are correlated.",
        ),
        (0.5 * (covariances + right), f"covariances are {_DAMPED}"),
        (
            _scatters(x, r.square(), means) / counts[:, None, None],
            "covariances are weighted by the squares of the responsibilities.",
        ),
        (
            (scatters.sum(0) / len(x)).expand_as(right),
            "All components share one covariance; each has its own.",
        ),
        (second, "covariances are second moments about zero; subtract the new means."),
        (
            right * eye,
            "covariances have lost what is off the diagonal.",
        ),
        (
            torch.linalg.pinv(right, hermitian=True),
            "You return precisions, the inverses; covariances are asked for.",
        ),
        (
            torch.linalg.cholesky_ex(right).L,
            "You return Cholesky factors; covariances are asked for.",
        ),
    ]


@check(
    _mixtures,
    "responsibilities over components, in the logarithm, then weighted averages.",
    (_wrong_weights, _wrong_means, _wrong_covariances),
    outputs=("weights", "means", "covariances"),
)
def em_step(x, weights, means, covariances):
    """Check `fn(x, weights, means, covariances) -> (weights, means, covariances)`, one E and one M.

    Points x [N, D] of a mixture of K Gaussians, with weights [K], means [K, D] and covariances
    [K, D, D], all float64. Chapter 04.
    """
    return _step(x, weights, means, covariances)
