"""Importance-weighted log p(x) of 10,000 images with 5,000 draws each, beside a loop per image.

    python benchmarks/likelihood.py

Prints minutes, estimated from a few images, on one thread, all in this one process, for the model
of the literature: 784-200-200-50, tanh, Bernoulli pixels. The loop is that of pythae's `get_nll`:
one image at a time, repeated a hundred times, encoded and decoded anew for every hundred draws,
with gradients recorded as there, and without.
"""

import math
import time

import torch
from torch.nn.functional import binary_cross_entropy

import vaecourse as vc

IMAGES, DRAWS, BATCH, TIMED = 10_000, 5_000, 100, 12


def loop_per_image(model, x):
    values = []
    for image in x:
        log_w = []
        for _ in range(DRAWS // BATCH):
            repeated = torch.cat(BATCH * [image[None]])
            loc, log_var = model.encoder(repeated).chunk(2, dim=-1)
            z = loc + (log_var / 2).exp() * torch.randn_like(loc)
            log_q = -0.5 * (log_var + (z - loc) ** 2 / log_var.exp()).sum(-1)
            pixels = model.decoder(z).sigmoid()
            cross_entropy = binary_cross_entropy(pixels, repeated, reduction="none").sum(-1)
            log_w.append(-0.5 * (z**2).sum(-1) - cross_entropy - log_q)
        values.append((torch.cat(log_w).logsumexp(0) - math.log(DRAWS)).item())
    return torch.tensor(values)


def loop_without_gradients(model, x):
    with torch.no_grad():
        return loop_per_image(model, x)


def package(model, x):
    return vc.evaluation.importance_log_likelihood(model, x, DRAWS)


def decoder_alone(model, x):
    """What no estimator with a decoded image for every draw can go below."""
    z = torch.randn(vc.evaluation.likelihood.ROWS, 50)
    with torch.no_grad():
        for _ in range(len(x) * DRAWS // len(z)):
            model.decoder(z)
    return torch.zeros(len(x))


ROWS = {
    "loop per image, as pythae": loop_per_image,
    "loop per image, without gradients": loop_without_gradients,
    "vc.evaluation.importance_log_likelihood": package,
    "the decoder alone": decoder_alone,
}


def main():
    torch.set_num_threads(1)
    x = vc.data.mnist("test", binarize="sample").x[:TIMED]
    model = vc.models.VAE(784, 50, (200, 200), activation="tanh")
    for name, estimate in ROWS.items():
        estimate(model, x[:1])
        start = time.perf_counter()
        value = estimate(model, x).mean().item()
        minutes = (time.perf_counter() - start) * IMAGES / TIMED / 60
        print(f"{name:40s} {minutes:6.1f} min   {value:9.3f} nats", flush=True)


if __name__ == "__main__":
    main()
