"""The checks of chapter 11 accept what is right and name what is wrong."""

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

import vaecourse as vc


def gradients(x, mean, log_var):
    return (mean - x) / log_var.exp(), 0.5 * (1 - (mean - x) ** 2 / log_var.exp())


def by_autograd(x, mean, log_var):
    mean, log_var = mean.clone().requires_grad_(), log_var.clone().requires_grad_()
    loss = -Normal(mean, (log_var / 2).exp()).log_prob(x).sum()
    return torch.autograd.grad(loss, (mean, log_var))


def with_numpy(x, mean, log_var):
    x, mean, log_var = (value.numpy() for value in (x, mean, log_var))
    precision = np.exp(-log_var)
    return [(mean - x) * precision, 0.5 - 0.5 * precision * (x - mean) ** 2]


@pytest.mark.parametrize("answer", [gradients, by_autograd, with_numpy])
def test_right_output_gradients_pass(answer):
    assert vc.checks.output_gradients(answer).startswith("Right:")


WRONG_GRADIENTS = {
    "this is the derivative of \\+log p": lambda x, m, v: [-g for g in gradients(x, m, v)],
    "as if log_var were log σ": lambda x, m, v: gradients(x, m, 2 * v),
    "divide by σ²": lambda x, m, v: ((m - x) / (v / 2).exp(), gradients(x, m, v)[1]),
    "multiplied by the variance": lambda x, m, v: ((m - x) * v.exp(), gradients(x, m, v)[1]),
    "variance is missing": lambda x, m, v: (m - x, gradients(x, m, v)[1]),
    "factor 2 is left": lambda x, m, v: (2 * gradients(x, m, v)[0], gradients(x, m, v)[1]),
    "A ½ is missing": lambda x, m, v: (gradients(x, m, v)[0], 2 * gradients(x, m, v)[1]),
    "The 1 is missing": lambda x, m, v: (gradients(x, m, v)[0], gradients(x, m, v)[1] - 0.5),
    "by σ²; log σ² was asked": lambda x, m, v: (
        gradients(x, m, v)[0],
        gradients(x, m, v)[1] / v.exp(),
    ),
    "the average comes later": lambda x, m, v: [g / len(x) for g in gradients(x, m, v)],
    "shape .2.; it must be": lambda x, m, v: [g.mean(0) for g in gradients(x, m, v)],
    "wrong order": lambda x, m, v: gradients(x, m, v)[::-1],
    "return 2 things": lambda x, m, v: gradients(x, m, v)[0],
    "at .0, 0. your answer": lambda x, m, v: (x, v),
}


@pytest.mark.parametrize("sentence", WRONG_GRADIENTS)
def test_wrong_output_gradients_are_named(sentence):
    with pytest.raises(vc.checks.Mistake, match=sentence):
        vc.checks.output_gradients(WRONG_GRADIENTS[sentence])


def prior(loc):
    return MultivariateNormal(torch.zeros_like(loc), torch.eye(loc.shape[1]).double())


def kl(loc, scale_tril):
    q = MultivariateNormal(loc, scale_tril=scale_tril)
    return kl_divergence(
        q, MultivariateNormal(torch.zeros_like(loc), torch.eye(loc.shape[1]).double())
    )


def diagonal(scale_tril):
    return scale_tril.diagonal(dim1=1, dim2=2)


def written_out(loc, scale_tril):
    covariance = scale_tril @ scale_tril.mT
    trace = torch.einsum("bii->b", covariance)
    return 0.5 * (
        trace + (loc**2).sum(1) - loc.shape[1] - torch.linalg.slogdet(covariance).logabsdet
    )


@pytest.mark.parametrize("answer", [kl, written_out, lambda m, s: kl(m, s).numpy()])
def test_right_full_covariance_kl_passes(answer):
    assert vc.checks.full_covariance_kl(answer).startswith("Right:")


def reverse(loc, scale_tril):
    q = MultivariateNormal(loc, scale_tril=scale_tril)
    return kl_divergence(
        MultivariateNormal(torch.zeros_like(loc), torch.eye(loc.shape[1]).double()), q
    )


WRONG_KL = {
    "direction is turned": reverse,
    "½ before the sum": lambda m, s: 2 * kl(m, s),
    "Averaged over the latents": lambda m, s: kl(m, s) / m.shape[1],
    "only the diagonal of L": lambda m, s: kl(m, torch.diag_embed(diagonal(s))),
    "that of L Lᵀ": lambda m, s: kl(m, s) + 0.5 * (diagonal(s).sum(1) - s.square().sum((1, 2))),
    "one half of it is missing": lambda m, s: kl(m, s) + 0.5 * diagonal(s).log().sum(1),
    "log determinant is missing": lambda m, s: kl(m, s) + diagonal(s).log().sum(1),
    "wrong sign": lambda m, s: kl(m, s) + 2 * diagonal(s).log().sum(1),
    "The J is missing": lambda m, s: kl(m, s) + 0.5 * m.shape[1],
    "Averaged over the batch": lambda m, s: kl(m, s).mean(),
    "sum without keepdim": lambda m, s: kl(m, s)[:, None],
    "returns nothing": lambda m, s: None,
    "At .0. your answer": lambda m, s: m.sum(1),
}


@pytest.mark.parametrize("sentence", WRONG_KL)
def test_wrong_full_covariance_kls_are_named(sentence):
    with pytest.raises(vc.checks.Mistake, match=sentence):
        vc.checks.full_covariance_kl(WRONG_KL[sentence])
