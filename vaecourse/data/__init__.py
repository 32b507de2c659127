"""What x is: images that live in files, and synthetic sets in the plane whose density is known.

The names below are loaded when they are first used, so that listing or downloading files
does not wait for torch.
"""

from vaecourse._lazy import lazy

_MODULE = {
    "DataError": "files",
    "fetch": "files",
    "verify": "files",
    "Images": "images",
    "binarize": "images",
    "cifar10": "images",
    "frey_faces": "images",
    "mnist": "images",
    "static_mnist": "images",
    "SYNTHETIC": "synthetic_sets",
    "Sample": "synthetic_sets",
    "log_density": "synthetic_sets",
    "noiseless": "synthetic_sets",
    # No module may be called `synthetic`: importing it would hide the function of that name.
    "synthetic": "synthetic_sets",
}

__all__ = sorted(_MODULE)
__getattr__, __dir__ = lazy(__name__, _MODULE)
