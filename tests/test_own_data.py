"""What becomes of a reader's own data, a test a report: it works, or one sentence says why not."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sentences import refused
from torch.nn.functional import softplus

import vaecourse as vc
from vaecourse import cli

GAUSSIAN = {"kind": "vae", "data_dim": 3, "latent_dim": 2, "likelihood": "gaussian"}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """A function that trains a model on a file by the command line: its exit status and words."""
    monkeypatch.chdir(tmp_path)

    def run(path, model=GAUSSIAN, epochs=2, training=None, **data):
        content = {"model": model, "data": {"name": "file", "path": path, **data}}
        training = {"epochs": epochs, **(training or {})}
        Path("own.json").write_text(json.dumps({**content, "training": training}))
        status = cli.main(["train", "own.json", "--output", "out"])
        err = capsys.readouterr().err
        assert "Traceback" not in err
        assert status == 0 or not Path("out").exists()
        return status, err

    return run


# --- files ----------------------------------------------------------------------------------------


def test_images_whose_channels_come_last_are_refused_with_the_way_to_turn_them(train):
    np.save("a.npy", np.zeros((20, 32, 32, 3), dtype=np.float32))
    model = {"kind": "conv_vae", "image_shape": [3, 32, 32], "latent_dim": 2}
    status, words = train("a.npy", model)
    assert status == 2
    assert words == (
        "each row of a.npy has the axes [32, 32, 3]; it must have [3, 32, 32] (move the channel "
        "axis first: numpy.moveaxis(x, -1, 1)).\n"
    )
    np.save("a.npy", np.moveaxis(np.zeros((20, 32, 32, 3), dtype=np.float32), -1, 1))
    assert train("a.npy", model, epochs=1)[0] == 0


def test_sequences_whose_axes_are_turned_are_refused(train):
    np.save("a.npy", np.zeros((20, 6, 4), dtype=np.float32))
    model = {"kind": "vrnn", "data_dim": 6, "latent_dim": 1, "state_dim": 2}
    assert "each row of a.npy has the axes [6, 4]; it must have [6, 6]" in train("a.npy", model)[1]


def test_a_tensor_of_images_is_taken_in_the_order_of_the_model_only():
    model = vc.models.ConvVAE([3, 4, 8], 2, channels=[2])
    x = torch.linspace(0, 1, 4 * 96).mul(255).round().div(255).view(4, 3, 4, 8)
    assert torch.equal(model.check(x), x.flatten(1))
    with pytest.raises(ValueError, match=r"axes \[4, 8, 3\]; it must have \[3, 4, 8\] \(move the"):
        model.check(x.movedim(1, -1))
    with pytest.raises(ValueError, match=r"axes \[8, 3, 4\].*\(the axes are there in another"):
        model.check(x.movedim(3, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_grey_levels_to_255_are_recognized_by_every_likelihood(train, dtype):
    x = np.random.default_rng(0).integers(0, 256, (20, 4, 4)).astype(dtype)
    np.save("a.npy", x)
    np.save("b.npy", x / np.float32(255))
    for model in (
        {"kind": "conv_vae", "image_shape": [1, 4, 4], "latent_dim": 2, "channels": [2]},
        {"kind": "vae", "data_dim": 16, "latent_dim": 2, "likelihood": "bernoulli"},
        {"kind": "vae", "data_dim": 16, "latent_dim": 2, "likelihood": "gaussian"},
    ):
        status, words = train("a.npy", model)
        assert status == 2
        assert "whole numbers from 0 to 255: divide by 255" in words
    for model_of_b in (model, {**model, "likelihood": "bernoulli"}):
        assert train("b.npy", model_of_b, epochs=1)[0] == 0
        shutil.rmtree("out")


@pytest.mark.parametrize("far", ["column", "cell"])
def test_a_far_column_is_named_at_the_door_and_standardize_trains_it(train, far):
    x = normal(300, 3)
    if far == "column":
        x[:, 1] = 1e6 + 1e5 * x[:, 1]
    else:
        x[7, 1] = 4_000
    np.savetxt("a.csv", x.numpy(), delimiter=",", header="a,b,c", comments="")
    status, words = train("a.csv")
    assert status == 2
    assert words.startswith("column 2 of x has values from ")
    assert words.endswith(", of which training breaks: use standardize.\n")
    assert train("a.csv", {**GAUSSIAN, "standardize": True})[0] == 0
    model, record = vc.checkpoint.load("out/own_seed0")
    if far == "column":  # samples are in the units of the data
        assert model.sample(500, torch.Generator().manual_seed(0)).mean(0)[1].item() == (
            pytest.approx(1e6, rel=0.05)
        )
    assert record["params"]["standardize"] is True


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b\n1,2\n3,4\n5,6\n7,\n", "a.csv, line 5, column 2 ('b') is empty."),
        ("a,b\n1,2\n3,NA\n", "a.csv, line 3, column 2 ('b'): 'NA' is not a number."),
        ("a,b\n1,2\nnan,4\n", "line 3, column 1 ('a'): nan is no finite number (1 such cells"),
        (",a,b\n0,1.5,2\n1,3,4\n2,5,6\n", "the first column has no name; it"),
    ],
)
def test_what_a_table_lacks_is_named_by_line_and_column(train, content, sentence):
    Path("a.csv").write_text(content)
    status, words = train("a.csv")
    assert status == 2
    assert sentence in words


def test_what_pandas_writes_without_its_index_is_read(train):
    rows = normal(20, 3).numpy()
    with_index = np.column_stack([np.arange(20), rows])
    np.savetxt("a.csv", with_index, delimiter=",", header=",a,b,c", comments="")
    assert "it looks like an index: write the table without it (pandas: to_csv" in train("a.csv")[1]
    np.savetxt("a.csv", rows, delimiter=",", header="a,b,c", comments="")
    assert train("a.csv")[0] == 0


def test_sequences_of_unequal_length_are_explained(train):
    ragged = np.array([np.zeros((3, 2)), np.zeros((5, 2))], dtype=object)
    np.save("a.npy", ragged, allow_pickle=True)
    status, words = train("a.npy")
    assert status == 2
    assert "its rows differ in length" in words and "pad them" in words
    with pytest.raises(ValueError, match="x has rows of different length; cut sequences to one"):
        vc.models.VAE(2, 1, likelihood="gaussian").check([[1.0, 2.0], [3.0]])


# --- arrays ---------------------------------------------------------------------------------------


def test_an_empty_tensor_is_refused_by_every_door():
    model = vc.models.VAE(3, 2)
    for door in (model.check, model.elbo, lambda x: vc.training.fit(model, x, epochs=1)):
        with pytest.raises(ValueError, match=r"^x has no rows\.$"):
            door(torch.zeros(0, 3))


def test_arrays_and_lists_pass_the_doors_that_take_data():
    x = normal(60, 3).double().numpy()
    forms = [x, x.tolist(), torch.tensor(x), torch.tensor(x, dtype=torch.float32)]
    for form in forms:
        model = vc.models.VAE(3, 2, [4], likelihood="gaussian")
        vc.training.fit(model, form, epochs=1, progress=False)
        assert np.isfinite(vc.evaluation.evaluate(model, form, 2)["elbo"])
        vc.inference.GaussianMixture(3).fit(form)


def test_covariances_of_the_wrong_shape_say_which_is_wanted():
    mixture = vc.inference.GaussianMixture(2)
    with pytest.raises(ValueError, match=r"covariances has shape .*; it must be \[2, 3, 3\]"):
        mixture.initialize(normal(9, 3), covariances=torch.ones(2, 3, 3, 1))


def test_half_precision_is_refused_in_a_sentence():
    model = vc.models.VAE(3, 2).half()
    with pytest.raises(ValueError, match=r"of torch\.float16; it must be of float32 or float64"):
        model.elbo(torch.zeros(2, 3))


def test_a_run_is_taken_up_only_with_its_own_settings_and_both_are_shown(tmp_path):
    def fit(hidden, **options):
        model = vc.models.VAE(3, 2, [hidden], likelihood="gaussian")
        file = tmp_path / "run"
        vc.training.fit(model, normal(20, 3), epochs=1, checkpoint=file, progress=False, **options)

    fit(16)
    with pytest.raises(ValueError, match=r"hidden: \[16\] there, \[32\] here"):
        fit(32, resume=True)


# --- standardize ----------------------------------------------------------------------------------


@pytest.mark.parametrize("variance", [{}, {"noise_variance": 0.5}, {"noise_variance": "shared"}])
def test_a_standardized_model_is_the_plain_one_of_standardized_data_in_the_datas_own_units(
    variance,
):
    x = 50 + normal(40, 3) * torch.tensor([1.0, 20.0, 300.0])
    wide = vc.models.VAE(3, 2, [8], likelihood="gaussian", standardize=True, **variance)
    wide.prepare(x)
    plain = vc.models.VAE(3, 2, [8], likelihood="gaussian", **variance)
    scale, shift = torch.std_mean(x.double(), dim=0, correction=0)
    z = ((x - shift) / scale).float()

    def seeded():
        return torch.Generator().manual_seed(3)

    # p(x) = p((x − shift) / scale) / Π scale: the bound loses Σ log scale.
    expected = plain.elbo(z, 2, seeded()).double() - scale.log().sum()
    torch.testing.assert_close(wide.elbo(x, 2, seeded()).double(), expected, rtol=1e-5, atol=1e-4)
    undone = shift + scale * plain.sample(5, seeded())
    torch.testing.assert_close(wide.sample(5, seeded()).double(), undone, rtol=1e-5, atol=1e-3)


def test_the_first_training_data_set_the_units_once_and_a_file_keeps_them(tmp_path):
    x = normal(40, 3) * 100 + 5
    x[:, 2] = 7  # a constant column keeps its unit
    model = vc.models.VAE(3, 2, [8], likelihood="gaussian", standardize=True)
    vc.training.fit(model, x, epochs=1, progress=False)
    torch.testing.assert_close(model.likelihood.shift, x.mean(0))
    assert model.likelihood.scale[2] == 1
    vc.training.fit(model, x + 9, epochs=1, progress=False)
    torch.testing.assert_close(model.likelihood.shift, x.mean(0))
    vc.checkpoint.save(tmp_path / "wide", model, {})
    loaded, _ = vc.checkpoint.load(tmp_path / "wide")
    assert torch.equal(loaded.likelihood.shift, model.likelihood.shift)


def test_only_a_gaussian_likelihood_standardizes():
    with pytest.raises(ValueError, match="standardize is True; a bernoulli likelihood has none"):
        vc.models.VAE(3, 2, standardize=True)


# --- counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("largest", [20, 200, 2_000])
def test_counts_of_every_scale_train_at_the_default_settings(largest):
    generator = torch.Generator().manual_seed(0)
    rates = largest * torch.rand(2_000, 5, generator=generator)
    x = torch.poisson(rates, generator=generator)
    model = vc.models.VAE(5, 2, likelihood="poisson")
    history = vc.training.fit(model, x, epochs=20, progress=False)
    # Better than one rate a column, the best that a model without latents can do.
    rate = x.mean(0)
    alone = -(x * rate.log() - rate - torch.lgamma(x + 1)).sum(1).mean().item()
    assert history.epoch_loss[-1] < alone < history.epoch_loss[0]


def test_a_record_of_counts_that_names_no_input_means_the_counts_themselves():
    model, record = vc.checkpoint.pretrained("mnist_poisson_normal")
    assert record["params"]["encoder_input"] == "raw"
    x = torch.poisson(torch.full((4, 784), 3.0), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.encode(x).loc, model.encoder(x)[:, :2])
    new = vc.models.VAE(784, 2, likelihood="poisson")
    torch.testing.assert_close(new.encode(x).loc, new.encoder(x.log1p())[:, :2])


# --- a loss that breaks ---------------------------------------------------------------------------


def broken(x, **settings):
    """The sentence that training a Gaussian VAE on x ends with."""
    model = vc.models.VAE(x.shape[1], 2, likelihood="gaussian")
    with pytest.raises(FloatingPointError) as caught:
        vc.training.fit(model, x, epochs=3, progress=False, **settings)
    return str(caught.value)


def test_a_loss_that_breaks_names_the_column_and_standardize_helps():
    x = normal(2_000, 6)
    x[:, 3] = 100 + 100 * x[:, 3]
    sentence = broken(x)
    assert "not finite, for x from -" in sentence
    assert sentence.endswith("Column 4 of x is farthest from 0: try standardize.")
    model = vc.models.VAE(6, 2, likelihood="gaussian", standardize=True)
    losses = vc.training.fit(model, x, epochs=3, progress=False).epoch_loss
    assert losses[0] > losses[-1]


class Six(torch.nn.Module):
    """A VAE of six columns by which training breaks as that of `VAE(6, 2)` does."""

    def __init__(self):
        super().__init__()
        self.vae = vc.models.VAE(6, 2, likelihood="gaussian")

    def encode(self, x):
        return self.vae.encoder(x).chunk(2, 1)

    def decode(self, z):
        mean, log_var = self.vae.decoder(z).chunk(2, 1)
        return torch.distributions.Normal(mean, (log_var / 2).exp(), validate_args=False)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (lambda: vc.models.wrap(Six(), shape=(6,)), (-1, 6)),
        (lambda: vc.models.VRNN(6, 2, 8, likelihood="gaussian"), (-1, 4, 6)),
    ],
)
def test_a_model_that_cannot_standardize_is_told_to_do_so_before(model, shape):
    x = normal(2_000, 6)
    x[:, 3] = 100 + 100 * x[:, 3]
    with pytest.raises(FloatingPointError) as caught:
        vc.training.fit(model(), x.reshape(shape), epochs=3, progress=False)
    assert str(caught.value).endswith(
        "Column 4 of x is farthest from 0: standardize the data before."
    )
    x = (x - x.mean(0)) / x.std(0)
    losses = vc.training.fit(model(), x.reshape(shape), epochs=3, progress=False).epoch_loss
    assert losses[0] > losses[-1]


def test_a_loss_that_breaks_names_the_terms_and_a_smaller_rate_helps():
    x = normal(2_000, 6)
    sentence = broken(x, learning_rate=1.0)
    assert "log p(x|z) and the KL are not finite" in sentence
    assert sentence.endswith("A smaller learning_rate may help.")
    model = vc.models.VAE(6, 2, likelihood="gaussian")
    losses = vc.training.fit(model, x, epochs=3, progress=False).epoch_loss
    assert losses[0] > losses[-1]


@pytest.mark.parametrize(
    ("model", "term"),
    [
        (vc.models.GMVAE(6, 2, 3), "log p(x|z)"),
        (vc.models.Autoencoder(6, 2), "the weights are finite, the loss is not"),
        (vc.models.VRNN(6, 2, 3), "the KL"),
    ],
)
def test_every_model_that_breaks_gets_a_sentence(model, term):
    x = model.arrange(torch.rand(64, 6, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(FloatingPointError, match=r"A smaller learning_rate may help\.$") as caught:
        vc.training.fit(model, x, epochs=3, batch_size=16, learning_rate=1e30, progress=False)
    assert term in str(caught.value)


def standardizing(**settings):
    return vc.models.VAE(3, 2, [8], likelihood="gaussian", standardize=True, **settings)


@pytest.mark.parametrize("noise_variance", [None, "shared", 1e-4])
@pytest.mark.parametrize(
    ("power", "kind"), [(20, "float32"), (-24, "float32"), (155, "float64"), (-130, "float64")]
)
def test_a_deviation_whose_square_overflows_is_named_and_divided_the_column_trains(
    power, kind, noise_variance
):
    def train(x):
        model = standardizing(noise_variance=noise_variance).to(getattr(torch, kind))
        return vc.training.fit(model, x, epochs=3, learning_rate=1e-2, progress=False).epoch_loss

    plain = normal(60, 3).double()
    x = plain * torch.tensor([1.0, 10.0**power, 1.0], dtype=torch.float64)
    with pytest.raises(ValueError) as caught:
        train(x)
    size = f"{x[:, 1].abs().max():.3g}"
    assert str(caught.value) == (
        f"column 2 of x has values up to {size} in size, whose squares {kind} hardly holds: divide "
        f"the column by {size} first."
    )
    x[:, 1] /= float(size)
    plain[:, 1] *= 10.0**power / float(size)
    assert train(x) == pytest.approx(train(plain), rel=1e-4)
    edge = 14 if kind == "float32" else 120
    for near in (10.0**edge, 10.0**-edge):  # what is taken trains as the same in other units
        losses = train(plain * torch.tensor([1.0, near, 1.0], dtype=torch.float64))
        assert losses[-1] - math.log(near) == pytest.approx(train(plain)[-1], abs=0.05)


@pytest.mark.parametrize("rate", [1e-3, 1e-9])
def test_other_data_than_those_a_model_standardizes_by_are_refused_and_a_new_model_takes_them(rate):
    x = normal(60, 3)
    model = standardizing()
    settings = {"epochs": 2, "learning_rate": rate, "progress": False}
    vc.training.fit(model, x, **settings)
    before = [value.clone() for value in model.state_dict().values()]
    other = 100 * x + 5000
    far = ((other - x.mean(0)) / x.std(0, correction=0)).abs().max(dim=0).values
    with pytest.raises(ValueError) as caught:
        vc.training.fit(model, other, **settings)
    assert str(caught.value) == (
        f"column {int(far.argmax()) + 1} of x lies {far.max():.3g} standard deviations from the "
        "data of the model's first fit, by which it standardizes: train a new model on x."
    )
    assert all(map(torch.equal, before, model.state_dict().values()))
    losses = vc.training.fit(standardizing(), other, **settings).epoch_loss
    wanted = vc.training.fit(standardizing(), x, **settings).epoch_loss
    assert losses == pytest.approx([loss + 3 * math.log(100) for loss in wanted], rel=1e-3)
    vc.training.fit(model, 3 * x + 10, **settings)  # near enough, in the units of the first


def test_before_the_first_step_no_rate_is_blamed_and_after_a_resumed_one_it_is(tmp_path):
    x = normal(60, 3)
    sentence = "No step of this run was taken: look at x and the model, not at the learning_rate."

    def fit(model, **settings):
        vc.training.fit(model, x, batch_size=20, progress=False, **settings)

    told = []
    for rate in (1e-3, 1e-12):
        model = standardizing()
        with torch.no_grad():
            model.encoder[0].weight.mul_(1e30)
        with pytest.raises(FloatingPointError) as caught:
            fit(model, epochs=1, learning_rate=rate)
        told.append(str(caught.value))
    assert told[0] == told[1] and told[0].endswith(sentence)
    file, settings = tmp_path / "run", {"learning_rate": 1e30, "batch_size": 60}
    vc.training.fit(standardizing(), x, epochs=1, checkpoint=file, progress=False, **settings)
    with pytest.raises(FloatingPointError, match=r"A smaller learning_rate may help\.$"):
        vc.training.fit(
            standardizing(), x, epochs=2, checkpoint=file, resume=True, progress=False, **settings
        )


# --- a module of one's own ------------------------------------------------------------------------


class Line(torch.nn.Linear):
    """A model with no more than the documented `loss` and `check`."""

    def loss(self, x, generator):
        return (self(x) - x).square().mean()

    def check(self, x):
        return torch.as_tensor(x)


def test_a_module_with_loss_and_check_is_trained_and_resumed(tmp_path):
    x, file = normal(50, 3), tmp_path / "run"
    torch.manual_seed(0)
    model = Line(3, 3)
    vc.training.fit(model, x, epochs=1, checkpoint=file, progress=False)
    history = vc.training.fit(model, x, epochs=3, checkpoint=file, resume=True, progress=False)
    assert len(history.epoch_loss) == 3 and history.epoch_loss[-1] < history.epoch_loss[0]
    with pytest.raises(ValueError, match=r"model is a Linear without loss\(x, generator\)"):
        vc.training.fit(torch.nn.Linear(3, 3), x, epochs=1)


class Own(torch.nn.Module):
    """A VAE as tutorials write it, with networks of layers or of convolutions."""

    def __init__(self, dim=16, convolutions=False, outputs=16):
        super().__init__()
        torch.manual_seed(0)
        first = torch.nn.Conv2d(1, 4, 4) if convolutions else torch.nn.Linear(dim, 4)
        flat = torch.nn.Flatten()
        self.encoder = torch.nn.Sequential(first, torch.nn.Tanh(), flat, torch.nn.Linear(4, 4))
        layers = [torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, outputs)]
        self.decoder = torch.nn.Sequential(*layers)

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=-1)

    def decode(self, z):
        return self.decoder(z)


class WithNormals(Own):
    def encode(self, x):
        loc, log_var = super().encode(x)
        return torch.distributions.Normal(loc, (0.5 * log_var).exp())

    def decode(self, z):
        logits = super().decode(z)
        return torch.distributions.Independent(torch.distributions.Bernoulli(logits=logits), 1)


class WithCovariances(Own):
    def encode(self, x):
        loc, log_var = super().encode(x)
        return torch.distributions.MultivariateNormal(loc, torch.diag_embed(log_var.exp()))


def of_the_course(module):
    """The VAE of the course with the weights of `Own`."""
    vae = vc.models.VAE(
        16, 2, [4], decoder_hidden=[8], activation="tanh", decoder_activation="relu"
    )
    vae.encoder[0], vae.encoder[2] = module.encoder[0], module.encoder[3]
    vae.decoder[0], vae.decoder[2] = module.decoder[0], module.decoder[2]
    return vae


@pytest.mark.parametrize("kind", [Own, WithNormals, WithCovariances, "two networks"])
def test_a_module_of_ones_own_has_the_bounds_of_the_model_it_is(kind):
    x = (torch.rand(30, 16, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    module = Own() if kind == "two networks" else kind()
    if kind == "two networks":
        pair = torch.nn.Sequential(module.encoder, torch.nn.Unflatten(1, (2, 2)))

        class Encoder(torch.nn.Sequential):
            def forward(self, x):
                return list(super().forward(x).unbind(1))

        own = vc.models.wrap(Encoder(*pair), module.decoder, shape=(16,))
    else:
        own = vc.models.wrap(module, shape=(16,))
    same = of_the_course(module)

    def seeded():
        return torch.Generator().manual_seed(0)

    close = {"rtol": 1e-5, "atol": 1e-4}
    torch.testing.assert_close(own.elbo(x, 3, seeded()), same.elbo(x, 3, seeded()), **close)
    torch.testing.assert_close(
        vc.objectives.importance_weighted_bound(own, x, 5, seeded()),
        vc.objectives.importance_weighted_bound(same, x, 5, seeded()),
        **close,
    )
    here, there = (vc.evaluation.evaluate(model, x.numpy(), 5) for model in (own, same))
    assert here == pytest.approx(there, rel=1e-4)
    estimate = vc.evaluation.importance_log_likelihood(own, x, 7, seeded(), progress=False)
    assert estimate.shape == (30,)
    assert own.sample(4, seeded()).shape == own.reconstruct(x[:4]).shape == (4, 16)
    explorer = vc.widgets.LatentExplorer(own, x)
    assert explorer.spec["output"] == {"kind": "bernoulli"}
    before = own.elbo(x, 20, seeded()).mean()
    vc.training.fit(own, x, epochs=30, learning_rate=1e-2, progress=False)
    assert own.elbo(x, 20, seeded()).mean() > before + 0.3


def test_a_network_of_images_gets_images_and_data_go_in_either_way():
    own = vc.models.wrap(Own(convolutions=True), shape=(1, 4, 4))
    x = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    torch.testing.assert_close(
        own.elbo(x, 1, generators[0]), own.elbo(x.flatten(1), 1, generators[1])
    )
    with pytest.raises(ValueError, match=r"axes \[4, 4, 1\]; it must have \[1, 4, 4\] \(move"):
        own.elbo(x.movedim(1, -1))


class Squashed(Own):
    def decode(self, z):
        return super().decode(z).sigmoid()


class Probabilities(Own):
    def decode(self, z):
        return torch.distributions.Bernoulli(probs=super().decode(z).sigmoid())


class OneTensor(Own):
    def encode(self, x):
        return self.encoder(x)


class Laplacian(Own):
    def decode(self, z):
        return torch.distributions.Laplace(super().decode(z), 1.0)


def test_a_module_that_ends_in_a_sigmoid_is_told_how_to_go_on():
    with pytest.raises(ValueError, match="as a sigmoid does; give the logits before it, or return"):
        vc.models.wrap(Squashed(), shape=(16,))
    x = torch.ones(3, 16)
    values = [
        vc.models.wrap(kind(), shape=(16,)).elbo(x, 2, torch.Generator().manual_seed(0))
        for kind in (Own, Probabilities)
    ]
    torch.testing.assert_close(*values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("end", "values", "limits"),
    [
        (torch.tanh, "−1 to 1", "0.27 to 0.73"),
        (torch.relu, "0 to ∞", "0.5 to 1"),
        (softplus, "0 to ∞", "0.5 to 1"),
    ],
)
def test_of_logits_with_an_end_one_is_warned_and_without_it_the_bound_passes_it(
    end, values, limits
):
    class Bounded(Own):
        def decode(self, z):
            return end(super().decode(z))

    with pytest.warns(UserWarning) as told:
        bounded = vc.models.wrap(Bounded(), shape=(16,))
    (words,) = told
    assert str(words.message) == (
        f"decode gives values from {values}, and its tensor is logits: no pixel's probability "
        f"leaves {limits}; without the step that bounds them it may be any."
    )
    assert words.filename == __file__
    cured = vc.models.wrap(Own(), shape=(16,))
    settings = {"epochs": 60, "learning_rate": 0.02, "batch_size": 16, "progress": False}
    for model in (bounded, cured):
        vc.training.fit(model, torch.zeros(64, 16), **settings)
    with torch.no_grad():
        best = bounded.decode(100 * normal(50, 2)).log_prob(torch.zeros(16)).max().item()
        assert best < 16 * math.log(0.74)  # no z gives zeros a higher probability than that
        assert cured.elbo(torch.zeros(1, 16)).item() > best


class OneVariance(Own):
    def encode(self, x):
        mean, log_var = super().encode(x)
        return mean, log_var[:, :1]


class OneForAll(OneVariance):
    def encode(self, x):
        mean, log_var = super().encode(x)
        return mean, log_var.expand_as(mean)


def test_one_variance_a_row_is_told_how_to_become_one_of_each_latent():
    assert refused(vc.models.wrap, OneVariance(), shape=(16,)) == (
        "encode gives 2 means and 1 log variances a row; it must give equally many, "
        "log_var.expand_as(mean) for one that all share."
    )
    cured = vc.models.wrap(OneForAll(), shape=(16,))
    q = cured.encode(normal(5, 16))
    assert torch.equal(q.stddev[:, 0], q.stddev[:, 1])
    vc.training.fit(cured, normal(20, 16).sigmoid(), epochs=1, progress=False)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (torch.nn.Linear(16, 2), "Linear has no method encode; it needs encode and decode"),
        (OneTensor(), r"encode gives a Tensor; it must give a pair \(mean, log_var\) or a torch"),
        (Laplacian(), "decode gives a Laplace; it must give a tensor or a torch.distributions"),
        (Own(dim=7), r"x of shape \[2, 16\] does not go through encode and decode: mat1 and mat2"),
        (Own(outputs=9), r"decode gives \[2, 9\]; it must be \[2, 16\]"),
        ("text", "encoder is a str; it must be an nn.Module"),
        (torch.nn.ReLU(), "ReLU has no method encode"),
    ],
)
def test_a_module_that_lacks_something_is_told_what(module, sentence):
    with pytest.raises(ValueError, match=sentence):
        vc.models.wrap(module, shape=(16,))


def test_data_are_held_to_the_likelihood_of_ones_own_module(tmp_path):
    own = vc.models.wrap(WithNormals(), shape=(16,))
    with pytest.raises(ValueError, match=r"a Bernoulli likelihood takes pixels in \[0, 1\]"):
        own.elbo(torch.full((2, 16), 3.0))
    with pytest.raises(ValueError, match=r"Only models of the course are saved here; torch\.save"):
        vc.checkpoint.save(tmp_path / "own", own, {})


def test_a_trained_model_leaves_the_course_as_a_plain_module():
    model = vc.models.VAE(16, 2, [4])
    program = torch.export.export(model.decoder, (torch.zeros(1, 2),))
    z = normal(1, 2)
    torch.testing.assert_close(program.module()(z), model.decode(z).logits)


# --- away from the repository ---------------------------------------------------------------------


def test_shipped_models_are_found_where_data_are_or_the_place_is_told(tmp_path, monkeypatch):
    shipped = vc.checkpoint.PRETRAINED
    monkeypatch.setattr(vc.checkpoint, "PRETRAINED", tmp_path / "site-packages")
    monkeypatch.setattr(vc.checkpoint, "folders", lambda: [Path(tmp_path / "data")])
    with pytest.raises(
        ValueError, match=r"mnist_vae_2d_seed0 was not found in any of .*: the ship"
    ):
        vc.checkpoint.pretrained("mnist_vae_2d")
    (tmp_path / "data" / "pretrained").mkdir(parents=True)
    for file in shipped.glob("mnist_vae_2d_seed0.*"):
        (tmp_path / "data" / "pretrained" / file.name).write_bytes(file.read_bytes())
    model, _ = vc.checkpoint.pretrained("mnist_vae_2d")
    assert model.latent_dim == 2
    with pytest.raises(
        ValueError, match=r"mnist_gan_seed0 is not a shipped model; there are: mnis"
    ):
        vc.checkpoint.pretrained("mnist_gan")


def test_a_column_of_labels_is_no_data_and_colours_the_figure(train):
    rows = [f"{a},{b},{'yes' if a > b else 'no'},{a - b}" for a, b in normal(40, 2).tolist()]
    Path("a.csv").write_text("\n".join(["x,y,larger,z", *rows]))
    words = train("a.csv", label="size")[1]
    assert words == "data.label is 'size'; a.csv has 'x', 'y', 'larger', 'z'.\n"
    assert train("a.csv", label="larger")[0] == 0
    coloured = Path("out/own_seed0_latent.png").read_bytes()
    model, record = vc.checkpoint.load("out/own_seed0")
    assert model.data_dim == 3 and record["data"]["label"] == "larger"
    assert record["label_kinds"] == ["no", "yes"]
    rows = [",".join(row.split(",")[:2] + row.split(",")[3:]) for row in rows]
    Path("b.csv").write_text("\n".join(["x,y,z", *rows]))
    Path("out").rename("before")
    assert train("b.csv")[0] == 0
    other, _ = vc.checkpoint.load("out/own_seed0")
    for one, two in zip(model.parameters(), other.parameters()):
        assert torch.equal(one, two)  # the label had no part in it
    assert Path("out/own_seed0_latent.png").read_bytes() != coloured


# --- another machine ------------------------------------------------------------------------------


def test_fit_trains_on_the_device_it_is_given(monkeypatch):
    x = normal(40, 3).double().numpy()
    models = [vc.models.VAE(3, 2, [4], likelihood="gaussian") for _ in range(2)]
    for model, device in zip(models, ({}, {"device": torch.device("cpu")})):
        vc.training.fit(model, x, epochs=2, progress=False, **device)
    for one, other in zip(models[0].parameters(), models[1].parameters()):
        torch.testing.assert_close(one, other)
    meta = vc.models.VAE(3, 2, [4], likelihood="gaussian").to("meta")
    assert meta.tensor(x).device.type == "meta" and meta.tensor(x).dtype == torch.float32
    with pytest.raises(
        ValueError, match=r"^device is 'gpu'; it must be 'cuda', or 'mps' on a Mac\.$"
    ):
        vc.training.fit(models[0], x, epochs=1, device="gpu")
    with pytest.raises(ValueError, match=r"^device is 'cpu:1', which is not there: torch finds no"):
        vc.training.fit(models[0], x, epochs=1, device="cpu:1")
    for name in ("cpu:", "cpu:x"):
        with pytest.raises(
            ValueError, match=f"^device is '{name}'; behind the colon stands a number, 'cuda:1' say"
        ):
            vc.training.fit(models[0], x, epochs=1, device=name)
    vc.training.fit(models[0], x, epochs=1, device="cpu:0", progress=False)
    for name, backend in (("cuda", torch.cuda), ("mps", torch.backends.mps)):
        monkeypatch.setattr(backend, "is_available", lambda: False)
        with pytest.raises(ValueError, match=f"device is '{name}', which is not there: "):
            vc.training.fit(models[0], x, epochs=1, device=name)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match=r"device is 'mps', which has no float64; call model\.fl"):
        vc.training.fit(models[0].double(), x, epochs=1, device="mps")


def test_a_parameter_file_names_the_device(train, monkeypatch):
    np.save("a.npy", normal(40, 3).numpy())
    weights = []
    for training in ({}, {"device": "cpu"}):
        assert train("a.npy", training=training)[0] == 0
        weights.append(Path("out/own_seed0.safetensors").read_bytes())
        Path("out").rename(f"out{len(weights)}")
    assert weights[0] == weights[1]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, words = train("a.npy", training={"device": "cuda"})
    assert status == 2 and "device is 'cuda', which is not there: torch finds none." in words
    words = train("a.npy", training={"device": "mps", "gradients": "by_hand"})[1]
    assert "gradients by_hand go with the device cpu only." in words
