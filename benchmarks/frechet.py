"""The Fréchet distance in 2,048 dimensions, beside what else is in use.

    python benchmarks/frechet.py

Prints seconds, the median of three, on one thread, all in this one process. The covariances are
those of 6,000 samples whose deviations span three orders of magnitude, and then of 1,000 samples,
fewer than dimensions. scipy's root of the product is what pytorch-fid takes; the
eigenvalues of the product are the formula of torchmetrics, which is called itself if it is there.
"""

import statistics
import time

import scipy.linalg
import torch

from vaecourse.evaluation import frechet_distance

DIM = 2_048


def scipy_root(mean1, cov1, mean2, cov2):
    """As pytorch-fid: the matrix square root of C₁ C₂, its imaginary part dropped.

    (pytorch-fid stops where that part is above a thousandth on the diagonal.)
    """
    root = scipy.linalg.sqrtm(cov1.numpy() @ cov2.numpy()).real.trace()
    return (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * root


def eigenvalues_of_the_product(mean1, cov1, mean2, cov2):
    """As torchmetrics: the roots of the eigenvalues of C₁ C₂, their real parts summed."""
    try:
        from torchmetrics.image.fid import _compute_fid
    except ImportError:
        root = torch.linalg.eigvals(cov1 @ cov2).sqrt().real.sum()
        return (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * root
    return _compute_fid(mean1, cov1, mean2, cov2)


ROWS = {
    "scipy.linalg.sqrtm of the product": scipy_root,
    "torch.linalg.eigvals of the product": eigenvalues_of_the_product,
    "vc.evaluation.frechet_distance": frechet_distance,
}


def sample_statistics(n, smallest, seed):
    generator = torch.Generator().manual_seed(seed)
    scale = torch.logspace(0, smallest, DIM, dtype=torch.float64)
    x = torch.randn(n, DIM, generator=generator, dtype=torch.float64) * scale
    return x.mean(0), torch.cov(x.T)


def seconds(distance, *given):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        value = distance(*given)
        times.append(time.perf_counter() - start)
    return statistics.median(times), float(value)


def main():
    torch.set_num_threads(1)
    for n in (6_000, 1_000):
        given = *sample_statistics(n, -3, seed=0), *sample_statistics(n, -2, seed=1)
        same = *given[:2], *given[:2]
        print(f"{n:,} samples in {DIM:,} dimensions        s    distance   from itself")
        for name, distance in ROWS.items():
            time_taken, value = seconds(distance, *given)
            itself = float(distance(*same))
            print(f"{name:38s} {time_taken:5.2f}  {value:10.6f}  {itself:12.1e}", flush=True)


if __name__ == "__main__":
    main()
