"""A module of one's own as a model of the course: bounds, evaluation, training, explorers."""

import math
import warnings
from contextlib import contextmanager

import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, Poisson

from vaecourse import objectives
from vaecourse._arguments import (
    check_axes,
    check_counts,
    check_last_axis,
    check_list,
    check_sized,
)
from vaecourse._files import plain
from vaecourse.distributions import (
    BernoulliPixels,
    DiagonalGaussian,
    DiagonalPosterior,
    FullGaussian,
    FullPosterior,
    PoissonCounts,
)
from vaecourse.likelihoods import likelihood_of
from vaecourse.models.base import LatentModel, evaluating
from vaecourse.models.ranges import POSITIVE, never_negative, range_of

ENCODES = "a pair (mean, log_var) or a torch.distributions Normal or MultivariateNormal"
DECODES = "a tensor or a torch.distributions Bernoulli, Normal or Poisson"
FAMILIES = {BernoulliPixels: "bernoulli", DiagonalGaussian: "gaussian", PoissonCounts: "poisson"}


def wrap(encoder, decoder=None, *, shape, likelihood="bernoulli", noise_variance=None):
    """A model of the course from a module of your own; it shares the module's weights.

    encoder: a module that takes x [B, *shape] to q(z|x): (mean, log_var), each [B, J], or a Normal
        or MultivariateNormal of torch.distributions. Without a decoder, a module with `encode`
        and `decode` that do so.
    decoder: a module that takes z [B, J] to p(x|z): a tensor [B, *shape], which is what
        `likelihood` says, or a Bernoulli, Normal or Poisson of torch.distributions. A row may come
        flat, [B, D].
    shape: of a data point: (784,), or (3, 32, 32) for a network of images. Data go in as rows
        [N, D], plane after plane, or as [N, *shape].
    likelihood: what a tensor means: "bernoulli", logits; "gaussian", means; "poisson", log rates.
    noise_variance: of a Gaussian likelihood: a number, or learned as "shared" or "per_dimension".
        For variances from z return a Normal.

    What is to be a log variance or a log rate, and comes from an exponential or a softplus as a
    last step, is refused: it is none. Of what else is never below 0, as behind a ReLU, or at any
    weights that are tried, a warning says so. Of other numbers nobody sees whether they are the
    logarithm of a variance or that of a deviation: a Normal says it.

    p(z) is N(0, I), whatever `prior` the module has. What judges a model puts it in evaluation for
    that time; with dropout or batch normalization, call `eval()` before `elbo` and `log_weights`,
    which can be trained. Raises ValueError, which names the method, for what it cannot take.
    """
    check_list("shape", shape)
    return Wrapped(encoder, decoder, tuple(shape), likelihood, noise_variance)


class Wrapped(LatentModel):
    """What `wrap` returns."""

    kind = "own"

    def __init__(self, encoder, decoder, shape, likelihood, noise_variance):
        nn.Module.__init__(self)
        check_counts(**{f"shape[{axis}]": length for axis, length in enumerate(shape)})
        self.shape, self.data_dim = shape, math.prod(shape)
        if not isinstance(encoder, nn.Module):
            raise ValueError(f"encoder is a {type(encoder).__name__}; it must be an nn.Module.")
        if decoder is None:
            for method in ("encode", "decode"):
                if not callable(getattr(encoder, method, None)):
                    raise ValueError(
                        f"{type(encoder).__name__} has no method {method}; it needs encode and "
                        "decode, or give an encoder and a decoder."
                    )
            if hasattr(encoder, "prior"):
                warnings.warn(
                    f"{type(encoder).__name__} has a prior, which is not used: p(z) of a wrapped "
                    "module is N(0, I).",
                    stacklevel=3,  # who called wrap
                )
            self.module, self._encode, self._decode = encoder, encoder.encode, encoder.decode
        else:
            self._encode, self._decode = encoder, decoder
        for name, part in (("encoder", encoder), ("decoder", decoder)):
            if isinstance(part, nn.Module):
                check_sized(name, part)
        weights = {name: list(weight.shape) for name, weight in self.named_parameters()}
        if not weights:
            raise ValueError(f"{type(encoder).__name__} has no weights to train.")
        self.likelihood = likelihood_of(likelihood, self.data_dim, noise_variance)
        self.params = {"kind": self.kind, "shape": list(shape), "likelihood": likelihood}
        self.params |= {"noise_variance": noise_variance, "weights": weights}
        self._probe()

    @property
    def decoder(self):
        """The decoder's own network, for a page that runs it."""
        return getattr(self.module, "decoder", None) if "module" in self._modules else self._decode

    @property
    def prior(self):
        """p(z) = N(0, I), over [J]."""
        return self.posterior.prior(like=next(self.parameters()))

    @torch.no_grad()
    def _probe(self):
        """Ask for q(z|x) and p(x|z) once, so that what does not fit is refused at once."""
        weight = next(self.parameters())
        try:
            with evaluating(self):
                # no 0, and no row of equal values: a module may divide by a sum or a deviation
                x = torch.linspace(0.5, 1, 2 * self.data_dim).to(weight).reshape(2, -1)
                q = self.encode(x)
                self.latent_dim = q.mean.shape[1]
                self._check_log_var(x)
                p = self.decode(q.mean)
                self._check_range(q.mean, p)
        except (ValueError, UserWarning):
            raise
        except Exception as error:  # whatever a strange module does with an x or a z
            raise ValueError(
                f"x of shape {[2, *self.shape]} does not go through encode and decode: "
                f"{plain(str(error).splitlines()[0] if str(error) else type(error).__name__)}"
            ) from None
        full = isinstance(q, FullGaussian)
        self.posterior = (FullPosterior if full else DiagonalPosterior)(self.latent_dim)
        if not self.is_tensor:
            del self.likelihood  # a Gaussian one is a module, which no other kind may replace
            self.likelihood = likelihood_of(FAMILIES[type(p)], self.data_dim)

    def _check_log_var(self, x):
        """Refuse a pair of a mean and a deviation, or a variance, where that is sure."""
        self._check_logarithm(
            lambda x: self._encode(x.reshape(-1, *self.shape))[1],
            x,
            "encode gives a second output that is never below 0",
            "a deviation or a variance",
            "which is a log variance here: no variance",
            "give the logarithm of the variance, or return torch.distributions.Normal(mean, "
            "deviation)",
        )

    def _check_range(self, z, p):
        """Refuse a tensor of probabilities or rates where their logits or logarithms are meant, and
        warn of logits that leave pixels but half of the probabilities."""
        if not self.is_tensor:
            return
        if isinstance(p, PoissonCounts):
            self._check_logarithm(
                self._decode,
                z,
                "decode gives values that are never below 0",
                "rates",
                "which are log rates here: no rate",
                "give their logarithms, or return torch.distributions.Poisson(rate), for rates "
                "above 0",
            )
        if not isinstance(p, BernoulliPixels):
            return
        low, high = range_of(lambda: self._decode(z.clone()))
        if (low >= 0 and high <= 1) or self._gives_probabilities(z, p.logits):
            raise ValueError(
                "decode gives values between 0 and 1, as a sigmoid does; give the logits "
                "before it, or return torch.distributions.Bernoulli(probs=...)."
            )
        ends = torch.tensor([low, high]).sigmoid().tolist()
        if ends[1] - ends[0] <= 0.5:
            values = f"{low:g} to {high:g}".replace("inf", "∞").replace("-", "−")
            warnings.warn(
                f"decode gives values from {values}, and its tensor is logits: no pixel's "
                f"probability leaves {ends[0]:.2g} to {ends[1]:.2g}; without the step that "
                "bounds them it may be any.",
                stacklevel=6,  # who called wrap
            )

    def _check_logarithm(self, call, x, found, likely, taken, cure):
        """Refuse what an exponential or a softplus makes positive where a logarithm is meant; warn
        of what else is never below 0, for that may be meant."""
        if range_of(lambda: call(x.clone()), POSITIVE)[0] >= 0:
            raise ValueError(f"{found}, as {likely}; {cure}.")
        low, _ = range_of(lambda: call(x.clone()))
        if low < 0 and never_negative(call, x, self.parameters()):
            found, low = f"{found} at any weights tried", 0
        if low >= 0:
            warnings.warn(
                f"{found}, {taken} is below {math.exp(low):.2g}; if you mean {likely}, {cure}.",
                stacklevel=7,
            )

    def _gives_probabilities(self, z, values):
        """Whether what decode gives is within 0 and 1 also for far z, though no step says so."""
        far = torch.full_like(z, 100.0)
        far[1:] = -100.0
        ends = self.decode(far).logits
        odds = all(bool(((v >= 0) & (v <= 1)).all()) for v in (values, ends))
        return odds and self.data_dim > 15 and not torch.equal(values, ends)

    def encode(self, x):
        """q(z|x) for x [..., D] or [..., *shape]: a distribution over z [..., J]."""
        x = self.tensor(x)
        if x.shape[-1:] != (self.data_dim,) and x.shape[-len(self.shape) :] == self.shape:
            lead = x.shape[: -len(self.shape)]
        else:
            lead = check_last_axis("x", x, self.data_dim).shape[:-1]
        with _rows_enough("encode"):
            q = self._encode(x.reshape(-1, *self.shape))
        if isinstance(q, tuple | list) and len(q) == 2:
            mean, log_var = q
        elif isinstance(q, MultivariateNormal):
            return FullGaussian(
                self._latents(q.mean, lead), q.scale_tril.reshape(*lead, *q.scale_tril.shape[-2:])
            )
        elif isinstance(_base(q), Normal):
            mean, log_var = q.mean, 2 * _base(q).scale.log()
        else:
            many = f" of {len(q)}" if isinstance(q, tuple | list) else ""
            raise ValueError(f"encode gives a {type(q).__name__}{many}; it must give {ENCODES}.")
        mean, log_var = self._latents(mean, lead), self._latents(log_var, lead)
        if mean.shape != log_var.shape:
            widths = f"{mean.shape[-1]} means and {log_var.shape[-1]} log variances"
            one = ", log_var.expand_as(mean) for one that all share"
            cure = one if log_var.shape[-1] == 1 else ""
            raise ValueError(f"encode gives {widths} a row; it must give equally many{cure}.")
        return DiagonalGaussian(mean, log_var)

    def _latents(self, values, lead):
        if not isinstance(values, torch.Tensor):
            kind = type(values).__name__
            raise ValueError(f"encode gives a {kind} in a pair; it must give {ENCODES}.")
        found, rows = list(values.shape), math.prod(lead)
        if values.ndim != 2 or len(values) != rows:
            raise ValueError(f"encode gives latents of shape {found}; it must be [{rows}, J].")
        _check_full("encode", values)
        return values.reshape(*lead, values.shape[-1])

    def decode(self, z):
        """p(x|z) for z [..., J]: a distribution over x [..., D]."""
        z = self.tensor(z, self.latent_dim, "z")
        flat = z.reshape(-1, z.shape[-1])
        with _rows_enough("decode"):
            out = self._decode(flat)
        self.is_tensor = isinstance(out, torch.Tensor)
        p = _base(out)

        def rows(values):
            wanted = [len(flat), *self.shape]
            axes = [length for length in values.shape[1:] if length > 1]
            fits = len(values) == len(flat) and math.prod(axes) == self.data_dim
            ordered = [length for length in self.shape if length > 1]
            # a row may come flat, and an axis of one is no order; what is flat x may have any
            if not fits or (len(ordered) > 1 and axes not in (ordered, [self.data_dim])):
                raise ValueError(f"decode gives {list(values.shape)}; it must be {wanted}.")
            _check_full("decode", values)
            return values.reshape(*z.shape[:-1], self.data_dim)

        if self.is_tensor:
            values = rows(out)
            if getattr(self.likelihood, "from_z", False):
                raise ValueError(
                    f"noise_variance is {self.params['noise_variance']!r}, but decode gives means "
                    "alone; it must be a positive number, 'shared' or 'per_dimension', or decode "
                    "must return torch.distributions.Normal(mean, deviation)."
                )
            return self.likelihood(values)
        if isinstance(p, Bernoulli):
            return BernoulliPixels(rows(p.logits))
        if isinstance(p, Normal):
            return DiagonalGaussian(rows(p.loc), rows(2 * p.scale.log()))
        if isinstance(p, Poisson):
            return PoissonCounts(rows(p.rate.log()))
        raise ValueError(f"decode gives a {type(out).__name__}; it must give {DECODES}.")

    def loss(self, x, generator=None):
        """−ELBO averaged over the rows of x, one draw of z each."""
        return -objectives.elbo_terms(self, x, 1, generator).elbo.mean()

    def check_axes(self, axes, data="x"):
        """Raise ValueError unless the axes are those of `shape`, one by one."""
        if len(axes) > 1:
            check_axes(data, axes, self.shape)

    def check(self, x):
        """x as rows [B, D]; ValueError where it is not data for this model."""
        x = self.tensor(x)
        if x.ndim > 2:
            self.check_axes(x.shape[1:])
            x = x.flatten(1)
        return super().check(x)


def _check_full(method, values):
    """Refuse what a module has computed in half precision, within a torch.autocast of its own."""
    if values.dtype in (torch.float16, torch.bfloat16):
        raise ValueError(
            f"{method} gives {values.dtype}, in which no bound is taken: compute in float32, "
            "outside of torch.autocast."
        )


@contextmanager
def _rows_enough(method):
    """Say what batch normalization wants that has a single row."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            f"{method} normalizes the batch, which takes more than 1 value per channel, and has "
            "one row: give two, or judge by the running means, after eval()."
        ) from None


def _base(p):
    while isinstance(p, Independent):
        p = p.base_dist
    return p
