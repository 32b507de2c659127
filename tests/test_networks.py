"""The bodies: what a network with a hidden layer for every head computes."""

import pytest
import torch

import vaecourse as vc
from vaecourse.networks import mlp


def test_separate_heads_share_all_but_the_last_hidden_layer():
    network = mlp([2, 5, 4, 3], heads=(1, 2), generator=torch.Generator().manual_seed(0))
    first, _, second, _, last = network
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(1))
    shared = first(x).relu()
    one = (shared @ second.weight[:4].T + second.bias[:4]).relu() @ last.weight[:1].T
    two = (shared @ second.weight[4:].T + second.bias[4:]).relu() @ last.weight[1:].T
    expected = torch.cat([one, two], dim=1) + last.bias
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-6)


def test_separate_heads_work_over_samples_and_data():
    network = mlp([2, 4, 3], heads=(1, 2), generator=torch.Generator().manual_seed(0))
    x = torch.randn(5, 7, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(x)[3], network(x[3]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("posterior", "weights"), [("diagonal", 67_848), ("full", 84_489)])
def test_the_network_of_the_slides_has_so_many_weights(posterior, weights):
    # Each side: 2·128 + 128, then for every head a layer 128·128 + 128 and 128·2 + 2 outputs;
    # the full covariance adds a head with one output to the encoder.
    model = vc.models.VAE(
        2, 2, (128, 128), likelihood="gaussian", posterior=posterior, separate_heads=True
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == weights


def test_heads_need_a_hidden_layer_to_separate():
    with pytest.raises(ValueError, match="separate heads need a hidden layer"):
        mlp([2, 3], heads=(1, 2), generator=torch.Generator())
