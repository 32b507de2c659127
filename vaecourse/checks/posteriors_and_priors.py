"""Self-checks of chapter 16: a flow's log-determinant, missing pixels, and a sum over labels."""

import math

import torch

from vaecourse.checks.answers import Trial, check, normal, uniform

# --- a planar layer --------------------------------------------------------------------------


def _layers():
    w = torch.tensor([1.0, -0.5], dtype=torch.float64)
    yield normal(6, 2), torch.tensor([0.4, 0.3], dtype=torch.float64), w, 0.3
    yield normal(5, 3, seed=1), 0.4 * normal(3, seed=2).abs(), normal(3, seed=3).abs(), -0.7
    yield normal(4, 2, seed=4), torch.tensor([-0.3, 0.5], dtype=torch.float64), w, 0.0
    yield Trial((normal(5, 2, seed=5), torch.zeros(2).double(), w, 0.5), "For a u of zero")
    yield Trial((normal(4, 1, seed=6), uniform(1), uniform(1, seed=1), 0.2), "In one dimension")
    far = 30 * normal(5, 2, seed=7)
    yield Trial((far, torch.tensor([0.4, 0.3], dtype=torch.float64), w, 0.3), "Far from the line")
    yield Trial((0.3 * normal(4, 2, seed=8), 4 * w, w, 0.0), "With a uᵀw of 5")
    folding = -0.95 * w / w.square().sum()
    yield Trial((0.3 * normal(4, 2, seed=8), folding, w, 0.0), "With a uᵀw of −0.95")
    u = 0.3 * normal(3, seed=9).abs()
    square = normal(3, 3, seed=9), u, normal(3, seed=10).abs(), -2.345678
    yield Trial(square, "With as many rows as dimensions")
    yield Trial((normal(4, 3, seed=11), u, 0 * u, 0.5), "For a w of zero")


def _wrong_log_dets(z, u, w, b):
    """(what a mistake gives, the sentence that names it), …"""
    bend = (z @ w + b).tanh()
    slope = 1 - bend.square()
    along = u @ w
    right = (1 + along * slope).log()
    return [
        (-right, "The sign is wrong: this is the log-determinant of the inverse."),
        (1 + along * slope, "The logarithm is missing: this is the determinant."),
        ((along * slope).abs().log(), "The 1 is missing: the layer adds to z, so its slope does."),
        ((1 + along * bend).log(), "You took tanh itself; the Jacobian has its derivative."),
        ((1 + along * (1 - bend)).log(), "tanh′ is 1 − tanh²; the square is missing."),
        ((1 + u.square().sum() * slope).log(), "You took uᵀu; along w it is uᵀw that counts."),
        ((1 + w.square().sum() * slope).log(), "You took wᵀw; the push is along u, so uᵀw."),
        (
            (1 + u * w * slope[:, None]).log().sum(1),
            "You took the diagonal of the Jacobian alone; its determinant is 1 + uᵀw tanh′.",
        ),
        (1 + along * slope - 1, "This is the trace of the Jacobian less J; take log |det|."),
        (
            (1 + along * (1 - (z @ w).tanh().square())).log(),
            "b is missing inside tanh′.",
        ),
        (right.sum(), "You summed over the rows; every z has its own log-determinant."),
        (right.mean(), "You averaged over the rows; every z has its own log-determinant."),
        (right / math.log(2), "That is in bits; the unit is the nat."),
    ]


@check(
    _layers,
    "1 + uᵀw tanh′, whatever the dimension: no determinant is needed.",
    _wrong_log_dets,
    gradients=("z", "u", "w"),
)
def planar_log_det(z, u, w, b):
    """Check `fn(z, u, w, b) -> [B]`: log |det| of z ↦ z + u tanh(wᵀz + b) in nats [RM15].

    `z` is [B, J], `u` and `w` [J], `b` a number, and uᵀw > −1.
    """
    return (1 + u @ w * (1 - (z @ w + b).tanh().square())).log()


# --- missing pixels --------------------------------------------------------------------------


def _grids():
    yield 2 * normal(3, 7), 2 * normal(7, 5, seed=1)
    yield 3 * normal(2, 9, seed=2) - 5, normal(9, 4, seed=3)
    yield normal(4, 6, seed=4), 3 * normal(6, 6, seed=5)
    low = Trial((normal(2, 8, seed=6) - 900, 2 * normal(8, 5, seed=7)), "For log p near −900")
    low.advice = "exp(−900) is zero: subtract the largest first, or use softmax."
    yield low
    advice = "Subtract the largest of each row first, or use softmax."
    row, logits = torch.arange(3).double()[:, None], normal(6, 4, seed=10)
    apart = normal(3, 6, seed=9) - 2000 * row
    yield Trial((apart, logits), "With images 2,000 nats apart", advice)
    sharp = 1000 * normal(3, 6, seed=11)
    yield Trial((sharp, logits), "With points of the grid 1,000 nats apart", advice)
    advice = "exp(800) is infinite: sigmoid takes any logit."
    yield Trial((normal(3, 6), 800 * normal(6, 4).sign()), "With logits of ±800", advice)
    yield Trial((torch.zeros(1, 5).double(), normal(5, 3, seed=8)), "For a flat posterior")
    yield Trial((normal(4, 4, seed=12), normal(4, 4, seed=13)), "With as many images as z")
    yield Trial((normal(3, 1, seed=14), normal(1, 4, seed=15)), "With one z")
    yield Trial((normal(3, 5, seed=16), normal(5, 1, seed=17)), "With one pixel")


def _wrong_fillings(log_joint, logits):
    """(what a mistake gives, the sentence that names it), …"""
    weight, on = log_joint.softmax(1), logits.sigmoid()
    top = log_joint.argmax(1)
    return [
        (weight @ logits, "These are mean logits; the probability is the mean of sigmoids."),
        (
            (weight @ logits).sigmoid(),
            "The sigmoid of the mean logit is not the mean of the sigmoids: average those.",
        ),
        (on[top], "One z fills in, the likeliest; the others are possible, too."),
        (log_joint.exp() @ on, "The weights do not sum to one: divide by p(seen)."),
        (
            on.mean(0).expand(len(weight), -1),
            "Every z counts alike; weigh them by p(z | seen).",
        ),
        (log_joint @ on, "The weights are logarithms; take softmax, or exp, of them."),
        (
            log_joint.softmax(0) @ on,
            "The softmax runs over the images; it must run over the z.",
        ),
        (
            (log_joint / log_joint.sum(1, keepdim=True)) @ on,
            "The logarithms are normalized; take the exponential first.",
        ),
        ((weight @ on).round(), "You rounded; a probability of 0.6 is not a pixel that is on."),
        ((weight @ on).log(), "This is the logarithm of the probability."),
    ]


@check(
    _grids,
    "the average of the decoder over every z that the seen pixels allow.",
    _wrong_fillings,
)
def missing_pixels(log_joint, logits):
    """Check `fn(log_joint, logits) -> [B, D]`: p(x_d = 1 | x_seen), summed over a grid of z.

    `log_joint` [B, G] is log p(x_seen, z) of each image at each z, nats, `logits` [G, D] those
    of the decoder there.
    """
    return log_joint.softmax(1) @ logits.sigmoid()


# --- a sum over labels -----------------------------------------------------------------------


def _labels():
    yield 3 * normal(5, 4) - 90, normal(5, 4, seed=1).log_softmax(1)
    yield 2 * normal(3, 10, seed=2) - 40, (3 * normal(3, 10, seed=3)).log_softmax(1)
    yield normal(4, 2, seed=4), normal(4, 2, seed=5).log_softmax(1)
    square = normal(4, 4, seed=9) - 60, normal(4, 4, seed=10).log_softmax(1)
    yield Trial(square, "With as many images as labels")
    low = normal(3, 4, seed=12) - 5000, normal(3, 4, seed=13).log_softmax(1)
    advice = "Their exponentials are 0 there: stay in logarithms."
    yield Trial(low, "With bounds near −5,000", advice)
    yield Trial((normal(3, 1, seed=11), torch.zeros(3, 1).double()), "With one label")
    even = torch.full((3, 6), -math.log(6)).double()
    yield Trial((5 * normal(3, 6, seed=6), even), "For a q(y|x) that knows nothing")
    sure = Trial(
        (normal(3, 4, seed=7) - 50, (400 * normal(3, 4, seed=8)).log_softmax(1)),
        "For a q(y|x) that is all but sure",
        "Where q is 0, q log q is 0: multiply q with log q, never with log of a rounded q.",
        gradients=False,
    )
    yield sure


def _wrong_sums(bounds, log_q):
    """(what a mistake gives, the sentence that names it), …"""
    q = log_q.exp()
    entropy = -(q * log_q).sum(1)
    fit = (q * bounds).sum(1)
    return [
        (fit, "The entropy of q(y|x) is missing: a sure q is not free."),
        (fit - entropy, "The entropy is subtracted; it is added, as −log q of a draw is."),
        (entropy, "Only the entropy is there; the bounds of the labels are missing."),
        (
            bounds.logsumexp(1),
            "This is the sum of exp(bounds): the best q(y|x), and not the one handed in.",
        ),
        (
            (bounds + log_q).logsumexp(1),
            "This is the log of a mean of exp(bounds); asked for is the mean of bounds − log q.",
        ),
        (
            fit + entropy + math.log(bounds.shape[1]),
            "log K is added; −log K is in L(x, y) already.",
        ),
        (
            fit + entropy - math.log(bounds.shape[1]),
            "log K is subtracted; L(x, y) holds it already.",
        ),
        ((bounds - log_q).mean(1), "Every label counts alike; weigh them by q(y|x)."),
        ((bounds - log_q).sum(1), "Every label counts alike; weigh them by q(y|x)."),
        (
            bounds.gather(1, log_q.argmax(1, keepdim=True))[:, 0],
            "Only the most probable label is used; all count, by q(y|x).",
        ),
        (
            (log_q * (bounds - log_q)).sum(1),
            "The weights are logarithms; take the exponential of log_q.",
        ),
        ((fit + entropy) / bounds.shape[1], "Divided by K once more; q sums to one already."),
        ((fit + entropy).sum(), "Summed over the images too; give each its own bound."),
        ((fit + entropy).mean(), "Averaged over the images; give each its own bound."),
        (-(fit + entropy), "The sign is wrong: this is the loss; asked for is the bound."),
    ]


def _with_sum_one(gradient, bounds, log_q):
    """What a gradient by log_q says of changes that keep the sum of q(y|x) at one."""
    return gradient - log_q.exp() * gradient.sum(1, keepdim=True)


@check(
    _labels,
    "a sum over K labels, so that no label is drawn and none of its noise comes in.",
    _wrong_sums,
    gradients={"bounds": None, "log_q": _with_sum_one},
)
def unlabelled_bound(bounds, log_q):
    """Check `fn(bounds, log_q) -> [B]`: Σ_y q(y|x) (L(x, y) − log q(y|x)) in nats [KRMW14].

    `bounds` [B, K] holds L(x, y), the bound on log p(x, y), and `log_q` [B, K] log q(y|x).
    """
    return (log_q.exp() * (bounds - log_q)).sum(1)
