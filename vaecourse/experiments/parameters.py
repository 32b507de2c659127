"""The parameter file: one JSON file describes a training run, and is checked before it starts.

{"model": {"kind": "vae", "data_dim": 784, "latent_dim": 2},
 "data": {"name": "mnist", "binarize": "sample"},
 "training": {"epochs": 50, "batch_size": 256, "learning_rate": 0.001},
 "seeds": [0, 1, 2]}

`vaecourse train --example` prints a longer one, `vaecourse train --schema` its JSON schema. Taught
in chapter 10.
"""

import difflib
import inspect
import json
import re
from pathlib import Path
from typing import Annotated, Literal, Union

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from vaecourse import models
from vaecourse._files import plain, read_json
from vaecourse.data import synthetic_sets
from vaecourse.models.base import Seed

MAX_WEIGHTS = 100_000_000  # 400 MB; four times that in training
MAX_EPOCHS = 1_000_000
TOO_LARGE = f"its networks have {{}} weights; at most {MAX_WEIGHTS:,} are accepted."
EXAMPLE = Path(__file__).parents[1] / "params.example.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    comment: str | None = Field(
        default=None, exclude=True, description="A note to the reader; nothing looks at it."
    )


class _Model(_Strict):
    @model_validator(mode="after")
    def _makes_sense(self):
        """Ask the model itself whether its arguments go together, and how large it would be."""
        weights = sum(parameter.numel() for parameter in weightless(self).parameters())
        if weights > MAX_WEIGHTS:
            raise ValueError(TOO_LARGE.format(f"{weights:,}"))
        return self

    def __reduce__(self):
        """To other processes goes what was given: they have made the class themselves."""
        return _restored, (self.model_dump(),)


def _restored(arguments):
    return MODELS[arguments["kind"]].model_validate(arguments)


def _section(model):
    """The fields of a model: the signature of its class without the seed, told by its docstring."""
    told = re.findall(r"^(\w+): (.*(?:\n    .*)*)", inspect.getdoc(model), re.MULTILINE)
    told = {name: " ".join(text.split()) for name, text in told}
    fields = {"kind": Literal[model.kind]}
    for name, parameter in inspect.signature(model).parameters.items():
        if name != "seed":
            default = parameter.default
            default = list(default) if isinstance(default, tuple) else default
            required = default is parameter.empty
            field = Field(... if required else default, description=told[name])
            fields[name] = (_in_one_sentence(parameter.annotation), field)
    doc = f"The arguments of `vc.models.{model.__name__}`, without its seed."
    return create_model(model.__name__, __base__=_Model, __doc__=doc, **fields)


def _in_one_sentence(annotation):
    """One error for a union of types that says in words what it takes, not one for each member."""
    accepted = [text for text in getattr(annotation, "__metadata__", ()) if isinstance(text, str)]
    if not accepted:
        return annotation

    def validate(value, handler):
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("union", "Input should be " + accepted[0]) from None

    return Annotated[annotation, WrapValidator(validate)]


MODELS = {kind: _section(model) for kind, model in models.KINDS.items()}


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
    label: str | None = Field(
        None,
        description="What is no data but colours the figures, at most ten kinds; an m2 learns it, "
        "-1 for none. A column of a .csv file by its name, or an array [N] of an .npz file.",
    )
    ignore: list[str] = Field([], description="Columns of a .csv file, by name, to leave out.")
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
    optimizer: Literal["adam", "sgd", "muon"] = Field("adam", description="What makes a step.")
    schedule: Literal["constant", "cosine", "step"] = Field(
        "constant",
        description="The learning rate over the epochs: the same; down to zero along a cosine; "
        "a tenth after half and again after three quarters.",
    )
    gradients: Literal["autograd", "by_hand"] = Field("autograd", description="Who derives them.")
    products: Literal["float32", "bfloat16"] = Field(
        "float32", description="Of gradients by hand, of binary pixels: what is multiplied."
    )
    # no part of what a run is: it may go on elsewhere
    device: Literal["cpu", "cuda", "mps"] = Field(
        "cpu", exclude=True, description="Where autograd trains."
    )

    @model_validator(mode="after")
    def _goes_together(self):
        if self.gradients == "by_hand" and self.optimizer == "sgd":
            raise ValueError("gradients by_hand go with the optimizers adam and muon only.")
        if self.gradients == "autograd" and self.products != "float32":
            raise ValueError(f"products of {self.products} go with gradients by_hand only.")
        if self.gradients == "by_hand" and self.device != "cpu":
            raise ValueError("gradients by_hand go with the device cpu only.")
        return self


class Params(_Strict):
    """The parameter file of `vaecourse train`."""

    json_schema: str | None = Field(
        None, alias="$schema", exclude=True, description="Where an editor finds this schema."
    )
    model: Union[tuple(MODELS.values())] = Field(discriminator="kind")  # noqa: UP007
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
        pixels = getattr(self.model, "likelihood", None) == "bernoulli"
        chosen = (self.training.optimizer, self.training.products)
        if self.training.gradients == "by_hand" and not pixels and chosen != ("adam", "float32"):
            raise ValueError(
                "gradients by_hand go with muon and products of bfloat16 for the likelihood "
                "bernoulli only."
            )
        labelled = LABELLED if kind == "classifier" else (*LABELLED, "file")
        if models.KINDS[kind].needs_labels and name not in labelled:
            raise ValueError(
                f"data.name is {name}; the model {kind} takes those with labels, "
                f"{' or '.join(labelled)}."
            )
        if models.KINDS[kind].needs_labels and name == "file" and self.data.label is None:
            raise ValueError(
                f"data.label is missing; the model {kind} learns labels: name the column of a .csv "
                "file, or the array of an .npz file, that holds them."
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


def check_width(model, columns, data="the data", names=None):
    """Raise ValueError, with the `names` there are, unless rows of that many columns are data for
    `model`."""
    try:
        model.check_width(columns, data)
    except ValueError as error:
        shown = f": {plain(', '.join(map(repr, names)))}." if names else "."
        raise ValueError(f"model.{str(error)[:-1]}{shown}") from None


def weightless(section):
    """The model of a section `model`, in full size but on no memory; ValueError if it has none."""
    try:
        with torch.device("meta"):
            return models.build(section.model_dump())
    except RuntimeError as error:
        if "overflow" not in str(error):  # more numbers in one tensor than torch can count
            raise
        raise ValueError(TOO_LARGE.format("too many")) from None


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
