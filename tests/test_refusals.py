"""Small things that are refused in a sentence, where torch or numpy would speak or say nothing."""

import numpy as np
import pytest
import torch
from sentences import refused
from torch import nn
from torch.utils.data import Dataset, TensorDataset

import vaecourse as vc
from vaecourse._arguments import as_tensor, check_axes
from vaecourse.evaluation import active_units, bits_per_dimension
from vaecourse.evaluation.density import silverman_bandwidth
from vaecourse.evaluation.disentanglement import factor_information, mutual_information_gap
from vaecourse.evaluation.divergence import entropy_from_counts
from vaecourse.inference import BernoulliMixture
from vaecourse.models.autoencoder import corrupt
from vaecourse.models.vae import POSTERIORS

DRAWN = {
    **{
        name: lambda name=name: vc.models.VAE(4, 2, [3], posterior=name).prior
        for name in POSTERIORS
    },
    **{
        name: lambda name=name: vc.models.VAE(4, 2, [3], likelihood=name).decode(torch.zeros(1, 2))
        for name in ("bernoulli", "gaussian", "poisson", "discretized_logistic")
    },
    "labels": lambda: vc.models.GMVAE(4, 2, 3, [3]).prior,
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_number_of_draws_is_told_to_be_a_shape(name):
    drawn = DRAWN[name]()
    draw = drawn.rsample if name == "labels" else drawn.sample  # torch's own of a mixture
    assert refused(draw, 3) == "sample_shape is 3; it must be a tuple, (3,) say."
    assert draw((3,)).shape[0] == 3


def test_bits_need_a_dimension_and_take_lists():
    assert (
        refused(bits_per_dimension, -100.0, 0) == "dim is 0; it must be an integer of at least 1."
    )
    nats = 8 * np.log(2)
    assert bits_per_dimension([-nats, -2 * nats], 8).tolist() == pytest.approx([1, 2], rel=1e-15)


def test_counts_and_factors_may_be_lists_of_numbers():
    assert entropy_from_counts([1, 1]).item() == pytest.approx(np.log(2), rel=1e-15)
    loc, scale = [[0.0, 0.0], [9.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]
    gap = mutual_information_gap(loc, scale, [[0], [1]])
    assert torch.equal(
        gap.information, mutual_information_gap(loc, scale, torch.tensor([[0], [1]])).information
    )
    words = refused(mutual_information_gap, loc, scale, [["pear"], ["fig"]])
    assert words.startswith("factors is a list that cannot be read as numbers; it must be")
    for wrong in ([[0.5], [1.0]], [[-1], [1]]):
        kind = "torch.float64" if wrong[0] == [0.5] else "torch.int64"
        sentence = f"factor has shape [2] and {kind}; it must be whole numbers from 0, [2]."
        assert refused(mutual_information_gap, loc, scale, wrong) == sentence
    assert "cannot be read as numbers" in refused(factor_information, [0.0], [1.0], ["pear"])


def test_what_needs_two_rows_says_so():
    vae = vc.models.VAE(4, 2, [3])
    assert refused(active_units, vae, torch.zeros(1, 4)) == (
        "x has 1 row; a variance over rows needs at least 2."
    )
    assert refused(silverman_bandwidth, torch.zeros(1, 2)) == (
        "points has 1 row; a bandwidth needs at least 2."
    )


@pytest.mark.parametrize(
    ("corruption", "level"), [("mask", 2.0), ("gaussian", -1.0), ("mask", np.nan)]
)
def test_a_level_that_is_none_is_refused_wherever_it_is_given(corruption, level):
    sentence = f"level is {level}; it must be at least 0, and {{}} 1 for a mask."
    said = refused(corrupt, torch.zeros(2, 2), corruption, level)
    assert said == sentence.format("at most")
    said = refused(vc.models.Autoencoder, 4, 2, corruption=corruption, level=level)
    assert said == sentence.format("below")
    assert corrupt(torch.ones(2, 2), "mask", 1.0).sum() == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda **named: vc.models.VRNN(4, 2, 3, **named),
        lambda **named: vc.models.HierarchicalVAE(4, 2, 1, **named),
    ],
    ids=["vrnn", "hierarchical"],
)
def test_a_likelihood_that_the_docstring_does_not_name_is_refused(make):
    assert refused(make, likelihood="poisson") == (
        "likelihood is 'poisson'; it must be one of 'bernoulli', 'gaussian'."
    )


def test_a_prior_of_an_own_module_is_warned_of():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.body, self.out = nn.Linear(4, 4), nn.Linear(2, 4)
            self.prior = torch.distributions.Normal(torch.ones(2), 1.0)

        def encode(self, x):
            return self.body(x).chunk(2, 1)

        def decode(self, z):
            return self.out(z)

    with pytest.warns(UserWarning) as caught:
        model = vc.models.wrap(Own(), shape=(4,))
    assert [str(one.message) for one in caught] == [
        "Own has a prior, which is not used: p(z) of a wrapped module is N(0, I)."
    ]
    assert caught[0].filename == __file__
    assert model.prior.mean.tolist() == [0, 0]


def test_an_axis_of_one_that_is_missing_is_named():
    assert refused(check_axes, "x", [2, 3], [1, 2, 3]) == (
        "each row of x has the axes [2, 3]; it must have [1, 2, 3] (the axis of one is missing: "
        "x[:, None])."
    )


def test_bits_that_are_none_are_named_by_their_column():
    x = torch.zeros(5, 3)
    x[2, 1] = 162
    assert refused(BernoulliMixture(2).fit, x) == (
        "x contains 162, in column 2; a Bernoulli mixture takes only 0 and 1; these look like grey "
        "levels, whole numbers from 0 to 255: divide by 255."
    )


ROWS = torch.rand((5, 7), generator=torch.Generator().manual_seed(0))
ONE_HOT = torch.eye(4)[[0, 3, 1, 2, 0]]


class Items(Dataset):
    """A data set of what `make` gives for each row."""

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return len(ROWS)

    def __getitem__(self, index):
        return self.make(index)


@pytest.mark.parametrize(
    "make",
    [
        lambda i: ((ROWS[i], 3), i),
        lambda i: (ONE_HOT[i], ROWS[i]),
        lambda i: (i, (ONE_HOT[i], ROWS[i])),
        lambda i: (ROWS[i], ONE_HOT[i]),
        lambda i: (ROWS[i].tolist(), i),
    ],
    ids=["pair in a pair", "one-hot first", "both in a pair", "one-hot last", "a list"],
)
def test_the_line_that_makes_an_array_of_a_data_set_makes_that_of_the_data(make):
    x = Items(make)
    line = refused(as_tensor, x).removeprefix("x is a Items; give its rows as one array, ")
    made = eval(line.removesuffix("."), {"np": np, "torch": torch, "x": x})
    assert np.array_equal(np.asarray(made, dtype=np.float32), ROWS.numpy())


def test_the_tensor_of_the_data_is_that_which_is_no_label():
    for tensors, which in (((ONE_HOT, ROWS), 1), ((ROWS, ONE_HOT), 0), ((ONE_HOT,), 0)):
        words = refused(as_tensor, TensorDataset(*tensors))
        assert words == f"x is a TensorDataset; give x.tensors[{which}]."
