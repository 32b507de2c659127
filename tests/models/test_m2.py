"""M2 on three pixels and one latent, where every sum and integral is computed."""

import itertools
import math
import re

import pytest
import torch
from torch.distributions import Normal

import vaecourse as vc
from vaecourse.models import M2, labelled

IMAGES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)), dtype=torch.float64)


@pytest.fixture
def m2():
    return M2(3, 1, (5,), (4,), num_classes=4, seed=2).double()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def log_p(m2, x):
    """log p(x, y) by quadrature over the one latent: [K, B]."""
    z = torch.linspace(-8, 8, 1_601, dtype=torch.float64)
    log_z = Normal(0.0, 1.0).log_prob(z) + math.log(z[1] - z[0])
    labels = torch.eye(4, dtype=torch.float64)[:, None, None]
    log_x = m2.decode(z[:, None, None], labels).log_prob(x)  # [K, Z, B]
    return torch.logsumexp(log_x + log_z[:, None], 1) - math.log(4)


def test_the_model_is_a_distribution_over_labelled_images(m2):
    assert log_p(m2, IMAGES).exp().sum().item() == pytest.approx(1, abs=1e-8)


@torch.no_grad()
def test_the_bounds_lie_below_what_they_bound(m2):
    exact = log_p(m2, IMAGES)
    draws = torch.stack([m2.bounds(IMAGES, seeded(s)) for s in range(400)])
    error = draws.std(0) / 20
    assert (draws.mean(0) < exact + 4 * error).all()
    whole = torch.stack([m2.unlabelled_bound(IMAGES, seeded(s)) for s in range(400)])
    assert (whole.mean(0) < exact.logsumexp(0) + 4 * whole.std(0) / 20).all()
    label = torch.arange(8) % 4
    one = torch.stack([m2.labelled_bound(IMAGES, label, seeded(s)) for s in range(400)])
    expected = draws.mean(0)[label, torch.arange(8)]
    assert ((one.mean(0) - expected).abs() < 4.5 * error.max() * 2**0.5).all()


@torch.no_grad()
def test_the_sum_over_labels_is_the_mean_of_draws_of_the_label(m2):
    bounds, log_q = m2.bounds(IMAGES, seeded()), m2.classify(IMAGES).T
    exact = (log_q.exp() * (bounds - log_q)).sum(0)
    assert torch.equal(exact, m2.unlabelled_bound(IMAGES, seeded()))
    drawn = torch.multinomial(log_q.T.exp(), 20_000, replacement=True, generator=seeded(1))
    values = (bounds - log_q).T.gather(1, drawn)
    error = values.std(1) / 20_000**0.5
    assert ((values.mean(1) - exact).abs() < 4.5 * error).all()


def test_the_first_layer_is_that_of_label_and_image_joined(m2):
    y = torch.eye(4, dtype=torch.float64)[:, None]
    joined = torch.cat([IMAGES.expand(4, -1, -1), y.expand(-1, 8, -1)], -1)
    assert torch.allclose(m2.encode(IMAGES, y).loc, m2.encoder(joined)[..., :1], atol=1e-12)


def test_the_loss_gives_each_row_its_own_bound(m2):
    label = torch.tensor([0, -1, 3, -1, -1, 2, 1, -1])
    known = label >= 0
    rows = m2.check(labelled(IMAGES, label))
    generator = seeded(4)
    expected = -m2.unlabelled_bound(IMAGES[~known], generator).sum()
    expected -= m2.labelled_bound(IMAGES[known], label[known], generator).sum()
    log_q = m2.classify(IMAGES[known]).gather(1, label[known][:, None])
    expected = (expected - m2.label_weight * log_q.sum()) / 8
    assert m2.loss(rows, seeded(4)).item() == pytest.approx(expected.item(), rel=1e-12)
    assert m2.loss(rows[known], seeded()).isfinite() and m2.loss(rows[~known], seeded()).isfinite()


def test_labels_and_images_teach_it_two_classes():
    """Two kinds of rows, of which one each is labelled."""
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]).repeat(20, 1)
    label = torch.full((40,), -1)
    label[:2] = torch.tensor([0, 1])
    model = M2(3, 1, (8,), (8,), num_classes=2, label_weight=20.0)
    vc.training.fit(
        model, labelled(x, label), epochs=60, batch_size=40, learning_rate=0.02, progress=False
    )
    assert model.accuracy(x.numpy(), torch.arange(40) % 2) == 1


def test_rows_that_do_not_fit_are_refused(m2):
    with pytest.raises(ValueError) as told:
        m2.check(labelled(IMAGES, torch.full((8,), 4)))
    assert str(told.value) == (
        "rows[:, -1] has values from 4 to 4; it must hold whole numbers from 0 to 3, or −1 for "
        "none."
    )
    with pytest.raises(ValueError, match=r"rows has shape \[8, 3\]; it must be \[N, 4\]"):
        m2.check(IMAGES)
    with pytest.raises(ValueError, match="pixels from 0 to 2; they must lie between 0 and 1"):
        m2.check(labelled(2 * IMAGES, torch.zeros(8)))


def test_what_is_coded_and_decoded_has_its_width(m2):
    x, y, z = torch.zeros(2, m2.data_dim), torch.eye(m2.num_classes)[:2], torch.zeros(2, 9)
    for code, said in [
        (lambda: m2.encode(x[:, :1], y), "x has shape [2, 1]"),
        (lambda: m2.encode(x, y[0, :1]), "y has shape [1]"),
        (lambda: m2.decode(z, y), "z has shape [2, 9]"),
    ]:
        with pytest.raises(ValueError, match=re.escape(f"{said}; it must be [..., ")):
            code()


def test_metrics_of_rows_without_labels_are_refused(m2):
    rows = labelled(IMAGES, torch.full((8,), -1))
    with pytest.raises(ValueError, match="^rows has no label but −1, for none, and these metrics"):
        vc.evaluation.evaluate(m2, rows)


def test_it_takes_what_data_may_be(m2):
    label = [0, 1, 2, 3] * 2
    expected = m2.classify(IMAGES)
    for x in (IMAGES.numpy(), IMAGES.tolist(), IMAGES.float()):
        assert torch.equal(m2.classify(x), expected)
        assert torch.equal(m2.bounds(x, seeded()), m2.bounds(IMAGES, seeded()))
        assert torch.equal(
            m2.labelled_bound(x, label, seeded()),
            m2.labelled_bound(IMAGES, torch.tensor(label), seeded()),
        )
        assert torch.equal(m2.unlabelled_bound(x, seeded()), m2.unlabelled_bound(IMAGES, seeded()))
    with pytest.raises(ValueError, match=r"^x has shape \[8, 2\]; it must be \[N, 3\]\.$"):
        m2.classify(IMAGES[:, :2])
    with pytest.raises(ValueError, match="^label has values from 0 to 4; it must hold whole num"):
        m2.labelled_bound(IMAGES, [0, 1, 2, 4] * 2)
