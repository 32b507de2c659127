"""What makes a step of training, and how long the steps are. Taught in chapter 10."""

import math

import torch

from vaecourse._arguments import check_choice, chosen

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
SCHEDULES = ("constant", "cosine", "step")


def build_optimizer(name, parameters, learning_rate):
    """Adam [KB15] or stochastic gradient descent; ValueError for another name."""
    return chosen("optimizer", name, OPTIMIZERS)(parameters, lr=learning_rate, fused=True)


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
