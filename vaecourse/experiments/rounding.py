"""How large weights ship: in half precision, where none of their metrics shows it.

`vaecourse reproduce` rounds; `vaecourse train` and `vc.checkpoint.save` keep every bit.
"""

from vaecourse import checkpoint

LARGE = 600_000  # bytes of weights: smaller files would save little
EXACT = ("mnist_vae_2d",)  # experiments held against exact posteriors, image by image
RELATIVE, ABSOLUTE = 1e-4, 1e-3  # what a metric may move by, whichever is more


def rounded(model, before, measure):
    """Round the weights of `model` to float16, in place, unless they are few or a metric moves.

    before: its metrics, a dict; measure: the function of a model that gave them. Returns the
    metrics of the model as it is now, and what its record says of the rounding: `{}`, or
    `before_rounding`, a dict of `weights_sha256` and `metrics`.
    """
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    if sum(weight.nbytes for weight in weights.values()) < LARGE:
        return before, {}
    model.load_state_dict({name: weight.half() for name, weight in weights.items()})
    after = measure(model)
    if any(moved(after[key], value) for key, value in before.items()):
        model.load_state_dict(weights)
        return before, {}
    sha256 = checkpoint.weights_sha256(weights)
    return after, {"before_rounding": {"weights_sha256": sha256, "metrics": before}}


def moved(after, before):
    """Whether a metric is another number after the rounding; NaN is."""
    return not abs(after - before) <= max(RELATIVE * abs(before), ABSOLUTE)
