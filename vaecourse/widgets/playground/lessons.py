"""The playground's lessons: where the knobs stand, a question, what to do, and what is then seen.

An answer tells what was seen with seeds 0, 1 and 2: `tests/widgets/test_playground.py` trains the
lessons again, with all three if VAECOURSE_BUDGET is full.
"""

FIVE_POINTS = [-2.0, -1.0, -1.0, 1.5, 0.0, -0.5, 1.0, 1.0, 2.0, -1.5]


def _lesson(title, question, task, answer, own=None, **settings):
    return {
        "title": title,
        "question": question,
        "task": task,
        "answer": answer,
        "settings": settings,
        **({} if own is None else {"own": own}),
    }


LESSONS = {
    "good-fit": _lesson(
        "a good fit",
        "How far below the ceiling does the bound end, when all goes well?",
        "Press play and wait for 150 epochs.",
        "The three lines meet within about 0.03 nats. The data are Gaussian and q has a full "
        "covariance, so the model can fit the data and q can equal the posterior: both gaps close.",
        data="rotated_gaussian",
        full=True,
        epochs=150,
    ),
    "collapse": _lesson(
        "collapse: β = 20",
        "With β = 20, which of the two gaps stays open?",
        "Press one step ten times and watch the KL. Then play: it stops after 50 epochs. Look at "
        "the loss, and at the codes. Then set β to 1 and press play twice, for 100 epochs more.",
        "The gap of the model stays open, by about a quarter of a nat; the gap of inference is "
        "zero. Each nat of KL costs twenty nats of loss, and here it earns less than that in the "
        "reconstruction, so the encoder learns to send none: every q equals the prior, the KL is "
        "0, and x is drawn from the same broad Gaussian whatever z is. The posterior is then the "
        "prior too, and q equals it. With β = 1 the codes come apart again: a nat of KL then earns "
        "about 1.1 nats of reconstruction, more than it costs.",
        data="three_blobs",
        latents=1,
        beta=20.0,
        epochs=50,
    ),
    "small-beta": _lesson(
        "β too small",
        "With β = 0.1 the reconstruction is excellent. Is the model better?",
        "Press play and wait for 150 epochs. Compare log p(x) with the lesson on collapse, and the "
        "samples with the data.",
        "No. The reconstruction is above 2 nats, but the KL is near 7, and log p(x) ends about "
        "half a nat below the ceiling, lower than after the collapse. The bound lies about a nat "
        "lower still, or more: q is much narrower than the posterior, and it pays for it.",
        data="three_blobs",
        latents=1,
        beta=0.1,
        epochs=150,
    ),
    "slope": _lesson(
        "β = 4, and a variance that learns",
        "One axis of the data has thirty times the variance of the other. Is it still worth its "
        "price at β = 4?",
        "Press play and wait for 150 epochs; look at the KL. Then set β to 1 and play on.",
        "No: the KL goes to zero, though at β = 1 it ends near 1.6 nats (for one latent the best "
        "is ½ log of the ratio of the two variances, 1.7). The variance of x is learned: it grows "
        "with the error, and makes every error cheaper. For Gaussian data the last weight that "
        "keeps the long axis is 1.93 (chapter 15), for any network.",
        data="rotated_gaussian",
        noise="shared",
        latents=1,
        beta=4.0,
        epochs=150,
    ),
    "spikes": _lesson(
        "a variance goes to zero",
        "Five points, and a variance of x for every z. Where does the bound end?",
        "Press play and watch for 16,000 steps. Then give x one variance for all z.",
        "No end is in sight. It climbs from −3.5 nats to above 2 within 12,000 steps; later it "
        "falls and climbs, by a nat and more. A density has no ceiling on points that the decoder "
        "can hit exactly: the narrower its spikes, the higher it is. One variance for all z slows "
        "the climb and does not stop it; a floor on the variance would (chapter 10).",
        own=FIVE_POINTS,
        data="own",
        latents=1,
        batch=16,
    ),
    "lost-blob": _lesson(
        "a component that is lost",
        "Three groups of points, two latents: does the model find all three?",
        "Press play and wait for 150 epochs. Try two more seeds.",
        "Not with these seeds: log p(x) ends about one nat below the ceiling, and samples lie "
        "between the groups. Watch the KL in the first epochs: it stays near zero while the "
        "decoder learns. The lesson on warm-up changes only the weight of the KL in those epochs.",
        data="gaussian_mixture",
        rate=0.003,
        epochs=150,
    ),
    "warm-up": _lesson(
        "warm-up, a cure",
        "The same data and seeds, but β grows from 0 to 1 in 50 epochs. What changes?",
        "Press play and wait for 150 epochs; then compare with the lesson on a component "
        "that is lost.",
        "log p(x) ends about 0.4 nats below the ceiling, where it was a nat without warm-up, with "
        "seeds 0, 1 and 2 alike, and fewer samples lie between the groups. Nothing else differs, "
        "so it is the KL of the first epochs that had cost the model half a nat.",
        data="gaussian_mixture",
        warmup=50,
        rate=0.003,
        epochs=150,
    ),
    "one-latent": _lesson(
        "one latent for the figure eight",
        "The eight is a curve, so one latent should do. Does it?",
        "Press play and wait for 150 epochs. Then take two latents.",
        "Not in this time: the decoder’s curve misses a part of the eight, and log p(x) ends about "
        "0.2 nats below the ceiling. With two latents it ends about 0.1 nats higher, though the "
        "data were made from one.",
        data="figure_eight",
        latents=1,
        warmup=50,
        rate=0.003,
        epochs=150,
    ),
    "diagonal": _lesson(
        "diagonal against full",
        "The data are rotated by 60°. What does a diagonal q lose?",
        "Press play and wait for 150 epochs. Read the gap of inference, then choose the full "
        "covariance and play again.",
        "Less than 0.05 nats. The decoder is free to choose what its latents mean: here one of "
        "them learns the long axis of the data and the other stays at the prior, so the posterior "
        "has little correlation that a diagonal q could miss.",
        data="rotated_gaussian",
        epochs=150,
    ),
    "slides": _lesson(
        "the slides’ first experiment",
        "20,000 points, 20 epochs in batches of 32: how long does it take here?",
        "Press play, and wait until it stops.",
        "Seconds, where the network is 64 wide. The bound ends within about 0.02 nats of the "
        "ceiling.",
        data="axis_aligned_gaussian",
        points=20_000,
        batch=32,
        width=64,
        epochs=20,
    ),
    "digits": _lesson(
        "digits in two numbers",
        "Can you see the digits form in the decoded plane, and where the codes go?",
        "Press play. Then try one latent.",
        "Within a few hundred epochs most of the plane decodes to digits that one can read; "
        "between two of them lie shapes that are neither.",
        data="digits",
        width=64,
        rate=0.003,
    ),
    "mnist": _lesson(
        "MNIST, two latents",
        "How long until the map of digits begins to form?",
        "When the images are here, 0.4 MB, press play.",
        "After a few epochs zeros and ones stand apart, and shapes between them can be read as "
        "digits. log p(x) is not shown here: its sum over a grid of z would take seconds each "
        "time. Chapter 09 takes it once.",
        data="mnist",
        layers=1,
        width=128,
        batch=32,
    ),
}
