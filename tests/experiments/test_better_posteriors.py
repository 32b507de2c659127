"""The learned numbers of chapter 16: the record has every seed, and the program makes it."""

import itertools
import json
import math

import pytest
import torch
from torch.distributions import kl_divergence

import vaecourse as vc
from vaecourse.evaluation import LatentGrid
from vaecourse.experiments import better_posteriors
from vaecourse.flows import FAMILIES, FreePosterior


@pytest.fixture(scope="module")
def record():
    return json.loads(better_posteriors.PATH.read_text(encoding="utf-8"))


def test_the_shipped_record_has_every_seed(record):
    assert record["command"] == "vaecourse reproduce better_posteriors"
    metrics = record["metrics"]
    for part in ("families", "missing", "fitted_priors"):
        assert [run["seed"] for run in metrics[part]] == [0, 1, 2]
    runs = [(run["steps"], run["labels"], run["seed"]) for run in metrics["labels"]]
    assert runs == list(itertools.product((250, 1_000), (10, 100, 1_000), range(10)))
    for run in metrics["families"]:
        for part in ("whole", "upper"):
            assert list(run[part]) == ["encoder", *FAMILIES]
            assert all(len(gaps) == 100 and min(gaps) > -0.03 for gaps in run[part].values())
        assert len(run["island"]) == 100 and min(run["island"]) == 0


def test_the_mass_of_an_island():
    """Two hills apart, a quarter of the mass on the lower one; and a single hill."""

    class Hills:
        axis = torch.linspace(-5, 5, 101)

        def posterior(self, x, seen):
            z = torch.cartesian_prod(self.axis, self.axis)
            hill = [(-(z - place).square().sum(1) / 0.1).exp() for place in (2.0, -2.0)]
            both = torch.stack([0.75 * hill[0] + 0.25 * hill[1], hill[0]])
            return both / both.sum(1, keepdim=True)

    two, one = better_posteriors.island(Hills(), torch.zeros(2, 784), None).tolist()
    assert two == pytest.approx(-math.log(0.75), abs=0.02) and one == 0


def test_what_zeros_in_the_hole_cost_comes_in_parts(record):
    for run in record["metrics"]["missing"]:
        for images in ("zeros", "whole"):
            parts = run[f"{images}_one_point"][0] + run[f"{images}_encoder"][0]
            assert parts == pytest.approx(run[f"{images}_together"][0], abs=1e-3)
        for walk in ("q_60", "q_260", "exact_60", "exact_from_exact_60"):
            less = run[f"walk_{walk}"][0] - run[f"walk_{walk}_less_frequency"][0]
            assert less == pytest.approx(run["frequency"][0], abs=1e-3)


def test_the_gap_of_the_encoder_comes_again(record):
    """Of ten images, whole and half hidden: by the grid and by quadrature, nothing drawn."""
    vae, _ = vc.checkpoint.pretrained("mnist_vae_2d", 0)
    x = vc.data.mnist("test", binarize="sample").x[:10]
    grid = LatentGrid(vae, 201)
    q = FreePosterior(*better_posteriors.encoded(vae, x))
    for name, seen in (("whole", None), ("upper", better_posteriors.UPPER)):
        bound = better_posteriors.exact_bound(q, vae, x, seen)
        gap = grid.log_evidence(x, seen) - bound
        expected = torch.tensor(record["metrics"]["families"][0][name]["encoder"][:10])
        assert torch.allclose(gap, expected, atol=5e-3)


def test_the_bound_by_quadrature_is_the_mean_of_draws():
    vae, _ = vc.checkpoint.pretrained("mnist_vae_2d", 0)
    x = vc.data.mnist("test", binarize="sample").x[:5]
    loc, log_var = better_posteriors.encoded(vae, x)
    for family in FAMILIES:
        posterior = FreePosterior(loc, log_var, family)
        with torch.no_grad():
            q = posterior()
            z = q.rsample((2_000,), torch.Generator().manual_seed(0))
            values = vae.decode(z).log_prob(x) + vae.prior.log_prob(z) - q.log_prob(z)
        found = better_posteriors.exact_bound(posterior, vae, x)
        error = values.std(0) / math.sqrt(2_000)
        assert ((values.mean(0) - found).abs() < 4.5 * error).all()
    # Where the KL is known, only log p(x|z) is integrated.
    with torch.no_grad():
        exact = vae.decode(vae.encode(x).rsample((2_000,), torch.Generator().manual_seed(1)))
        bound = exact.log_prob(x).mean(0) - kl_divergence(vae.encode(x), vae.prior)
    gaussian = better_posteriors.exact_bound(FreePosterior(loc, log_var), vae, x)
    assert torch.allclose(gaussian, bound, atol=1)


def test_no_family_is_worse_than_one_that_it_contains(record):
    """On average, and to the noise of a search."""
    for run in record["metrics"]["families"]:
        mean = {family: sum(gaps) / 100 for family, gaps in run["whole"].items()}
        assert mean["full"] < mean["diagonal"] < mean["encoder"]
        assert mean["planar"] < mean["diagonal"] and mean["autoregressive"] < mean["diagonal"]


def test_all_priors_are_compared_on_the_same_images(record):
    """So that the mean of the differences is the difference of the means."""
    for run in record["metrics"]["fitted_priors"]:
        (many, many_error), (ten, ten_error) = run["aggregate_30000"], run["gaussians_10"]
        less, error = run["aggregate_30000_less_gaussians_10"]
        assert less == pytest.approx(many - ten, abs=1e-9)
        assert abs(many_error - ten_error) <= error <= many_error + ten_error
        # The ten Gaussians are tested on ten times as many images, too.
        assert 2.5 < ten_error / run["gaussians_10_all"][1] < 4


def few(split, binarize=None, seed=0, mnist=vc.data.mnist):
    images = mnist(split, binarize, seed)
    return images._replace(x=images.x[:300], label=images.label[:300])


def test_every_part_runs_on_a_few_images(monkeypatch, tmp_path):
    monkeypatch.setattr(vc.data, "mnist", few)
    families = better_posteriors.families(0, images=2, steps=2)
    assert [len(gaps) for gaps in families["upper"].values()] == [2] * 5
    assert len(families["island"]) == 2
    missing = better_posteriors.missing(0, images=4, walked=2, rounds=(21, 22), points=41)
    assert all(map(math.isfinite, itertools.chain(*list(missing.values())[1:])))
    fitted = better_posteriors.fitted_priors(0, rows=300, tested=50)
    assert fitted["active"] > 20 and fitted["aggregate_300"][0] < fitted["gaussians_1"][0]
    less = fitted["aggregate_300"][0] - fitted["gaussians_10"][0]
    assert fitted["aggregate_300_less_gaussians_10"][0] == pytest.approx(less, abs=1e-9)
    assert fitted["gaussians_10_all"] == fitted["gaussians_10"]  # of 50 images, both
    labels = better_posteriors.labels(10, 0, steps=2, rows=300)
    assert 0 <= labels["m2"] <= 1 and 0 <= labels["labels_alone"] <= 1


def test_run_writes_what_the_parts_give(record, tmp_path, monkeypatch):
    for name in ("families", "missing", "fitted_priors", "labels"):
        monkeypatch.setattr(better_posteriors, name, lambda *a: {"arguments": list(a)})
    made = better_posteriors.run(tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == made
    assert made.keys() == record.keys() and made["metrics"].keys() == record["metrics"].keys()


def test_balanced_labels_are_equally_many_of_each_digit():
    label = torch.arange(200) % 10
    rows = better_posteriors.balanced(label, 30, torch.Generator().manual_seed(0))
    assert label[rows].bincount().tolist() == [3] * 10
    assert len(set(rows.tolist())) == 30
