"""The diffusion explorer, Python side: the mixture, its errors of denoising, where to start."""

import math
from functools import lru_cache

import torch
import traitlets

from vaecourse._arguments import check_whole
from vaecourse.inference.noised_mixture import NoisedMixture
from vaecourse.widgets.shared import Explorer, Hand, check_number, check_numbers, page_files

LOG_SNR = (-6.0, 8.0)
LEVELS = (2, 1000)
RANGES = {"y1": (-2.4, 2.4), "y2": (-2.4, 2.4)}
START = {"log_snr": 1.0, "levels": 15, "point": [0.3, -0.6]}
STEP = 0.1  # between the levels at which errors are given to the page


class DiffusionExplorer(Explorer):
    """The mixture of chapter 11 under noise: its density, its score, and the bound of T levels.

    title: the line above the picture.
    log_snr: the noise, log SNR from -6 to 8. levels: T, 2 to 1,000, even in log SNR. point: y_t,
        two numbers from -2.4 to 2.4. While a kernel runs, they follow the hand, and
        `explorer.values` holds the numbers on the page.

    Density and score are computed in the page; the least error of denoising comes from quadrature
    at steps of 0.1, with a cubic between. Raises ValueError for anything else. Source: chapter 17.
    """

    _esm, _css = page_files("diffusion_explorer", "log_axis.js")
    spec = traitlets.Dict().tag(sync=True)
    log_snr = Hand(START["log_snr"], check_number, *LOG_SNR)
    levels = Hand(START["levels"], check_whole, LEVELS[1], LEVELS[0])
    point = Hand(START["point"], check_numbers, RANGES)

    def __init__(self, *, title="From noise back to the data", **traits):
        super().__init__(**traits)
        mixture, loss, law, evidence = _computed()
        self.spec = {
            "title": title,
            "start": {name: getattr(self, name) for name in START},
            "log_snr": list(LOG_SNR),
            "levels": list(LEVELS),
            "ranges": list(RANGES.values()),
            "weights": mixture.weights.tolist(),
            "means": mixture.means.tolist(),
            "covariances": mixture.covariances.tolist(),
            "loss": loss,
            "law": law,
            "evidence": evidence,
        }

    @property
    def values(self):
        """A dict: log_density and score of y_t, denoised, and lacks, of the bound, in nats."""
        mixture, *_ = _computed()
        at = torch.tensor([self.point], dtype=torch.float64)
        levels = torch.linspace(LOG_SNR[1], LOG_SNR[0], self.levels, dtype=torch.float64)
        errors = torch.tensor([mixture.error(level, 24) for level in levels.tolist()])
        return {
            "log_density": mixture.log_density(at, self.log_snr).item(),
            "score": mixture.score(at, self.log_snr)[0].tolist(),
            "denoised": mixture.denoise(at, self.log_snr)[0].tolist(),
            "lacks": _lacks(mixture, levels, errors),
        }


def _lacks(mixture, levels, errors):
    """E log p(y) minus the mean bound, nats."""
    snr = levels.exp()
    spread = mixture.weights @ mixture.means.square().sum(1)
    spread = spread + torch.einsum("k,kdd->", mixture.weights, mixture.covariances)
    last = levels[-1]
    kl_prior = 0.5 * (torch.sigmoid(last) * (spread - 2) - 2 * torch.sigmoid(-last).log())
    steps = ((snr[:-1] - snr[1:]) * errors[1:]).sum() + snr[0] * errors[0]
    bound = levels[0] - math.log(2 * math.pi) - 0.5 * steps - kl_prior
    return mixture.mean_log_density(per_axis=60) - bound.item()


@lru_cache
def _computed():
    """The mixture, SNR · error every STEP of log SNR, the factor of the law, E log p(y) less the
    ends of the bound that do not depend on the levels."""
    mixture = NoisedMixture.of("gaussian_mixture", 4.0)
    count = round((LOG_SNR[1] - LOG_SNR[0]) / STEP) + 1
    grid = torch.linspace(*LOG_SNR, count, dtype=torch.float64)
    loss = torch.tensor([mixture.error(at, 24) * math.exp(at) for at in grid.tolist()])
    squares = [mixture.squared_covariance(at, 24) * math.exp(2 * at) for at in grid.tolist()]
    law = (LOG_SNR[1] - LOG_SNR[0]) / 4 * torch.trapezoid(torch.tensor(squares), grid).item()
    # what is left of the lacking once ½ Σ (SNR_{t−1} − SNR_t) e_t over t ≥ 2 is added
    ends = torch.tensor([LOG_SNR[1], LOG_SNR[0]], dtype=torch.float64)
    errors = torch.stack([loss[-1] / ends[0].exp(), 0 * loss[0]])
    return mixture, loss.tolist(), law, _lacks(mixture, ends, errors)
