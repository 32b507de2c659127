"""One small explorer of each kind, for tests of what they have in common; and their arrays."""

import math
import zlib

import numpy as np
import torch

import vaecourse as vc
from vaecourse import widgets

POINTS = torch.tensor([[0.0, 0.0], [1.0, 0.5], [-1.0, 2.0]])


def run(**changes):
    """A made-up run of three points and two snapshots."""
    return {
        "data": "three_blobs",
        "posterior": "full",
        "x": POINTS,
        "epochs": [0, 1],
        "codes": torch.stack([POINTS, 0.5 * POINTS]),
        "samples": torch.stack([POINTS, 2 * POINTS]),
        "loss": [3.0, 2.0],
    } | changes


def latent(**arguments):
    """An untrained VAE on images of four pixels."""
    vae = vc.models.VAE(4, 2, (8,))
    return widgets.LatentExplorer(vae, torch.eye(4), range(4), **arguments)


def family(**arguments):
    """An untrained GMVAE and VRNN on images of three rows."""
    gmvae, vrnn = vc.models.GMVAE(12, 2, 3, (8,)), vc.models.VRNN(4, 2, 5, (8,))
    return widgets.FamilyExplorer(gmvae, vrnn, torch.eye(4).repeat(1, 3)[:2], **arguments)


def training(**arguments):
    """One run."""
    return widgets.TrainingExplorer([run()], **arguments)


def missing(**arguments):
    """An untrained VAE and two images, one with a black half."""
    vae, x = vc.models.VAE(784, 2, (8,)), torch.zeros(2, 784)
    x[1, 392:] = 1
    return widgets.MissingExplorer(vae, x, **arguments)


def pipeline(**arguments):
    """An untrained VAE on two empty images."""
    vae = vc.models.VAE(784, 2, (8,))
    return widgets.PipelineExplorer(vae, torch.zeros(2, 784), **arguments)


MAKERS = {
    "BandwidthExplorer": widgets.BandwidthExplorer,
    "CorrelationExplorer": widgets.CorrelationExplorer,
    "DiffusionExplorer": widgets.DiffusionExplorer,
    "ElboExplorer": widgets.ElboExplorer,
    "EMStepper": widgets.EMStepper,
    "FamilyExplorer": family,
    "FrechetExplorer": widgets.FrechetExplorer,
    "GradientExplorer": widgets.GradientExplorer,
    "KLExplorer": widgets.KLExplorer,
    "LatentExplorer": latent,
    "MissingExplorer": missing,
    "PipelineExplorer": pipeline,
    "PrecisionExplorer": widgets.PrecisionExplorer,
    "TrainingExplorer": training,
}


def unpack(data, table):
    """The dict of arrays that `pack` was given."""
    data, arrays, start = zlib.decompress(data), {}, 0
    for name, dtype, shape in table:
        dtype = np.dtype(dtype).newbyteorder("<")
        stop = start + dtype.itemsize * math.prod(shape)
        planes = np.frombuffer(data[start:stop], np.uint8).reshape(dtype.itemsize, -1)
        arrays[name] = np.frombuffer(planes.T.tobytes(), dtype).reshape(shape)
        start = stop
    return arrays
