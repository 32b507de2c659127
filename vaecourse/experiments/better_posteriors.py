"""Better posteriors, better priors, and labels: the learned numbers of chapter 16.

    vaecourse reproduce better_posteriors

takes about twenty minutes of one core and writes `data/results/better_posteriors.json`. Every
setting is fixed here, and every seed is reported.
"""

import json
import math
import time

import torch
from scipy import ndimage
from torch import nn
from torch.nn.functional import cross_entropy

from vaecourse import checkpoint, data
from vaecourse._files import check_writable, write_text
from vaecourse.distributions import DiagonalGaussian
from vaecourse.evaluation import LatentGrid
from vaecourse.evaluation.likelihood import log_mixture
from vaecourse.flows import FAMILIES, FreePosterior, NormalizingFlow, refine
from vaecourse.inference.em import GaussianMixture
from vaecourse.inference.posteriors import gauss_hermite
from vaecourse.models import M2, labelled
from vaecourse.models.base import error_of_mean
from vaecourse.models.m2 import UNKNOWN

NAME = "better_posteriors"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
SEEDS = (0, 1, 2)
IMAGES = 100
LABEL_WEIGHT = 50.0
UPPER = torch.arange(784) < 392  # the half of an image that is seen, where the other is hidden


def run(path=PATH, command=f"vaecourse reproduce {NAME}"):
    """Compute every part and write the record to `path`; returns it."""
    check_writable(path)
    start = time.perf_counter()
    metrics = {
        "families": [families(seed) for seed in SEEDS],
        "missing": [missing(seed) for seed in SEEDS],
        "fitted_priors": [fitted_priors(seed) for seed in SEEDS],
        "labels": [
            labels(count, seed, steps)
            for steps in (250, 1_000)
            for count in (10, 100, 1_000)
            for seed in range(10)
        ],
    }
    record = checkpoint.provenance(command, time.perf_counter() - start, metrics)
    write_text(path, json.dumps(record) + "\n")
    return record


# --- posteriors ----------------------------------------------------------------------------------


def families(seed, images=IMAGES, steps=300):
    """What each family leaves of the gap of the first test images, whole and half hidden, nats.

    Every search starts where the exact posterior is highest, so that what is left is the family's.
    `encoder` is the q that the encoder gives for the whole image, also where half of it is hidden.
    `island` is what the best q lacks that stays on the island of its start, of half images: minus
    the logarithm of that island's mass.
    """
    vae, _ = checkpoint.pretrained("mnist_vae_2d", seed)
    x = data.mnist("test", binarize="sample").x[:images]
    grid = LatentGrid(vae, 201)
    found = {"seed": seed, "steps": steps}
    for name, seen in (("whole", None), ("upper", UPPER)):
        log_evidence = grid.log_evidence(x, seen)
        of_encoder = FreePosterior(*encoded(vae, x))
        gaps = {"encoder": log_evidence - exact_bound(of_encoder, vae, x, seen)}
        top = grid.z[grid.log_joint(x, seen).argmax(1)]
        for family in FAMILIES:
            narrow = torch.full_like(top, 2 * math.log(0.15))
            posterior = FreePosterior(top, narrow, family, seed=seed)
            generator = torch.Generator().manual_seed(seed)
            refine(posterior, grid.table(x, seen), steps, generator, draws=16)
            gaps[family] = log_evidence - exact_bound(posterior, vae, x, seen)
        found[name] = {
            key: [round(gap, 4) for gap in values.tolist()] for key, values in gaps.items()
        }
    found["island"] = [round(lost, 4) for lost in island(grid, x, UPPER).tolist()]
    return found


def island(grid, x, seen):
    """Minus the logarithm of the mass of p(z|x_seen) around its highest point, [B] nats.

    An island is what hangs together where the density is above a hundredth of its highest value;
    where there is only one, it has all the mass.
    """
    lost = torch.zeros(len(x))
    for n, mass in enumerate(grid.posterior(x, seen)):
        plane = mass.reshape(len(grid.axis), -1)
        label, count = ndimage.label(plane > 0.01 * plane.max())
        if count > 1:
            start = torch.from_numpy(label == label.flat[plane.argmax().item()])
            lost[n] = -plane[start].sum().log()
    return lost


def encoded(model, x):
    """Mean and log variance of q(z|x), without gradients."""
    with torch.no_grad():
        q = model.encode(x)
    return q.loc, q.log_var


@torch.no_grad()
def exact_bound(posterior, model, x, seen=None):
    """E_q[log p(x, z) − log q(z)] by Gauss–Hermite quadrature over the base of q, [B] nats.

    posterior: a `FreePosterior` over two latents, one for each row of x [B, D]; no draw is made.
    """
    base, weights = (part.to(x) for part in gauss_hermite(20, 2))
    base = base[:, None].expand(-1, len(x), -1)
    q = posterior()
    if isinstance(q, NormalizingFlow):
        z, log_q = q.push(base)
    else:
        full = posterior.family == "full"
        z = q.loc + ((q.scale_tril @ base[..., None])[..., 0] if full else q.scale * base)
        log_q = q.log_prob(z)
    total = torch.zeros(len(x))
    for some, density, share in zip(z.split(48), log_q.split(48), weights.split(48)):
        logits = model.decode(some).logits
        pixels = x * logits - nn.functional.softplus(logits)
        likelihood = pixels.sum(-1) if seen is None else pixels[..., seen].sum(-1)
        total += (share[:, None] * (likelihood + model.prior.log_prob(some) - density)).sum(0)
    return total


# --- missing pixels ------------------------------------------------------------------------------


@torch.no_grad()
def missing(seed, images=1_000, walked=100, rounds=(60, 260), points=151):
    """What ways to fill in the lower half of the first test images cost more than others, nats.

    Every pixel is a coin of its own. First the steps from the exact p(missing | seen) to zeros in
    the hole and the decoded mean of q, and the same steps on whole images. Then three walks of the
    first `walked` images, their mean from round 20 on, less the exact p(missing | seen): z from q,
    or from the exact p(z|x); from a fill by the pixels' frequencies, or by an exact draw. All are
    means with their standard errors.
    """
    vae, _ = checkpoint.pretrained("mnist_vae_2d", seed)
    x = data.mnist("test", binarize="sample").x[:images]
    grid = LatentGrid(vae, points)
    pixels = grid.logits.sigmoid()
    costs = []
    for some in x.split(100):
        zeros = torch.where(UPPER, some, 0)
        ways = [grid.posterior(some, UPPER) @ pixels]
        for given in (zeros, some):
            exact = grid.posterior(given)
            ways += [exact @ pixels, vae.decode(exact @ grid.z).mean]
            ways += [vae.decode(vae.encode(given).loc).mean]
        costs.append(torch.stack([hidden_cost(some, way) for way in ways]))
    exact, *ways = torch.cat(costs, 1)
    found = {"seed": seed, "zeros_seen": mean_and_error(ways[0] - exact)}
    for name, (mean, point, own) in (("zeros", ways[:3]), ("whole", ways[3:])):
        found[f"{name}_one_point"] = mean_and_error(point - mean)
        found[f"{name}_encoder"] = mean_and_error(own - point)
        found[f"{name}_together"] = mean_and_error(own - mean)

    x, exact, generator = x[:walked], exact[:walked], torch.Generator().manual_seed(seed)
    ink = data.mnist("train").x.mean(0).expand(len(x), -1)
    frequency = hidden_cost(x, ink)
    found["frequency"] = mean_and_error(frequency - exact)
    logits = grid.logits[:, ~UPPER]
    upper = grid.log_joint(x, UPPER)
    drawn = vae.decode(grid.z[torch.multinomial(upper.softmax(1), 1, generator=generator)[:, 0]])
    all_black = upper - nn.functional.softplus(logits).sum(1)
    for name, fill in (("q", ink), ("exact", ink), ("exact_from_exact", drawn.mean)):
        image, total = torch.where(UPPER, x, torch.bernoulli(fill, generator=generator)), 0
        for done in range(1, max(rounds) + 1):
            if name == "q":
                z = vae.encode(image).sample((), generator)
            else:
                posterior = (all_black + image[:, ~UPPER] @ logits.T).softmax(1)
                z = grid.z[torch.multinomial(posterior, 1, generator=generator)[:, 0]]
            p = vae.decode(z).mean
            image = torch.where(UPPER, x, torch.bernoulli(p, generator=generator))
            total = total + p * (done > 20)
            if done in rounds:
                cost = hidden_cost(x, total / (done - 20))
                found[f"walk_{name}_{done}"] = mean_and_error(cost - exact)
                found[f"walk_{name}_{done}_less_frequency"] = mean_and_error(cost - frequency)
    return found


def hidden_cost(x, probability):
    """Nats that the lower half of images x [B, D] costs, each pixel a coin of its own: [B]."""
    p = probability.clamp(1e-4, 1 - 1e-4)
    return -(x * p.log() + (1 - x) * (1 - p).log())[:, ~UPPER].sum(1)


# --- priors --------------------------------------------------------------------------------------


def fitted_priors(seed, rows=30_000, tested=10_000, compared=1_000):
    """What priors made of the codes of `mnist_vae_128d` gain on the first test images, nats.

    A mixture of all `rows` costs much, so all are compared on `compared` images; the ten Gaussians
    are tested on `tested` as well.
    """
    vae, _ = checkpoint.pretrained("mnist_vae_128d", seed)
    generator = torch.Generator().manual_seed(seed)
    train = torch.bernoulli(data.mnist("train").x[:rows], generator=generator)
    test = data.mnist("test", binarize="sample").x[:tested]
    q = DiagonalGaussian(*encoded(vae, train))
    active = q.loc.var(0) > 0.01
    codes = q.sample((), generator)[:, active].double()
    z = DiagonalGaussian(*encoded(vae, test)).sample((), generator)[:, active].double()
    old = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    gains = {}
    for components in (1, 10):
        fitted = GaussianMixture(components, max_steps=20, seed=seed).fit(codes)
        gains[f"gaussians_{components}"] = fitted.score_samples(z) - old
    loc, log_var = q.loc[:, active].double(), q.log_var[:, active].double()
    for images in (500, rows):
        density = torch.cat(
            [log_mixture(part, loc[:images], log_var[:images]) for part in z[:compared].split(100)]
        )
        gains[f"aggregate_{images}"] = density - old[:compared]
    less = gains[f"aggregate_{rows}"] - gains["gaussians_10"][:compared]
    return {
        "seed": seed,
        "active": int(active.sum()),
        **{name: mean_and_error(gain[:compared]) for name, gain in gains.items()},
        f"aggregate_{rows}_less_gaussians_10": mean_and_error(less),
        "gaussians_10_all": mean_and_error(gains["gaussians_10"]),
        "log_variance": {  # of a latent: how wide a kernel is, and one of the ten, by its volume
            "kernel": log_var.mean().item(),
            "gaussian": (fitted.weights_ @ fitted.covariances_.logdet()).item() / z.shape[1],
        },
    }


def mean_and_error(values):
    """The mean of values [N], and its standard error."""
    return [values.mean().item(), error_of_mean(values)]


# --- labels --------------------------------------------------------------------------------------


def balanced(label, count, generator):
    """Rows with `count` labels, equally many of each digit, [count]."""
    order = torch.randperm(len(label), generator=generator)
    each = count // 10
    return torch.cat([order[label[order] == digit][:each] for digit in range(10)])


def small(x):
    """Images of 28 × 28 grey levels as 14 × 14, each the mean of four: [N, 784] to [N, 196]."""
    return nn.functional.avg_pool2d(x.view(-1, 1, 28, 28), 2).flatten(1)


def labels(count, seed, steps, rows=10_000):
    """Test accuracy of M2 from `count` labels and `rows` small images, and of the labels alone.

    Both train the same q(y|x), from the same weights, for as many steps.
    """
    generator = torch.Generator().manual_seed(seed)
    train, test = data.mnist("train"), data.mnist("test")
    grey, label = small(train.x[:rows]), train.label[:rows]
    x_test = data.binarize(small(test.x), torch.Generator().manual_seed(0))
    known = balanced(label, count, generator)
    found = {"labels": count, "seed": seed, "steps": steps}
    for name in ("m2", "labels_alone"):
        model = M2(196, 10, (64,), label_weight=LABEL_WEIGHT, seed=seed)
        adam = torch.optim.Adam(model.parameters(), lr=3e-3)
        slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        for _ in range(steps):
            some = known[torch.randint(count, (min(count, 50),), generator=generator)]
            x = data.binarize(grey[some], generator)
            if name == "m2":
                free = torch.randint(rows, (50,), generator=generator)
                free = data.binarize(grey[free], generator)
                unknown = torch.full((len(free),), UNKNOWN)
                both = [labelled(x, label[some]), labelled(free, unknown)]
                loss = model.loss(torch.cat(both), generator)
            else:
                loss = cross_entropy(model.classifier(x), label[some])
            adam.zero_grad()
            loss.backward()
            adam.step()
            slower.step()
        found[name] = model.accuracy(x_test, test.label)
    return found
