"""What to say when a loss is no longer finite: which term broke, on what data, and what helps.

Each cure is named only where a test has seen it help. Taught in chapter 14.
"""

import torch

from vaecourse.likelihoods import GaussianLikelihood

TERMS = {
    "reconstruction": "log p(x|z)",
    "kl": "the KL",
    "kl_z": "the KL of z",
    "kl_y": "the KL of y",
}
FAR = 30  # beyond it, values of x are the first thing to mend


@torch.no_grad()
def what_broke(model, x, begun):
    """One or two sentences on the batch x [B, ...] at which the loss of `model` broke.

    begun: whether a step was taken before; if not, the run's learning rate has no part in it.
    """
    low, high = x.min().item(), x.max().item()
    return f"{_term(model, x)}, for x from {low:g} to {high:g}. {_cure(model, x, begun)}"


def _term(model, x):
    if not all(weight.isfinite().all() for weight in model.parameters()):
        return "the step before left weights that are not finite"
    if not hasattr(model, "elbo_terms"):
        return "the weights are finite, the loss is not"
    terms = model.elbo_terms(x, 1, torch.Generator(device=x.device).manual_seed(0))
    broken = [
        TERMS.get(name, name)
        for name, value in zip(terms._fields, terms)
        if not value.isfinite().all()
    ]
    verb = "are" if len(broken) > 1 else "is"
    return f"{' and '.join(broken) or 'the mean'} {verb} not finite"


def _cure(model, x, begun):
    likelihood = getattr(model, "likelihood", None)
    if isinstance(likelihood, GaussianLikelihood) and not likelihood.standardize:
        high = x.flatten(0, -2).abs().amax(dim=0)
        if high.max() > FAR:
            own = "standardize" in getattr(model, "params", {})
            cure = "try standardize" if own else "standardize the data before"
            return f"Column {int(high.argmax()) + 1} of x is farthest from 0: {cure}."
    if not begun and getattr(likelihood, "standardize", False):
        high = likelihood.scaled(x).abs().amax(dim=0)
        if high.max() > FAR:
            return (
                f"Column {int(high.argmax()) + 1} of x lies {high.max():.3g} standard deviations "
                "from the mean by which the model standardizes, that of its first fit: train a new "
                "model on x."
            )
    if not begun:
        return "No step of this run was taken: look at x and the model, not at the learning_rate."
    return "A smaller learning_rate may help."
