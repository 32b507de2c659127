"""A module of one's own: taken as it is meant, or refused in a sentence with a cure."""

import math
import warnings

import pytest
import torch
from sentences import refused
from torch import nn
from torch.distributions import Bernoulli, Normal, Poisson
from torch.nn.functional import elu, softplus

import vaecourse as vc
from vaecourse.models.ranges import ANY, range_of

WIDTHS = [1, 2, 15, 16, 64]


class Own(nn.Module):
    """A VAE of two lines; `end` is what its decoder does last."""

    def __init__(self, dim, end=lambda out: out):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.out, self.end = nn.Linear(dim, 4), nn.Linear(2, dim), end

    def encode(self, x):
        return self.body(x).chunk(2, dim=1)

    def decode(self, z):
        return self.end(self.out(z))


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


# --- a Gaussian -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3, 64])
@pytest.mark.parametrize("variance", [None, "from_z"])
def test_means_alone_need_a_variance_and_get_one_by_every_cure(dim, variance):
    def wrap(noise_variance, end=lambda out: out):
        settings = {"likelihood": "gaussian", "noise_variance": noise_variance}
        return vc.models.wrap(Own(dim, end), shape=(dim,), **settings)

    assert refused(lambda: wrap(variance)) == (
        f"noise_variance is {variance!r}, but decode gives means alone; it must be a positive "
        "number, 'shared' or 'per_dimension', or decode must return "
        "torch.distributions.Normal(mean, deviation)."
    )
    x = normal(20, dim)
    cures = [wrap(0.1), wrap("shared"), wrap("per_dimension")]
    for model in [*cures, wrap(variance, lambda out: Normal(out, out.exp()))]:
        vc.training.fit(model, x, epochs=1, progress=False)
        assert model.sample(3).shape == (3, dim)


# --- what is asked before there are data ----------------------------------------------------------


@pytest.mark.parametrize(
    "seen",
    [
        lambda x: x / x.sum(1, keepdim=True),
        lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True),
        lambda x: x.log(),
    ],
)
@pytest.mark.parametrize("gives", [lambda m, v: (m, v), lambda m, v: Normal(m, v.exp())])
def test_an_encoder_that_has_no_value_at_zero_is_taken(seen, gives):
    module = Own(20)
    module.encode = lambda x: gives(*module.body(seen(x)).chunk(2, 1))
    model = vc.models.wrap(module, shape=(20,), likelihood="poisson")
    x = normal(50, 20).exp().round() + 1
    mean, log_var = module.body(seen(x)).chunk(2, 1)
    assert torch.equal(model.encode(x).mean, mean)
    assert isinstance(gives(mean, log_var), Normal) or torch.equal(model.encode(x).log_var, log_var)
    assert model.elbo(x).isfinite().all()


@pytest.mark.parametrize("method", ["encode", "decode"])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_half_precision_of_a_module_s_own_is_refused(method, likelihood):
    module = Own(20)
    whole, settings = getattr(module, method), {"shape": (20,), "likelihood": likelihood}
    settings |= {"noise_variance": 0.1} if likelihood == "gaussian" else {}

    def half(x):
        with torch.autocast("cpu"):
            return whole(x)

    setattr(module, method, half)
    assert refused(lambda: vc.models.wrap(module, **settings)) == (
        f"{method} gives torch.bfloat16, in which no bound is taken: compute in float32, outside "
        "of torch.autocast."
    )
    setattr(module, method, whole)
    assert vc.models.wrap(module, **settings).sample(3).shape == (3, 20)


# --- probabilities where logits are meant ---------------------------------------------------------


ENDS = {
    "torch.sigmoid": torch.sigmoid,
    "a module": nn.Sigmoid(),
    "reshaped": lambda out: out.sigmoid()[:, None].reshape(len(out), -1),
    "softmax": lambda out: out.softmax(1),
    "clamped": lambda out: out.sigmoid().clamp(1e-6, 1 - 1e-6),
    "turned round": lambda out: 1 - out.sigmoid(),
    "half of a tanh": lambda out: (out.tanh() + 1) / 2,
}


@pytest.mark.parametrize("dim", WIDTHS)
@pytest.mark.parametrize("end", ENDS)
def test_a_decoder_that_ends_in_a_sigmoid_is_refused_at_any_width(dim, end):
    module = Own(dim, ENDS[end])
    for frozen in (False, True):
        module.requires_grad_(not frozen)
        assert refused(lambda: vc.models.wrap(module, shape=(dim,))) == (
            "decode gives values between 0 and 1, as a sigmoid does; give the logits before it, or "
            "return torch.distributions.Bernoulli(probs=...)."
        )
    x = normal(30, dim).sign().clamp(min=0)
    cures = [Own(dim), Own(dim, lambda out: Bernoulli(out.sigmoid()))]
    bounds = [
        vc.models.wrap(cure, shape=(dim,)).elbo(x, 1, torch.Generator().manual_seed(0))
        for cure in cures
    ]
    torch.testing.assert_close(*bounds)


def test_what_is_bounded_as_a_sigmoid_is_refused_where_its_last_step_does_not_tell():
    half = Own(16, lambda out: out.atan() / torch.pi + 0.5)
    assert "as a sigmoid does" in refused(lambda: vc.models.wrap(half, shape=(16,)))


@pytest.mark.filterwarnings("ignore:decode gives values from")
@pytest.mark.parametrize("dim", WIDTHS)
@pytest.mark.parametrize(
    "end",
    [
        lambda out: out,
        lambda out: 8 * out.sigmoid() - 4,
        lambda out: out.tanh(),
        lambda out: out.relu(),
        lambda out: 0 * out + 0.5,  # a last layer that starts at zero, with a bias
        lambda out: out.abs(),
    ],
)
def test_honest_logits_are_taken(dim, end):
    model = vc.models.wrap(Own(dim, end), shape=(dim,))
    assert model.decode(torch.ones(3, 2)).logits.shape == (3, dim)


def test_the_look_at_a_module_changes_nothing_of_it():
    module = Own(64, nn.BatchNorm1d(64))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert vc.models.wrap(module, shape=(64,)).training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    vc.models.wrap(Own(64, lambda out: out.add_(1)), shape=(64,))  # in place


# --- what is not negative where a logarithm is meant ----------------------------------------------


POSITIVE = {
    "exp": torch.exp,
    "twice exp": lambda out: 2 * out.exp(),
    "softplus": softplus,
    "a module": nn.Softplus(),
    "a little more": lambda out: softplus(out) + 1e-6,
    "in place": lambda out: out.exp_().add_(1e-6),
    "clamped": lambda out: softplus(out).clamp(1e-6, 1e6),
    "reshaped": lambda out: out.exp()[:, None].flip(2).flatten(1),
    "a product": lambda out: out.exp() * 3 / 2,
}
BOUNDED = {  # what may be meant, with the least of its exponential
    "a sigmoid": (lambda out: 5 * out.sigmoid(), "1"),
    "relu": (lambda out: out.relu(), "1"),
    "relu in place": (lambda out: nn.ReLU(inplace=True)(out).add_(2), "7.4"),
    "softmax": (lambda out: 100 * out.softmax(1), "1"),
    "clamp": (lambda out: out.clamp(0, 4), "1"),
    "clamp from below": (lambda out: out.clamp(min=0.5), "1.6"),
    "square": (lambda out: out**2, "1"),
    "a root": (lambda out: (out**2 + 1).sqrt(), "1"),
}
HONEST = {
    "linear": lambda out: out,
    "shifted": lambda out: softplus(out) - 3,
    "less than 0": lambda out: -softplus(out),
    "moved in place": lambda out: out.relu().sub_(3),
    "between": lambda out: 8 * out.sigmoid() - 4,
    "clamp": lambda out: out.clamp(-10, 10),
    "logarithm": lambda out: softplus(out).log(),
    "elu": elu,
    "zeros": torch.zeros_like,
    "a bias": lambda out: 0 * out + 0.5,
}


TRIED = {  # whose last steps do not tell
    "a root of exp": lambda out: out.exp() ** 0.5,
    "log(1 + exp)": lambda out: torch.log(1 + out.exp()),
    "log1p": lambda out: out.exp().log1p(),
    "logaddexp": lambda out: torch.logaddexp(out, 0 * out),
    "elu": lambda out: elu(out) + 1,
    "exp2": torch.exp2,
    "a power": lambda out: 2**out,
    "at least": lambda out: torch.maximum(out.exp(), torch.tensor(1e-6)),
    "one over": lambda out: 1 / out.exp(),
    "where": lambda out: torch.where(out > 0, out + 1, out.exp()),
    "expm1": lambda out: out.expm1() + 1,
    "norm": lambda out: out.norm(dim=1, keepdim=True).expand_as(out),
    "product": lambda out: out * out,
    "mean": lambda out: out.exp().mean(1, keepdim=True).expand_as(out),
}


def counting(end):
    return vc.models.wrap(Own(4, end), shape=(4,), likelihood="poisson")


@pytest.mark.parametrize("end", POSITIVE.values(), ids=POSITIVE)
def test_rates_where_log_rates_are_meant_are_refused(end):
    assert refused(lambda: counting(end)) == (
        "decode gives values that are never below 0, as rates; give their logarithms, or return "
        "torch.distributions.Poisson(rate), for rates above 0."
    )
    x = normal(30, 4).abs().round()
    one, other = counting(lambda out: end(out).log()), counting(lambda out: Poisson(end(out)))
    bounds = [model.elbo(x, 1, torch.Generator().manual_seed(0)) for model in (one, other)]
    assert bounds[0].isfinite().all()
    torch.testing.assert_close(*bounds)


@pytest.mark.parametrize(("end", "least"), BOUNDED.values(), ids=BOUNDED)
def test_what_is_never_negative_but_may_be_meant_is_taken_with_a_warning(end, least):
    def pair():
        return vc.models.wrap(Pair(lambda mean, rest: (mean, end(rest.clone()))), shape=(4,))

    with pytest.warns(UserWarning) as told:
        model = counting(lambda out: end(out.clone()))
        other = pair()
    assert [str(words.message) for words in told] == [
        f"decode gives values that are never below 0, which are log rates here: no rate is below "
        f"{least}; if you mean rates, give their logarithms, or return "
        "torch.distributions.Poisson(rate), for rates above 0.",
        "encode gives a second output that is never below 0, which is a log variance here: no "
        f"variance is below {least}; if you mean a deviation or a variance, give the logarithm of "
        "the variance, or return torch.distributions.Normal(mean, deviation).",
    ]
    assert {words.filename for words in told} == {__file__}
    z, x = 9 * normal(50, 2), normal(50, 4)
    rate = model.decode(z).log_rate.exp()
    assert torch.equal(model.decode(z).log_rate, end(Own(4).decode(z)))
    assert rate.min() >= float(least) - 0.06
    assert torch.equal(other.encode(x).log_var, end(Own(4).encode(x)[1].clone()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="^encode gives a second output"):
            pair()
        counting(lambda out: Poisson(end(out.clone()) + 1e-3))  # the cure
        cure = Pair(lambda mean, rest: Normal(mean, end(rest.clone()) + 1e-3))
        vc.models.wrap(cure, shape=(4,))


@pytest.mark.parametrize("end", TRIED.values(), ids=TRIED)
def test_what_no_trial_brings_below_0_gets_a_warning(end):
    with pytest.warns(UserWarning) as told:
        model = counting(end)
        pair = vc.models.wrap(Pair(lambda mean, rest: (mean, end(rest))), shape=(4,))
    assert [str(words.message) for words in told] == [
        "decode gives values that are never below 0 at any weights tried, which are log rates "
        "here: no rate is below 1; if you mean rates, give their logarithms, or return "
        "torch.distributions.Poisson(rate), for rates above 0.",
        "encode gives a second output that is never below 0 at any weights tried, which is a log "
        "variance here: no variance is below 1; if you mean a deviation or a variance, give the "
        "logarithm of the variance, or return torch.distributions.Normal(mean, deviation).",
    ]
    assert {words.filename for words in told} == {__file__}
    assert torch.equal(
        model.decode(torch.ones(3, 2)).log_rate, end(Own(4).decode(torch.ones(3, 2)))
    )
    assert torch.equal(pair.encode(normal(9, 4)).log_var, end(Own(4).encode(normal(9, 4))[1]))
    counting(lambda out: Poisson(end(out) + 1e-3))  # the cures
    vc.models.wrap(Pair(lambda mean, rest: (mean, end(rest).log())), shape=(4,))
    vc.models.wrap(Pair(lambda mean, rest: Normal(mean, end(rest) + 1e-3)), shape=(4,))


@pytest.mark.parametrize("last", [nn.Identity(), nn.BatchNorm1d(4), nn.LayerNorm(4)])
@pytest.mark.parametrize("act", [nn.ReLU(), nn.Sigmoid(), nn.Tanh()])
@pytest.mark.parametrize("weight", [0, 0.1])
@pytest.mark.parametrize("bias", [0, 3])
def test_a_log_variance_that_starts_above_0_is_taken(last, act, weight, bias):
    module = Own(4)
    outputs = nn.Linear(3, 4)
    nn.init.constant_(outputs.weight, weight)
    nn.init.constant_(outputs.bias, bias)
    module.body = nn.Sequential(nn.Linear(4, 3), act, outputs, last)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    vc.models.wrap(module, shape=(4,))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_normal_in_a_pair_is_named():
    module = Own(4)
    module.encode = lambda x: (Normal(module.body(x), 1.0), x)
    assert refused(lambda: vc.models.wrap(module, shape=(4,))).startswith(
        "encode gives a Normal in a pair; it must give a pair (mean, log_var) or a torch.distrib"
    )


@pytest.mark.parametrize("count", [1, 3])
def test_a_tuple_that_is_no_pair_is_counted(count):
    module = Own(4)
    module.encode = lambda x: module.body(x).chunk(2, 1)[:1] * count
    assert refused(lambda: vc.models.wrap(module, shape=(4,))).startswith(
        f"encode gives a tuple of {count}; it must give a pair (mean, log_var)"
    )


@pytest.mark.parametrize("end", HONEST.values(), ids=HONEST)
def test_what_may_be_negative_is_taken_as_a_log_rate_and_a_log_variance(end):
    out = Own(4).decode(torch.ones(3, 2))
    model = counting(lambda out: end(out.clone()))
    assert torch.equal(model.decode(torch.ones(3, 2)).log_rate, end(out.clone()))
    pair = vc.models.wrap(Pair(lambda mean, rest: (mean, end(rest.clone()))), shape=(4,))
    x = normal(3, 4)
    assert torch.equal(pair.encode(x).log_var, end(Own(4).encode(x)[1].clone()))


class Pair(Own):
    """Its encoder gives what `of` makes of two outputs."""

    def __init__(self, of):
        super().__init__(4)
        self.of = of

    def encode(self, x):
        return self.of(*super().encode(x))


@pytest.mark.parametrize("end", POSITIVE.values(), ids=POSITIVE)
def test_a_deviation_or_a_variance_where_a_log_variance_is_meant_is_refused(end):
    def wrap(of):
        return vc.models.wrap(Pair(of), shape=(4,))

    assert refused(lambda: wrap(lambda mean, rest: (mean, end(rest.clone())))) == (
        "encode gives a second output that is never below 0, as a deviation or a variance; give "
        "the logarithm of the variance, or return torch.distributions.Normal(mean, deviation)."
    )
    x = normal(30, 4).sign().clamp(min=0)
    cures = [
        lambda mean, rest: (mean, end(rest.clone()).log()),
        lambda mean, rest: Normal(mean, end(rest.clone()).sqrt()),
    ]
    bounds = [wrap(of).elbo(x, 1, torch.Generator().manual_seed(0)) for of in cures]
    assert bounds[0].isfinite().all()
    torch.testing.assert_close(*bounds)


@pytest.mark.parametrize(
    "write",
    [
        lambda out: torch._foreach_sub_([out.exp_()], 1e-9),
        lambda out: torch._foreach_copy_([out.exp_()], [out + 1]),
        lambda out: torch.exp(out[:, :2].clone(), out=out[:, :2]),  # the rest is as it was
        lambda out: torch.sub(out.exp_(), 1e-9, out=out),
        lambda out: out.exp_().copy_(out + 1),
    ],
)
def test_what_is_written_over_has_no_range_of_before(write):
    positive = normal(3, 4).abs() + 1

    def call():
        values = positive.clone()
        write(values)
        return values

    assert call().min() > 0  # by chance, which says nothing of other weights
    assert range_of(call) == ANY


def test_what_is_written_whole_has_the_range_of_its_step():
    out = normal(3, 4)
    assert range_of(lambda: torch.exp(out, out=torch.empty(0))) == (0, math.inf)
    assert range_of(lambda: torch.sigmoid(out, out=torch.empty(3, 4)).mul_(2)) == (0, 2)


# --- batch normalization in training --------------------------------------------------------------


class Normed(Own):
    def __init__(self, method):
        super().__init__(4)
        self.method, self.norm = method, nn.BatchNorm1d(4)

    def encode(self, x):
        return super().encode(self.norm(x) if self.method == "encode" else x)

    def decode(self, z):
        return self.norm(super().decode(z)) if self.method == "decode" else super().decode(z)


@pytest.mark.parametrize("method", ["encode", "decode"])
def test_one_row_in_training_is_told_what_batch_normalization_takes(method):
    model = vc.models.wrap(Normed(method), shape=(4,))
    x = torch.ones(2, 4)
    for action in (model.elbo, lambda x: model.log_weights(x, 1)):
        assert refused(lambda action=action: action(x[:1])) == (
            f"{method} normalizes the batch, which takes more than 1 value per channel, and has "
            "one row: give two, or judge by the running means, after eval()."
        )
        assert action(x).shape[-1] == 2
    model.eval()
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    assert torch.equal(model.elbo(x[:1], 1, generators[0]), model.elbo(x[:1], 1, generators[1]))


# --- weights without values -----------------------------------------------------------------------


def test_a_lazy_layer_is_told_to_see_rows_first_and_then_is_trained():
    class Lazy(Own):
        def __init__(self):
            super().__init__(4)
            self.body = nn.LazyLinear(4)

    lazy = Lazy()
    for action in (
        lambda: vc.models.wrap(lazy, shape=(4,)),
        lambda: vc.models.wrap(nn.Sequential(nn.LazyLinear(4)), nn.Linear(2, 4), shape=(4,)),
    ):
        assert refused(action).split(" of ")[1] == (
            "encoder has no size yet, as in a lazy layer; send rows through it once first."
        )
    lazy.encode(normal(3, 4))
    model = vc.models.wrap(lazy, shape=(4,))
    before = lazy.body.weight.detach().clone()
    vc.training.fit(model, normal(20, 4).sigmoid(), epochs=1, progress=False)
    assert not torch.equal(before, lazy.body.weight)


def test_a_model_on_no_memory_is_refused():
    model = vc.models.wrap(Own(4), shape=(4,))
    wanted = "body.weight of {} is on the device meta and has no values."
    assert refused(
        lambda: vc.training.fit(model.to("meta"), normal(3, 4), epochs=1)
    ) == wanted.format("model").replace("body", "module.body")
    assert refused(lambda: vc.models.wrap(Own(4).to("meta"), shape=(4,))) == wanted.format(
        "encoder"
    )


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "end", "sentence"),
    [
        (
            (3, 8, 8),
            lambda out: out.view(-1, 8, 8, 3),
            "decode gives [2, 8, 8, 3]; it must be [2, 3, 8, 8].",
        ),
        ((192,), lambda out: out.T, "decode gives [192, 2]; it must be [2, 192]."),
        (
            (192,),
            lambda out: Normal(out.T, 1.0),
            "decode gives [192, 2]; it must be [2, 192].",
        ),
    ],
)
def test_values_in_another_order_than_the_shape_are_refused(shape, end, sentence):
    assert refused(lambda: vc.models.wrap(Flat(192, end), shape=shape)) == sentence


@pytest.mark.parametrize("shape", [(192,), (12, 16), (1, 12, 16)])
def test_an_axis_of_one_is_no_order(shape):
    model = vc.models.wrap(Flat(192, lambda out: out.view(-1, 1, 12, 16)), shape=shape)
    assert model.decode(torch.zeros(5, 2)).logits.shape == (5, 192)


class Flat(Own):
    def encode(self, x):
        return super().encode(x.flatten(1))


def test_values_come_flat_or_in_the_shape():
    z = torch.ones(5, 2)
    flat = vc.models.wrap(Flat(192), shape=(3, 8, 8))
    images = vc.models.wrap(Flat(192, lambda out: out.view(-1, 3, 8, 8)), shape=(3, 8, 8))
    torch.testing.assert_close(flat.decode(z).logits, images.decode(z).logits)


class Uneven(Own):
    def encode(self, x):
        mean, log_var = super().encode(x)
        return mean[:, :1], log_var


class Short(Own):
    def encode(self, x):
        return [part[:1] for part in super().encode(x)]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Uneven, "encode gives 1 means and 2 log variances a row; it must give equally many."),
        (Short, "encode gives latents of shape [1, 2]; it must be [2, J]."),
    ],
)
def test_latents_that_do_not_match_are_refused(kind, sentence):
    assert refused(lambda: vc.models.wrap(kind(4), shape=(4,))) == sentence


def test_a_shape_is_a_list():
    assert refused(lambda: vc.models.wrap(Own(4), shape=4)) == (
        "shape is 4; it must be a list of whole numbers."
    )


@pytest.mark.parametrize(
    "hidden", [{5: "a", 3: "b"}.keys(), {"a": 5, "b": 3}.values(), range(5, 1, -2)]
)
def test_what_has_an_order_and_an_end_is_a_list(hidden):
    assert vc.models.VAE(4, 2, hidden).params["hidden"] == [5, 3]
    for other in ({5: 3}, {5, 3}, iter([5, 3]), "53"):
        told = refused(lambda other=other: vc.models.VAE(4, 2, other))
        assert told == f"hidden is {other!r}; it must be a list of whole numbers."


def test_what_a_wrapped_model_codes_or_decodes_has_its_width():
    model = vc.models.wrap(Own(6), shape=(6,))
    assert refused(model.encode, torch.zeros(1, 7)) == "x has shape [1, 7]; it must be [..., 6]."
    assert refused(model.decode, torch.zeros(1, 3)) == "z has shape [1, 3]; it must be [..., 2]."
    flat = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Unflatten(1, (2, 2)))
    module = Own(6)
    module.encode = lambda x: flat(x).unbind(1)
    images = vc.models.wrap(module, shape=(1, 2, 3))
    assert images.encode(torch.zeros(5, 1, 2, 3)).mean.shape == (5, 2)
    assert images.encode(torch.zeros(4, 5, 6)).mean.shape == (4, 5, 2)
    assert refused(images.encode, torch.zeros(5, 2, 3)) == (
        "x has shape [5, 2, 3]; it must be [..., 6]: x.reshape(len(x), -1) makes an array so."
    )
