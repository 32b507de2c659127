"""Models of one's own in explorers: shown as they are, or refused."""

import math

import pytest
import torch
from sentences import refused
from torch import nn

import vaecourse as vc
from vaecourse.widgets import LatentExplorer, MissingExplorer, PipelineExplorer

X = torch.rand((60, 24), generator=torch.Generator().manual_seed(1)).round()


class Own(nn.Module):
    """An own VAE of 6 × 4 images, whose `decode` does `how` with z and its `decoder`."""

    def __init__(self, how, outputs=24):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.how = nn.Linear(24, 4), how
        self.decoder = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, outputs))
        self.other = nn.Linear(2, 24)

    def encode(self, x):
        return self.body(x).chunk(2, 1)

    def decode(self, z):
        return self.how(self, z)


def explorer_of(how, outputs=24, **settings):
    own = vc.models.wrap(Own(how, outputs), shape=(24,), **settings)
    return LatentExplorer(own, X, image_shape=(6, 4)).spec["output"]


@pytest.mark.parametrize(
    "how",
    [
        lambda own, z: 2 * own.decoder(z),
        lambda own, z: own.decoder(z / 0.18),
        lambda own, z: own.decoder(torch.tanh(z)),
        lambda own, z: own.decoder(z.flip(1)),
        lambda own, z: own.decoder(z.clamp(-2, 2)),
    ],
)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_an_own_decode_that_is_not_its_decoder_is_refused(how, likelihood):
    settings = {} if likelihood == "bernoulli" else {"noise_variance": 0.1}
    assert refused(explorer_of, how, likelihood=likelihood, **settings) == (
        "model.decode gives neither logits of pixels, nor a Gaussian, nor the sigmoid of what "
        "model.decoder gives; the page knows only these."
    )
    kind = explorer_of(lambda own, z: own.decoder(z), likelihood=likelihood, **settings)["kind"]
    assert kind == likelihood


def test_probabilities_are_shown_as_their_logits():
    def bernoulli(own, z):
        return torch.distributions.Bernoulli(probs=own.decoder(z).sigmoid())

    plain = vc.models.wrap(Own(lambda own, z: own.decoder(z)), shape=(24,))
    asked = Own(bernoulli)
    ended = Own(lambda own, z: torch.distributions.Bernoulli(probs=own.decoder(z)))
    ended.decoder.append(nn.Sigmoid())
    shown = [
        LatentExplorer(model, X, image_shape=(6, 4))
        for model in (plain, *(vc.models.wrap(own, shape=(24,)) for own in (asked, ended)))
    ]
    for key in ("output", "layers", "range"):
        assert [one.spec[key] for one in shown] == [shown[0].spec[key]] * 3
    assert shown[0].spec["layers"] == [[2, 16, "relu"], [16, 24, "linear"]]
    assert explorer_of(bernoulli) == {"kind": "bernoulli"}
    twice = "model.decode gives neither logits"
    assert refused(explorer_of, lambda own, z: bernoulli(own, 2 * z)).startswith(twice)


def normal_of(scale):
    return lambda own, z: torch.distributions.Normal(own.decoder(z)[:, :24], scale(own, z))


def test_own_variances_are_those_of_the_decoder_or_one_for_all():
    assert explorer_of(normal_of(lambda own, z: (0.5 * own.decoder(z)[:, 24:]).exp()), 48) == {
        "kind": "gaussian",
        "log_var": None,
        "log_var_floor": None,
    }
    half = explorer_of(normal_of(lambda own, z: torch.full((len(z), 24), 0.5)))
    assert half["log_var"] == pytest.approx(2 * math.log(0.5))
    others = [
        (lambda own, z: own.decoder(z)[:, 24:].exp(), 48),  # the logarithm of a deviation
        (lambda own, z: nn.functional.softplus(own.decoder(z)[:, 24:]), 48),
        (lambda own, z: own.other(z).exp(), 24),
        (lambda own, z: (0.5 * own.decoder(z)[:, 24:48]).exp(), 60),
    ]
    for scale, outputs in others:
        with pytest.raises(ValueError, match="^model.decode gives variances that change with z an"):
            explorer_of(normal_of(scale), outputs)


class OwnSteps(vc.models.VAE):
    """A VAE that looks at z, or at its codes, once more."""

    step = "decode"

    def decode(self, z):
        return super().decode(z.flip(1) if self.step == "decode" else z)

    def encode(self, x):
        return super().encode(1 - x if self.step == "encode" else x)


@pytest.mark.parametrize("explorer", [MissingExplorer, PipelineExplorer])
def test_a_model_that_is_not_what_the_page_runs_is_refused(explorer):
    own, images = OwnSteps(784, 2, (4,)), torch.zeros(3, 784)
    with pytest.raises(
        ValueError, match=r"^model\.decode gives other logits than model\.decoder, w"
    ):
        explorer(own, images)
    own.step = None
    assert len(explorer(own, images).arrays) > 0


def test_an_encode_that_is_not_what_the_page_runs_is_refused():
    own = OwnSteps(784, 2, (4,))
    own.step = "encode"
    with pytest.raises(
        ValueError, match=r"^model\.encode gives other means and log variances than"
    ):
        PipelineExplorer(own, torch.zeros(3, 784))


def test_a_module_that_is_not_wrapped_is_refused_with_the_line_that_wraps_it():
    assert refused(LatentExplorer, Own(lambda own, z: own.decoder(z)), X, image_shape=(6, 4)) == (
        "model.encode gives a tuple; it must give codes [N, 2] or a distribution over them: "
        "`vc.models.wrap` makes a model of a module that gives a pair."
    )
    without = Own(None)
    without.encode = None
    assert refused(LatentExplorer, without, X) == (
        "model is a Own without encode(x); `vc.models.wrap` makes a model of a module with encode "
        "and decode."
    )


def test_a_wrapped_module_whose_decoder_has_another_name_is_refused():
    own = Own(lambda own, z: own.other(z))
    del own.decoder
    wrapped = vc.models.wrap(own, shape=(24,))
    assert refused(LatentExplorer, wrapped, X, image_shape=(6, 4)) == (
        "model has no network `decoder`, which the page runs: give it that name, or make the "
        "model by vc.models.wrap(encoder, decoder, …)."
    )


@pytest.mark.parametrize(
    "model", [vc.models.FactorAnalysis(24, 2), vc.models.Diffusion(24, 4)], ids=["fa", "diffusion"]
)
def test_a_model_of_the_course_without_a_decoder_is_refused_by_its_name(model):
    assert refused(LatentExplorer, model, X) == (
        f"model is a {type(model).__name__}, which has no network `decoder` for the page to run; "
        "VAE and Autoencoder have one."
    )


@pytest.mark.parametrize("x", [X, 3 * X])
def test_counts_are_refused_before_their_values_are(x):
    own = vc.models.wrap(Own(lambda own, z: own.decoder(z)), shape=(24,), likelihood="poisson")
    for model in (vc.models.VAE(24, 2, likelihood="poisson"), own):
        assert refused(LatentExplorer, model, x, image_shape=(6, 4)) == (
            "model has a Poisson likelihood; the page knows none of counts, but pixels and a "
            "Gaussian, of values from 0 to 1."
        )
