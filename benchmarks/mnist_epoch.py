"""One epoch of MNIST, 784-256-2, batch 256, two threads, beside what a user would write instead.

    python benchmarks/mnist_epoch.py

Prints seconds an epoch, the median of three, all in this one process.
"""

import statistics
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import vaecourse as vc

BATCH = 256


class ImageDataset(Dataset):
    """One image at a time through a transform, as torchvision's MNIST with ToTensor does it."""

    def __init__(self, x):
        self.pixels = (x * 255).to(torch.uint8)

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        return self.pixels[index].to(torch.float32).div(255)


class PlainVAE(nn.Module):
    """The example VAE of tutorials, with 784-256-2."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 256)
        self.loc, self.log_var = nn.Linear(256, 2), nn.Linear(256, 2)
        self.decoder = nn.Sequential(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 784))

    def loss(self, x):
        hidden = self.hidden(x).relu()
        loc, log_var = self.loc(hidden), self.log_var(hidden)
        z = loc + (log_var / 2).exp() * torch.randn_like(loc)
        bce = nn.functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        return bce + 0.5 * (loc**2 + log_var.exp() - 1 - log_var).sum()


def loader_epoch(dataset):
    """One epoch through a DataLoader with plain Adam."""
    model = PlainVAE()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True)

    def epoch():
        for batch in loader:
            x = batch[0] if isinstance(batch, list) else batch
            adam.zero_grad()
            model.loss(x).backward()
            adam.step()

    return epoch


def course_epoch(x, transform):
    """One epoch of `vc.training.fit`."""
    model = vc.models.VAE(784, 2)

    def epoch():
        vc.training.fit(model, x, epochs=1, batch_size=BATCH, transform=transform, progress=False)

    return epoch


def seconds(epoch):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    torch.set_num_threads(2)
    x = vc.data.mnist("train").x
    rows = {
        "Dataset of single images, DataLoader": loader_epoch(ImageDataset(x)),
        "TensorDataset, DataLoader": loader_epoch(TensorDataset(x)),
        "vc.training.fit": course_epoch(x, None),
        "vc.training.fit, binarized anew": course_epoch(x, vc.data.binarize),
    }
    print(f"{'MNIST epoch, 784-256-2, batch 256':40s} s")
    for name, epoch in rows.items():
        print(f"{name:40s} {seconds(epoch):.2f}", flush=True)


if __name__ == "__main__":
    main()
