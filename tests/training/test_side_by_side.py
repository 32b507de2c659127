"""Training side by side is training alone, only faster."""

import math

import numpy as np
import pytest
import torch

import vaecourse as vc
from vaecourse.training.optimizers import build_optimizer
from vaecourse.training.side_by_side import Ensemble, _Levels, fit_together

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SHAPE = {"likelihood": "gaussian", "separate_heads": True}


def data(seed, n=96):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


def models(count, posterior="diagonal"):
    return [vc.models.VAE(2, 2, (8, 8), posterior=posterior, seed=s, **SHAPE) for s in range(count)]


def flat(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("posterior", ["diagonal", "full"])
def test_it_is_adam_on_the_loss_by_autograd(posterior, device):
    together, alone = (models(1, posterior)[0].to(device) for _ in range(2))
    x = data(0).to(device)
    history = fit_together(
        [together], [x], epochs=2, batch_size=32, learning_rate=1e-2, progress=False
    )[0]
    generator = torch.Generator(device=device).manual_seed(0)
    optimizer = torch.optim.Adam(alone.parameters(), lr=1e-2)
    losses = []
    for _ in range(2):
        order = torch.randperm(96, generator=generator, device=device)
        noise = torch.randn(96, 2, generator=generator, device=device)
        for rows, eps in zip(order.split(32), noise.split(32)):
            q = alone.encode(x[rows])
            z = q.loc + (
                q.scale * eps
                if posterior == "diagonal"
                else (q.scale_tril @ eps[..., None])[..., 0]
            )
            kl = torch.distributions.kl_divergence(q, alone.prior)
            loss = (kl - alone.decode(z).log_prob(x[rows])).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    # float32, six steps of two different orders of summation
    assert history.batch_loss == pytest.approx(losses, rel=1e-4)
    torch.testing.assert_close(flat(together), flat(alone), rtol=0, atol=1e-4)


def test_the_epoch_loss_is_the_mean_of_its_batches():
    history = fit_together(models(1), [data(0)], epochs=2, batch_size=32, progress=False)[0]
    assert history.epoch_loss[1] == pytest.approx(sum(history.batch_loss[3:]) / 3, rel=1e-6)
    assert len(history.batch_loss) == 6


def test_a_model_does_not_depend_on_its_neighbours():
    settings = {"epochs": 3, "batch_size": 32, "progress": False}
    three, other = models(3), models(3)
    fit_together(three, [data(seed) for seed in range(3)], **settings)
    fit_together(other[1:2], [data(1)], seeds=[1], **settings)
    # the same sums; a matrix product of three may round otherwise than one of one
    torch.testing.assert_close(flat(three[1]), flat(other[1]), rtol=0, atol=1e-5)


def test_seeds_may_be_an_array():
    settings = {"epochs": 1, "batch_size": 32, "progress": False}
    one, other = (
        fit_together(models(2), [data(0), data(1)], seeds=seeds, **settings)
        for seeds in (np.array([7, 8]), [7, 8])
    )
    assert [run.epoch_loss for run in one] == [run.epoch_loss for run in other]


def test_stopping_between_epochs_changes_no_bit():
    def run(stops):
        ensemble, state, losses = None, None, []
        for epochs in stops:
            ensemble = Ensemble(models(2), [data(0), data(1)], 32, 1e-2, [0, 1])
            if state is not None:
                ensemble.load(state)
            losses += [ensemble.epoch() for _ in range(epochs)]
            state = ensemble.state()
        return state, torch.cat(losses)

    (unbroken, losses), (broken, others) = run([4]), run([1, 2, 1])
    assert torch.equal(losses, others)
    assert all(torch.equal(unbroken[name], broken[name]) for name in unbroken)


def test_training_finds_a_gaussian():
    # x ~ N(0, diag(9, 1/9)), its entropy is log(2πe): no model has a smaller loss.
    x = data(0, 4096) * torch.tensor([3.0, 1 / 3])
    model = models(1, "full")[0]
    history = fit_together([model], [x], epochs=25, learning_rate=3e-3, progress=False)[0]
    entropy = torch.log(torch.tensor(2 * torch.pi * torch.e)).item()
    # The sample of 4,096 has an entropy of its own, off by 1/√4096 at one standard error.
    assert entropy - 4 / 64 < history.epoch_loss[-1] < entropy + 0.15


def test_global_state_is_left_alone():
    before = torch.get_rng_state()
    fit_together(models(1), [data(0)], epochs=1, batch_size=32, progress=False)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.tensor([1e-30]).mul(1e-10).item() > 0  # denormal numbers are numbers again


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"batch_size": 36}, "x has 96 rows; .* a multiple of batch_size, which is 36"),
        ({"x": [data(0)]}, "x has 1 sets of data for 2 models"),
        ({"x": [data(0), data(1, 64)]}, "x has 64, 96 rows"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0; it must be an integer of at least 1"),
        ({"seeds": [7]}, "seeds has 1 entries for 2 models; give one to each"),
        ({"seeds": []}, "seeds has 0 entries for 2 models"),
        ({"seeds": [0, 1.5]}, "seed is 1.5; it must be an integer from 0"),
        ({"models": [], "x": []}, "models is empty; there must be one at least"),
        ({"models": [*models(1), *models(1, "full")]}, "The models differ in their parameters"),
        (
            {"models": [vc.models.VAE(2, 2, (8,), activation="tanh", **SHAPE)] * 2},
            "activation is 'tanh'; gradients by hand are there for the ELBO, relu networks",
        ),
        (
            {"models": [vc.models.VAE(2, 2, (8,), variance_floor=0.1, **SHAPE)] * 2},
            "variance_floor is 0.1; gradients by hand are there for .* no floor",
        ),
        (
            {"models": [vc.models.VAE(2, 2, (8,), decoder_hidden=(9,), **SHAPE)] * 2},
            r"decoder_hidden is \[9\]; gradients by hand",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_in_a_sentence(change, sentence):
    settings = {"models": models(2), "x": [data(0), data(1)], "epochs": 1, "batch_size": 32}
    with pytest.raises(ValueError, match=sentence):
        fit_together(**{**settings, **change}, progress=False)


def test_a_loss_that_explodes_is_reported():
    with pytest.raises(FloatingPointError, match="a smaller learning_rate"):
        fit_together(
            models(1), [data(0)], epochs=3, batch_size=32, learning_rate=1e3, progress=False
        )


# --- binary pixels -------------------------------------------------------------------------------

PIXELS = {"hidden": (8, 6), "activation": "tanh"}


def grey(n=60, seed=0):
    return torch.rand(n, 12, generator=torch.Generator().manual_seed(seed))


def pixel_models(draws, count=2):
    return [vc.models.VAE(12, 3, importance_samples=draws, seed=s, **PIXELS) for s in range(count)]


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.parametrize("draws", [1, 3])
def test_on_pixels_it_is_the_optimizer_on_the_loss_by_autograd(draws, optimizer):
    together, alone = pixel_models(draws), pixel_models(draws)
    x = grey().round()
    run = Ensemble(together, [x, x], 20, 1e-2, [5, 6], optimizer=optimizer)
    losses = run.epoch()
    run.write_back()
    for r, model in enumerate(alone):
        generator = torch.Generator().manual_seed(5 + r)
        step = build_optimizer(optimizer, model.parameters(), 1e-2)
        for at, rows in enumerate(torch.randperm(60, generator=generator).split(20)):
            eps = torch.empty(draws, 20, 3).normal_(generator=generator)
            q = model.encode(x[rows])
            z = q.loc + q.scale * eps
            log_p = model.decode(z).log_prob(x[rows])
            log_w = model.prior.log_prob(z) + log_p - q.log_prob(z)
            bound = log_w.logsumexp(0) - math.log(draws)
            if draws == 1:
                bound = log_p[0] - torch.distributions.kl_divergence(q, model.prior)
            step.zero_grad()
            (-bound.mean()).backward()
            step.step()
            assert losses[at, r].item() == pytest.approx(-bound.mean().item(), rel=1e-4)
        # float32; Muon itself multiplies bfloat16 numbers
        torch.testing.assert_close(flat(together[r]), flat(model), rtol=0, atol=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_stopping_between_epochs_changes_no_bit_on_pixels(optimizer):
    def run(stops):
        state, losses = None, []
        for epochs in stops:
            settings = {"binarize": True, "products": torch.bfloat16, "optimizer": optimizer}
            ensemble = Ensemble(pixel_models(3), [grey()] * 2, 20, 1e-2, [0, 1], **settings)
            if state is not None:
                ensemble.load(state)
            for _ in range(epochs):
                ensemble.schedule("cosine", len(losses), 3)
                losses.append(ensemble.epoch())
            state = ensemble.state()
        return torch.stack(losses), state

    (whole, end), (broken, same) = run([3]), run([1, 2])
    assert torch.equal(whole, broken)
    assert end.keys() == same.keys()
    assert all(torch.equal(end[name], same[name]) for name in end)


def test_drawn_pixels_are_on_with_the_probability_of_their_grey_level():
    n, level = 40_000, torch.arange(256) / 255
    out = torch.empty(n, 256)
    _Levels(level.expand(n, -1)).draw(torch.arange(n), torch.Generator().manual_seed(0), out)
    assert set(out.unique().tolist()) == {0, 1}
    on = out.mean(0)
    assert on[0] == 0 and on[255] > 1 - 5 / 65_536
    error = (on - level)[1:255] / (level * (1 - level) / n).sqrt()[1:255]
    assert error.abs().max() < 4.5 and abs(error.square().mean() - 1) < 0.5  # 254 z-scores
    pairs = torch.corrcoef(out[:, 100:108].T) - torch.eye(8)
    assert pairs.abs().max() < 4.5 / n**0.5  # neighbours come from one 64-bit number


def test_grey_levels_are_refused_where_pixels_are_meant():
    with pytest.raises(ValueError, match="x has grey levels; .* Set binarize"):
        Ensemble(pixel_models(1), [grey()] * 2, 20, 1e-2, [0, 1])
