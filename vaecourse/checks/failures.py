"""Self-checks for programs around a VAE: a training step, an evaluation, a choice of model.

Taught in chapter 14. A program is tried on small models whose every number is known, and what
it does to them is watched: what it hands to the decoder, how it moves the weights, which data
it lets decide.
"""

import copy
import math

import torch
from torch import nn
from torch.distributions import MultivariateNormal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

from vaecourse.checks.answers import as_tensor, check_function, close, name_mistake, seeded
from vaecourse.checks.mistakes import Mistake
from vaecourse.checks.vae import reparameterize
from vaecourse.models import VAE

_RATE = 0.1
_BATCH_SIZES = (10, 16, 20, 32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1000, 1024)


def training_step(fn):
    """Check `fn(encoder, decoder, optimizer, x, generator) -> loss`: one step of training.

    `encoder` maps x [B, D] to [B, 2J], loc beside log_var; `decoder` maps z [B, J] to the logits
    [B, D] of binary pixels; `optimizer` holds the weights of both. The loss is −ELBO with one
    draw of z, averaged over the rows. Returns a sentence beginning "Right:"; raises `Mistake`
    with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    reparameterize(lambda loc, log_var, generator: _drawn(fn, loc, log_var, generator))
    run = _TinyRun()
    first = run.step(fn, seed=0)
    _check_loss(first)
    _check_move(first)
    second = run.step(fn, seed=1)
    carried = [a + b for a, b in zip(first["gradients"], second["gradients"])]
    if _moved_by(second, carried):
        raise Mistake(
            "The gradients of the step before are still in this one: call zero_grad() once a step."
        )
    if not _moved_by(second, second["gradients"]):
        raise Mistake("The first step is right, but the second does not follow its gradient.")
    return "Right: a draw of q, the loss in nats a row, and one step along its gradient."


def evaluate(fn):
    """Check `fn(model, x, generator) -> number`: the mean ELBO of the rows of x [N, D], in nats.

    `model` has encode, decode, prior and elbo, as `vc.models.VAE`. The answer must lie within
    five standard errors of the exact expectation. Returns a sentence beginning "Right:"; raises
    `Mistake` with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    model, x, exact = _known_model()
    before = copy.deepcopy(model.state_dict())
    answer = as_tensor(fn(model, x.clone(), seeded(0)))
    if any((value != before[name]).any() for name, value in model.state_dict().items()):
        raise Mistake("The weights have changed: an evaluation takes no step.")
    if answer.numel() != 1:
        raise Mistake(f"The answer has shape {list(answer.shape)}; give one number, the mean.")
    answer = answer.item()
    if not math.isfinite(answer):
        raise Mistake(f"The answer is {answer}; the mean ELBO of these rows is finite.")
    if abs(answer - exact["elbo"].mean()) > exact["tolerance"]:
        _name_evaluation(answer, exact)
    if as_tensor(fn(model, x.clone(), seeded(0))).item() != answer:
        raise Mistake("The same generator gives another number: pass it to whatever draws z.")
    return "Right: z is drawn, and every row counts once, in nats."


def model_selection(fn):
    """Check `fn(models, score, valid, test) -> (model, number)`: a choice, and what is reported.

    `score(model, x)` is a mean bound in nats, the larger the better; the data `valid` choose, and
    the number reported is of data that had no part in the choice. Returns a sentence beginning
    "Right:"; raises `Mistake` with one that names the mistake, TypeError when fn is not a
    function.
    """
    check_function(fn)
    models, valid, test = [_Candidate(k) for k in range(4)], torch.zeros(5, 2), torch.ones(7, 2)
    scores = {"valid": [-97.0, -94.0, -99.0, -95.0], "test": [-98.5, -96.5, -100.5, -92.5]}

    def score(model, x):
        side = {5: "valid", 7: "test"}.get(len(x), "both")
        if side == "both":
            raise Mistake("The two sets are joined or cut: score a model on one of them, whole.")
        return scores[side][model.index]

    answer = fn(models, score, valid, test)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Mistake("Return two things, the chosen model and the number to report.")
    model, number = answer
    if not isinstance(model, _Candidate):
        raise Mistake("The first thing returned must be one of the models.")
    _name_choice(model.index, as_tensor(number).item(), scores)
    return "Right: the validation data choose, and the test data are asked about one model."


def free_bits(fn):
    """Check `fn(kl, floor) -> scalar`: Σ_j max(floor, mean over rows of kl_j) in nats [KSW16].

    `kl` [B, J] holds the KL of each latent for each row. Returns a sentence beginning "Right:";
    raises `Mistake` with one that names the mistake, TypeError when fn is not a function.
    """
    check_function(fn)
    kl, floor = torch.rand(5, 4, generator=seeded(0), dtype=torch.float64), 0.5
    kl = kl * torch.tensor([0.2, 0.9, 2.0, 3.0], dtype=torch.float64)
    leaf = kl.clone().requires_grad_()
    answer = fn(leaf, floor)
    value = as_tensor(answer)
    if value.numel() != 1:
        raise Mistake(f"The answer has shape {list(value.shape)}; it is one number a minibatch.")
    average = kl.mean(0)
    wrong = [
        (average.sum(), "No latent is held at the floor: this is the KL as it is."),
        (kl.clamp(min=floor).mean(0).sum(), "The floor cuts row by row; average over rows first."),
        (average.sum().clamp(min=floor), "The floor cuts the sum; every latent has its own."),
        (average.clamp(max=floor).sum(), "max and min are swapped: this keeps the KL small."),
        (average.clamp(min=floor).mean(), "You averaged over the latents; sum over them."),
        (kl.sum(0).clamp(min=floor).sum(), "You summed over the rows; average over them."),
        ((average - floor).clamp(min=0).sum(), "The floor is subtracted; the KL itself stays."),
        ((average + floor).sum(), "The floor is added to every latent."),
    ]
    right = average.clamp(min=floor).sum()
    if not close(value.reshape(()), right):
        name_mistake(value.reshape(()), right, wrong)
    _check_slope(answer, leaf, average > floor)
    return "Right: a latent below the floor costs the floor, and has no reason to cost less."


# --- a step of training ----------------------------------------------------------------------


class _Caught(Exception):
    """Carries out of a reader's function what it hands to the decoder."""


class _Encoder(nn.Module):
    """Gives the parameters of q that it was made with, whatever x is."""

    def __init__(self, loc, log_var):
        super().__init__()
        self.loc, self.log_var = loc, log_var
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return torch.cat([self.loc, self.log_var], -1)


class _Catch(nn.Module):
    def forward(self, z):
        raise _Caught(z)


def _drawn(fn, loc, log_var, generator):
    """The z that the step hands to the decoder, with its graph, before any backward()."""
    encoder = _Encoder(loc, log_var)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.0)
    x = torch.zeros(len(loc), 7, dtype=torch.float64)
    try:
        fn(encoder, _Catch(), optimizer, x, generator)
    except _Caught as caught:
        z = caught.args[0]
        return z[0] if z.ndim == 3 and len(z) == 1 else z
    raise Mistake("The decoder is never asked: log p(x|z) needs its logits at a draw of z.")


class _Recorded(nn.Linear):
    """A layer that remembers what it was last given."""

    def forward(self, value):
        self.given = value.detach()
        return super().forward(value)


class _TinyRun:
    """A linear encoder and decoder, an optimizer, and five rows of seven pixels."""

    def __init__(self):
        self.nets = [_layer(7, 4, 0, nn.Linear), _layer(2, 7, 1, _Recorded)]
        self.x = torch.bernoulli(torch.full((5, 7), 0.4, dtype=torch.float64), generator=seeded(2))
        self.optimizer = torch.optim.SGD(self._weights(), lr=_RATE)

    def _weights(self):
        return [weight for net in self.nets for weight in net.parameters()]

    def step(self, fn, seed):
        """What the reader's step gave and did, beside what is right for the z that it drew."""
        encoder, decoder = copy.deepcopy(self.nets)
        before = [weight.detach().clone() for weight in self._weights()]
        loss = as_tensor(fn(*self.nets, self.optimizer, self.x.clone(), seeded(seed)))
        loc, log_var = encoder(self.x).chunk(2, -1)
        eps = (self.nets[1].given.reshape(5, 2) - loc.detach()) / (0.5 * log_var.detach()).exp()
        z = loc + (0.5 * log_var).exp() * eps
        bce = binary_cross_entropy_with_logits(decoder(z), self.x, reduction="none")
        kl = 0.5 * (log_var.exp() + loc.square() - 1 - log_var)
        weights = [*encoder.parameters(), *decoder.parameters()]
        gradients = torch.autograd.grad((bce.sum(1) + kl.sum(1)).mean(), weights)
        return {
            "loss": loss,
            "bce": bce.detach(),
            "kl": kl.detach(),
            "gradients": gradients,
            "moves": [b - w.detach() for b, w in zip(before, self._weights())],
            "has_gradient": any(weight.grad is not None for weight in self._weights()),
        }


def _layer(inputs, outputs, seed, kind):
    layer = kind(inputs, outputs).double()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(std=0.4, generator=seeded(seed))
    return layer


def _check_loss(step):
    loss, bce, kl = step["loss"], step["bce"], step["kl"]
    if loss.numel() != 1:
        raise Mistake(f"The loss has shape {list(loss.shape)}; return one number.")
    rows, pixels, latents = len(bce), bce.shape[1], kl.shape[1]
    distortion, rate = bce.sum(1).mean(), kl.sum(1).mean()
    wrong = [
        (distortion + rate / latents, "The KL is averaged over the latents; sum over them."),
        (distortion / pixels + rate, f"The mean over the pixels: the KL counts {pixels} times."),
        (distortion / pixels + rate / latents, "Both terms are averaged over dimensions; sum."),
        (distortion + kl.sum(), "The KL is summed over the rows, the cross entropy averaged."),
        (bce.sum() + rate, "The cross entropy is summed over the rows, the KL averaged."),
        (rows * (distortion + rate), "The loss is summed over the rows; average over them."),
        (distortion, "The KL is missing: this trains a noisy autoencoder."),
        (rate, "The cross entropy is missing: nothing asks for x."),
        (distortion - rate, "The KL has the wrong sign: it is a cost, so the loss adds it."),
        (distortion + 2 * rate, "The factor ½ of the KL is missing."),
        (-distortion - rate, "The sign is wrong: this is the ELBO; the loss is minus that."),
    ]
    if not close(loss.reshape(()), distortion + rate):
        name_mistake(loss.reshape(()), distortion + rate, wrong)


def _check_move(step):
    gradients, rows = step["gradients"], len(step["bce"])
    if not any(move.any() for move in step["moves"]):
        if step["has_gradient"]:
            raise Mistake("No weight has moved: step() is missing, or comes before backward().")
        raise Mistake(
            "No weight has moved: backward() is missing, or zero_grad() comes after it and "
            "before step()."
        )
    wrong = {
        "The weights move up the gradient, so that the loss rises.": -1,
        "The gradient is that of a sum over the rows, the loss returned is a mean.": rows,
        "Two steps are taken, or backward() is called twice.": 2,
    }
    for sentence, factor in wrong.items():
        if _moved_by(step, [factor * gradient for gradient in gradients]):
            raise Mistake(sentence)
    for name, part in (("encoder", slice(0, 2)), ("decoder", slice(2, 4))):
        if not any(move.any() for move in step["moves"][part]):
            raise Mistake(f"The {name} has not moved; no gradient reaches it.")
    if not _moved_by(step, gradients):
        raise Mistake("The weights do not move along the gradient of the loss that is returned.")


def _moved_by(step, gradients):
    return all(close(move, _RATE * g) for move, g in zip(step["moves"], gradients))


# --- an evaluation ---------------------------------------------------------------------------


def _known_model():
    """A linear Gaussian VAE, 5,003 rows, and the exact values of its bound.

    q has the mean of the posterior, a little to the side, and variances that are too large.
    """
    model = VAE(3, 2, (), likelihood="gaussian", noise_variance=0.36)
    with torch.no_grad():
        weight = torch.tensor([[1.5, 0.0], [0.4, 1.0], [-0.6, 0.8]])
        precision = torch.eye(2) + weight.T @ weight / 0.36
        model.decoder[0].weight.copy_(weight)
        model.decoder[0].bias.zero_()
        model.encoder[0].weight.zero_()[:2] = torch.linalg.solve(precision, weight.T / 0.36)
        model.encoder[0].bias[:2] = torch.tensor([-0.1, 0.1])
        model.encoder[0].bias[2:] = 0.5 - precision.diagonal().log()
        x = model.sample(5003, seeded(4))
        x[-3:] *= 25  # far out, so that a last batch of three rows makes itself felt
        return model, x, _exact_values(model, x)


def _exact_values(model, x):
    """Each [N] in nats, beside a tolerance: five standard errors of the mean at one draw a row."""
    q, weight, noise = model.encode(x), model.decoder[0].weight, model.likelihood.noise_variance
    at_mean, kl = model.decode(q.loc).log_prob(x), kl_divergence(q, model.prior)
    # log p(x|z) at z = loc + σ ε is at_mean + g·ε − ½ ε·Hε.
    g = (x - model.decode(q.loc).mean) @ weight / noise * q.scale
    h = weight.T @ weight / noise * q.scale[:, :, None] * q.scale[:, None, :]
    spread = 0.5 * h.diagonal(dim1=1, dim2=2).sum(1)
    variance = g.square().sum(1) + 0.5 * h.square().sum((1, 2))
    covariance = weight @ weight.T + noise * torch.eye(3)
    outside = model.decode(torch.zeros(2)).log_prob(x) - weight.square().sum() / noise / 2
    return {
        "at_mean": at_mean,
        "likelihood": at_mean - spread,
        "kl": kl,
        "elbo": at_mean - spread - kl,
        "from_prior": outside,
        "evidence": MultivariateNormal(model.decoder[0].bias, covariance).log_prob(x),
        "tolerance": 5 * variance.sum().sqrt().item() / len(x),
    }


def _name_evaluation(answer, exact):
    elbo, likelihood, kl = (exact[name].mean().item() for name in ("elbo", "likelihood", "kl"))
    at_mean, evidence = exact["at_mean"].mean().item(), exact["evidence"].mean().item()
    rows, tolerance = len(exact["elbo"]), exact["tolerance"]
    wrong = [
        (at_mean - kl, "z is the mean of q: this is no bound, and here it exceeds log p(x)."),
        (at_mean, "z is the mean of q, and the KL is missing: a reconstruction error."),
        (likelihood, "The KL is missing: this is log p(x|z) alone."),
        (likelihood + kl, "The KL is added; subtract it."),
        (-elbo, "The sign is wrong: this is the loss."),
        (likelihood - kl / 2, "The KL is averaged over the latents; sum over them."),
        (likelihood / 3 - kl, "log p(x|z) is averaged over dimensions; sum over them."),
        (exact["from_prior"].mean().item(), "z is drawn from the prior, which is no q of x."),
        (exact["from_prior"].mean().item() - kl, "z is drawn from the prior; draw it from q."),
    ]
    for value, sentence in wrong:
        if abs(answer - value) < tolerance + 0.01 * abs(value):
            raise Mistake(sentence)
    if abs(answer - rows * elbo) < rows * tolerance:
        raise Mistake("This is the sum over the rows; a mean compares with other data sets.")
    if elbo < answer < evidence + tolerance:
        raise Mistake(
            "This lies between the ELBO and log p(x), as the log of a mean of weights does; "
            "average the logs."
        )
    _name_batches(answer, exact)
    raise Mistake(f"The number is {answer:.3f} where {elbo:.3f} ± {tolerance:.3f} is right.")


def _name_batches(answer, exact):
    """Look for a usual size of batch that explains the answer."""
    at_mean = "z is the mean of q: this is no bound; and the batches do not count by their rows."
    for rows, sentence in ((exact["elbo"], None), (exact["at_mean"] - exact["kl"], at_mean)):
        for size in _BATCH_SIZES:
            full = len(rows) // size * size
            means, rest = rows[:full].view(-1, size).mean(1), rows[full:]
            averages = torch.cat([means, rest.mean()[None]]).mean()
            if abs(answer - averages) < exact["tolerance"] + 0.01 * abs(averages):
                raise Mistake(
                    sentence
                    or "The averages of batches are averaged, though the last is smaller: its rows "
                    "count for too much. Weigh each batch by its rows."
                )
            if abs(answer - means.mean()) < exact["tolerance"]:
                raise Mistake(sentence or "The last, smaller batch is left out.")


# --- a choice of model -----------------------------------------------------------------------


class _Candidate:
    def __init__(self, index):
        self.index = index


def _name_choice(index, number, scores):
    valid, test = scores["valid"], scores["test"]
    sentences = {
        test.index(max(test)): "The test data choose: the best of several scores is too good.",
        valid.index(min(valid)): "The worst is chosen: a bound is the better the larger it is.",
    }
    if index != valid.index(max(valid)):
        raise Mistake(
            sentences.get(index, "The chosen model is not the best on the validation data.")
        )
    if number == valid[index]:
        raise Mistake(
            "The validation score is reported, of data that chose the model; report the test score."
        )
    if number == max(test):
        raise Mistake("The best test score is reported, of a model that was not chosen.")
    if number != test[index]:
        raise Mistake(f"The number reported is {number:g}, which is not the chosen model's score.")


def _check_slope(answer, leaf, above):
    """The gradient by kl is 1/B above the floor and 0 below it."""
    if not (isinstance(answer, torch.Tensor) and answer.requires_grad):
        raise Mistake("The answer is detached: no gradient reaches kl.")
    (slope,) = torch.autograd.grad(answer.sum(), leaf)
    if not close(slope, above.double().expand_as(leaf) / len(leaf)):
        raise Mistake("The value is right, but the gradient is not that of the KL above the floor.")
