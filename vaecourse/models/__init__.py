"""The models of the course; each knows its own parameters and can be built again from them."""

from vaecourse._arguments import chosen
from vaecourse.models.autoencoder import Autoencoder, mean_autoencoder
from vaecourse.models.classifier import Classifier, labelled
from vaecourse.models.conv_vae import ConvVAE
from vaecourse.models.diffusion import Diffusion
from vaecourse.models.factor_analysis import FactorAnalysis
from vaecourse.models.gmvae import GMVAE
from vaecourse.models.hierarchical import HierarchicalVAE
from vaecourse.models.m2 import M2
from vaecourse.models.vae import VAE
from vaecourse.models.vq import VQVAE
from vaecourse.models.vrnn import VRNN
from vaecourse.models.wrapped import wrap

MODELS = (
    VAE,
    ConvVAE,
    Autoencoder,
    Classifier,
    FactorAnalysis,
    GMVAE,
    M2,
    VRNN,
    HierarchicalVAE,
    Diffusion,
    VQVAE,
)
KINDS = {model.kind: model for model in MODELS}

__all__ = [
    "GMVAE",
    "M2",
    "VAE",
    "VQVAE",
    "VRNN",
    "Autoencoder",
    "Classifier",
    "ConvVAE",
    "Diffusion",
    "FactorAnalysis",
    "HierarchicalVAE",
    "build",
    "labelled",
    "mean_autoencoder",
    "wrap",
]


def build(params):
    """A model from a dict such as `{"kind": "vae", "data_dim": 784, "latent_dim": 2}`.

    The other keys are the arguments of the model's class; `model.params` is such a dict.
    Raises ValueError for an unknown kind or argument.
    """
    arguments = dict(params)
    kind = arguments.pop("kind", None)
    model = chosen("kind", kind, KINDS)
    try:
        return model(**arguments)
    except TypeError as error:
        raise ValueError(f"The parameters of the {kind} do not fit: {error}.") from None
