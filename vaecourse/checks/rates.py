"""Self-checks for codes and what they cost: water-filling, MIG, a sum over words. Chapter 15."""

import math

import torch

from vaecourse.checks.answers import Trial, check, normal, uniform

# --- water-filling ---------------------------------------------------------------------------


def _levels():
    variances = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.25], dtype=torch.float64)
    yield variances, 0.7
    yield torch.tensor([9.0, 0.3, 3.0], dtype=torch.float64), 0.4
    yield torch.tensor([0.2, 7.0, 0.9, 1.3], dtype=torch.float64), 1.1
    yield Trial((variances, 0.1), "With a level below all variances")
    yield Trial((variances, 5.0), "With a level above all variances")
    yield Trial((variances[:1], 1.5), "With one direction")
    yield Trial((variances.flip(0), 0.7), "With the variances from small to large")
    for some, level in ((variances[2:], 0.5), (variances[:3], 2.0)):  # two, to name a mistake
        yield Trial((some, level), "With a variance equal to the level")
    equal = torch.tensor([2.0, 2.0, 0.3, 2.0, 0.3], dtype=torch.float64)
    for some, level in ((equal, 0.8), (equal[1:] / 3, 0.2)):
        yield Trial((some, level), "With variances that are equal")
    large = torch.tensor([1e4, 250.756789, 3.0, 0.123456], dtype=torch.float64)
    yield Trial((large, 0.754321), "With variances up to 10,000")
    small = torch.tensor([0.0912345, 1e-4, 0.0034567, 0.0512345], dtype=torch.float64)
    yield Trial((small, 0.0123456), "With variances from 0.0001 to 0.1")
    advice = "The logarithm of 0 is no number: such a direction is left out, and its rate is 0."
    none = torch.tensor([3.0, 0.0, 0.6], dtype=torch.float64)
    yield Trial((none, 0.4), "With a variance of 0", advice)


_EQUAL = "Variances that are equal count once; every direction counts."


def _wrong_rates(variances, level):
    """(what a mistake gives, the sentence that names it), …"""
    ratio = (variances / level).log()
    return [
        (
            0.5 * ratio.sum(),
            "Directions below the level are given a negative rate; theirs is zero.",
        ),
        (ratio.clamp(min=0).sum(), "The ½ is missing: a variance is a square."),
        (0.5 * ratio.clamp(min=0).sum() / math.log(2), "The rate is in bits; the course has nats."),
        (
            0.5 * (1 + variances / level).log().sum(),
            "½ log(1 + variance / level) is a channel's capacity, not the rate of a source.",
        ),
        (
            0.5 * (variances.sum() / level).log().clamp(min=0),
            "The variances are summed before the logarithm; each direction has its own.",
        ),
        (
            -0.5 * ratio.clamp(min=0).sum(),
            "The fraction is upside down: a low level costs a high rate.",
        ),
        (
            0.5 * (-ratio).clamp(min=0).sum(),
            "The fraction is upside down: a low level costs a high rate.",
        ),
        (
            0.5 * ratio[: (ratio > 0).sum()].sum(),
            "The first directions count, as if the variances were sorted; they need not be.",
        ),
        (
            0.5 * ratio[(ratio < 0).cumsum(0) == 0].sum(),
            "The sum stops at the first direction under water, as if the variances were sorted; "
            "they need not be.",
        ),
        (0.5 * ratio.clamp(min=0), "The directions are not summed yet."),
        (0.5 * ratio.unique().clamp(min=0).sum(), _EQUAL),
        (0.5 * ratio.clamp(min=0).mean(), "You averaged over the directions; sum over them."),
    ]


def _wrong_errors(variances, level):
    kept = variances > level
    return [
        (
            level * kept.sum(),
            "The directions that are left out cost nothing here; each keeps its whole variance.",
        ),
        (
            variances[~kept].sum(),
            "The directions that are kept have no error here; each has one equal to the level.",
        ),
        (
            torch.tensor(level * len(variances)),
            "The level counts for every direction; no error is larger than the variance.",
        ),
        (variances.clamp(min=level).sum(), "min and max are swapped: the level lies on top."),
        (
            (variances - level).clamp(min=0).sum(),
            "What stands out of the water is described; the error is what lies under water.",
        ),
        (variances.clamp(max=level), "The directions are not summed yet."),
        (variances.unique().clamp(max=level).sum(), _EQUAL),
        (
            variances[variances != level].clamp(max=level).sum(),
            "A variance equal to the level is left out; its error is the level.",
        ),
        (variances.clamp(max=level).mean(), "You averaged over the directions; sum over them."),
        (variances.sum(), "This is the whole variance: the error of a code that says nothing."),
    ]


@check(
    _levels,
    "no direction costs less than nothing, and none is worse than left out.",
    (_wrong_rates, _wrong_errors),
    outputs=("rate", "distortion"),
)
def water_filling(variances, level):
    """Check `fn(variances, level) -> (rate, distortion)`, one number each [CT06, section 10.3].

    `variances` [K], none below 0, of Gaussian data in their own directions; the rate in nats, the
    distortion the squared error, both summed over directions.
    """
    rate = 0.5 * (variances / level).log().clamp(min=0).sum()
    return rate, variances.clamp(max=level).sum()


# --- the mutual information gap --------------------------------------------------------------


def _tables():
    entropy = torch.tensor([1.6, 1.1, 0.69], dtype=torch.float64)
    yield 0.9 * uniform(4, 3) * entropy, entropy
    yield 0.8 * uniform(2, 2, seed=1) * entropy[:2], entropy[:2]
    yield 0.9 * uniform(3, 3, seed=5) * entropy, entropy
    yield Trial((0.5 * uniform(5, 1, seed=2) + 0.1, entropy[:1]), "With one factor")
    equal = torch.full((2, 3), 0.3, dtype=torch.float64)
    yield Trial((equal, entropy), "With two latents that tell the same")
    one = torch.tensor([[1.5, 1.0], [0.0, 0.0], [0.0, 0.2]], dtype=torch.float64)
    yield Trial((one, entropy[:2]), "With one latent that tells nearly all")
    unlike = torch.tensor([0.0123456, 6.789012], dtype=torch.float64)
    yield Trial((uniform(4, 2, seed=6) * unlike, unlike), "With entropies of very unlike size")
    all_ = torch.diag(unlike)
    yield Trial((all_, unlike), "With latents that tell all of one factor, and nothing else")


def _wrong_gaps(information, entropy):
    """(what a mistake gives, the sentence that names it), …"""
    sorted_ = information.sort(0, descending=True).values
    gap = sorted_[0] - sorted_[1]
    share = information / entropy
    wide = information.shape[1] > 1
    across = information.sort(1, descending=True).values
    found = [
        (gap.mean(), "The gaps are not divided by the entropy of their factor."),
        (gap / entropy, "The factors are not averaged yet."),
        ((gap / entropy).sum(), "You summed over the factors; average over them."),
        (share.max(0).values.mean(), "This is the best latent alone; subtract the second best."),
        (
            (share.max(0).values - share.min(0).values).mean(),
            "You subtract the least informative latent; the second best is meant.",
        ),
        (
            gap.sum() / entropy.sum(),
            "Gaps and entropies are summed before they are divided; divide each gap by its own.",
        ),
        (-(gap / entropy).mean(), "The sign is turned: the best comes first."),
        (
            (gap / sorted_[0]).mean(),
            "The gap is divided by the best information; divide it by the entropy of the factor.",
        ),
    ]
    if wide:
        found.append(
            (
                (across[:, 0] - across[:, 1]).mean(),
                "The two best are sought among factors; they are two latents for each factor.",
            )
        )
    return found


@check(
    _tables,
    "the best latent less the second best, as a share of what there is to tell.",
    _wrong_gaps,
)
def information_gap(information, entropy):
    """Check `fn(information, entropy) -> scalar`, the mutual information gap [CLG18].

    `information` [J, K] holds I(z_j; v_k) in nats, `entropy` [K] that of each factor.
    """
    best = information.topk(2, dim=0).values
    return ((best[0] - best[1]) / entropy).mean()


# --- a code of words -------------------------------------------------------------------------


def _likelihoods():
    yield 5 * normal(6, 4) - 20, torch.tensor([0, 1, 2, 3, 0, 1])
    yield 3 * normal(3, 7, seed=1) - 9, torch.tensor([6, 2, 0])
    yield Trial((normal(4, 1, seed=2), torch.zeros(4).long()), "With one word")
    yield Trial((normal(1, 3, seed=3), torch.tensor([2])), "With one row")
    low = 400 * normal(5, 3, seed=4) - 2_000
    yield Trial((low, low.argmax(1)), "With log-likelihoods near −2,000", "Use logsumexp.")
    worst = 3 * low - 30_000  # the chosen word lies up to 4,000 nats below the best
    where = "Where the chosen word is the worst by far"
    yield Trial((worst, worst.argmin(1)), where, "Subtract the largest, or use logsumexp.")
    some = normal(4, 4, seed=5), torch.tensor([3, 0, 0, 2])
    yield Trial(some, "With as many rows as words")
    equal = torch.full((2, 3), 345.678, dtype=torch.float64)
    where = "With words that are equally likely, near 346"
    yield Trial((equal, torch.tensor([2, 1])), where, "Use logsumexp.")


def _wrong_evidence(log_likelihood, chosen):
    """(what a mistake gives, the sentence that names it), …"""
    k = log_likelihood.shape[1]
    total = log_likelihood.logsumexp(1)
    return [
        (total, "The prior is missing: each word has the mass 1/K."),
        (total - 2 * math.log(k), "1/K is counted twice."),
        (total + math.log(k), "log K is added; the mass of a word is 1/K, below one."),
        (
            log_likelihood.mean(1),
            "This is the mean of the logarithms; take the logarithm of the mean.",
        ),
        (log_likelihood.max(1).values, "This is the best word alone; sum over the words."),
        ((total - math.log(k)).mean(), "You averaged over the rows; give each its own."),
        ((total - math.log(k)).exp(), "This is p(x); the logarithm is asked for."),
        (
            (log_likelihood.softmax(1) * log_likelihood).sum(1),
            "The logarithms are averaged with weights p(k|x); take the logarithm of the mean.",
        ),
        (total - k, "You subtracted K; it is log K."),
        (total / k, "The logarithm is divided by K; subtract log K."),
        (
            log_likelihood.gather(1, chosen[:, None])[:, 0] - math.log(k),
            "This is the bound, which has the chosen word alone; sum over the words.",
        ),
    ]


def _wrong_bounds(log_likelihood, chosen):
    k = log_likelihood.shape[1]
    at = log_likelihood.gather(1, chosen[:, None])[:, 0]
    best = log_likelihood.max(1).values
    return [
        (at, "The KL is missing: q lies on one word, the prior on K, so it is log K."),
        (best - math.log(k), "You took the likeliest word; the bound is at the chosen one."),
        (at + math.log(k), "The KL is added; it is a price."),
        (at - math.log2(k), "The KL is in bits; the course has nats."),
        (
            log_likelihood.mean(1) - math.log(k),
            "You averaged over the words; q lies on the chosen one.",
        ),
        (log_likelihood.logsumexp(1) - math.log(k), "This is log p(x), not the bound."),
        (log_likelihood.logsumexp(1) - at, "This is the gap, log p(x) less the bound."),
        (at - log_likelihood.logsumexp(1), "This is log p(k|x), the posterior at the chosen word."),
        (log_likelihood[:, 0] - math.log(k), "You took the first word; q lies on the chosen one."),
        (at - k, "You subtracted K; it is log K."),
        (at / k, "The logarithm is divided by K; subtract log K."),
    ]


@check(
    _likelihoods,
    "the sum needs every word, the bound only the chosen one.",
    (_wrong_evidence, _wrong_bounds),
    outputs=("evidence", "bound"),
)
def word_evidence(log_likelihood, chosen):
    """Check `fn(log_likelihood, chosen) -> (evidence, bound)`, each [B] in nats [OVK17].

    `log_likelihood` [B, K] holds log p(x|w_k), `chosen` [B] the word that q(k|x) is all on; the
    prior gives each of the K words the mass 1/K.
    """
    k = log_likelihood.shape[1]
    at = log_likelihood.gather(1, chosen[:, None])[:, 0]
    return log_likelihood.logsumexp(1) - math.log(k), at - math.log(k)


# --- the gradient of an average over words ---------------------------------------------------


def _choices():
    yield normal(5, 4), 3 * normal(5, 4, seed=1)
    yield 2 * normal(3, 6, seed=2), normal(3, 6, seed=3) - 4
    yield Trial((normal(4, 2, seed=4), 50 + normal(4, 2, seed=5)), "With values near 50", rtol=1e-4)
    yield Trial((normal(1, 3, seed=6), normal(1, 3, seed=7)), "With one row")
    yield Trial((normal(5, 1, seed=16), normal(5, 1, seed=17)), "With one word")
    yield Trial((normal(4, 4, seed=8), normal(4, 4, seed=9)), "With as many rows as words")
    far = 400 * normal(5, 3, seed=10)
    advice = "exp(800) is infinite: softmax takes any logits."
    yield Trial((far, normal(5, 3, seed=11)), "With logits from −800 to 800", advice)
    low = normal(5, 3, seed=12) - 1000
    yield Trial((low, normal(5, 3, seed=13)), "With logits near −1,000")
    spread = 5_000 * normal(6, 4, seed=14)
    where = "With values from −10,000 to 10,000"
    yield Trial((normal(6, 4, seed=15), spread), where, rtol=1e-4, atol=1e-3)
    equal = (
        torch.zeros(2, 4).double(),
        torch.tensor([[5.0, 5.0, -1.0, 0.0], [2.0] * 4], dtype=torch.float64),
    )
    yield Trial(equal, "With logits and values that are equal")


def _wrong_slopes(logits, values):
    """(what a mistake gives, the sentence that names it), …"""
    q = logits.softmax(1)
    mean = (q * values).sum(1, keepdim=True)
    one_hot = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).to(values)
    through = q * (values - mean)
    return [
        (q * values, "The mean is not subtracted: raising one logit lowers the other words."),
        (values - mean, "The factor q_k is missing: an unlikely word moves the mean little."),
        (values, "These are the derivatives by q_k; go on through the softmax, to the logits."),
        (-through, "The sign is turned."),
        (
            q * (values - values.mean(1, keepdim=True)),
            "The plain mean is subtracted; weigh the words by q.",
        ),
        (through.sum(0), "You summed over the rows; give each its own."),
        (through / len(q), "You averaged over the rows; give each its own."),
        (mean.expand_as(q), "This is the mean itself; its derivative is asked for."),
        (
            one_hot * (values - mean),
            "Only the likeliest word is moved; the sum runs over all of them.",
        ),
        (q * (1 - q) * values, "Only the word's own share of q moves here; all of q does."),
        (
            q * (values - values.gather(1, logits.argmax(1, keepdim=True))),
            "The value of the likeliest word is subtracted; it must be the mean of all.",
        ),
        (q * through, "The factor q_k counts twice; it belongs there once."),
        *(
            (p * (values - (p * values).sum(1, keepdim=True)), words)
            for p, words in (
                (
                    logits / logits.sum(1, keepdim=True),
                    "The logits are divided by their sum; q is their softmax.",
                ),
                (logits.log_softmax(1), "log q stands where q belongs."),
            )
        ),
        (
            values - q * values.sum(1, keepdim=True),
            "This is the derivative of Σ values · log q; the mean weighs the words by q itself.",
        ),
    ]


@check(_choices, "raising a logit moves mass to its word from all others.", _wrong_slopes)
def word_gradient(logits, values):
    """Check `fn(logits, values) -> [B, K]`: ∂/∂logits of Σ_k q_k values_k, q = softmax(logits).

    `logits` and `values` are [B, K]; each row has its own sum, and nothing is drawn.
    """
    q = logits.softmax(1)
    return q * (values - (q * values).sum(1, keepdim=True))
