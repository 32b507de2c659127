"""One training step of a 2-D VAE (2-128-128-2, batch 32), beside what a user would write instead.

    python benchmarks/training_step.py

Prints microseconds a step, the median of five timings, all in this one process on one thread.
"""

import statistics
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import vaecourse as vc

N, BATCH = 20_000, 32
STEPS = N // BATCH


class PlainVAE(nn.Module):
    """The same model as a tutorial writes it."""

    def __init__(self):
        super().__init__()

        def body(outputs):
            return nn.Sequential(
                nn.Linear(2, 128),
                nn.ReLU(),
                nn.Linear(128, 128),
                nn.ReLU(),
                nn.Linear(128, outputs),
            )

        self.encoder, self.decoder = body(4), body(4)

    def loss(self, x):
        loc, log_var = self.encoder(x).chunk(2, 1)
        z = loc + (log_var / 2).exp() * torch.randn_like(loc)
        mean, noise = self.decoder(z).chunk(2, 1)
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

    return epoch


def course_loop(x, posterior):
    """One epoch of `vc.training.fit`."""
    model = vc.models.VAE(2, 2, (128, 128), likelihood="gaussian", posterior=posterior)

    def epoch():
        vc.training.fit(model, x, epochs=1, batch_size=BATCH, progress=False)

    return epoch


def microseconds(epoch):
    """The median time of a step over five epochs, after one to warm up."""
    epoch()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        epoch()
        times.append((time.perf_counter() - start) / STEPS * 1e6)
    return statistics.median(times)


def main():
    torch.set_num_threads(1)
    x = torch.randn(N, 2, generator=torch.Generator().manual_seed(0))
    loader = DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True)
    rows = {
        "DataLoader, Adam": plain_loop(lambda: (x for (x,) in loader), fused=False),
        "in memory, Adam": plain_loop(lambda: x[torch.randperm(N)].split(BATCH), fused=False),
        "in memory, fused Adam": plain_loop(lambda: x[torch.randperm(N)].split(BATCH), fused=True),
        "vc.training.fit, diagonal": course_loop(x, "diagonal"),
        "vc.training.fit, full": course_loop(x, "full"),
    }
    print(f"{'training step, batch 32, one thread':40s} µs")
    for name, epoch in rows.items():
        print(f"{name:40s} {microseconds(epoch):.0f}", flush=True)


if __name__ == "__main__":
    main()
