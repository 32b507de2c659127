"""What `fit` and its neighbours are given: taken, or refused at the door with what to do."""

import copy
import re

import numpy as np
import pytest
import torch
from sentences import refused
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import vaecourse as vc
from vaecourse import _arguments
from vaecourse._arguments import said_of
from vaecourse.data.tables import read_rows

ROWS = torch.rand(10, 4, generator=torch.Generator().manual_seed(0)).round()


def vae():
    return vc.models.VAE(4, 2, [3])


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def fit(model, x=ROWS, **options):
    return vc.training.fit(model, x, **{"epochs": 1, "progress": False, **options})


# --- data sets of torch ---------------------------------------------------------------------------


class Endless(Dataset):
    """One that says how long it is, and never that it has ended."""

    asked = 0

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, index):
        type(self).asked += 1
        assert self.asked < 100
        return ROWS[index % len(ROWS)]


class Pairs(Endless):
    def __getitem__(self, index):
        return super().__getitem__(index).numpy(), 3


class Keyed(Endless):
    def __getitem__(self, index):
        return {"number": index, "data": super().__getitem__(index), "label": "three"}


class Masked(Keyed):
    def __getitem__(self, index):
        return {"mask": np.ones(4), **super().__getitem__(index)}


class Later(Endless):
    def __getitem__(self, index):
        return 3, super().__getitem__(index)


class Nested(Endless):
    def __getitem__(self, index):
        return {"inputs": {"data": super().__getitem__(index)}, "label": 3}


class Graded(Endless):
    def __getitem__(self, index):
        return super().__getitem__(index).requires_grad_(), 3


LABELS_FIRST = TensorDataset(torch.arange(10), ROWS)


class Listed(Endless):
    def __getitem__(self, index):
        return super().__getitem__(index).tolist()


class Stream(IterableDataset):
    def __iter__(self):
        return iter(ROWS)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (Endless(), "x is a Endless; give its rows as one array, np.stack([x[i] for i in ran"),
        (Pairs(), "x is a Pairs; give its rows as one array, np.stack([x[i][0] for i in range("),
        (Keyed(), "x is a Keyed; give its rows as one array, np.stack([x[i]['data'] for i in r"),
        (Later(), "x is a Later; give its rows as one array, np.stack([x[i][1] for i in range("),
        (Listed(), "x is a Listed; give its rows as one array, np.stack([x[i] for i in range("),
        (Subset(TensorDataset(ROWS), range(10)), "x is a Subset; give its rows as one array, np"),
        (Nested(), "x is a Nested; give its rows as one array, np.stack([x[i]['inputs']['data'] f"),
        (LABELS_FIRST, "x is a TensorDataset; give x.tensors[1]."),
        (Stream(), "x is a Stream; give its rows as one array, np.stack([row for row in x]), or"),
        *[
            (x, f"x is a DataLoader; give the rows of its data set as one array, {cure}")
            for x, cure in (
                (DataLoader(Endless(), 3), "np.stack([x.dataset[i] for i in range(len(x.dataset))"),
                (DataLoader(TensorDataset(ROWS), 3), "x.dataset.tensors[0]"),
                (DataLoader(Later(), 4, shuffle=True, drop_last=True), "np.stack([x.dataset[i][1]"),
                (DataLoader(Keyed(), 3, collate_fn=dict), "np.stack([x.dataset[i]['data'] for i"),
                (DataLoader(Stream(), 3), "np.stack([row for row in x.dataset]), or np.stack("),
                (DataLoader(ROWS.tolist(), 3), "np.stack([x.dataset[i] for i in range(len(x.data"),
            )
        ],
    ],
    ids=[
        "endless",
        "pairs",
        "keyed",
        "later",
        "listed",
        "subset",
        "nested",
        "labels first",
        "stream",
        "loader",
        "loader of tensors",
        "loader that drops rows",
        "loader that joins them otherwise",
        "loader of a stream",
        "loader of a list",
    ],
)
def test_a_data_set_of_torch_is_not_read_but_told_the_line_that_does(x, sentence):
    Endless.asked = 0
    told = refused(lambda: fit(vae(), x))
    assert told.startswith(sentence)
    cure = re.split("one array, |; give ", told.removesuffix("."))[-1].split(", or")[0]
    assert np.array_equal(eval(cure, {"np": np, "torch": torch, "x": x}), ROWS)


def test_rows_with_gradients_are_told_how_to_be_stacked():
    x = Graded()
    x.asked = -100
    told = refused(lambda: fit(vae(), x))
    assert told == (
        "x is a Graded; give its rows as one array, torch.stack([x[i][0] for i in range(len(x))])."
    )
    stacked = torch.stack([x[i][0] for i in range(len(x))])
    assert torch.equal(stacked, ROWS) and len(fit(vae(), stacked).epoch_loss) == 1
    rows = list(stacked.unbind())
    assert refused(lambda: fit(vae(), rows)) == (
        "x is a list of tensors with gradients; give torch.stack(x)."
    )


def test_what_holds_arrays_by_name_is_told_to_give_one(tmp_path):
    np.savez(tmp_path / "a.npz", data=ROWS)
    for x, kind in ((np.load(tmp_path / "a.npz"), "NpzFile"), ({"data": ROWS}, "dict")):
        told = refused(lambda x=x: fit(vae(), x))
        assert told == f"x is a {kind}; give one array of it, x['data'] say."
        assert len(fit(vae(), x["data"]).epoch_loss) == 1


def test_a_data_set_of_a_closed_file_is_named():
    class Stored:
        __module__ = "h5py._hl.dataset"

        def __bool__(self):
            return False

        @property
        def dtype(self):
            raise ValueError("Invalid dataset identifier")

    for action in (lambda: fit(vae(), Stored()), lambda: vae().codes(Stored())):
        assert refused(action) == "x is of a file that is closed; read it before, x[:]."


def test_images_of_unequal_size_and_rows_with_axes_get_the_advice_for_images():
    for shapes in (((3, 4), (5, 2)), ((8, 8, 3), (8, 9, 3))):
        assert refused(lambda shapes=shapes: fit(vae(), [np.zeros(s) for s in shapes])) == (
            "x has images of different size; make them one size, by PIL's image.resize((width, "
            "height)) say."
        )
    walks = [np.zeros((3, 2)), np.zeros((4, 2))]
    assert "x has rows of different length; cut" in refused(lambda: fit(vae(), walks))
    x = ROWS.reshape(10, 2, 2)
    assert refused(lambda: fit(vae(), x)) == (
        "x has shape [10, 2, 2]; it must be [N, 4]: x.reshape(len(x), -1) makes an array so."
    )
    assert len(fit(vae(), x.reshape(len(x), -1)).epoch_loss) == 1


def test_a_fourth_channel_is_told_to_be_left_out():
    model = vc.models.ConvVAE([3, 8, 8], 2, [4])
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 4)) / 255
    told = refused(lambda: fit(model, images))
    cure = re.search(r"numpy(\.moveaxis\(.*\))\)", told)[1]
    assert model.check(eval(f"np{cure}", {"np": np, "x": images})).shape[0] == 5


def test_numbers_of_draws_and_names_of_files_are_checked(tmp_path):
    model = vae()
    for count in (0, -1, 1.5, "5"):
        for action in (model.elbo, model.log_weights):
            assert refused(lambda c=count, a=action: a(ROWS, c)) == (
                f"num_samples is {count!r}; it must be an integer of at least 1."
            )
    for count in (-1, 1.5, "5"):
        assert refused(lambda c=count: model.sample(c)) == (
            f"n is {count!r}; it must be an integer of at least 0."
        )
    assert refused(read_rows, None) == "path is a NoneType; it must be the name of a file."
    with open(tmp_path / "a.csv", "w") as file:
        assert refused(read_rows, file) == (
            "path is a TextIOWrapper; it must be the name of a file."
        )
        assert refused(lambda: fit(model, file)).startswith("x is a TextIOWrapper that cannot be")
    assert refused(lambda: _arguments.check_choice("data", ROWS, ("a", "b"))) == (
        "data is <class 'torch.Tensor'>; it must be one of 'a', 'b'."
    )


@pytest.mark.parametrize("key", [0, "image"])
@pytest.mark.parametrize("loaded", [False, True])
def test_of_a_stream_the_reader_says_where_its_rows_stand(key, loaded):
    class Beside(IterableDataset):
        def __iter__(self):
            return iter([(row, 3) if key == 0 else {"label": 3, key: row} for row in ROWS])

    x = DataLoader(Beside(), 4) if loaded else Beside()
    cure = re.search(r", or (np.*\)) where a row", refused(lambda: fit(vae(), x)))[1]
    assert np.array_equal(eval(cure, {"np": np, "x": x, "key": key}), ROWS)


def test_of_a_dict_of_several_arrays_the_reader_says_which():
    told = refused(lambda: fit(vae(), Masked()))
    assert told == (
        "x is a Masked; give its rows as one array, np.stack([x[i][key] for i in range(len(x))]), "
        "where key is 'mask' or 'data'."
    )
    cure = told.split("one array, ")[1].split(", where")[0]
    names = {"np": np, "x": Masked(), "key": "data"}
    assert np.array_equal(eval(cure, names), ROWS)


# --- the door of fit ------------------------------------------------------------------------------


def test_a_frozen_model_is_told_how_to_train_on():
    for model in (vae(), vc.models.wrap(Normed(), shape=(4,))):
        model.requires_grad_(False).eval()
        assert refused(lambda model=model: fit(model)) == (
            "every weight of model is frozen, as those of a loaded model are; call "
            "model.requires_grad_().train() first."
        )
        before = [weight.clone() for weight in model.parameters()]
        fit(model.requires_grad_().train())
        assert not all(map(torch.equal, before, model.parameters()))


def test_what_cannot_be_trained_is_named():
    class Plain:
        def loss(self, x, generator):
            return x.mean()

        def check(self, x):
            return x

    class Empty(Plain, torch.nn.Module):
        pass

    assert refused(lambda: fit(Plain())) == "model is a Plain; it must be a torch.nn.Module."
    assert refused(lambda: fit(vc.models.VAE)) == "model is a type; it must be a torch.nn.Module."
    assert refused(lambda: fit(Empty())) == "model has no weights to train."
    weighted = Empty()
    weighted.weight = torch.nn.Parameter(torch.zeros(4))
    weighted.loss = lambda x, generator: (x - weighted.weight).square().mean()
    assert fit(weighted, learning_rate=0.1).epoch_loss == [ROWS.square().mean().item()]


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_torchs_own_generators_are_kept_on_every_device(monkeypatch, kind):
    held = [torch.tensor([3], dtype=torch.uint8)]  # a stand-in for that of a Mac
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: held[0])
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: held.__setitem__(0, state))
    states = vc.training.loop._own_states(torch.device(kind))
    assert sorted(states) == sorted({"cpu", kind})
    held[0] = torch.tensor([4], dtype=torch.uint8)
    drawn = torch.rand(1)
    vc.training.loop._set_own_states(states, torch.device(kind))
    assert torch.equal(torch.rand(1), drawn) and held[0].item() == (4 if kind == "cpu" else 3)


class Normed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
        self.decode = torch.nn.Linear(2, 4)

    def encode(self, x):
        return self.body(x).chunk(2, dim=1)


@pytest.mark.parametrize(("rows", "size", "cure"), [(9, 8, 7), (9, 4, 3), (3, 2, 3), (5, 1, 3)])
def test_a_batch_of_one_row_is_named_where_batch_normalization_needs_two(rows, size, cure):
    x = ROWS[:rows]
    assert refused(lambda: fit(vc.models.wrap(Normed(), shape=(4,)), x, batch_size=size)) == (
        f"x has {rows} rows, of which batch_size {size} makes a batch of one, and batch "
        f"normalization needs two: with batch_size {cure} there is no such batch."
    )
    fit(vc.models.wrap(Normed(), shape=(4,)), x, batch_size=cure)
    model = vc.models.wrap(Normed(), shape=(4,))
    before, draws = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    refused(lambda: fit(model, x, batch_size=size))
    assert all(map(torch.equal, before.values(), model.state_dict().values()))
    assert torch.equal(draws, torch.get_rng_state())
    told = refused(lambda: fit(vc.models.wrap(Normed(), shape=(4,)), x[:1]))
    assert told.endswith("batch normalization needs two: give more rows.")
    fit(vc.models.wrap(Normed(), shape=(4,)).eval(), x[:1])


class Functional(Normed):
    """Normalizes by a function, and shows it by no module."""

    def __init__(self):
        super().__init__()
        self.body = torch.nn.Linear(4, 4)

    def encode(self, x):
        mean, variance = torch.zeros(4), torch.ones(4)
        x = torch.nn.functional.batch_norm(self.body(x), mean, variance, training=self.training)
        return x.chunk(2, dim=1)


class Uncopied(Normed):
    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle 'generator' object")


@pytest.mark.parametrize(("kind", "stepped"), [(Functional, False), (Uncopied, True)])
def test_a_batch_of_one_row_is_named_whatever_normalizes_it(kind, stepped):
    model = vc.models.wrap(kind(), shape=(4,))
    before = [weight.clone() for weight in model.parameters()]
    assert refused(lambda: fit(model, ROWS[:9], batch_size=8)) == (
        "x has 9 rows, of which batch_size 8 makes a batch of one, and batch normalization needs "
        "two: with batch_size 7 there is no such batch."
    )
    # what can be copied is tried before the first step
    assert all(map(torch.equal, before, model.parameters())) is not stepped
    fit(model, ROWS[:9], batch_size=7)
    assert "needs two: give more rows" in refused(lambda: fit(model, ROWS[:1]))


def test_what_else_is_wrong_with_a_row_is_said_as_it_was():
    class Other(Normed):
        def encode(self, x):
            if len(x) == 1:
                raise ValueError("one is lonely")
            return super().encode(x)

    assert refused(lambda: fit(vc.models.wrap(Other(), shape=(4,)), ROWS[:9], batch_size=8)) == (
        "one is lonely"
    )


def test_a_last_row_that_batch_normalization_takes_is_tried_without_a_trace(monkeypatch):
    """Of images of 2 × 2 even one has a variance; dropout draws from torch's own generator."""

    class Images(Normed):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.Sequential(torch.nn.BatchNorm2d(1), torch.nn.Dropout(0.5))
            self.body = torch.nn.Linear(4, 4)

        def encode(self, x):
            return self.body(self.norm(x).flatten(1)).chunk(2, dim=1)

    def trained():
        torch.manual_seed(0)
        model = vc.models.wrap(Images(), shape=(1, 2, 2))
        losses = fit(model, ROWS[:9], batch_size=4, transform=vc.data.binarize).epoch_loss
        return losses, model.state_dict()

    losses, weights = trained()
    monkeypatch.setattr(vc.training.loop.Run, "check_last_batch", lambda run: None)
    untried = trained()
    assert losses == untried[0]
    assert all(map(torch.equal, weights.values(), untried[1].values()))


def test_autocast_around_fit_would_keep_the_first_weights_and_is_refused(monkeypatch):
    with torch.autocast("cpu"):
        told = refused(lambda: fit(vae(), epochs=60, learning_rate=0.01))
    assert told == (
        "fit is called within torch.autocast, which would keep the first step's weights for every "
        "step; call fit outside of it."
    )
    settings = {"epochs": 60, "learning_rate": 0.01}
    outside = fit(vae(), **settings).epoch_loss
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # at every other door
    with torch.autocast("cpu", cache_enabled=False):
        renewed = fit(vae(), **settings).epoch_loss
    with torch.autocast("cpu"):
        kept = fit(vae(), **settings).epoch_loss
    assert outside[-1] < 2.7 and renewed[-1] < 2.7 < 3 < kept[-1]


@pytest.mark.parametrize(
    "door",
    [
        lambda model: model.elbo(ROWS),
        lambda model: model.log_weights(ROWS, 2),
        lambda model: model.loss(ROWS),
        lambda model: model.sample(2),
        lambda model: model.reconstruct(ROWS),
        lambda model: vc.evaluation.evaluate(model, ROWS),
        lambda model: vc.evaluation.importance_log_likelihood(model, ROWS, 2),
    ],
)
@pytest.mark.parametrize("model", [vae(), vc.models.wrap(Normed(), shape=(4,)).eval()])
def test_no_bound_is_taken_within_autocast(model, door):
    with torch.autocast("cpu"):
        assert refused(door, model) == (
            "torch.autocast is on, by which a model computes in half precision; call it outside "
            "of torch.autocast."
        )
        with torch.autocast("cpu", enabled=False):
            door(model)


def test_validation_moves_no_running_mean_and_no_mode():
    plain, watched = (vc.models.wrap(Normed(), shape=(4,)) for _ in range(2))
    plain.load_state_dict(watched.state_dict())
    watched.module.decode.eval()
    fit(plain)
    fit(watched, validation=1 - ROWS[:1])
    for one, other in zip(plain.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert watched.training and not watched.module.decode.training


@pytest.mark.parametrize(
    ("validation", "sentence"),
    [
        (
            ROWS * torch.nan,
            "validation has NaN or infinite values in 10 of 10 rows, first in valida",
        ),
        (ROWS[:, :2], "validation has shape [10, 2]; it must be [N, 4]."),
        (0.2, "validation has shape []; it must be [N, 4]."),
        (9 * ROWS, "validation has values from 0 to 9"),
        (TensorDataset(ROWS), "validation is a TensorDataset; give validation.tensors[0]."),
    ],
)
def test_what_is_wrong_with_validation_is_said_of_it(validation, sentence):
    assert refused(lambda: fit(vae(), validation=validation)).startswith(sentence)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (lambda: fit(vae(), seed="a"), "seed is 'a'; it must be an integer from 0 to 2**63 - 1."),
        (lambda: vc.models.VAE(4, 2, 3), "hidden is 3; it must be a list of whole numbers."),
        (lambda: vc.models.VAE(4, 2, None), "hidden is None; it must be a list of whole numbers."),
        (
            lambda: vc.models.VAE(4, 2, decoder_hidden=3),
            "decoder_hidden is 3; it must be a list of whole numbers.",
        ),
        (
            lambda: vc.models.ConvVAE([1, 8, 8], 2, channels=8),
            "channels is 8; it must be a list of whole numbers.",
        ),
    ],
)
def test_what_is_no_list_and_no_seed_is_refused(action, sentence):
    assert refused(action) == sentence


def test_settings_of_numpy_are_the_numbers_they_are(tmp_path):
    one, other = (
        [vc.models.VAE(kind(4), kind(2), hidden) for _ in range(2)]
        for kind, hidden in ((int, [3]), (np.int64, np.array([3])))
    )
    plain = {"batch_size": 4, "seed": 3, "learning_rate": 0.5}
    theirs = {"batch_size": np.int64(4), "seed": np.int64(3), "learning_rate": np.float32(0.5)}
    expected = fit(one[0], epochs=2, **plain)
    file = tmp_path / "run"
    fit(other[0], checkpoint=file, **theirs)
    history = fit(other[1], epochs=np.int64(2), checkpoint=file, resume=True, **plain)
    assert history.epoch_loss == expected.epoch_loss


# --- what a checkpoint keeps ----------------------------------------------------------------------


class Tied(torch.nn.Module):
    """One whose decoder uses a weight twice."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Linear(4, 4)
        self.one, self.other = torch.nn.Linear(2, 4), torch.nn.Linear(2, 4)
        self.other.weight = self.one.weight

    def encode(self, x):
        return self.body(x).chunk(2, dim=1)

    def decode(self, z):
        return self.one(z) + self.other(z).tanh()


class Dropped(Tied):
    """One that drops units, from torch's own generator."""

    def decode(self, z):
        return torch.nn.functional.dropout(super().decode(z), training=self.training)


def states(model):
    return [value.clone() for value in model.state_dict().values()]


@pytest.mark.parametrize("kind", [Tied, Dropped])
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_an_own_model_stopped_and_resumed_ends_with_the_bits_of_the_unbroken_run(
    tmp_path, kind, optimizer
):
    settings = {"batch_size": 4, "optimizer": optimizer}
    whole, first, second = (vc.models.wrap(kind(), shape=(4,)) for _ in range(3))
    torch.manual_seed(5)
    expected = fit(whole, epochs=5, **settings)
    end = torch.get_rng_state()
    torch.manual_seed(5)
    fit(first, epochs=2, checkpoint=tmp_path / "run", **settings)
    torch.manual_seed(99)  # in another process
    other = torch.get_rng_state()
    history = fit(second, epochs=3, checkpoint=tmp_path / "run", resume=True, **settings)
    torch.manual_seed(98)
    history = fit(second, epochs=5, checkpoint=tmp_path / "run", resume=True, **settings)
    assert history.batch_loss == expected.batch_loss
    assert all(map(torch.equal, states(second), states(whole)))
    assert second.module.other.weight is second.module.one.weight
    if kind is Dropped:
        assert torch.equal(torch.get_rng_state(), end)
    else:  # a run that draws nothing from torch's own generator leaves it alone
        assert not torch.equal(torch.get_rng_state(), other)
        assert torch.equal(torch.get_rng_state(), torch.manual_seed(98).get_state())


class Counting(Tied):
    """One that keeps what is no tensor."""

    def get_extra_state(self):
        return {"seen": 3}

    def set_extra_state(self, state):
        pass


class Sparse(Tied):
    def __init__(self):
        super().__init__()
        self.register_buffer("links", torch.eye(3).to_sparse())


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (Counting, "module._extra_state of model is a dict"),
        (Sparse, "module.links of model is a T"),
    ],
)
def test_what_a_checkpoint_cannot_hold_is_told_before_training(tmp_path, kind, what):
    model = vc.models.wrap(kind(), shape=(4,))
    before = [weight.clone() for weight in model.parameters()]
    told = refused(lambda: fit(model, checkpoint=tmp_path / "run"))
    assert told.startswith(what)
    assert told.endswith(" that a checkpoint cannot hold; fit without checkpoint.")
    assert all(map(torch.equal, before, model.parameters()))
    assert not (tmp_path / "run").exists()
    fit(model)
    assert not all(map(torch.equal, before, model.parameters()))


# --- tensors that are no plain arrays -------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_a_nested_tensor_is_told_the_line_that_pads_it(layout):
    def nested(rows):
        return torch.nested.nested_tensor(rows, layout=layout)

    sentence = (
        "x is a nested tensor; give torch.nested.to_padded_tensor(x, 0.0), in which a padded step "
        "counts as data, except in the bounds of a VRNN that are given lengths."
    )
    cure = sentence.split("give ")[1].split(", in which")[0]
    rows = nested(list(ROWS))
    assert refused(lambda: fit(vae(), rows)) == sentence
    padded = eval(cure, {"torch": torch, "x": rows})
    assert torch.equal(padded, ROWS)
    fit(vae(), padded)
    vrnn = vc.models.VRNN(2, 1, 4, [4])
    steps, lengths = [torch.ones(length, 2) for length in (5, 3)], [5, 3]
    assert refused(lambda: vrnn.elbo(nested(steps))) == sentence
    one, other = (
        vrnn.elbo(x, 1, torch.Generator().manual_seed(0), lengths)
        for x in (
            eval(cure, {"torch": torch, "x": nested(steps)}),
            torch.nn.utils.rnn.pad_sequence(steps, batch_first=True),
        )
    )
    assert torch.equal(one, other)


@pytest.mark.filterwarnings("ignore:.*quantize.*:Warning")
def test_a_quantized_tensor_and_one_without_values_are_told_of():
    x = torch.quantize_per_tensor(ROWS, 0.5, 0, torch.qint8)
    assert refused(lambda: fit(vae(), x)) == "x is a quantized tensor; give x.dequantize()."
    assert torch.equal(x.dequantize(), ROWS)
    for action in (lambda x: fit(vae(), x), lambda x: vae().elbo(x)):
        assert refused(lambda action=action: action(ROWS.to("meta"))) == (
            "x is on the device meta, where nothing has a value."
        )


# --- frames ---------------------------------------------------------------------------------------


class Column:
    """A column of polars, or of pandas by its place."""

    def __init__(self, values, missing):
        self.values, self.missing = np.array(values), np.array(missing)
        self.dtype = self.values.dtype

    def is_null(self):
        return self.missing

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.dtype)


class Frame:
    """A frame whose columns are found by place, for two may have one name."""

    columns = ("a", "a")

    def __init__(self, *columns):
        self.iloc = self
        self._columns = columns

    def __getitem__(self, key):
        return self._columns[key[1]]

    def __array__(self, dtype=None, copy=None):
        raise TypeError("no numbers")


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (Column([1.0, 2.0], [False, True]), "has 1 missing values"),
        (Column(["u", "v"], [False, False]), "is of type <U1"),
    ],
)
def test_a_column_whose_name_is_there_twice_is_told_of(column, what):
    frame = Frame(Column([1.0, 2.0], [False, False]), column)
    assert refused(lambda: fit(vae(), frame)) == f"column 'a' of x {what}; it must hold numbers."


class Polars:
    """What is asked of a frame of polars, which makes numbers of days."""

    def __init__(self, **columns):
        self._columns = {name: Column(*column) for name, column in columns.items()}
        self.columns = list(columns)

    def __getitem__(self, name):
        return self._columns[name]

    def get_columns(self):
        return list(self._columns.values())

    def __array__(self, dtype=None, copy=None):
        return np.stack([column.values.astype(float) for column in self.get_columns()], axis=1)


class LazyFrame:
    def collect(self):
        return ROWS


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[h]"])
def test_days_and_hours_in_a_frame_are_no_numbers(kind):
    numbers, none = ([1.0, 2.0], [False, False]), [False, False]
    frame = Polars(a=numbers, when=(np.array([1, 2]).astype(kind), none))
    model = vc.models.VAE(2, 2, [3], likelihood="gaussian")
    told = refused(lambda: fit(model, frame))
    assert told == f"column 'when' of x is of type {kind}; it must hold numbers."
    fit(model, Polars(a=numbers, b=numbers))


def test_a_frame_that_is_yet_to_be_computed_is_told_how():
    x = LazyFrame()
    told = refused(lambda: fit(vae(), x))
    assert told == "x is a LazyFrame; give x.collect()."
    fit(vae(), x.collect())


class Read:
    """What numpy sees of a frame."""

    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return np.array(self.rows, dtype=dtype or object)


def test_explorers_and_figures_take_frames_as_the_models_do():
    one = vc.widgets.LatentExplorer(vae(), ROWS)
    other = vc.widgets.LatentExplorer(vae(), Read(ROWS.tolist()))
    assert other.arrays == one.arrays
    points = vc.data.synthetic("three_blobs", 30, 0).x
    one, other = (vc.widgets.EMStepper(x) for x in (points, Read(points.tolist())))
    assert torch.equal(one.mixture.means_, other.mixture.means_)
    density = vc.data.log_density("three_blobs", Read(points.tolist()))
    torch.testing.assert_close(density, vc.data.log_density("three_blobs", points))


def test_words_that_label_an_explorer_are_told_how_to_become_numbers():
    words = ["no", "yes"] * 5
    assert refused(lambda: vc.widgets.LatentExplorer(vae(), ROWS, words)) == (
        "labels has values other than the integers 0 to 9; at most ten kinds, words say, become "
        "such numbers by np.unique(labels, return_inverse=True)[1]."
    )
    vc.widgets.LatentExplorer(vae(), ROWS, np.unique(words, return_inverse=True)[1])


@pytest.mark.parametrize("form", [str, int, float])
def test_more_than_ten_kinds_and_none_are_told_of_labels(form):
    x = ROWS.repeat(2, 1)
    kinds = np.array([form(k) for k in range(11)] + [form(3)] * 9)
    assert refused(lambda: vc.widgets.LatentExplorer(vae(), x, kinds)) == (
        "labels has 11 different values, and colours are there for ten: join some of them."
    )
    kinds[kinds == form(10)] = form(3)
    vc.widgets.LatentExplorer(vae(), x, np.unique(kinds, return_inverse=True)[1])
    for none in (np.nan, None):
        missing = kinds.astype(object)
        missing[2] = none
        assert refused(lambda missing=missing: vc.widgets.LatentExplorer(vae(), x, missing)) == (
            "labels has no value in 1 of 20 rows; leave them out, or give them a kind of their own."
        )
        missing[2] = form(9)
        vc.widgets.LatentExplorer(vae(), x, np.unique(missing, return_inverse=True)[1])


def test_a_standardized_model_is_told_why_the_explorer_does_not_show_it():
    x = 50 + 9 * torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    settings = {"likelihood": "gaussian", "noise_variance": "shared"}
    model = vc.models.VAE(4, 2, [3], **settings, standardize=True)
    fit(model, x)
    low, high = x.min(0).values, x.max(0).values
    scaled = (x - low) / (high - low)
    for rows in (x, scaled):
        assert refused(lambda rows=rows: vc.widgets.LatentExplorer(model, rows)) == (
            "model has standardize: what it decodes to is in the units of its data, and the page "
            "shows values from 0 to 1; train one without standardize on x scaled to them."
        )
    plain = vc.models.VAE(4, 2, [3], **settings)
    fit(plain, scaled)
    assert vc.widgets.LatentExplorer(plain, scaled).spec["output"]["kind"] == "gaussian"


@pytest.mark.parametrize(
    ("likelihood", "value", "sentence"),
    [
        (
            "bernoulli",
            -2.0,
            "x has values from -2 to 1, first outside in column 3; a Bernoulli likelihood takes "
            "pixels in [0, 1].",
        ),
        (
            "poisson",
            0.5,
            "x has a value of 0.5 in column 3; a Poisson likelihood takes counts 0, 1, 2, …",
        ),
    ],
)
def test_the_column_of_a_value_that_cannot_be_is_named(likelihood, value, sentence):
    x = ROWS.clone()
    x[7, 2] = value
    assert refused(lambda: fit(vc.models.VAE(4, 2, [3], likelihood=likelihood), x)) == sentence


SHARES = torch.tensor([[0.0, 1.0, 0.3, 0.6], [0.2, 0.9, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("likelihood", "x", "hint", "cure"),
    [
        *[
            (
                "bernoulli",
                (top * SHARES).round(),
                f"if these are levels from 0 to {top}, divide by {top}.",
                lambda x, top=top: x / top,
            )
            for top in (1_023, 4_095, 16_383, 65_535)
        ],
        (
            "bernoulli",
            2 * SHARES - 1,
            "if these are levels from -1 to 1, give (x + 1) / 2.",
            lambda x: (x + 1) / 2,
        ),
        (
            "discretized_logistic",
            SHARES.sqrt(),
            "(255 * x).round() / 255 are such.",
            lambda x: (255 * x).round() / 255,
        ),
    ],
)
def test_levels_of_images_are_told_how_to_become_those_of_the_likelihood(likelihood, x, hint, cure):
    model = vc.models.VAE(4, 2, [3], likelihood=likelihood)
    assert refused(lambda: fit(model, x)).endswith(f"; {hint}")
    fit(model, cure(x))


@pytest.mark.parametrize("low", [-0.5, -0.1])
def test_what_lies_little_below_0_are_no_levels_from_minus_1(low):
    x = torch.cat([torch.tensor([[low, 1, 1, 1]]), ROWS])
    assert refused(lambda: fit(vae(), x)) == (
        f"x has values from {low} to 1, first outside in column 1; a Bernoulli likelihood takes "
        "pixels in [0, 1]."
    )


def test_an_explorer_is_told_of_channels_that_come_last():
    x = ROWS.view(10, 2, 2, 1).expand(-1, -1, -1, 3)
    model = vc.models.VAE(12, 2, [3])
    told = refused(lambda: vc.widgets.LatentExplorer(model, x))
    assert told.endswith("(move the channel axis first: numpy.moveaxis(x, -1, 1)).")
    vc.widgets.LatentExplorer(model, np.moveaxis(x.numpy(), -1, 1))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("model", [vae(), vc.models.VQVAE(4, 2, 3)], ids=["vae", "vq_vae"])
def test_one_row_has_a_bound_and_no_error_of_it(model):
    metrics = vc.evaluation.evaluate(model, ROWS[:1])
    assert np.isfinite(metrics["elbo"]) and np.isnan(metrics["elbo_se"])


# --- what float32 blurs ---------------------------------------------------------------------------

NOISE = np.random.default_rng(0).random(200)
BLURRED = {
    "seconds": 1.47e9 + np.arange(200),
    "northings": 5.4e6 + 2 * NOISE,
    "latitudes": 52.52 + 1e-5 * NOISE,
    "longitudes": -3.7 - 1e-6 * NOISE,
    "kelvins": 293.15 + 1e-3 * NOISE,
}


@pytest.mark.parametrize("far", BLURRED.values(), ids=BLURRED)
def test_a_column_that_float32_blurs_is_named_and_reads_with_its_smallest_value_subtracted(
    tmp_path, far
):
    x = np.column_stack([NOISE, far])
    values = f"values from {far.min():.15g} to {far.max():.15g}, whose differences float32 does"
    model = vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True)
    np.save(tmp_path / "a.npy", x)
    kinds = (x, torch.from_numpy(x), x.tolist(), [*torch.from_numpy(x)], Read(x.tolist()))
    for data in (*kinds, x.astype(np.longdouble)):
        assert refused(lambda data=data: fit(model, data)) == (
            f"column 2 of x has {values} not keep: subtract the smallest from all."
        )
    named = Read(x.tolist())
    named.columns = ["a", "far"]
    assert refused(lambda: fit(model, named)).startswith("column 'far' of x has values from ")
    assert refused(lambda: read_rows(tmp_path / "a.npy")) == (
        f"column 2 of a.npy has {values} not keep: subtract the smallest from all."
    )
    fit(vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True).double(), x)
    x[:, 1] -= x[:, 1].min()
    np.save(tmp_path / "a.npy", x)
    assert len(np.unique(read_rows(tmp_path / "a.npy").x[:, 1])) == 200
    fit(model, x)


@pytest.mark.parametrize("near", [0.0, 1.47e9], ids=["changed", "constant"])
def test_validation_that_float32_blurs_is_refused_and_taken_where_x_spans_far_more(near):
    def fitted(column, validation):
        model = vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True)
        x, validation = (np.column_stack([NOISE, c]) for c in (column, validation))
        return fit(model, x, validation=validation.tolist()).validation_loss

    x, far = near + (np.arange(200) if near == 0 else np.zeros(200)), BLURRED["seconds"]
    assert refused(lambda: fitted(x, far)) == (
        "column 2 of validation has values from 1470000000 to 1470000199, whose differences "
        "float32 does not keep: subtract the smallest of x from x and validation."
    )
    cured = fitted(far - far[0], far - far[0])
    assert np.isfinite(cured).all()
    years = 1.4e9 + 1e6 * np.arange(200)
    assert np.isfinite(fitted(years, far)).all()


KEPT = {
    "latitudes of a street": 48.137 + 1e-3 * NOISE,
    "latitudes of a crossroads": 48.137 + 1e-4 * np.random.default_rng(0).normal(size=200),
    "mains frequency": 50 + 2e-4 * np.random.default_rng(0).normal(size=200),
    "12.00001 to 12.00200": 12 + 1e-5 * np.arange(1, 201),
    "seconds of a day": 1.47e9 + 432 * np.arange(200),
}


@pytest.mark.parametrize("near", KEPT.values(), ids=KEPT)
def test_a_column_that_rounding_moves_by_less_than_a_hundredth_of_its_span_trains_as_in_float64(
    near,
):
    x, rounded = np.column_stack([NOISE, near]), near.astype(np.float32).astype(float)
    moved = abs(rounded - near).max() / np.ptp(near)
    assert 1e-4 < moved < 0.01
    assert np.corrcoef(near, rounded)[0, 1] > 0.9999
    losses = []
    for centred in (x, x - [0, near.min()]):  # in units of its own the same column
        model = vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True)
        losses.append(fit(model, centred).epoch_loss)
    assert losses[0] == pytest.approx(losses[1], abs=0.01)


@pytest.mark.parametrize(
    "column",
    [
        293.15 * (1 + 1e-13 * NOISE),  # constant but for rounding
        np.full(200, 5.4e6 + 0.1),
        0.1 + 1e-18 * np.arange(200),  # constant but for rounding
        16_000_000.0 + np.arange(200),  # whole numbers that float32 has
        1e6 * (1 + NOISE),
    ],
)
def test_a_large_or_constant_column_that_float32_keeps_is_taken(column):
    model = vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True)
    assert np.isfinite(fit(model, np.column_stack([NOISE, column])).epoch_loss).all()


@pytest.mark.parametrize(
    "small", [1e-40 + 1e-41 * NOISE, 10.0 ** (-40 - 40 * NOISE), -1e-300 * NOISE, 1e-39 * NOISE]
)
def test_a_column_of_which_float32_makes_zeros_is_named_and_reads_in_another_unit(tmp_path, small):
    x = np.column_stack([NOISE, small])
    what = f"has no value beyond {abs(small).max():g}, and float32 makes 0 of such: divide it by "
    model = vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True)
    np.save(tmp_path / "a.npy", x)
    np.savetxt(tmp_path / "a.csv", x, delimiter=",", header="a,p", comments="")
    for data in (x, torch.from_numpy(x), x.tolist(), Read(x.tolist())):
        assert refused(lambda data=data: fit(model, data)) == (
            f"column 2 of x {what}{abs(small).max():g}."
        )
    for name, column in (("a.npy", "column 2"), ("a.csv", "column 2 ('p')")):
        assert refused(lambda name=name: read_rows(tmp_path / name)) == (
            f"{column} of {name} {what}{abs(small).max():g}."
        )
    x[:, 1] /= float(f"{abs(small).max():g}")
    np.save(tmp_path / "a.npy", x)
    kept = read_rows(tmp_path / "a.npy").x[:, 1]
    assert len(kept.unique()) == len(np.unique(small)) and kept.abs().max() == pytest.approx(1)
    fit(model, x)


@pytest.mark.parametrize("zeros", [[0, 1], [2, 3, 4]])
def test_small_validation_is_taken_beside_data_that_span_more_and_else_told_one_unit(zeros):
    def fitted(column, validation):
        model = vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True)
        x, validation = (np.column_stack([NOISE, c]) for c in (column, validation))
        return fit(model, x, validation=validation).validation_loss

    small = 1e-40 * NOISE
    small[zeros] = 0  # of which no logarithm is a cure
    assert np.isfinite(fitted(NOISE, small)).all()
    assert np.isfinite(fitted(NOISE.astype(np.float32), small)).all()
    constant = np.zeros(200)
    assert refused(lambda: fitted(constant, small)) == (
        f"column 2 of validation has no value beyond {small.max():g}, and float32 makes 0 of such: "
        f"divide it by {small.max():g} in x and validation."
    )
    assert np.isfinite(fitted(constant, small / float(f"{small.max():g}"))).all()


def test_tensors_that_numpy_does_not_read_are_taken():
    x = torch.view_as_complex(normal(30, 2, 2).double())
    turned = x.conj().imag  # its sign waits to be turned
    assert turned.is_neg()
    plain, bits = [], []
    for data in (turned, turned.resolve_neg()):
        model = vc.models.VAE(2, 2, [3], likelihood="gaussian")
        plain.append(fit(model, data).epoch_loss)
        bits.append(vc.evaluation.evaluate(model, data, 3))
    assert plain[0] == plain[1] and bits[0] == bits[1]
    eighths = normal(30, 2).to(torch.float8_e4m3fn)
    losses = [
        fit(vc.models.VAE(2, 2, [3], likelihood="gaussian"), data).epoch_loss
        for data in (eighths, eighths.float())
    ]
    assert losses[0] == losses[1]
    far = torch.from_numpy(np.column_stack([NOISE, BLURRED["seconds"]]))
    turned = torch.complex(far, -far).conj().imag
    assert turned.is_neg() and "float32 does not keep" in refused(lambda: fit(model, turned))


def test_single_precision_is_not_looked_through_for_what_it_blurs(monkeypatch):
    looked = []
    monkeypatch.setattr(_arguments, "_columns", lambda *given: looked.append(given))
    x = normal(30, 2)
    for data in (x, x.numpy(), x.half(), x.numpy().astype(">f4"), x > 0):
        _arguments.check_precision("x", data)
    assert looked == []
    _arguments.check_precision("x", x.double())
    assert len(looked) == 1


@pytest.mark.filterwarnings("error")
def test_what_float32_cannot_hold_is_told_no_cure_of_what_it_blurs(tmp_path):
    x = np.column_stack([NOISE, 1e300 * (1 + 1e-9 * NOISE)])
    model = vc.models.VAE(2, 2, [3], likelihood="gaussian", standardize=True)
    assert refused(lambda: fit(model, x)) == (
        "x has NaN or infinite values in 200 of 200 rows, first in x[0, 1]."
    )
    np.save(tmp_path / "a.npy", x)
    assert refused(read_rows, tmp_path / "a.npy") == (
        "a.npy has NaN, infinite or too large values in 200 of 200 rows, first at [0, 1]."
    )


@pytest.mark.parametrize("x", [np.zeros(200), NOISE * 10.0 ** (-300 * NOISE), 1e-30 * NOISE])
def test_small_values_that_are_none_beside_the_largest_are_read(tmp_path, x):
    np.save(tmp_path / "a.npy", np.column_stack([NOISE, x]))
    assert read_rows(tmp_path / "a.npy").x.shape == (200, 2)


def test_probabilities_near_one_lose_nothing_that_they_mean():
    x = np.column_stack([NOISE, 1 - 1e-8 * NOISE])
    assert np.isfinite(fit(vc.models.VAE(2, 2, [3]), x).epoch_loss).all()


def test_a_column_named_x_keeps_its_name_where_validation_is_refused():
    wanted = r"^column 'x' of validation has 1 missing values\.$"
    with pytest.raises(ValueError, match=wanted), said_of("validation"):
        raise ValueError("column 'x' of x has 1 missing values.")


# --- a loss of one's own --------------------------------------------------------------------------


class Map(torch.nn.Module):
    """A model by a loss of its own; `gives` makes of its squared errors what the loss returns."""

    def __init__(self, gives=torch.mean):
        super().__init__()
        self.layer, self.gives = torch.nn.Linear(4, 4), gives

    def loss(self, x, generator):
        return self.gives((self.layer(x) - x).square().sum(1))

    def check(self, x):
        return x


def test_a_loss_of_ones_own_trains():
    assert len(fit(Map(), epochs=2).epoch_loss) == 2


@pytest.mark.parametrize(
    ("gives", "found"),
    [
        (lambda loss: {"loss": loss.mean()}, "loss of Map gives a dict; it must give a tensor of"),
        (lambda loss: (loss.mean(), 3), "loss of Map gives a tuple; it must give a tensor of one"),
        (
            lambda loss: loss.mean().item(),
            "loss of Map gives a float; it must give a tensor of one",
        ),
        (lambda loss: loss, "loss of Map gives a tensor of shape [10]; it must give a tensor of"),
        (lambda loss: loss.new_zeros(()), "loss gives a tensor that no weight of the model has a"),
    ],
)
def test_a_loss_that_is_no_number_with_a_gradient_is_refused(gives, found):
    assert refused(fit, Map(gives)).startswith(found)


def test_methods_that_take_or_give_something_else_are_named():
    class Short(Map):
        def loss(self, x):
            return x.mean()

    class Silent(Map):
        def check(self, x):
            pass

    assert refused(fit, Short()) == "loss of Short must be a function of (x, generator)."
    assert refused(fit, Silent()) == "check of Silent gives a NoneType; it must give a tensor."
    assert refused(vc.evaluation.evaluate, Map(), ROWS) == (
        "model is a Map without metrics(x, importance_samples, importance_rows, seed); "
        "`vc.models.wrap` makes a model of a module with encode and decode."
    )


@pytest.mark.parametrize("transform", ["standard", lambda batch: batch])
def test_a_transform_takes_a_batch_and_a_generator(transform):
    told = "transform must be a function of (batch, generator)."
    assert refused(fit, vae(), transform=transform) == told


@pytest.mark.parametrize("gives", [lambda x, g: None, lambda x, g: x.numpy()])
def test_a_transform_gives_a_tensor(gives):
    kind = type(gives(ROWS, None)).__name__
    told = f"transform gives a {kind}; it must give a tensor."
    assert refused(fit, vae(), transform=gives) == told


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_no_gradients_no_training(mode):
    with mode():
        assert refused(fit, vae()) == (
            "fit is called where torch takes no gradients, as in torch.no_grad; call it outside."
        )


# --- seeds, counts and settings -------------------------------------------------------------------


@pytest.mark.parametrize("generator", [0, 42, np.random.default_rng(0)])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "poisson"])
def test_a_generator_is_one_of_torch(generator, likelihood):
    model = vc.models.VAE(4, 2, [3], likelihood=likelihood)
    seed = generator if isinstance(generator, int) else 0
    told = (
        f"generator is {generator!r}; it must be a torch.Generator, "
        f"torch.Generator().manual_seed({seed}) say."
    )
    p = model.decode(torch.zeros(1, 2))
    for call in (
        lambda: model.elbo(ROWS, 1, generator),
        lambda: model.log_weights(ROWS, 3, generator),
        lambda: model.sample(3, generator),
        lambda: p.sample((), generator),
    ):
        assert refused(call) == told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"importance_samples": 0}, "importance_samples is 0; it must be an integer of at least"),
        ({"importance_rows": 0}, "importance_rows is 0; it must be an integer of at least 1."),
        ({"seed": None}, "seed is None; it must be an integer from 0 to 2**63 - 1."),
    ],
)
def test_settings_of_an_evaluation_are_checked(options, told):
    assert refused(vc.evaluation.evaluate, vae(), ROWS, **options).startswith(told)


def test_numbers_that_are_words_or_lists_are_refused_as_such():
    for rate in ("1e-3", None):
        told = f"learning_rate is {rate!r}; it must be a finite number greater than 0."
        assert refused(fit, vae(), learning_rate=rate) == told
    for variance in ([1, 2, 3, 4], np.ones(4)):
        told = refused(vc.models.VAE, 4, 2, likelihood="gaussian", noise_variance=variance)
        assert told.endswith(
            "it must be a positive number or one of shared, per_dimension, from_z."
        )
    assert vc.models.VAE(4, 2, likelihood="gaussian", noise_variance=np.float64(2)).likelihood.fixed


def test_per_cent_are_told_apart_from_grey_levels():
    x = torch.linspace(0, 100, 40).view(10, 4)
    told = refused(fit, vae(), x)
    assert told.endswith("; divide per cent by 100, grey levels from 0 to 255 by 255.")
    assert len(fit(vae(), x / 100).epoch_loss) == 1


# --- what judges and shows ------------------------------------------------------------------------


def test_codes_are_of_data_for_the_model_alone():
    images = normal(5, 3, 8, 8).sigmoid().mul(255).round() / 255
    conv = vc.models.ConvVAE([3, 8, 8], 2, channels=[2])
    assert torch.equal(conv.codes(images), conv.codes(images.flatten(1)))
    assert refused(vae().codes, images) == "x has shape [5, 3, 8, 8]; it must be [N, 4]."
    assert "divide by 255" in refused(vae().codes, 255 * ROWS)
    assert "NaN" in refused(vae().codes, torch.full((2, 4), torch.nan))


def test_a_second_fit_to_data_of_another_scale_is_told_so():
    x = normal(200, 4) + 5
    model = vc.models.VAE(4, 2, [8], likelihood="gaussian", standardize=True)
    fit(model, x, epochs=3)
    with pytest.raises(FloatingPointError) as caught:
        fit(model, x * 100)
    said = re.search(r"Column (\d) of x lies ([\d.e+]+) standard deviations", str(caught.value))
    z = (100 * x - x.mean(0)) / x.std(0, correction=0)
    column = int(said[1]) - 1
    assert float(said[2]) == pytest.approx(z.abs().amax(0)[column].item(), rel=0.01)
    assert str(caught.value).endswith("that of its first fit: train a new model on x.")
    new = vc.models.VAE(4, 2, [8], likelihood="gaussian", standardize=True)
    assert fit(new, x * 100, epochs=3).epoch_loss[-1] < 100


def test_a_table_for_the_explorer_is_refused_by_its_column():
    explorer, model = vc.widgets.LatentExplorer, vae()
    for x, told in (
        (torch.where(torch.arange(4) == 2, 1.5, ROWS), "column 3 of x has values from 1.5 to 1.5"),
        (ROWS.index_fill(1, torch.tensor(1), torch.nan), "x has NaN or infinite values in 10 of"),
        (255 * ROWS, "; these look like grey levels, whole numbers from 0 to 255: divide by 255."),
    ):
        assert told in refused(explorer, model, x, image_shape=(1, 4))


class Lines(torch.nn.Module):
    """Two straight lines, under names of their own."""

    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Linear(4, 4), torch.nn.Linear(2, 4)

    def encode(self, x):
        return self.body(x).chunk(2, 1)

    def decode(self, z):
        return self.head(z)


def test_a_module_whose_decoder_has_another_name_is_told_which_the_page_runs():
    own = vc.models.wrap(Lines(), shape=(4,))
    assert refused(vc.widgets.LatentExplorer, own, ROWS, image_shape=(1, 4)) == (
        "model has no network `decoder`, which the page runs: give it that name, or make the model "
        "by vc.models.wrap(encoder, decoder, …)."
    )


def test_a_distribution_of_a_module_outweighs_the_likelihood_of_its_tensors():
    class Counts(Lines):
        def decode(self, z):
            return torch.distributions.Poisson(self.head(z).exp())

    bounds = [
        vc.models.wrap(Counts().requires_grad_(), shape=(4,), likelihood=name)
        for name in ("gaussian", "poisson")
    ]
    bounds[1].load_state_dict(bounds[0].state_dict())
    seeded = [model.elbo(ROWS, 1, torch.Generator().manual_seed(0)) for model in bounds]
    assert torch.equal(*seeded)


def test_widths_and_planes_are_checked():
    assert refused(vc.models.VAE, 4, 2, [32.0]) == (
        "sizes is [4, 32.0, 4]; it must be two or more positive integers."
    )
    map_of = vc.figures.latent_map
    assert refused(map_of, None, normal(3, 3), [0, 1, 2]) == (
        "z has shape [3, 3]; it must be [any, 2]."
    )


def test_of_few_rows_a_bound_by_one_draw_may_exceed_the_one_by_many():
    x = normal(24, 4)
    model = vc.models.VAE(4, 2, [8], likelihood="gaussian", noise_variance=0.5)
    fit(model, x, epochs=300, learning_rate=0.01)
    found = [vc.evaluation.evaluate(model, x, seed=seed) for seed in range(100)]
    over = torch.tensor([each["elbo"] - each["log_likelihood"] for each in found])
    assert 0 < (over > 0).sum() < 50
    with torch.no_grad():
        expected = model.elbo(x, 5_000, torch.Generator().manual_seed(0)).mean().item()
    assert expected < min(each["log_likelihood"] for each in found)
