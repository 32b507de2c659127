"""Answers to several checks that fail, or hold, only at one end of what they may be given."""

import math
import sys
import types

import torch
from torch.nn import functional


def kl(m, v):
    return 0.5 * (v.exp() + m.square() - 1 - v).sum(1)


def product(m, v, n, w, small=0.0):
    a, b = torch.exp(-v), torch.exp(-w)
    return (a * m + b * n) / (a + b + small), -torch.log(a + b + small)


def sure_product(m, v, n, w):
    share = torch.sigmoid(w - v)
    return share * m + (1 - share) * n, -torch.logaddexp(-v, -w)


def narrowed(high):
    return lambda m, v, n, w: sure_product(m, v.clamp(max=high), n, w.clamp(max=high))


def mixture(a, f, k):
    log_q = a.log_softmax(1)
    return (log_q.exp() * (f - k - log_q)).sum(1) - math.log(a.shape[1])


def by_exponentials(shift, small=0.0):
    def fn(a, f, k):
        weights = (a - shift(a)).exp()
        q = weights / (weights.sum(1, keepdim=True) + small)
        return (q * (f - k) - torch.special.xlogy(q, q)).sum(1) - math.log(a.shape[1])

    return fn


def slope(a, f):
    q = a.softmax(1)
    return q * (f - (q * f).sum(1, keepdim=True))


def slope_of(q_of):
    def fn(a, f):
        q = q_of(a)
        return q * (f - (q * f).sum(1, keepdim=True))

    return fn


def log_mean(v):
    return v.logsumexp(0) - math.log(len(v))


def full(m, L, size=None):
    logs = L.diagonal(dim1=1, dim2=2).log().sum(1)
    size = m.shape[1] if size is None else size
    return 0.5 * (L.square().sum((1, 2)) + m.square().sum(1) - size) - logs


def score(f, z, m, v, others=None):
    others = (f.sum() - f) / (len(f) - 1) if others is None else others
    return (f - others)[:, None] * (z - m) / v.exp()


def limit(n, d):
    at = 1 / n.double() - (1 / n.double()).mean()
    return d.mean() - (at @ d.double()) / (at @ at) * (1 / n.double()).mean()


def error(x, y):
    return (x - y).square().sum(1)


def without_last_row(fn):
    return lambda *arguments: torch.cat([fn(*arguments)[:-1], 0 * fn(*arguments)[-1:]])


def with_a_row_less(fn):
    return lambda *arguments: fn(*(a[1:] for a in arguments))


def in_place(m, v):
    w = v.clone()
    var = w.exp_()
    half = 0.5 * (var + m**2 - 1 - v).sum(1)
    var.add_(1)
    return half + 0 * (w * m).sum(1) + 0 * var.square().sum(1) - 0 * _overwritten(v)


def _overwritten(v):
    root = v.exp()
    value = root.sqrt().sum(1)
    root.sqrt_()
    return value + root.square().sum(1)


def first_import(fn):
    """A library moves random.random's numbers where it is imported, in the first call."""
    source = "import random\nrandom.random()\n"

    def imported(*arguments):
        if "moves_chance" not in sys.modules:
            module = types.ModuleType("moves_chance")
            sys.modules["moves_chance"] = module
            exec(source, module.__dict__)
        return fn(*arguments)

    return imported


CORPUS = {
    "kl": {
        "wrong": [
            (lambda m, v: kl(m.clamp(-4.5, 4.5), v), "every loc tried from −3 to 3, wrong from −6"),
            (
                lambda m, v: kl(m, v.clamp(max=6.5)),
                "every log_var tried from −20 to 6, wrong from 7",
            ),
            (lambda m, v: kl(m, v) + m.shape[1] / 2 - 1, "2 is written in for"),
            (lambda m, v: kl(m, v) + 0.5 * (v - (v.exp() + 1e-4).log()).sum(1), "10⁻⁴"),
            (without_last_row(kl), "Only the last row is wrong"),
            (in_place, "A number that autograd needs is changed in place"),
        ],
        "right": [],
    },
    "gaussian_product": {
        "wrong": [
            (narrowed(6), "log_var_1 and log_var_2 cut off above 6"),
            (narrowed(10), "log_var_1 and log_var_2 cut off above 10"),
            (narrowed(15), "log_var_1 and log_var_2 cut off above 15"),
            *(
                (lambda *a, e=e: product(*a, e), "small number is added to the precision")
                for e in (1e-3, 1e-6, 1e-7, 1e-8)
            ),
            (lambda *a: product(*a, -1), "prior, 1, is taken away"),
            (lambda *a: product(*a, 1), "prior, 1, is added"),
            (lambda m, v, n, w: sure_product(m, v, n.detach(), w.detach()), "gradient"),
            (
                lambda m, v, n, w: (
                    torch.lerp(n, m, (w - v).sigmoid().detach()),
                    -torch.logaddexp(-v, -w),
                ),
                "No gradient reaches log_var_1 from the mean: the value is right",
            ),
            (
                lambda m, v, n, w: sure_product(m, v.clamp(-4, 4), n, w.clamp(-4, 4)),
                "cut off at −4 and 4",
            ),
        ],
        "right": [sure_product, product],
    },
    "mixture_elbo": {
        "wrong": [
            *(
                (lambda a, f, k, e=e: mixture(a.clamp(min=e), f, k), "logits cut off (from )?below")
                for e in (-8, -20, -50)
            ),
            (lambda a, f, k: mixture(a.clamp(-10, 500), f, k), "logits cut off below −10"),
            (by_exponentials(lambda a: a.amax(1, True).clamp(min=0)), "logits near −1,000"),
            (by_exponentials(lambda a: a.amax(1, True).clamp(min=0), 1e-9), "logits near −1,000"),
            (with_a_row_less(mixture), r"shape \[5\]; it must be \[6\]"),
            (without_last_row(mixture), "Only the last row is wrong"),
        ],
        "right": [
            lambda a, f, k: mixture(a, f, k.relu()),
            lambda a, f, k: mixture(a, f, k.abs()),
            lambda a, f, k: mixture(a, f, torch.maximum(k, 0 * k.detach())),
            by_exponentials(lambda a: a.amax(1, True)),
        ],
    },
    "word_gradient": {
        "wrong": [
            *(
                (lambda a, f, e=e: slope(a, f).clamp(-e, e), f"cut off at −{e} and {e}")
                for e in (2, 5, 10)
            ),
            *(
                (lambda a, f, e=e: slope(a, f.clamp(min=e)), "values cut off below")
                for e in (-20, -30, -50, -100)
            ),
            (
                slope_of(lambda a: a.clamp(-500, 500).softmax(1)),
                "logits cut off on both sides, not for",
            ),
            (slope_of(torch.sigmoid), "a sigmoid in place of softmax"),
            (slope_of(lambda a: a), "logits in place of softmax"),
            (slope_of(lambda a: a.softmax(1).clamp(min=0.01)), "cut off below 0.01"),
            (lambda a, f: f - a.softmax(1) * f.sum(1, keepdim=True), "log q"),
            (lambda a, f: a.softmax(1) * (f - (a.softmax(1) * f).mean(1, True)), "a mean in place"),
            (lambda a, f: a.softmax(1) * slope(a, f), "q_k counts twice"),
            (
                lambda a, f: a.softmax(1) * (f - f.gather(1, a.argmax(1, True))),
                "value of the likeliest word",
            ),
            (without_last_row(slope), "Only the last row is wrong"),
        ],
        "right": [slope],
    },
    "log_evidence": {
        "wrong": [
            (lambda v: v.logsumexp(1), "one for each row; it must be .*, one for each column"),
        ],
        "right": [lambda v: 0.5 * log_mean(v) + 0.5 * log_mean(v).detach()],
    },
    "importance_log_likelihood": {
        "wrong": [],
        "right": [
            lambda a, b: log_mean(a - b.detach()),
            lambda a, b: 0.5 * log_mean(a - b) + 0.5 * log_mean(a - b).detach(),
        ],
    },
    "full_covariance_kl": {
        "wrong": [
            (lambda m, L: full(m, L, m.shape[1] ** 2), "the square of loc.shape"),
            (lambda m, L: full(m, L, len(m)), r"loc.shape\[0\] in place of loc.shape\[1\]|len"),
            (with_a_row_less(full), r"shape \[4\]; it must be \[5\]"),
            (
                lambda m, L: (
                    full(m, L)
                    + (
                        L.diagonal(dim1=1, dim2=2).log()
                        - L.diagonal(dim1=1, dim2=2).clamp(min=0.1).log()
                    ).sum(1)
                ),
                "the diagonal cut off below 0.1",
            ),
        ],
        "right": [],
    },
    "reconstruction_loss": {
        "wrong": [
            (
                lambda x, y: functional.binary_cross_entropy(y, x, reduction="none").sum(1),
                "This is a cross-entropy",
            ),
            (
                lambda x, y: functional.binary_cross_entropy_with_logits(
                    y, x, reduction="none"
                ).sum(1),
                "This is a cross-entropy",
            ),
            (lambda x, y: error(x, y.sigmoid()), "the sigmoid of x_hat"),
            (lambda x, y: error(x, y) + (x * y).sum(1), "−2 x x̂ counts 0.5 times"),
            (lambda x, y: 784 * (x - y).square().mean(1), "the mean times 784"),
            (lambda x, y: error(x.relu(), y), "right for x cut off below 0"),
            (lambda x, y: error(x.clamp(-10, 10), y), "right for x cut off at −10 and 10"),
            (lambda x, y: error(x, y.clamp(0, 1)), "for x_hat cut off at 0 and 1, not for x_hat"),
        ],
        "right": [first_import(error)],
    },
    "output_gradients": {
        "wrong": [
            (
                lambda x, m, v: (
                    ((m - x) / v.exp()).clamp(-1e4, 1e4),
                    0.5 * (1 - (m - x) ** 2 / v.exp()),
                ),
                "Right for every log_var tried from −14 to 20, wrong from −15 down",
            ),
            (
                lambda x, m, v: (
                    (m - x) / (v.exp() + 0.01),
                    0.5 * (1 - (m - x) ** 2 / (v.exp() + 0.01)),
                ),
                r"the logarithm of exp\(log_var\) \+ 0.01",
            ),
        ],
        "right": [],
    },
    "score_function_gradient": {
        "wrong": [
            (lambda f, z, m, v: score(f, z, m.clamp(min=-8), v), "loc cut off below −8"),
            (lambda f, z, m, v: score(f, z, m, v.exp().clamp(min=0.1).log()), "below 0.1"),
            (lambda f, z, m, v: score(f, z, m, v, f.roll(1)), "another draw's value"),
            (
                lambda f, z, m, v: score(f, z, m, v).sum(1, True).expand_as(z),
                "The score is summed over the latents",
            ),
            (
                lambda f, z, m, v: (
                    f[:, None] * -0.5 * ((z - m) ** 2 / v.exp() + v + math.log(2 * math.pi))
                ),
                "This has log q itself",
            ),
        ],
        "right": [],
    },
    "bias_free": {
        "wrong": [
            (lambda n, d: (n.double() @ d) / (n.double() @ n.double()) * n.max(), "through the or"),
            (lambda n, d: 2 * d[n.argmax()] - d[n.argsort()[-2]], "only if the size doubles"),
            (lambda n, d: limit(n, d.sort().values), "sizes not; each distance keeps its size"),
            (lambda n, d: limit(n, d).round(decimals=1), "rounded to one decimal;"),
        ],
        "right": [limit],
    },
}
