"""The diffusion against chains whose bound and evidence are known."""

import math

import pytest
import torch

import vaecourse as vc
from vaecourse.inference.noised_mixture import NoisedMixture
from vaecourse.models import Diffusion

MIXTURE = NoisedMixture.of("gaussian_mixture", 4.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Exact(Diffusion):
    """With the mean of p(y|y_t) for its denoiser."""

    mixture = MIXTURE

    def denoise(self, y, log_snr):
        return self.mixture.denoise(y, log_snr)


def exact(levels, **arguments):
    return Exact(2, levels, (3,), scale=4.0, **arguments).double().requires_grad_(False)


def mean_bound(levels, high=8.0, low=-6.0, best=False, per_axis=24):
    """E ELBO under the data, from the errors of the best denoiser, by quadrature."""
    log_snr = torch.linspace(high, low, levels, dtype=torch.float64)
    error = torch.tensor([MIXTURE.error(level, per_axis) for level in log_snr.tolist()])
    snr = log_snr.exp()
    steps = (snr[:-1] - snr[1:]) * error[1:]
    points, weight = MIXTURE.nodes()
    square = weight @ points.square().sum(1)
    last = log_snr[-1]
    kl = 0.5 * (torch.sigmoid(last) * (square - 2) - 2 * torch.sigmoid(-last).log())
    first = snr[0] * error[0]
    if best:
        reconstruction = -(1 + math.log(math.pi) + error[0].log())
        return (reconstruction - torch.log1p(steps / 2).sum() - kl).item() - 2 * math.log(4)
    reconstruction = snr[0].log() - math.log(2 * math.pi) - 0.5 * first
    return (reconstruction - 0.5 * steps.sum() - kl).item() - 2 * math.log(4)


def data(n, seed=5):
    return vc.data.synthetic("gaussian_mixture", n, seed=seed).x.double()


@pytest.mark.parametrize("levels", [5, 20])
def test_the_bound_of_draws_is_that_of_the_errors(levels):
    bound = exact(levels).elbo(data(20_000), 1, generator())
    error = 4 * bound.std().item() / math.sqrt(len(bound))
    assert bound.mean().item() == pytest.approx(mean_bound(levels), abs=error)


@pytest.mark.parametrize("levels", [1, 2, 6])
def test_the_terms_are_the_mean_of_the_log_weights(levels):
    model, x = exact(levels), data(4)
    elbo = model.elbo(x, 20_000, generator())
    log_w = model.log_weights(x, 20_000, generator(1))
    # the bound's own draws: with one level, half of a χ² of two
    error = 5 * (2**0.5 * log_w.std(0) + 1) / 20_000**0.5
    assert ((log_w.mean(0) - elbo).abs() < error).all()


def test_the_gap_follows_the_law_of_one_over_t():
    """Per step ¼ Δλ² SNR² E tr Cov², summed; with the best variances less its isotropic part."""
    levels = torch.linspace(-6, 8, 141, dtype=torch.float64)
    snr = levels.exp()
    squares = torch.tensor([MIXTURE.squared_covariance(at, 30) for at in levels.tolist()]) * snr**2
    errors = torch.tensor([MIXTURE.error(at, 30) for at in levels.tolist()]) * snr
    fixed = 14 / 4 * torch.trapezoid(squares, levels).item()
    best = 14 / 4 * torch.trapezoid(squares - errors**2 / 2, levels).item()
    assert fixed == pytest.approx(37.41, abs=0.02) and best == pytest.approx(5.335, abs=0.02)
    evidence = MIXTURE.mean_log_density(per_axis=60) - 2 * math.log(4)
    for steps, within in ((100, 0.06), (400, 0.02)):
        lacks = evidence - mean_bound(steps + 1)
        assert lacks == pytest.approx(fixed / steps, rel=within)
        lacks = evidence - mean_bound(steps + 1, best=True)
        assert lacks == pytest.approx(best / steps, rel=within)


def test_the_exact_denoiser_never_exceeds_the_evidence():
    evidence = MIXTURE.mean_log_density(per_axis=60) - 2 * math.log(4)
    for levels in (2, 5, 10, 100):
        fixed, best = mean_bound(levels), mean_bound(levels, best=True)
        assert fixed < best < evidence


def test_one_gaussian_is_recovered_as_the_levels_grow_many():
    """Data N(0, 2): the bound approaches −½ log 4πe."""

    class Linear(Exact):
        mixture = NoisedMixture([1.0], [[0.0]], [[[2.0]]])

    model = Linear(1, 400, (3,), high=10.0, low=-10.0).double().requires_grad_(False)
    x = 2**0.5 * torch.randn(2_000, 1, generator=generator(), dtype=torch.float64)
    density = -0.5 * math.log(4 * math.pi) - x[:, 0].square() / 4
    lacks = density - model.elbo(x, 4, generator(1))
    # 20/4 ∫ (2s / (1 + 2s))² dλ over 399 steps
    levels = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    share = torch.sigmoid(levels + math.log(2))
    law = 5 * torch.trapezoid(share**2, levels).item() / 399
    error = 4 * lacks.std().item() / math.sqrt(len(lacks))
    assert lacks.mean().item() == pytest.approx(law, abs=error)


def test_a_step_has_the_moments_of_the_posterior():
    """q(y_s|y_t, y) against the conditional of the joint Gaussian of y_s and y_t."""
    model = exact(5)
    above, here = model.log_snr[1], model.log_snr[2]
    y, y_t = torch.tensor([[0.3, -1.0]]).double(), torch.tensor([[0.8, 0.1]]).double()
    a_s, a_t = torch.sigmoid(above).sqrt(), torch.sigmoid(here).sqrt()
    v_s, v_t = torch.sigmoid(-above), torch.sigmoid(-here)
    covariance = a_t / a_s * v_s
    loc = a_s * y + covariance / v_t * (y_t - a_t * y)
    step = model.before(y_t, y, 3)
    assert (step.loc - loc).abs().max() < 1e-12
    assert (step.log_var.exp() - (v_s - covariance**2 / v_t)).abs().max() < 1e-12


def test_samples_of_the_exact_chain_are_like_the_data():
    drawn = exact(60).sample(6_000, generator())
    true = data(6_000)
    for of in (lambda x: vc.data.log_density("gaussian_mixture", x), lambda x: x[:, 0].square()):
        ours, theirs = of(drawn), of(true)
        error = (ours.var() / len(ours) + theirs.var() / len(theirs)).sqrt()
        # sixty steps with fixed variances leave a bias of their own
        assert abs(ours.mean() - theirs.mean()) < 4 * error + 0.1


def test_the_loss_is_minus_the_bound_on_average():
    model = Diffusion(2, 7, (5,), scale=4.0).double().requires_grad_(False)
    x = data(40_000)
    losses = torch.stack([model.loss(x, generator(seed)) for seed in range(20)])
    bound = model.elbo(x, 1, generator(99))
    error = losses.std() / 20**0.5 + bound.std() / len(x) ** 0.5
    assert abs(losses.mean() + bound.mean()) < 5 * error


def test_training_brings_it_near_the_best_denoiser():
    model = Diffusion(2, 30, (64, 64), scale=4.0)
    x = data(10_000).float()
    before = model.elbo(x[:1000], 1, generator()).mean().item()
    vc.training.fit(model, x, epochs=20, learning_rate=2e-3, schedule="cosine", progress=False)
    after = model.elbo(x[:1000], 1, generator()).mean().item()
    assert before < -8 and mean_bound(30) - 1 < after < mean_bound(30) + 0.4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": 0}, "levels is 0"),
        ({"scale": 0.0}, "scale is 0; it must be finite and greater than 0."),
        ({"high": -7.0}, "high is -7.0 and low is -6.0; high must be above low."),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Diffusion(**{"data_dim": 2, "levels": 3, **arguments})


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"x has shape \[1, 3\]; it must be \[N, 2\]"):
        Diffusion(2, 3, (3,)).elbo(torch.zeros(1, 3))
