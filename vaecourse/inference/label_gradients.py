"""Gradients of the GMVAE's bound by φ: the label summed out, drawn, or relaxed (chapter 12).

Each function returns a surrogate for the bound, [B] in nats, whose gradient is the estimate; hand
it to `gradient_samples` to get one gradient a draw. Against the exact gradient, that of
`quadrature_bound`, three have no bias and one has:

    enumerated      Σ_y q(y|x) f(x, y, z_y)              K decoders a draw, the least variance
    score function  f(x, y, z_y) ∇ log q(y|x) + ∇ f      one decoder a draw, the most variance
    with a baseline f less the mean over the other draws of y
    relaxed         f at a softmax in place of y          one decoder a draw, biased

where f = log p(x|z) − KL(q(z|x,y) ‖ p(z|y)); KL(q(y|x) ‖ p(y)) is closed in all of them.
"""

import torch
from torch.distributions import kl_divergence

from vaecourse._arguments import check_choice, check_count, check_positive
from vaecourse.inference.posteriors import gauss_hermite
from vaecourse.models.gmvae import gumbel_noise

BASELINES = ("none", "leave_one_out")


def quadrature_bound(model, x, num_nodes=40):
    """The bound of `model` for x [B, D] without any draw: Σ over y, Gauss–Hermite over z; [B].

    Costs K · num_nodes**J decoders: for a latent of one or two dimensions. Exact to rounding for
    decoders that are smooth on the scale of q(z|x, y), so not for relu.
    """
    x = model.check(x)
    eps, weights = gauss_hermite(num_nodes, model.latent_dim)
    q = model.encode(x)
    z = q.latent.loc + q.latent.scale * eps[:, None, None].to(x.dtype)
    log_likelihood = torch.einsum(
        "n,nbk->bk", weights.to(x.dtype), model.decode(z).log_prob(x[:, None])
    )
    value = log_likelihood - kl_divergence(q.latent, model.prior.latent)
    return (q.label.probs * value).sum(1) - model.kl_y(q)


def enumerated_bound(model, x, generator=None):
    """The bound with y summed over and one z drawn for each y: `model.elbo`."""
    return model.elbo(x, 1, generator)


def score_function_bound(model, x, generator=None, num_samples=1, baseline="none"):
    """One z at each of `num_samples` draws of y; ∇ q(y|x) by the score function [Wil92].

    baseline: "leave_one_out" subtracts from f the mean over the other draws, of which there must
    then be some. The value is that of the drawn bound; only the gradient has the extra term.
    """
    check_choice("baseline", baseline, BASELINES)
    check_count("num_samples", num_samples)
    if baseline == "leave_one_out" and num_samples < 2:
        raise ValueError("num_samples is 1; leaving one out needs at least 2.")
    x = model.check(x)
    q = model.encode(x)
    y = q.sample_label((num_samples,), generator)
    corner = torch.nn.functional.one_hot(y, model.num_components).to(x.dtype)
    f = _value_at(model, x, corner, generator)
    signal = f.detach()
    if baseline == "leave_one_out":
        signal = signal - (signal.sum(0) - signal) / (num_samples - 1)
    log_q = q.label.log_prob(y)
    return (f + signal * (log_q - log_q.detach())).mean(0) - model.kl_y(q)


def relaxed_bound(model, x, temperature, generator=None):
    """f at y = softmax((log q(y|x) + Gumbel noise) / temperature) [JGP17; MMT17].

    The gradient passes through y. It is that of another objective, which tends to the bound as the
    temperature falls, while the variance grows. Raises ValueError for a temperature not above 0.
    """
    check_positive("temperature", temperature)
    x = model.check(x)
    q = model.encode(x)
    noise = gumbel_noise(q.label.logits.shape, x, generator)
    y = torch.softmax((q.label.logits + noise) / temperature, dim=-1)
    return _value_at(model, x, y, generator) - model.kl_y(q)


def _value_at(model, x, y, generator):
    """f = log p(x|z) − KL(q(z|x,y) ‖ p(z|y)) for weights y [..., B, K], z drawn: [..., B]."""
    q = model.latent_at(x, y)
    z = q.rsample((), generator)
    return model.decode(z).log_prob(x) - kl_divergence(q, model.prior_at(y))


def inference_parameters(model):
    """φ: the parameters of q(y|x) and q(z|x, y)."""
    parts = (model.body, model.to_label, model.to_latent)
    return [p for part in parts for p in part.parameters()] + [model.shift]


def gradient(bound, parameters):
    """∇ of the sum of `bound` [B] by the parameters, as one vector [P]."""
    slopes = torch.autograd.grad(bound.sum(), parameters, materialize_grads=True, allow_unused=True)
    return torch.cat([slope.flatten() for slope in slopes])


def gradient_samples(surrogate, parameters, num_samples):
    """The gradients of `num_samples` calls of `surrogate()`, which draws anew: [S, P]."""
    check_count("num_samples", num_samples)
    return torch.stack([gradient(surrogate(), parameters) for _ in range(num_samples)])
