"""Data come in by many doors and in many kinds; behind each door they are the same tensor."""

import re

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.lib import recfunctions
from torch.utils.data import TensorDataset

import vaecourse as vc
from vaecourse._arguments import as_tensor
from vaecourse.evaluation import density
from vaecourse.models import GMVAE, VAE, VRNN, Autoencoder, Classifier, ConvVAE, FactorAnalysis

ROWS = torch.tensor([[0.0, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 1]])


class Frame:
    """What numpy sees of a pandas frame whose columns are of different types."""

    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return np.array(self.rows.numpy(), dtype=dtype or object)


INPUTS = {
    "float64": lambda x: x.double(),
    "half": lambda x: x.half(),
    "bfloat16": lambda x: x.bfloat16(),
    "whole numbers": lambda x: x.to(torch.uint8),
    "truth values": lambda x: x.bool(),
    "not contiguous": lambda x: x.flip(-1).flip(-1).mT.contiguous().mT,
    "numpy": lambda x: x.numpy(),
    "numpy float64": lambda x: x.double().numpy(),
    "numpy of another byte order": lambda x: x.numpy().astype(">f4"),
    "numpy backwards": lambda x: x.flip(0).numpy().copy()[::-1],
    "numpy to read only": lambda x: np.broadcast_to(x.numpy(), x.shape),
    "numpy long double": lambda x: x.numpy().astype(np.longdouble),
    "lists": lambda x: x.tolist(),
    "a list of tensors": lambda x: list(x),
    "a frame": Frame,
}


def seeded():
    return torch.Generator().manual_seed(0)


def trained(model, x):
    vc.training.fit(model, x, epochs=2, batch_size=2, progress=False)
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def vae():
    return VAE(4, 2, (3,))


def conv():
    return ConvVAE([1, 2, 2], 1, (2,), likelihood="bernoulli")


def mixture():
    return vc.inference.GaussianMixture(2, regularization=0.1)


def bernoulli():
    return vc.inference.BernoulliMixture(2, smoothing=0.1)


def means(x):
    return vc.inference.NormalGammaMeanField(0.0, 1.0, 1.0, 1.0).fit(x)


DOORS = {
    "fit": lambda x: trained(vae(), x),
    "fit an autoencoder": lambda x: trained(Autoencoder(4, 2, (3,)), x),
    "validation": lambda x: (
        vc.training.fit(vae(), ROWS, epochs=1, validation=x, progress=False).validation_loss
    ),
    "encode": lambda x: vae().encode(x).mean,
    "elbo": lambda x: vae().elbo(x, 2, seeded()),
    "elbo_terms": lambda x: vae().elbo_terms(x, 2, seeded()).kl,
    "log_weights": lambda x: vae().log_weights(x, 2, seeded()),
    "loss": lambda x: vae().loss(vae().check(x), seeded()),
    "reconstruct": lambda x: vae().reconstruct(x),
    "decode": lambda x: VAE(3, 4, (3,)).decode(x).mean,
    "a convolutional VAE": lambda x: conv().elbo(x, 1, seeded()),
    "an autoencoder": lambda x: Autoencoder(4, 2, (3,)).squared_error(x),
    "its reconstruction": lambda x: Autoencoder(4, 2, (3,)).reconstruct(x),
    "a classifier": lambda x: Classifier([1, 2, 2], (2,), 3, 2)(x),
    "factor analysis": lambda x: FactorAnalysis(4, 2).log_evidence(x),
    "its EM": lambda x: FactorAnalysis(4, 2, floor=0.1).em(x, max_steps=3),
    "a GMVAE": lambda x: GMVAE(4, 2, 2, (3,)).elbo(x, 1, seeded()),
    "its clusters": lambda x: GMVAE(4, 2, 2, (3,)).classify(x),
    "Gaussian mixture": lambda x: mixture().fit(x).means_,
    "its score": lambda x: mixture().fit(ROWS).score_samples(x),
    "Bernoulli mixture": lambda x: bernoulli().fit(x).probabilities_,
    "Bernoulli score": lambda x: bernoulli().fit(ROWS).score_samples(x),
    "evaluate": lambda x: [*vc.evaluation.evaluate(vae(), x, 3).values()],
    "importance sampling": lambda x: vc.evaluation.importance_log_likelihood(
        vae(), x, 3, seeded(), progress=False
    ),
    "aggregate_kl": lambda x: (
        vc.evaluation.aggregate_kl(vae(), x, 1, seeded(), progress=False).value
    ),
    "kl_per_dimension": lambda x: vc.evaluation.kl_per_dimension(vae(), x),
    "active_units": lambda x: vc.evaluation.active_units(vae(), x),
    "feature_statistics": lambda x: vc.evaluation.feature_statistics(x).cov,
    "histogram": lambda x: density.Histogram(2, 0, 1).fit(x).score_samples(x),
    "kernels": lambda x: density.kernel_log_density(x, ROWS, 0.5),
    "leave one out": lambda x: density.leave_one_out_score(x, 0.5),
}


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.filterwarnings("ignore:features has")
def test_every_door_takes_every_kind_of_data(door, kind):
    with torch.no_grad() if not door.startswith(("fit", "valid")) else torch.enable_grad():
        result = torch.as_tensor(DOORS[door](INPUTS[kind](ROWS)))
        expected = torch.as_tensor(DOORS[door](ROWS))
    assert isinstance(result, torch.Tensor)
    assert torch.allclose(result.double(), expected.double(), atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("kind", INPUTS)
def test_sequences_and_columns_come_in_by_their_doors_too(kind):
    steps = INPUTS[kind](ROWS[:, :, None]) if kind != "not contiguous" else ROWS[:, :, None]
    model = VRNN(1, 1, 2, (3,))
    with torch.no_grad():
        assert torch.allclose(
            model.elbo(steps, 1, seeded()), model.elbo(ROWS[:, :, None], 1, seeded())
        )
    column = INPUTS[kind](ROWS)[0] if kind != "a frame" else Frame(ROWS[0])
    assert abs(means(column).mu_ - means(ROWS[0]).mu_) < 1e-6


def test_numbers_keep_or_change_their_type_by_one_rule():
    for given, dtype in [
        (torch.zeros(2), torch.float32),
        (torch.zeros(2).double(), torch.float64),
        (torch.zeros(2).half(), torch.float32),
        (torch.zeros(2).bfloat16(), torch.float32),
        (torch.zeros(2, dtype=torch.long), torch.float64),
        (np.zeros(2), torch.float64),
        (np.zeros(2, dtype=np.float32), torch.float32),
        ([0.0, 0.0], torch.float64),
        ([0, 0], torch.float64),
    ]:
        assert as_tensor(given).dtype == dtype
        assert as_tensor(given, like=torch.zeros(1)).dtype == torch.float32
    x = torch.zeros(2)
    assert as_tensor(x) is x and as_tensor(x, like=x) is x  # nothing is copied without need


class Table:
    """A table of pyarrow, whose columns are arrays and have their names elsewhere."""

    column_names, columns = ["day"], [np.array(["2020-01-01"])]

    def __array__(self, dtype=None, copy=None):
        raise TypeError("no numbers")

    def __getitem__(self, name):
        raise TypeError("Index must either be string or integer")


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (None, "x is a NoneType that cannot be read as numbers; it must be a torch tensor, a num"),
        ("data.csv", "x is a str that cannot be read as numbers"),
        ([[1.0, 2.0], [3.0]], "x has rows of different length; cut sequences to one length"),
        ([["a", "b"]], "x is a list that cannot be read as numbers"),
        ([{"a": 1}], "x is a list that cannot be read as numbers"),
        (Table(), "x is a Table that cannot be read as numbers"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "x holds dates or times"),
        (1j * torch.ones(2, 4), "x is of torch.complex64; it must hold real numbers"),
        (np.array([[1j] * 4]), "x is of torch.complex128; it must hold real numbers"),
        (torch.ones(4), r"x has shape \[4\]; it must be \[N, 4\]"),
        (
            [[1.0, None, 0.0, 0.0]],
            r"x has NaN or infinite values in 1 of 1 rows, first in x\[0, 1\]\.$",
        ),
    ],
)
def test_what_is_no_data_is_refused_in_a_sentence(x, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        vae().elbo(x)
    assert "\n" not in str(caught.value)


def test_a_model_in_half_precision_is_refused():
    with pytest.raises(ValueError, match="The model is of torch.float16; it must be of float32 or"):
        vae().half().elbo(ROWS)


class Column:
    """What is asked of a column of a pandas frame."""

    def __init__(self, values, missing=()):
        self.values = np.array(values)
        self.dtype, self.missing = self.values.dtype, np.array(missing)

    def isna(self):
        return self.missing

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.dtype)


class Columns(dict):
    """A frame that numpy cannot read, with its columns by name."""

    columns = property(lambda self: list(self))

    def __array__(self, dtype=None, copy=None):
        raise TypeError("no numbers")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ma.masked_greater(ROWS.numpy(), 0.5), "with 11 of 20 values masked; fill them in, or"),
        (ROWS.to_sparse(), "x is a sparse tensor; give x.to_dense()."),
        (scipy.sparse.csr_matrix(ROWS.numpy()), "x is a sparse csr_matrix; give x.toarray()."),
        (TensorDataset(ROWS), "x is a TensorDataset; give x.tensors[0]."),
        *[
            ((rows, labels), "x is a tuple of two arrays; give the data alone, x[0].")
            for rows in (ROWS, ROWS.numpy(), ROWS.tolist())
            for labels in (torch.zeros(5), np.zeros((5, 1)), [0, 1, 2, 3, 4], list("abcde"))
        ],
        (
            np.array([(1.0, 2.0)], [("a", float), ("b", float)]),
            "x is an array of named fields; give numpy.lib.recfunctions.structured_to_unstructured"
            "(x).",
        ),
        (ROWS.numpy().astype("M8[D]"), "x holds dates or times; it must hold numbers."),
        (ROWS.numpy().astype("m8[h]"), "x holds dates or times; it must hold numbers."),
        (ROWS.numpy().astype(str), "x holds text; it must hold numbers."),
        (
            Columns(a=Column([1.0, 2.0], [False, False]), b=Column(["u", "v"], [False, False])),
            "column 'b' of x is of type <U1; it must hold numbers.",
        ),
        (
            Columns(a=Column([1.0, 2.0], [False, True])),
            "column 'a' of x has 1 missing values; it must hold numbers.",
        ),
        (
            Columns(a=Column(["2020-01-01"], [False])),
            "column 'a' of x is of type <U10; it must hold numbers.",
        ),
        (
            Columns(when=Column(np.array(["2020-01-01"], "datetime64[D]"), [False])),
            "column 'when' of x is of type datetime64[D]; it must hold numbers.",
        ),
    ],
    ids=[
        "mask",
        "sparse",
        "scipy",
        "dataset",
        *[f"pair {kind}" for kind in range(12)],
        "fields",
        "days",
        "hours",
        "text",
        "words",
        "missing",
        "dates",
        "times",
    ],
)
def test_what_are_no_rows_of_numbers_is_told_with_what_to_give_instead(x, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        vc.training.fit(vae(), x, epochs=1, progress=False)


def test_the_cures_that_are_named_are_cures():
    nothing_masked = np.ma.masked_greater(ROWS.numpy(), 2)
    cured = [ROWS.to_sparse().to_dense(), scipy.sparse.csr_matrix(ROWS.numpy()).toarray()]
    fields = np.array([*map(tuple, ROWS)], [(name, np.float32) for name in "abcd"])
    cured += [recfunctions.structured_to_unstructured(fields)]
    cured += [TensorDataset(ROWS).tensors[0], (ROWS, torch.zeros(5))[0], nothing_masked]
    for x in cured:
        assert torch.equal(trained(vae(), x), trained(vae(), ROWS))
