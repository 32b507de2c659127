"""The parameter file: one JSON file describes a training run, and is checked before it starts.

{"model": {"kind": "vae", "data_dim": 784, "latent_dim": 2},
 "data": {"name": "mnist", "binarize": "sample"},
 "training": {"epochs": 50, "batch_size": 256, "learning_rate": 0.001},
 "seeds": [0, 1, 2]}

`vaecourse train --example` prints a longer one, `vaecourse train --schema` its JSON schema. Taught
in chapter 10.
"""

import difflib
import json
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from vaecourse import models
from vaecourse._files import plain, read_json
from vaecourse.data import synthetic_sets

MAX_WEIGHTS = 100_000_000  # 400 MB; four times that in training
MAX_EPOCHS = 1_000_000
TOO_LARGE = f"its networks have {{}} weights; at most {MAX_WEIGHTS:,} are accepted."
EXAMPLE = Path(__file__).parents[1] / "params.example.json"

Activation = Literal["relu", "tanh", "softplus", "sigmoid"]
Dimension = Annotated[int, Field(ge=1, le=MAX_WEIGHTS)]
Hidden = Annotated[list[Dimension], Field(max_length=100)]
Channels = Annotated[list[Dimension], Field(min_length=1, max_length=20)]
ImageShape = Annotated[list[Dimension], Field(min_length=3, max_length=3)]
NoiseVariance = Annotated[float, Field(gt=0)] | Literal["shared", "per_dimension", "from_z"] | None
Seed = Annotated[int, Field(ge=0, lt=2**63)]

IMPORTANCE = "Draws of z in the bound that training maximizes; 1 is the ELBO."
NOISE = "Of a Gaussian likelihood: a number, or how it is learned. By default from z, unfloored."
SHAPE = "[C, H, W]: H and W must be halved once for each of the channels."


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    comment: str | None = Field(
        default=None, exclude=True, description="A note to the reader; nothing looks at it."
    )


class VAEParams(_Strict):
    """A variational autoencoder: the arguments of `vc.models.VAE`, without its seed."""

    kind: Literal["vae"]
    data_dim: Dimension = Field(description="The width of a row of data: 784 for MNIST.")
    latent_dim: Dimension = Field(description="The number of latents.")
    hidden: Hidden = Field([256], description="The widths of the encoder's hidden layers.")
    likelihood: Literal["bernoulli", "gaussian", "poisson", "discretized_logistic"] = Field(
        "bernoulli", description="p(x|z): for binary data, real data, counts, or 8-bit pixels."
    )
    posterior: Literal["diagonal", "full", "exponential", "gamma"] = Field(
        "diagonal", description="q(z|x): a normal of that covariance, or one on z > 0."
    )
    prior: Literal["normal", "exponential", "gamma"] | None = Field(
        None, description="p(z); by default the one of the posterior's kind."
    )
    activation: Activation = Field("relu", description="Between the hidden layers.")
    noise_variance: NoiseVariance = Field(None, description=NOISE)
    separate_heads: bool = Field(
        False, description="A last hidden layer for every head of a network."
    )
    importance_samples: int = Field(1, ge=1, le=10_000, description=IMPORTANCE)
    variance_floor: Annotated[float, Field(gt=0)] | None = Field(
        None, description="The least value of a learned variance."
    )
    decoder_hidden: Hidden | None = Field(
        None, description="The decoder's hidden layers; by default the encoder's, reversed."
    )
    decoder_activation: Activation | None = Field(
        None, description="The decoder's; by default the encoder's."
    )

    @field_validator("noise_variance", mode="wrap")
    @classmethod
    def _variance(cls, value, handler):
        return _variance(value, handler)

    @model_validator(mode="after")
    def _makes_sense(self):
        return _check_model(self)


class ConvVAEParams(_Strict):
    """A VAE with convolutions: the arguments of `vc.models.ConvVAE`, without its seed."""

    kind: Literal["conv_vae"]
    image_shape: ImageShape = Field(description=SHAPE)
    latent_dim: Dimension = Field(description="The number of latents.")
    channels: Channels = Field([32, 64], description="Of the encoder's convolutions.")
    likelihood: Literal["bernoulli", "discretized_logistic"] = Field(
        "discretized_logistic", description="p(x|z): for binary data, or 8-bit pixels."
    )
    posterior: Literal["diagonal", "full"] = Field(
        "diagonal", description="q(z|x): a normal of that covariance."
    )
    activation: Activation = Field("relu", description="Between the layers.")
    importance_samples: int = Field(1, ge=1, le=10_000, description=IMPORTANCE)

    @model_validator(mode="after")
    def _makes_sense(self):
        return _check_model(self)


class AutoencoderParams(_Strict):
    """An autoencoder: the arguments of `vc.models.Autoencoder`, without its seed."""

    kind: Literal["autoencoder"]
    data_dim: Dimension = Field(description="The width of a row of data: 784 for MNIST.")
    latent_dim: Dimension = Field(description="The width of the code.")
    hidden: Hidden = Field([256], description="The widths of the encoder's hidden layers.")
    output: Literal["sigmoid", "linear"] = Field(
        "sigmoid", description="Keep reconstructions in (0, 1), or leave them free."
    )
    corruption: Literal["mask", "gaussian"] | None = Field(
        None, description="What a denoising autoencoder does to its input."
    )
    level: float = Field(0.0, ge=0, description="The strength of the corruption.")
    activation: Activation = Field("relu", description="Between the hidden layers.")

    @model_validator(mode="after")
    def _makes_sense(self):
        return _check_model(self)


class ClassifierParams(_Strict):
    """A classifier of images: the arguments of `vc.models.Classifier`, without its seed."""

    kind: Literal["classifier"]
    image_shape: ImageShape = Field(description=SHAPE)
    channels: Channels = Field([16, 32], description="Of the convolutions.")
    feature_dim: Dimension = Field(64, description="The width of the hidden layer.")
    num_classes: int = Field(10, ge=2, le=10_000, description="Labels run from 0 to one less.")

    @model_validator(mode="after")
    def _makes_sense(self):
        return _check_model(self)


class FactorAnalysisParams(_Strict):
    """Factor analysis: the arguments of `vc.models.FactorAnalysis`, without its seed."""

    kind: Literal["factor_analysis"]
    data_dim: Dimension = Field(description="The width of a row of data: 784 for MNIST.")
    latent_dim: Dimension = Field(description="The number of factors.")
    noise: Literal["diagonal", "isotropic"] = Field(
        "diagonal", description="A variance for every dimension, or one for all."
    )
    floor: float = Field(1e-6, gt=0, description="The least noise variance.")

    @model_validator(mode="after")
    def _makes_sense(self):
        return _check_model(self)


class GMVAEParams(_Strict):
    """A VAE with a mixture for a prior: the arguments of `vc.models.GMVAE`, without its seed."""

    kind: Literal["gmvae"]
    data_dim: Dimension = Field(description="The width of a row of data: 784 for MNIST.")
    latent_dim: Dimension = Field(description="The number of latents.")
    num_components: int = Field(ge=1, le=10_000, description="Of the mixture.")
    hidden: Hidden = Field([256], description="The widths of the encoder's hidden layers.")
    activation: Activation = Field("relu", description="Between the hidden layers.")
    skip: float = Field(
        0.0, ge=0, description="In training, components less probable than this are left out."
    )

    @model_validator(mode="after")
    def _makes_sense(self):
        return _check_model(self)


class VRNNParams(_Strict):
    """A recurrent VAE: the arguments of `vc.models.VRNN`, without its seed."""

    kind: Literal["vrnn"]
    data_dim: Dimension = Field(
        description="The width of a step: 28 for the rows of MNIST. It divides a row of data."
    )
    latent_dim: Dimension = Field(description="The number of latents of a step.")
    state_dim: Dimension = Field(description="The width of the state that steps hand on.")
    hidden: Hidden = Field([128], description="The widths of the encoder's hidden layers.")
    recurrence: Literal["gru", "linear"] = Field("gru", description="How the state goes on.")
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        "bernoulli", description="p(x|z) of a step: for binary or real data."
    )
    noise_variance: NoiseVariance = Field(None, description=NOISE)
    activation: Activation = Field("relu", description="Between the hidden layers.")

    @field_validator("noise_variance", mode="wrap")
    @classmethod
    def _variance(cls, value, handler):
        return _variance(value, handler)

    @model_validator(mode="after")
    def _makes_sense(self):
        return _check_model(self)


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

    epochs: int = Field(ge=1, le=MAX_EPOCHS, description="Passes over the data of the VAE.")
    restarts: int = Field(5, ge=1, le=10_000, description="Mixtures that are fitted to its codes.")


class MnistParams(_Strict):
    """MNIST, grey levels in [0, 1] unless one of the keys says otherwise."""

    name: Literal["mnist"]
    binarize: Literal["sample", "threshold"] | None = Field(
        None, description='"sample" draws new pixels in every epoch, "threshold" cuts at ½.'
    )
    counts: Annotated[int, Field(ge=1, le=255)] | None = Field(
        None, description="Grey levels as whole numbers, from 0 to this one for white."
    )

    @model_validator(mode="after")
    def _one_treatment(self):
        if self.binarize is not None and self.counts is not None:
            raise ValueError("binarize and counts are both given; it must be one of them.")
        return self


class FreyParams(_Strict):
    """Frey faces: 1,800 frames to train with, the 165 that follow to test."""

    name: Literal["frey_faces"]


class PlainParams(_Strict):
    """A data set without settings: Larochelle's static binarization of MNIST, or CIFAR-10."""

    name: Literal["static_mnist", "cifar10"]


class SyntheticParams(_Strict):
    """A synthetic set in the plane; the seed of a run draws its data too."""

    name: Literal[synthetic_sets.SYNTHETIC]
    variant: Literal[synthetic_sets.VARIANTS] = Field(
        "meant", description="Of the slides' formulas."
    )
    n_train: int = Field(ge=1, le=10_000_000, description="Points to train with.")
    n_test: int = Field(ge=2, le=10_000_000, description="Points to test with.")


class FileParams(_Strict):
    """Your own data: an array [N, D], or images [N, height, width], one row a data point."""

    name: Literal["file"]
    path: str = Field(
        min_length=1, description="A .npy, .npz or .csv file, seen from where the command runs."
    )
    array: str | None = Field(None, description="Which array of an .npz file, if it has several.")
    test_fraction: float = Field(
        0.1, gt=0, lt=1, description="The part of the rows, drawn at random, that is for testing."
    )


DATA = {
    "mnist": MnistParams,
    "static_mnist": PlainParams,
    "cifar10": PlainParams,
    "frey_faces": FreyParams,
    "file": FileParams,
    **dict.fromkeys(synthetic_sets.SYNTHETIC, SyntheticParams),
}
WIDTHS = {
    "mnist": 784,
    "static_mnist": 784,
    "cifar10": 3_072,
    "frey_faces": 560,
    **dict.fromkeys(synthetic_sets.SYNTHETIC, 2),
}
LABELLED = ("mnist", "cifar10")


class TrainingParams(_Strict):
    """The settings of `vc.training.fit`, or `fit_together` where gradients are by hand."""

    epochs: int = Field(ge=1, le=MAX_EPOCHS, description="Passes over the data.")
    batch_size: int = Field(256, ge=1, le=10_000_000, description="Rows in a step.")
    learning_rate: float = Field(1e-3, gt=0, description="Of the first step.")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="What makes a step.")
    schedule: Literal["constant", "cosine", "step"] = Field(
        "constant",
        description="The learning rate over the epochs: the same; down to zero along a cosine; "
        "a tenth after half and again after three quarters.",
    )
    gradients: Literal["autograd", "by_hand"] = Field("autograd", description="Who derives them.")

    @model_validator(mode="after")
    def _by_hand_is_plain(self):
        if self.gradients == "by_hand" and (self.optimizer, self.schedule) != ("adam", "constant"):
            raise ValueError(
                "gradients by_hand go with the optimizer adam and the schedule constant only."
            )
        return self


class Params(_Strict):
    """The parameter file of `vaecourse train`."""

    json_schema: str | None = Field(
        None, alias="$schema", exclude=True, description="Where an editor finds this schema."
    )
    model: (
        VAEParams
        | ConvVAEParams
        | AutoencoderParams
        | ClassifierParams
        | FactorAnalysisParams
        | GMVAEParams
        | VRNNParams
    ) = Field(discriminator="kind")
    data: MnistParams | PlainParams | FreyParams | SyntheticParams | FileParams = Field(
        discriminator="name"
    )
    training: TrainingParams
    start: StartParams | None = Field(None, description="Of a gmvae: what it starts from.")
    seeds: list[Seed] = Field([0], min_length=1, description="One run for each.")

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds):
        if len(set(seeds)) < len(seeds):
            raise ValueError("every seed must be there once.")
        return seeds

    @model_validator(mode="after")
    def _goes_together(self):
        kind, name = self.model.kind, self.data.name
        if self.start is not None and kind != "gmvae":
            raise ValueError(f"start is for a gmvae; the model is a {kind}.")
        if self.training.gradients == "by_hand" and kind != "vae":
            raise ValueError(f"training.gradients by_hand are for a vae; model.kind is {kind}.")
        if kind == "classifier" and name not in LABELLED:
            raise ValueError(
                f"data.name is {name}; a classifier takes those with labels, "
                f"{' or '.join(LABELLED)}."
            )
        if name in WIDTHS:
            check_width(weightless(self.model), WIDTHS[name], f"the data {name}")
        return self


def check_covariances(params, rows):
    """Raise ValueError where full covariances of z for a batch of `rows` would fill the memory."""
    model, rows = params.model, min(rows, params.training.batch_size)
    if model.kind == "factor_analysis" or getattr(model, "posterior", None) == "full":
        numbers = rows * model.latent_dim**2
        if numbers > MAX_WEIGHTS:
            raise ValueError(
                f"model.latent_dim is {model.latent_dim:,}: the covariances of a batch of {rows:,} "
                f"rows have {numbers:,} numbers; at most {MAX_WEIGHTS:,} are accepted."
            )


def check_width(model, columns, data="the data"):
    """Raise ValueError unless rows of that many columns are data for `model`."""
    try:
        model.check_width(columns, data)
    except ValueError as error:
        raise ValueError(f"model.{error}") from None


def _one_of(value, handler, accepted):
    """One error for a union of types, where pydantic reports one for every member."""
    try:
        return handler(value)
    except ValidationError:
        raise PydanticCustomError("union", "Input should be " + accepted) from None


def _variance(value, handler):
    accepted = "a positive number, 'shared', 'per_dimension', 'from_z' or null"
    return _one_of(value, handler, accepted)


def weightless(section):
    """The model of a section `model`, in full size but on no memory; ValueError if it has none."""
    try:
        with torch.device("meta"):
            return models.build(section.model_dump())
    except RuntimeError:  # more numbers in one tensor than torch can count
        raise ValueError(TOO_LARGE.format("too many")) from None


def _check_model(section):
    """Ask the model itself whether its arguments go together, and how large it would be."""
    weights = sum(parameter.numel() for parameter in weightless(section).parameters())
    if weights > MAX_WEIGHTS:
        raise ValueError(TOO_LARGE.format(f"{weights:,}"))
    return section


def example():
    """A parameter file to start from, as text."""
    return EXAMPLE.read_text(encoding="utf-8")


def schema():
    """The JSON schema of a parameter file, as text."""
    return json.dumps(Params.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def read(path):
    """The parameters in the file `path`, validated.

    Raises ValueError with one sentence: the wrong key, where it stands, what was given and
    what is accepted.
    """
    content = read_json(path)
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        # A misspelt key explains better than the missing one that it was meant to be.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise ValueError(f"{plain(Path(path).name)}: {_sentence(first, content)}") from None


def _sentence(error, content):
    location = list(error["loc"])
    if location[:1] in (["model"], ["data"]):
        del location[1:2]  # pydantic puts the kind, or the name of the data, into the path
    where = ".".join(_quoted(part) for part in location) or "the whole file"
    if error["type"] == "extra_forbidden":
        return f"{where} is not a key that is known{_suggestion(location, content)}."
    if error["type"] == "union_tag_invalid":
        key, given = error["ctx"]["discriminator"].strip("'"), _shown(error["ctx"]["tag"])
        return f"{where}.{key} is {given}; input should be {error['ctx']['expected_tags']}."
    if error["type"] == "union_tag_not_found":
        return f"{where}.{error['ctx']['discriminator'].strip(chr(39))} is missing."
    if error["type"] == "missing":
        return f"{where} is missing."
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}" if location else str(error["ctx"]["error"])
    return f"{where} is {_shown(error['input'])}; {error['msg'][0].lower()}{error['msg'][1:]}."


def _quoted(part):
    """A key as it is where it is plain, else as JSON, so that a sentence stays on one line."""
    text = str(part)
    return text if text.isidentifier() or text.isdigit() else _shown(text)


def _shown(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggestion(location, content):
    """ ", did you mean …" for a misspelt key."""
    section = Params
    if len(location) > 1:
        sections = {
            "training": lambda: TrainingParams,
            "start": lambda: StartParams,
            "data": lambda: DATA[content["data"]["name"]],
            "model": lambda: MODELS[content["model"]["kind"]],
        }
        section = sections[location[0]]()
    accepted = [field.alias or name for name, field in section.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), accepted, n=1)
    return f"; did you mean {close[0]}" if close else f"; accepted are {', '.join(accepted)}"
