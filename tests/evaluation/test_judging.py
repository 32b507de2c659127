"""What judges a module of one's own judges it in evaluation, and leaves it as it was found."""

import copy
import math

import pytest
import torch
from sentences import refused
from torch import nn

import vaecourse as vc
from vaecourse.widgets import LatentExplorer, MissingExplorer, PipelineExplorer

X = torch.rand((60, 6), generator=torch.Generator().manual_seed(1)).round()
DIGITS = torch.rand((3, 784), generator=torch.Generator().manual_seed(1)).round()


class Own(nn.Module):
    """An own VAE whose encoder and decoder normalize batches and drop units."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 4))
        self.decoder = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 6))
        self.last = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout())

    def encode(self, x):
        return self.body(x).chunk(2, dim=1)

    def decode(self, z):
        return self.last(self.decoder(z))


class Plain(Own):
    """One whose decoder is what a page runs."""

    def decode(self, z):
        return self.decoder(z)


class Dropped(vc.models.VAE):
    """A model of the course that drops units on both ways."""

    def __init__(self):
        super().__init__(784, 2, (4,))
        self.drop = nn.Dropout()

    def encode(self, x):
        return super().encode(self.drop(x))

    def decode(self, z):
        return super().decode(self.drop(z))


def trained(kind=Own):
    """A trained model in training, a module of it in evaluation, and with gradients."""
    model = vc.models.wrap(kind(), shape=(6,))
    vc.training.fit(model, X, epochs=3, batch_size=20, progress=False)
    model.module.body[2].eval()
    (-model.elbo(X).mean()).backward()
    return model


def generator():
    return torch.Generator().manual_seed(0)


JUDGES = {
    "evaluate": lambda m, x: list(vc.evaluation.evaluate(m, x, 3).values()),
    "evaluate, a chunk of one": lambda m, x: list(
        vc.evaluation.evaluate(m, x.repeat(9, 1)[:501], 3).values()
    ),
    "importance_estimate": lambda m, x: list(
        vc.evaluation.importance_estimate(m, x, 3, generator())
    ),
    "importance_log_likelihood": lambda m, x: vc.evaluation.importance_log_likelihood(
        m, x[:1], 3, generator()
    ),
    "aggregate_kl": lambda m, x: vc.evaluation.aggregate_kl(m, x, 1, generator()).value,
    "kl_per_dimension": lambda m, x: vc.evaluation.kl_per_dimension(m, x[:1]),
    "active_units": lambda m, x: vc.evaluation.active_units(m, x, 0.5),
    "encoder_terms": lambda m, x: list(vc.evaluation.rate_distortion.encoder_terms(m, x, 4)),
    "LatentGrid": lambda m, x: vc.evaluation.LatentGrid(m, 11).log_evidence(x),
    "sample": lambda m, x: m.sample(1, generator()),
    "reconstruct": lambda m, x: m.reconstruct(x[:1]),
    "codes": lambda m, x: m.codes(x[:1]).detach(),
}


def state_of(model):
    """What a judge is to leave: weights and buffers, modes, gradients, and torch's generator."""
    return (
        copy.deepcopy(model.state_dict()),
        [module.training for module in model.modules()],
        [weight.grad.clone() for weight in model.parameters()],
        torch.get_rng_state(),
    )


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_a_judge_finds_a_module_in_evaluation_and_leaves_it_as_it_was(judge):
    model = trained()
    before = state_of(model)
    found = judge(model, X)
    assert same(state_of(model), before)
    assert same(found, judge(copy.deepcopy(model).eval(), X))


@pytest.mark.parametrize(
    ("model", "explorer"),
    [
        (lambda: trained(Plain), lambda model: LatentExplorer(model, X, image_shape=(2, 3))),
        (Dropped, lambda model: PipelineExplorer(model, DIGITS)),
        (Dropped, lambda model: MissingExplorer(model, DIGITS)),
    ],
    ids=["latent", "pipeline", "missing"],
)
def test_an_explorer_shows_a_module_in_evaluation_and_leaves_it_as_it_was(model, explorer):
    model = model()
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    before = state_of(model)
    shown = explorer(model)
    values = getattr(shown, "values", None)
    assert same(state_of(model), before)
    other = explorer(copy.deepcopy(model).eval())
    assert shown.arrays == other.arrays
    assert values == getattr(other, "values", None)


SMALL = {"data_dim": 4, "latent_dim": 2}
TWO_LATENTS = ("hierarchical", {**SMALL, "upper_dim": 2})
NO_LATENT = [
    ("vrnn", {"data_dim": 2, "latent_dim": 2, "state_dim": 2}),
    ("diffusion", {"data_dim": 4, "levels": 8}),
    ("m2", {**SMALL, "num_classes": 2}),
    ("classifier", {"image_shape": [1, 2, 2], "channels": [2], "num_classes": 2}),
]
ONE_LATENT = {
    **{name: JUDGES[name] for name in ("aggregate_kl", "kl_per_dimension", "active_units")},
    "encoder_terms": JUDGES["encoder_terms"],
    "LatentGrid": lambda m, x: vc.evaluation.LatentGrid(m, 11),
    "LatentExplorer": lambda m, x: LatentExplorer(m, x[:, :4]),
    "MissingExplorer": lambda m, x: MissingExplorer(m, DIGITS),
    "PipelineExplorer": lambda m, x: PipelineExplorer(m, DIGITS),
}


@pytest.mark.parametrize(("kind", "params"), [TWO_LATENTS, *NO_LATENT])
@pytest.mark.parametrize("judge", ONE_LATENT)
def test_what_judges_one_latent_by_its_prior_refuses_a_model_of_others(judge, kind, params):
    if kind == "diffusion" and judge.endswith("Explorer"):
        return  # which has no decoder: that is said of it
    model = vc.models.build({"kind": kind, **params})
    assert refused(ONE_LATENT[judge], model, X) == (
        f"model is a {type(model).__name__}; this needs one with encode(x), decode(z) and prior, "
        "p(z), of one latent z."
    )


@pytest.mark.parametrize(("kind", "params"), NO_LATENT[:3])
def test_a_model_without_one_latent_has_no_codes(kind, params):
    model = vc.models.build({"kind": kind, **params})
    with pytest.raises(ValueError, match=r"model is a .*; this needs one with encode\(x\) of one"):
        model.codes(X)


def test_a_likelihood_is_estimated_by_the_models_own_weights():
    kinds = [TWO_LATENTS, *NO_LATENT[:2]]
    for model in (vc.models.build({"kind": kind, **params}) for kind, params in kinds):
        x = model.arrange(X[:3, :4])
        found = vc.evaluation.importance_log_likelihood(model, x, 7, generator())
        with torch.no_grad():
            weights = model.log_weights(x, 7, generator()).double()
        torch.testing.assert_close(found, weights.logsumexp(0) - math.log(7))
    for kind, params in NO_LATENT[2:]:
        with pytest.raises(ValueError, match="^model is a .*; this needs one with encode"):
            vc.evaluation.importance_log_likelihood(vc.models.build({"kind": kind, **params}), X, 7)


def test_what_is_no_module_of_torch_is_judged_too():
    model = vc.models.VAE(6, 2, (4,))

    class Bare:
        encode, decode, check, prior = model.encode, model.decode, model.check, model.prior

    one, other = (
        vc.evaluation.importance_estimate(judged, X, 3, generator()) for judged in (Bare(), model)
    )
    assert same(tuple(one), tuple(other))
