"""The parameter file: one JSON file describes a training run, and is checked before it starts.

{"model": {"kind": "vae", "data_dim": 784, "latent_dim": 2},
 "data": {"name": "mnist", "binarize": "sample"},
 "training": {"epochs": 50, "batch_size": 256, "learning_rate": 0.001},
 "seeds": [0, 1, 2]}
"""

import difflib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vaecourse.data import planar


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class VAEParams(_Strict):
    """The arguments of `vc.models.VAE`, without its seed."""

    kind: Literal["vae"]
    data_dim: int = Field(ge=1)
    latent_dim: int = Field(ge=1)
    hidden: list[int] = [256]
    likelihood: Literal["bernoulli", "gaussian", "discretized_logistic"] = "bernoulli"
    posterior: Literal["diagonal", "full"] = "diagonal"
    activation: Literal["relu", "tanh", "softplus", "sigmoid"] = "relu"
    noise_variance: float | None = Field(default=None, gt=0)
    separate_heads: bool = False
    importance_samples: int = Field(default=1, ge=1)


class ConvVAEParams(_Strict):
    """The arguments of `vc.models.ConvVAE`, without its seed."""

    kind: Literal["conv_vae"]
    image_shape: list[int] = Field(min_length=3, max_length=3)
    latent_dim: int = Field(ge=1)
    channels: list[int] = [32, 64]
    likelihood: Literal["bernoulli", "discretized_logistic"] = "discretized_logistic"
    posterior: Literal["diagonal", "full"] = "diagonal"
    activation: Literal["relu", "tanh", "softplus", "sigmoid"] = "relu"
    importance_samples: int = Field(default=1, ge=1)


class AutoencoderParams(_Strict):
    """The arguments of `vc.models.Autoencoder`, without its seed."""

    kind: Literal["autoencoder"]
    data_dim: int = Field(ge=1)
    latent_dim: int = Field(ge=1)
    hidden: list[int] = [256]
    output: Literal["sigmoid", "linear"] = "sigmoid"
    corruption: Literal["mask", "gaussian"] | None = None
    level: float = Field(default=0.0, ge=0)
    activation: Literal["relu", "tanh", "softplus", "sigmoid"] = "relu"


class ClassifierParams(_Strict):
    """The arguments of `vc.models.Classifier`, without its seed."""

    kind: Literal["classifier"]
    image_shape: list[int] = Field(min_length=3, max_length=3)
    channels: list[int] = [16, 32]
    feature_dim: int = Field(default=64, ge=1)
    num_classes: int = Field(default=10, ge=2)


class FactorAnalysisParams(_Strict):
    """The arguments of `vc.models.FactorAnalysis`, without its seed."""

    kind: Literal["factor_analysis"]
    data_dim: int = Field(ge=1)
    latent_dim: int = Field(ge=1)
    noise: Literal["diagonal", "isotropic"] = "diagonal"
    floor: float = Field(default=1e-6, gt=0)


class GMVAEParams(_Strict):
    """The arguments of `vc.models.GMVAE`, without its seed."""

    kind: Literal["gmvae"]
    data_dim: int = Field(ge=1)
    latent_dim: int = Field(ge=1)
    num_components: int = Field(ge=1)
    hidden: list[int] = [256]
    activation: Literal["relu", "tanh", "softplus", "sigmoid"] = "relu"
    skip: float = Field(default=0.0, ge=0)


class VRNNParams(_Strict):
    """The arguments of `vc.models.VRNN`, without its seed; a step is `data_dim` pixels."""

    kind: Literal["vrnn"]
    data_dim: int = Field(ge=1)
    latent_dim: int = Field(ge=1)
    state_dim: int = Field(ge=1)
    hidden: list[int] = [128]
    recurrence: Literal["gru", "linear"] = "gru"
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    noise_variance: float | None = Field(default=None, gt=0)
    activation: Literal["relu", "tanh", "softplus", "sigmoid"] = "relu"


MODELS = {
    "vae": VAEParams,
    "conv_vae": ConvVAEParams,
    "autoencoder": AutoencoderParams,
    "classifier": ClassifierParams,
    "factor_analysis": FactorAnalysisParams,
    "gmvae": GMVAEParams,
    "vrnn": VRNNParams,
}


class StartParams(_Strict):
    """How a GMVAE starts: a VAE trained for `epochs`, the best of `restarts` mixtures on it."""

    epochs: int = Field(ge=1)
    restarts: int = Field(default=5, ge=1)


class MnistParams(_Strict):
    """MNIST, grey or binarized: "sample" draws new pixels in every epoch, "threshold" cuts at ½."""

    name: Literal["mnist"]
    binarize: Literal["sample", "threshold"] | None = None


class PlainParams(_Strict):
    """A data set without settings: Larochelle's static binarization of MNIST, or CIFAR-10."""

    name: Literal["static_mnist", "cifar10"]


class SyntheticParams(_Strict):
    """A synthetic set in the plane; the seed of a run draws its data too."""

    name: Literal[planar.SYNTHETIC]
    variant: Literal[planar.VARIANTS] = "meant"
    n_train: int = Field(ge=1)
    n_test: int = Field(ge=1)


DATA = {
    "mnist": MnistParams,
    "static_mnist": PlainParams,
    "cifar10": PlainParams,
    **dict.fromkeys(planar.SYNTHETIC, SyntheticParams),
}


class TrainingParams(_Strict):
    """The settings of `vc.training.fit`, or `fit_together` where gradients are by hand."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    gradients: Literal["autograd", "by_hand"] = "autograd"


class Params(_Strict):
    """A parameter file."""

    model: (
        VAEParams
        | ConvVAEParams
        | AutoencoderParams
        | ClassifierParams
        | FactorAnalysisParams
        | GMVAEParams
        | VRNNParams
    ) = Field(discriminator="kind")
    data: MnistParams | PlainParams | SyntheticParams = Field(discriminator="name")
    training: TrainingParams
    start: StartParams | None = None
    seeds: list[int] = Field(default=[0], min_length=1)

    @model_validator(mode="after")
    def _only_a_gmvae_has_a_start(self):
        if self.start is not None and self.model.kind != "gmvae":
            raise ValueError(f"start is for a gmvae; the model is a {self.model.kind}")
        return self


def read(path):
    """The parameters in the file `path`, validated.

    Raises ValueError with one sentence: the wrong key, where it stands, what was given and
    what is accepted.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}.") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        # A misspelt key explains better than the missing one that it was meant to be.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise ValueError(f"{path.name}: {_sentence(first, content)}") from None


def _sentence(error, content):
    kinds = (*MODELS, *DATA)  # pydantic puts the kind into the path
    location = [part for part in error["loc"] if part not in kinds]
    where = ".".join(map(str, location)) or "the whole file"
    if error["type"] == "extra_forbidden":
        return f"{where} is not a key that is known{_suggestion(location, content)}."
    if error["type"] == "union_tag_invalid":
        key, given = error["ctx"]["discriminator"].strip("'"), error["ctx"]["tag"]
        return f'{where}.{key} is "{given}"; input should be {error["ctx"]["expected_tags"]}.'
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    if error["type"] == "missing":
        return f"{where} is missing."
    return f"{where} is {json.dumps(error['input'])}; {error['msg'][0].lower()}{error['msg'][1:]}."


def _suggestion(location, content):
    """ ", did you mean …" for a misspelt key."""
    section = {"training": TrainingParams, "start": StartParams}.get(location[0])
    if location[0] == "model" and len(location) > 1:
        section = MODELS[content["model"]["kind"]]
    if location[0] == "data":
        section = DATA[content["data"]["name"]]
    accepted = (section if section and len(location) > 1 else Params).model_fields
    close = difflib.get_close_matches(str(location[-1]), accepted, n=1)
    return f"; did you mean {close[0]}" if close else f"; accepted are {', '.join(accepted)}"
