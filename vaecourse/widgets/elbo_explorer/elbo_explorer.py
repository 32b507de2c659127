"""The ELBO explorer, Python side: the model, and the numbers that the page shows."""

import traitlets

from vaecourse.inference.elbo_identities import Gaussian, LinearGaussianModel
from vaecourse.widgets.shared import Explorer, Hand, check_number, check_numbers, page_files

START = (0.5, 0.8)  # the worse guess of chapter 07
STEEPEST = 20  # |weight|/noise beyond which the posterior is a needle on the picture
RANGES = {"mean": (-100, 100), "standard deviation": (0.001, 100)}
FARTHEST = 10  # |posterior mean| beyond which the prior is one


class ElboExplorer(Explorer):
    """A Gaussian q(z) to move by hand under the model z ~ N(0, 1), x | z ~ N(weight·z, noise²).

    weight, noise, x: numbers; noise is the standard deviation of x given z.
    title: the line above the picture.
    q: where to start, [mean, standard deviation]; while a kernel runs, `explorer.q` follows the
        hand and `explorer.values` holds the numbers on the page.

    All numbers are in closed form and in nats. log p(x) stays while the ELBO and the gap
    KL(q ‖ p(z|x)) share it out; below, the ELBO is split into reconstruction and KL(q ‖ p(z)).
    With z put at the mean of q the reconstruction costs nothing for the spread of q, and the
    result can lie above log p(x): the mistake that chapter 07 warns of.

    Raises ValueError for numbers that are not finite, for a noise or deviation that is not
    positive, and for a posterior too narrow or too far out to be seen beside the prior.
    """

    _esm, _css = page_files("elbo_explorer", "normal_plot.js")
    spec = traitlets.Dict().tag(sync=True)
    q = Hand(list(START), check_numbers, RANGES)

    def __init__(self, weight=1.5, noise=0.5, x=2.0, *, title="What the bound loses", **traits):
        weight = check_number("weight", weight, -100, 100)
        noise = check_number("noise", noise, 0.01, 100)
        x = check_number("x", x, -1000, 1000)
        if abs(weight) > STEEPEST * noise:
            raise ValueError(
                f"|weight|/noise is {abs(weight) / noise:g}; the picture holds at most {STEEPEST}."
            )
        mean = weight * x / (weight**2 + noise**2)
        if abs(mean) > FARTHEST:
            raise ValueError(
                f"x is {x:g}, so the posterior is at {mean:g}; the picture ends at ±{FARTHEST}."
            )
        super().__init__(**traits)
        self.spec = {
            "title": title,
            "weight": weight,
            "noise": noise,
            "x": x,
            "start": {"q": self.q},
        }

    @property
    def values(self):
        """A dict of numbers in nats: evidence, elbo, gap, reconstruction, kl_to_prior."""
        weight, noise, x = (self.spec[name] for name in ("weight", "noise", "x"))
        model = LinearGaussianModel([x], [[weight]], 1.0, 1 / noise**2)
        q = Gaussian([self.q[0]], [[self.q[1] ** 2]])
        reconstruction, kl = model.expected_log_likelihood(q), model.kl_to_prior(q)
        values = {
            "evidence": model.log_evidence(),
            "elbo": reconstruction - kl,
            "gap": model.kl_to_posterior(q),
            "reconstruction": reconstruction,
            "kl_to_prior": kl,
        }
        return {name: float(value) for name, value in values.items()}
