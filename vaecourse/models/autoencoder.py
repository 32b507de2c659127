"""The autoencoder, plain and denoising. Taught in chapter 02."""

from typing import Literal

import torch

from vaecourse._arguments import as_rows, bytes_hint, check_choice, check_counts, first_column
from vaecourse.distributions import generator_of, standard_noise
from vaecourse.models.base import Dimension, Model, Seed, Widths
from vaecourse.networks import ACTIVATIONS, mlp

CORRUPTIONS = ("mask", "gaussian")
OUTPUTS = {"sigmoid": torch.sigmoid, "linear": lambda outputs: outputs}


def corrupt(x, corruption, level, generator=None):
    """x̃ from x: each value set to zero with probability `level`, or noise of that deviation added.

    `corruption` is "mask" or "gaussian" [VLBM08]; the shape is that of x.
    """
    check_choice("corruption", corruption, CORRUPTIONS)
    _check_level(corruption, level)
    if corruption == "mask":
        generator = generator_of(generator, x.device)
        keep = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) >= level
        return x * keep
    return x + level * standard_noise(x.shape, x, generator)


def _check_level(corruption, level, most="at most"):
    """Raise ValueError for a level that is none; a mask of everything teaches a model nothing."""
    beyond = level >= 1 if most == "below" else level > 1
    if not level >= 0 or (corruption == "mask" and beyond):
        raise ValueError(f"level is {level}; it must be at least 0, and {most} 1 for a mask.")


class Autoencoder(Model):
    """x̂ = d(e(x)), trained on ‖x − x̂‖² [HS06]; with a corruption, on ‖x − d(e(x̃))‖² [VLBM08].

    data_dim: D, the width of a row of data; 784 for MNIST.
    latent_dim: J, the width of the code.
    hidden: widths of the encoder's hidden layers; the decoder mirrors them. With none, both
        maps are linear.
    output: "sigmoid" keeps x̂ in (0, 1), "linear" leaves it free.
    corruption: what is done to the input in training: nothing, "mask" or "gaussian".
    level: the strength of the corruption: a probability, or a standard deviation.
    activation: between hidden layers: "relu", "tanh", "softplus" or "sigmoid".
    seed: of the initial weights.
    """

    kind = "autoencoder"
    loss_unit = "squared error per data point"

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        hidden: Widths = (256,),
        *,
        output: Literal[tuple(OUTPUTS)] = "sigmoid",
        corruption: Literal[CORRUPTIONS] | None = None,
        level: float = 0.0,
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, latent_dim=latent_dim)
        check_choice("output", output, tuple(OUTPUTS))
        check_choice("corruption", corruption, (None, *CORRUPTIONS))
        _check_level(corruption, level, "below")
        self.data_dim, self.latent_dim = data_dim, latent_dim
        self.output, self.corruption, self.level = output, corruption, level
        generator = torch.Generator().manual_seed(seed)
        self.encoder = mlp([data_dim, *hidden, latent_dim], activation, generator=generator)
        self.decoder = mlp(
            [latent_dim, *reversed(hidden), data_dim], activation, generator=generator
        )

    def encode(self, x):
        """e(x), the code of x [..., D]: [..., J]."""
        return self.encoder(self.tensor(x, self.data_dim))

    def decode(self, z):
        """d(z), [..., D]."""
        return OUTPUTS[self.output](self.decoder(self.tensor(z, self.latent_dim, "z")))

    codes = encode

    def squared_error(self, x, generator=None):
        """‖x − d(e(x))‖² for each row of x [B, D], summed over dimensions: [B].

        A denoising autoencoder is shown a corrupted x when a `generator` is given, the clean
        one otherwise; it is always compared with the clean x. Raises ValueError for x of the
        wrong shape or with NaN.
        """
        x = self.check(x)
        return self._squared_error(x, x if generator is None else self._shown(x, generator))

    def loss(self, x, generator=None):
        """The squared error averaged over the rows of x, corruption included: for training."""
        return self._squared_error(x, self._shown(x, generator)).mean()

    def _shown(self, x, generator):
        return x if self.corruption is None else corrupt(x, self.corruption, self.level, generator)

    def _squared_error(self, x, shown):
        return (x - self.decode(self.encode(shown))).square().sum(dim=-1)

    @torch.no_grad()
    def reconstruct(self, x):
        """d(e(x)) without gradients, [B, D], for x of any size: it is compared with nothing."""
        return self.decode(self.encode(as_rows(self.tensor(x), self.data_dim)))

    def metrics(self, x, importance_samples, importance_rows, seed):
        """The mean of `squared_error`; nothing is drawn, and there is no bound."""
        return {"squared_error": self.squared_error(x).mean().item()}

    def check(self, x):
        """x [B, D] as a tensor of the model's; ValueError where it is not data for this model."""
        x = super().check(x)
        low, high = x.min().item(), x.max().item()
        if self.output == "sigmoid" and (low < 0 or high > 1):
            raise ValueError(
                f"x has values from {low:g} to {high:g}, first outside in column "
                f"{first_column((x < 0) | (x > 1))}; output 'sigmoid' gives values from 0 to 1: "
                f"take output 'linear'{bytes_hint(x)}."
            )
        return x


@torch.no_grad()
def mean_autoencoder(vae):
    """The autoencoder that the means of a VAE make: e(x) = E_q[z], d(z) the mean's own output.

    vae: with a normal posterior and a Gaussian likelihood, its decoder mirroring its encoder,
    without separate heads; ValueError for any other. What is left out are the variances.
    """
    params = vae.params
    plain = params["posterior"] == "diagonal" and params["likelihood"] == "gaussian"
    own_decoder = params["decoder_hidden"] or params["decoder_activation"]
    if not plain or own_decoder or params["separate_heads"] or params["standardize"]:
        raise ValueError(
            "vae must have a diagonal posterior, a Gaussian likelihood that does not standardize, "
            "one body for all heads, and a decoder that mirrors its encoder."
        )
    shared = {key: params[key] for key in ("data_dim", "latent_dim", "hidden", "activation")}
    autoencoder = Autoencoder(**shared, output="linear")
    for part in ("encoder", "decoder"):
        own = getattr(autoencoder, part)
        weights = getattr(vae, part).state_dict()
        # The means are the first rows of the last layer.
        own.load_state_dict(
            {key: weights[key][: len(value)] for key, value in own.state_dict().items()}
        )
    return autoencoder.requires_grad_(False).eval()
