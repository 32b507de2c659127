"""One training step of a 2-D VAE (2-128-128-2, batch 32), beside what a user would write instead.

    python benchmarks/training_step.py

Encoder and decoder have a second hidden layer for the mean and one for the log variance, as in
chapter 11. Prints microseconds a step and model, the median of five epochs, all in this one
process on one thread. JAX (with optax) and pythae are measured where they are installed; they
are no requirement of the course. pythae's model is smaller: its decoder gives no variance.
"""

import logging
import os
import statistics
import tempfile
import time
from importlib.util import find_spec
from itertools import pairwise

# JAX reads this when it is imported; both sides get one thread.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("TQDM_DISABLE", "1")  # pythae draws a bar for every epoch

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import vaecourse as vc
from vaecourse.training.side_by_side import fit_together

N, BATCH, WIDTH = 20_000, 32, 128
STEPS = N // BATCH
SHAPE = {"likelihood": "gaussian", "separate_heads": True}


class PlainNetwork(nn.Module):
    """Mean and log variance, as a tutorial writes them."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, WIDTH)
        self.second = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
        self.last = nn.ModuleList(nn.Linear(WIDTH, 2) for _ in range(2))

    def forward(self, x):
        hidden = self.first(x).relu()
        return [last(second(hidden).relu()) for second, last in zip(self.second, self.last)]


class PlainVAE(nn.Module):
    """The same model as a tutorial writes it."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = PlainNetwork(), PlainNetwork()

    def loss(self, x):
        loc, log_var = self.encoder(x)
        z = loc + (log_var / 2).exp() * torch.randn_like(loc)
        mean, noise = self.decoder(z)
        nll = 0.5 * ((x - mean) ** 2 / noise.exp() + noise + 1.8378770664093453).sum(1)
        kl = 0.5 * (loc**2 + log_var.exp() - 1 - log_var).sum(1)
        return (nll + kl).mean()


def plain_loop(batches, fused):
    """One epoch of the tutorial's loop over `batches()`."""
    model = PlainVAE()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)

    def epoch():
        for x in batches():
            adam.zero_grad()
            loss = model.loss(x)
            loss.backward()
            adam.step()
            loss.item()

    return epoch


def course_loop(x, posterior):
    """One epoch of `vc.training.fit`."""
    model = vc.models.VAE(2, 2, (WIDTH, WIDTH), posterior=posterior, **SHAPE)

    def epoch():
        vc.training.fit(model, x, epochs=1, batch_size=BATCH, progress=False)

    return epoch


def together_loop(x, posterior, count):
    """One epoch of `fit_together`."""
    models = [
        vc.models.VAE(2, 2, (WIDTH, WIDTH), posterior=posterior, seed=seed, **SHAPE)
        for seed in range(count)
    ]

    def epoch():
        fit_together(models, [x] * count, epochs=1, batch_size=BATCH, progress=False)

    return epoch


def jax_loop(x):
    """One epoch of the same model in JAX, the whole epoch compiled into one scan."""
    import jax
    import jax.numpy as jnp
    import optax

    keys = iter(jax.random.split(jax.random.PRNGKey(0), 20))

    def layer(inputs, outputs):
        bound = inputs**-0.5
        shape = (inputs + 1, outputs)
        return jax.random.uniform(next(keys), shape, minval=-bound, maxval=bound)

    def network():
        heads = [(layer(WIDTH, WIDTH), layer(WIDTH, 2)) for _ in range(2)]
        return layer(2, WIDTH), heads

    def apply(weights, x):
        return x @ weights[:-1] + weights[-1]

    def outputs(weights, x):
        first, heads = weights
        hidden = jax.nn.relu(apply(first, x))
        return [apply(last, jax.nn.relu(apply(second, hidden))) for second, last in heads]

    def loss(weights, x, key):
        encoder, decoder = weights
        loc, log_var = outputs(encoder, x)
        z = loc + jnp.exp(log_var / 2) * jax.random.normal(key, loc.shape)
        mean, noise = outputs(decoder, z)
        nll = 0.5 * ((x - mean) ** 2 / jnp.exp(noise) + noise + 1.8378770664093453).sum(1)
        return (nll + 0.5 * (loc**2 + jnp.exp(log_var) - 1 - log_var).sum(1)).mean()

    adam = optax.adam(1e-3)

    def step(carry, batch):
        weights, state = carry
        value, gradients = jax.value_and_grad(loss)(weights, *batch)
        updates, state = adam.update(gradients, state)
        return (optax.apply_updates(weights, updates), state), value

    @jax.jit
    def compiled(carry, x, key):
        order, noise = jax.random.split(key)
        batches = x[jax.random.permutation(order, N)].reshape(STEPS, BATCH, 2)
        return jax.lax.scan(step, carry, (batches, jax.random.split(noise, STEPS)))

    data = jnp.asarray(x.numpy())
    weights = (network(), network())
    carry = [(weights, adam.init(weights))]

    def epoch():
        carry[0], losses = compiled(carry[0], data, jax.random.PRNGKey(0))
        losses.block_until_ready()

    return epoch


def pythae_loop(x):
    """One epoch of pythae's trainer, on its VAE with networks of our widths."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.WARNING)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.network = PlainNetwork()

        def forward(self, x):
            loc, log_var = self.network(x)
            return ModelOutput(embedding=loc, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            sizes = (2, WIDTH, WIDTH)
            layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
            self.network = nn.Sequential(*layers, nn.Linear(WIDTH, 2))

        def forward(self, z):
            return ModelOutput(reconstruction=self.network(z))

    model = VAE(VAEConfig(input_dim=(2,), latent_dim=2), Encoder(), Decoder())
    config = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(),
        num_epochs=1,
        per_device_train_batch_size=BATCH,
        no_cuda=True,
    )

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return N

        def __getitem__(self, index):
            return ModelOutput(data=x[index])

    trainer = BaseTrainer(model=model, train_dataset=Data(), training_config=config)
    trainer.prepare_training()
    return lambda: trainer.train_step(epoch=1)


def microseconds(epoch, models=1):
    """The median time of a step and model over five epochs, after one to warm up."""
    epoch()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        epoch()
        times.append((time.perf_counter() - start) / STEPS / models * 1e6)
    return statistics.median(times)


def main():
    torch.set_num_threads(1)
    x = torch.randn(N, 2, generator=torch.Generator().manual_seed(0))
    loader = DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True)
    rows = {
        "DataLoader, Adam": (plain_loop(lambda: (x for (x,) in loader), fused=False), 1),
        "in memory, fused Adam": (
            plain_loop(lambda: x[torch.randperm(N)].split(BATCH), fused=True),
            1,
        ),
        "vc.training.fit, diagonal": (course_loop(x, "diagonal"), 1),
        "fit_together, one model, diagonal": (together_loop(x, "diagonal", 1), 1),
        "fit_together, three models, diagonal": (together_loop(x, "diagonal", 3), 3),
        "fit_together, three models, full": (together_loop(x, "full", 3), 3),
    }
    if find_spec("jax") and find_spec("optax"):
        rows["JAX, lax.scan, diagonal"] = (jax_loop(x), 1)
    if find_spec("pythae"):
        rows["pythae's trainer, a smaller model"] = (pythae_loop(x), 1)
    print(f"{'training step and model, batch 32, one thread':46s} µs")
    for name, (epoch, models) in rows.items():
        print(f"{name:46s} {microseconds(epoch, models):.0f}", flush=True)


if __name__ == "__main__":
    main()
