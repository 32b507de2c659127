"""What makes a step of training, and how long the steps are. Taught in chapter 10."""

import math

import torch

from vaecourse._arguments import check_choice, chosen
from vaecourse._files import below


class Muon:
    """Muon [Jor24] for matrices, Adam for what else there is, biases say; both with one rate.

    A step of Muon makes all singular values of a matrix' gradient, averaged over steps, equal to
    about one, and so moves in directions that Adam hardly sees. With the length of [Liu25], which
    torch calls "match_rms_adamw", a rate that suits Adam suits it.
    """

    def __init__(self, parameters, lr, fused):
        if not hasattr(torch.optim, "Muon"):
            raise ValueError(
                f"optimizer is 'muon', which torch {torch.__version__} lacks; use adam."
            )
        parameters = list(parameters)
        matrices = [parameter for parameter in parameters if parameter.ndim == 2]
        others = [parameter for parameter in parameters if parameter.ndim != 2]
        muon = {"weight_decay": 0.0, "adjust_lr_fn": "match_rms_adamw"}
        self.parts = [torch.optim.Muon(matrices, lr, **muon)] if matrices else []
        self.parts += [torch.optim.Adam(others, lr, fused=fused)] if others else []

    @property
    def param_groups(self):
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none=True):
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self):
        for part in self.parts:
            part.step()


OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "muon": Muon}
SCHEDULES = ("constant", "cosine", "step")


def build_optimizer(name, parameters, learning_rate):
    """Adam [KB15], stochastic gradient descent, or Muon; ValueError for another name."""
    return chosen("optimizer", name, OPTIMIZERS)(parameters, lr=learning_rate, fused=True)


def optimizer_state(optimizer):
    """What the optimizer remembers from step to step, as a dict of tensors."""
    return {
        f"{part}.{index}.{name}": value
        for part, each in enumerate(_parts(optimizer))
        for index, state in each.state_dict()["state"].items()
        for name, value in state.items()
    }


def load_optimizer(optimizer, tensors):
    """Go on from what `optimizer_state` returned."""
    for part, each in enumerate(_parts(optimizer)):
        content, kept = each.state_dict(), below(tensors, f"{part}.")
        indices = {name.split(".")[0] for name in kept}
        content["state"] = {int(index): below(kept, f"{index}.") for index in indices}
        each.load_state_dict(content)


def _parts(optimizer):
    return getattr(optimizer, "parts", [optimizer])


def scheduled_rate(schedule, learning_rate, epoch, epochs):
    """The learning rate in `epoch`, counted from zero, of `epochs`.

    "constant"; "cosine": down to zero along half a wave [LH17]; "step": a tenth from half of the
    epochs on, a hundredth from three quarters on. Raises ValueError for another name.
    """
    check_choice("schedule", schedule, SCHEDULES)
    part = epoch / epochs
    if schedule == "cosine":
        return learning_rate * 0.5 * (1 + math.cos(math.pi * part))
    if schedule == "step":
        return learning_rate * 0.1 ** ((part >= 0.5) + (part >= 0.75))
    return learning_rate
