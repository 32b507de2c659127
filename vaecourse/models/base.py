"""What every model answers, so that who trains or judges one need not ask of what kind it is."""

import inspect
import math
from contextlib import contextmanager
from functools import wraps
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from torch import nn

from vaecourse import objectives
from vaecourse._arguments import (
    as_labels,
    as_rows,
    as_tensor,
    check_count,
    check_last_axis,
    check_list,
)

# What the parameters of models are; parameter files hold them to the same bounds.
Dimension = Annotated[int, Ge(1), Le(100_000_000)]
Count = Annotated[int, Ge(1), Le(10_000)]
Widths = Annotated[list[Dimension], MaxLen(100)]
ImageShape = Annotated[list[Dimension], MinLen(3), MaxLen(3)]
Channels = Annotated[list[Dimension], MinLen(1), MaxLen(20)]
Positive = Annotated[float, Gt(0)]
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]

CHUNK = 500  # rows at a time, where a metric is computed


@contextmanager
def evaluating(model):
    """`model` in evaluation for the block; afterwards each of its modules is in its mode before.

    So dropout and batch normalization of a module of one's own do as they do when it is used, and
    no running mean moves. What is no nn.Module has no mode.
    """
    modes = {}
    if isinstance(model, nn.Module):
        modes = {module: module.training for module in model.modules()}
        model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def judging(function):
    """`function(model, …)` without gradients, the model in evaluation: it is left as it was."""

    @wraps(function)
    def judge(model, *arguments, **settings):
        with torch.no_grad(), evaluating(model):
            return function(model, *arguments, **settings)

    return judge


def check_latent(model, prior=True):
    """Raise ValueError unless all that `model` draws for a row x is one latent z.

    Then q(z|x) is encode(x), p(x|z) is decode(z), and p(z) is `prior`; without `prior`, only
    encode(x) is asked for. So a model of more latents has no attribute of that name.
    """
    wanted = "encode(x), decode(z) and prior, p(z)," if prior else "encode(x)"
    try:
        inspect.signature(model.encode).bind("x")
        if prior:
            inspect.signature(model.decode).bind("z")
            model.prior.log_prob  # noqa: B018
    except (AttributeError, TypeError):
        raise ValueError(
            f"model is a {type(model).__name__}; this needs one with {wanted} of one latent z."
        ) from None


def checked(model, x):
    """x as `model.check` gives it; for a model of one's own without it, finite rows [N, D] of the
    type of its weights, if it has some."""
    if hasattr(model, "check"):
        return model.check(x)
    weights = model.parameters() if isinstance(model, nn.Module) else ()
    return as_rows(x, like=next(iter(weights), None))


def error_of_mean(values):
    """The standard error of the mean of `values` [N], as a float; NaN of one."""
    return (values.std() / len(values) ** 0.5).item() if len(values) > 1 else math.nan


class Model(nn.Module):
    """A model of rows of data: beside what is here it has `loss(x, generator)`.

    A parameter is written once: typed in the signature of `__init__`, described in the docstring
    of the class. `params`, the keys of a parameter file and their JSON schema follow from there.

    kind: its name in parameter files. loss_unit: of `loss`, for the axis of a figure.
    shows: the figures a run leaves of it; "latent" asks for `codes`, "reconstructions" for
    `reconstruct`. needs_labels: whether every row carries its label as one more column.
    """

    loss_unit = "−ELBO (nats per data point)"
    shows = ("latent", "reconstructions")
    needs_labels = False

    def __init__(self, arguments):
        """Keep `arguments`, the `locals()` of the model's own `__init__`, as `params`."""
        super().__init__()
        self.params = {"kind": self.kind}
        for name, value in arguments.items():
            if name in ("self", "__class__"):
                continue
            value = value.tolist() if hasattr(value, "tolist") else value
            if name in ("hidden", "channels", "image_shape") or (name[-7:] == "_hidden" and value):
                check_list(name, value)
                value = list(value)
            self.params[name] = list(value) if isinstance(value, tuple) else value

    def forward(self, *arguments, **settings):
        """Nothing: a model is not called itself. Raises NotImplementedError, naming what it has."""
        names = ("elbo", "encode", "decode", "classify", "reconstruct", "sample", "loss")
        named = ", ".join(name for name in names if hasattr(self, name))
        raise NotImplementedError(f"{type(self).__name__} is not called itself; it has {named}.")

    def tensor(self, x, length=None, argument="x"):
        """Data as a tensor of the type of the weights, where they are: see `_arguments`.

        Raises ValueError unless the last axis has that `length`, where one is told.
        """
        x = as_tensor(x, next(self.parameters()), argument)
        return x if length is None else check_last_axis(argument, x, length)

    def check(self, x):
        """x [B, D] as a tensor of the model's; ValueError where it is not data for this model."""
        x = as_rows(self.tensor(x), self.data_dim)
        if hasattr(self, "likelihood"):
            self.likelihood.check(x)
        return x

    def arrange(self, rows):
        """Rows of a data set, [N, D], in the shape that the model takes: here as they are."""
        return rows

    def prepare(self, x):
        """Look at the training data, checked, before the first step: here nothing is needed."""

    def check_width(self, columns, data="the data"):
        """Raise ValueError unless rows of that many columns can be data for this model."""
        name = "image_shape" if "image_shape" in self.params else "data_dim"
        if columns != self.data_dim:
            raise ValueError(f"{name} is {self.params[name]}; {data} have {columns} columns.")

    def check_axes(self, axes, data="x"):
        """Raise ValueError unless rows with these axes, made flat, are in the model's order.

        Here any order will do: the networks of most models know of no neighbours.
        """

    def codes(self, x):
        """A point of the latent space for each row of x [B, D], for a map: [B, J].

        Raises ValueError for x that is not data for this model.
        """
        check_latent(self, prior=False)
        x = self.check(x)
        with evaluating(self):
            return self.encode(x).mean

    def metrics(self, x, importance_samples, importance_rows, seed):
        """What `vc.evaluation.evaluate` says of the model on x; its arguments are told there, and
        it calls this without gradients, the model in evaluation.

        Here of a model with a bound; one without says its own.
        """
        x = self.check(x)
        generator = torch.Generator(device=x.device).manual_seed(seed)
        bound = self._bound_metrics(x, generator)
        dim = math.prod(x.shape[1:])
        images = min(CHUNK // 5, max(1, CHUNK // 5 * 784 // dim))  # few, if they are large
        bounds = [
            torch.logsumexp(self.log_weights(rows, importance_samples, generator), dim=0)
            for rows in x[:importance_rows].split(images)
        ]
        log_likelihood = (torch.cat(bounds) - math.log(importance_samples)).mean().item()
        return {**bound, "log_likelihood": log_likelihood}

    def _bound_metrics(self, x, generator):
        """The bound on checked x and its terms, by one draw for each row."""
        parts = [self.elbo_terms(rows, 1, generator) for rows in x.split(CHUNK)]
        elbo = torch.cat([part.elbo for part in parts])
        terms = zip(parts[0]._fields, zip(*parts))
        return {
            "elbo": elbo.mean().item(),
            "elbo_se": error_of_mean(elbo),
            **{name: torch.cat(values).mean().item() for name, values in terms},
        }


class LabelledModel(Model):
    """A model whose rows carry labels from 0 to `num_classes` − 1, K of them.

    It has `classify(x)`: log p(label|x), [B, K].
    """

    shows = ()
    needs_labels = True
    lowest_label = 0

    @judging
    def accuracy(self, x, label):
        """The share of x [N, D] whose most probable class is its label, of labels [N].

        Raises ValueError for labels that are not one class of the model's for each row.
        """
        x = as_rows(self.tensor(x), self.data_dim)
        label = torch.from_numpy(as_labels("label", label, len(x), high=self.num_classes - 1))
        chosen = torch.cat([self.classify(rows).argmax(1) for rows in x.split(CHUNK)])
        return (chosen.cpu() == label).double().mean().item()

    def check(self, rows):
        """`rows` [B, D + 1] as a tensor; ValueError where they are not such data for it."""
        rows = as_rows(self.tensor(rows), self.data_dim + 1, argument="rows")
        as_labels("rows[:, -1]", rows[:, -1], low=self.lowest_label, high=self.num_classes - 1)
        return rows


class LatentModel(Model):
    """A model with `encode`, `decode` and `prior`, and so with a bound on log p(x)."""

    def elbo_terms(self, x, num_samples=1, generator=None):
        """The terms of the bound for each row of x [B, D], each [B] in nats; their `elbo` also."""
        check_count("num_samples", num_samples)
        x = self.check(x)
        return objectives.elbo_terms(self, x, num_samples, generator)

    def elbo(self, x, num_samples=1, generator=None):
        """The bound on log p(x) for each row of x [B, D], by draws of z: [B], nats.

        It always samples z, in training and in evaluation; it can be trained, and so leaves the
        mode of the model as it is. Raises ValueError for x of the
        wrong shape, with NaN, or outside what the likelihood can give.
        """
        return self.elbo_terms(x, num_samples, generator).elbo

    def log_weights(self, x, num_samples, generator=None):
        """log p(x, z) − log q(z|x) at `num_samples` draws of z from q(z|x): [S, B], nats."""
        check_count("num_samples", num_samples)
        x = self.check(x)
        return objectives.log_weights(self, x, num_samples, generator)

    @judging
    def sample(self, n, generator=None):
        """n draws of x from the model, [n, D]: first z from the prior, then x given z."""
        z = self.prior.sample((check_count("n", n, 0),), generator)
        return self.decode(z).sample((), generator)

    @judging
    def reconstruct(self, x):
        """The mean of p(x|z) at the mean of q(z|x), [B, D]; a picture, not part of a bound."""
        x = self.check(x)
        return self.decode(self.encode(x).mean).mean
