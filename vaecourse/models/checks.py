"""What every model asks of its arguments before it touches them."""

import torch


def check_dimensions(**dimensions):
    """Raise ValueError for a dimension that is not a positive integer."""
    for name, value in dimensions.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a positive integer.")


def check_data(x, data_dim, dtype):
    """Raise ValueError unless x is a finite tensor [B, data_dim] of the model's dtype."""
    if not isinstance(x, torch.Tensor):
        raise ValueError(f"x is a {type(x).__name__}; it must be a torch tensor of {dtype}.")
    if x.dtype != dtype:
        raise ValueError(f"x is of {x.dtype}; it must be of {dtype}, as the model's weights are.")
    if x.ndim != 2 or x.shape[1] != data_dim:
        raise ValueError(f"x has shape {list(x.shape)}; it must be [B, {data_dim}].")
    if not torch.isfinite(x).all():
        rows = int((~torch.isfinite(x)).any(dim=1).sum())
        raise ValueError(f"x has NaN or infinite values in {rows} of {len(x)} rows.")
