"""The playground: its arithmetic against torch and the exact densities, and its lessons."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from widget_page import script

import vaecourse as vc
from vaecourse.widgets import Playground
from vaecourse.widgets.playground.lessons import FIVE_POINTS, LESSONS
from vaecourse.widgets.playground.playground import KNOBS, START

ROOT = Path(__file__).parents[2]
NOISES = ("from_z", "shared", "bernoulli")
CASES = [
    (noise, full, layers)
    for noise, full, layers in itertools.product(NOISES, (False, True), (1, 2))
]


def course_vae(noise, full, layers, D, J=2, width=9):
    """The same network as torch has it, in float64, with weights that are not small."""
    likelihood = {"likelihood": "bernoulli"}
    if noise != "bernoulli":
        variance = None if noise == "from_z" else "shared"
        likelihood = {"likelihood": "gaussian", "noise_variance": variance}
    posterior = "full" if full else "diagonal"
    hidden = [width] * layers
    return vc.models.VAE(D, J, hidden, posterior=posterior, seed=3, **likelihood).double()


def flat(vae):
    """All weights in the page's order: encoder, decoder, a shared log variance."""
    own = [p for network in (vae.encoder, vae.decoder) for p in network.parameters()]
    own += list(vae.likelihood.parameters()) if hasattr(vae.likelihood, "parameters") else []
    return torch.cat([p.detach().flatten() for p in own]).tolist()


def shape(noise, full, layers, D, J=2, width=9):
    return {"D": D, "J": J, "hidden": [width] * layers, "full": full, "noise": noise}


@pytest.fixture(scope="module")
def run(tab):
    """Evaluate a function's body with the playground's program at hand as `js`."""
    widget = Playground()
    return lambda body, arg=None: tab.evaluate(script(widget, body), arg)


# ------------------------------------------------------------------ against torch


@pytest.mark.parametrize(("noise", "full", "layers"), CASES)
def test_two_hundred_steps_are_torchs(run, noise, full, layers):
    D, batch, steps, rate, beta = (12 if noise == "bernoulli" else 2), 16, 200, 3e-3, 0.7
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(steps, batch, D, generator=generator, dtype=torch.float64)
    x = (x > 0).double() if noise == "bernoulli" else 2 * x + 1
    eps = torch.randn(steps, 1, batch, 2, generator=generator, dtype=torch.float64)
    vae = course_vae(noise, full, layers, D)
    start = flat(vae)
    adam = torch.optim.Adam(vae.parameters(), lr=rate)
    losses = []
    for rows, noise_of_step in zip(x, eps):
        q = vae.encode(rows)
        scale = torch.diag_embed(q.scale) if not full else q.scale_tril
        z = q.loc + (scale @ noise_of_step.unsqueeze(-1)).squeeze(-1)
        reconstruction = vae.decode(z).log_prob(rows).mean()
        kl = torch.distributions.kl_divergence(q, vae.prior).mean()
        losses.append([reconstruction.item(), kl.item()])
        adam.zero_grad()
        (beta * kl - reconstruction).backward()
        adam.step()
    got = run(
        """const model = new js.Model(arg.shape);
        model.weights.set(arg.start);
        const losses = arg.x.map((x, k) => {
          const eps = Float64Array.from(arg.eps[k]);
          const terms = model.backward(Float64Array.from(x), eps, arg.batch, arg.beta);
          model.adam(arg.rate);
          return terms;
        });
        return { losses, weights: [...model.weights] };""",
        {
            "shape": shape(noise, full, layers, D),
            "start": start,
            "x": x.flatten(1).tolist(),
            "eps": eps.flatten(1).tolist(),
            "batch": batch,
            "beta": beta,
            "rate": rate,
        },
    )
    # Adam divides by the root of squares that begin near zero, so that rounding grows step by step.
    np.testing.assert_allclose(got["losses"], losses, rtol=0, atol=1e-5)
    np.testing.assert_allclose(got["weights"], flat(vae), rtol=0, atol=1e-5)
    assert np.abs(np.array(got["weights"]) - start).max() > 0.1  # it trained


@pytest.mark.parametrize(("noise", "full", "layers"), CASES)
def test_gradients_are_finite_differences(run, noise, full, layers):
    error, size = run(
        """const uniform = js.makeUniform(1), normal = js.makeNormal(2);
        const model = new js.Model(arg, uniform), rows = 5, D = arg.D;
        const value = () => (arg.noise === "bernoulli" ? +(uniform() > 0.5) : normal());
        const x = Float64Array.from({ length: rows * D }, value);
        const eps = Float64Array.from({ length: rows * 2 }, normal), beta = 0.6;
        const loss = () => {
          const [r, kl] = model.backward(x, eps, rows, beta);
          return beta * kl - r;
        };
        loss();
        const gradients = model.gradients.slice(), h = 1e-5;
        let error = 0, size = 0;
        for (let k = 0; k < gradients.length; k++) {
          const was = model.weights[k];
          model.weights[k] = was + h;
          const up = loss();
          model.weights[k] = was - h;
          const down = loss();
          model.weights[k] = was;
          error = Math.max(error, Math.abs((up - down) / (2 * h) - gradients[k]));
          size = Math.max(size, Math.abs(gradients[k]));
        }
        return [error, size];""",
        shape(noise, full, layers, 3, width=6),
    )
    assert size > 0.1 and error < 1e-7


@pytest.mark.parametrize("J", [1, 2])
@pytest.mark.parametrize("noise", NOISES)
def test_log_p_is_pythons_quadrature(run, noise, J):
    D = 12 if noise == "bernoulli" else 2
    vae = course_vae(noise, False, 2, D, J)
    for p in vae.decoder.parameters():
        p.data.mul_(1.5)  # a decoder that bends
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(20, D, generator=generator, dtype=torch.float64)
    x = (x > 0).double() if noise == "bernoulli" else 0.5 * x
    nodes = 20_001 if J == 1 else 401
    axis = torch.linspace(-7, 7, nodes, dtype=torch.float64)
    z = torch.cartesian_prod(*[axis] * J).reshape(-1, J)
    with torch.no_grad():
        values = vae.decode(z[:, None]).log_prob(x) + vae.prior.log_prob(z)[:, None]
    exact = values.logsumexp(0) + J * math.log(14 / (nodes - 1))
    got = run(
        """const model = new js.Model(arg.shape);
        model.weights.set(arg.weights);
        const x = Float64Array.from(arg.x), side = arg.shape.J === 1 ? 4001 : 129;
        const { fine, coarse } = model.logEvidence(x, 20, side, 6);
        return [[...fine], [...coarse]];""",
        {
            "shape": shape(noise, False, 2, D, J),
            "weights": flat(vae),
            "x": x.flatten().tolist(),
        },
    )
    fine, coarse = got
    np.testing.assert_allclose(fine, exact.tolist(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(coarse, exact.tolist(), rtol=0, atol=1e-4 if J == 1 else 5e-3)


# ------------------------------------------------------------------ the data


@pytest.mark.parametrize("name", vc.data.SYNTHETIC)
def test_the_ceiling_is_the_courses_density(run, name):
    x = vc.data.synthetic(name, 100, seed=4).x.double()
    got = run(
        "return [...js.logDensity(arg.name, Float64Array.from(arg.x))]",
        {"name": name, "x": x.flatten().tolist()},
    )
    np.testing.assert_allclose(got, vc.data.log_density(name, x).tolist(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", vc.data.SYNTHETIC)
def test_the_page_draws_from_that_density(run, name):
    got = run(
        "return [...js.draw(arg, 4000, js.makeUniform(1), js.makeNormal(2))]",
        name,
    )
    x = torch.tensor(got).reshape(-1, 2)
    ours = vc.data.synthetic(name, 4_000, seed=1).x.double()
    # log p and its square, and two moments, of as many points drawn in Python: five standard errors
    for f in (
        lambda x: vc.data.log_density(name, x),
        lambda x: vc.data.log_density(name, x).square(),
        lambda x: x[:, 0],
        lambda x: x[:, 0] * x[:, 1],
        lambda x: x[:, 1].square(),
    ):
        a, b = f(x), f(ours)
        assert abs(a.mean() - b.mean()) < 5 * math.sqrt((a.var() + b.var()) / 4_000)


@pytest.mark.parametrize("name", vc.data.SYNTHETIC)
def test_the_points_that_are_shown_are_within_the_plane(run, name):
    body = """
    const far = (seed) => Math.max(...js.draw(arg.name, 300, js.makeUniform(seed * 5 + 2),
      js.makeNormal(seed * 5 + 1)).map(Math.abs));
    return [arg.seeds.map(far), js.HALF[arg.name]];"""
    far, half = run(body, {"name": name, "seeds": list(KNOBS["seed"][1])})
    assert max(far) < half


def test_the_digits_are_scikit_learns(run):
    from sklearn.datasets import load_digits

    widget = Playground()
    got = run(
        "const { buffer } = Uint8Array.from(arg);"
        "return [...js.bitsOf({ buffer, byteOffset: 0 }, 64 * 1797)]",
        list(widget.digits),
    )
    digits = load_digits()
    assert got == (digits.data >= 8).astype(int).ravel().tolist()
    assert list(widget.digits[64 * 1797 // 8 :]) == digits.target.tolist()


# ------------------------------------------------------------------ a run

SESSION = """
const open = (settings, epochs, own) => {
  let last;
  const session = new js.Session((frame) => (last = frame));
  session.hear({ settings: { ...arg.start, ...settings }, own });
  const steps = Math.ceil(session.rows / Math.min(session.settings.batch, session.rows));
  session.advance(Math.round(epochs * steps));
  const end = () => {
    session.hear({ run: false });
    const { history, ceiling, broken } = last, weights = [...session.model.weights.slice(0, 50)];
    const samples = [...(last.samples ?? [])];
    return { ...history[history.length - 1], ceiling, broken, weights, samples };
  };
  return { session, end };
};
const train = (...how) => open(...how).end();
"""


def test_a_seed_is_a_run(run):
    body = SESSION + "return [0, 0, 1].map((seed) => train({ seed }, 3))"
    first, again, other = run(body, {"start": START})
    assert first == again
    assert first["weights"] != other["weights"] and first["elbo"] != other["elbo"]


def test_a_run_is_not_moved_by_being_looked_at(run):
    body = """
    const once = new js.Session(() => {}), often = new js.Session(() => {});
    for (const session of [once, often]) session.hear({ settings: { ...arg, latents: 1 } });
    once.advance(40);
    for (let k = 0; k < 40; k++) often.hear({ step: true });
    return [once, often].map((session) => [...session.model.weights]);"""
    once, often = run(body, START)
    assert once == often


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_numbers_that_blow_up_stop_the_run(run, rate):
    body = SESSION + "return train({ rate: arg.rate, data: 'three_blobs' }, 60)"
    got = run(body, {"start": START, "rate": rate})
    assert got["broken"] in ("reconstruction", "KL", "bound") or math.isfinite(got["elbo"])


@pytest.mark.parametrize("data", ["rotated_gaussian", "figure_eight", "three_blobs"])
def test_the_cure_of_a_run_that_went_wrong_cures(run, data):
    """At rates of 1 and 10 either variance of x goes wrong, and at 0.1 neither."""
    body = (
        SESSION
        + """
    return [10, 1, 0.1].map((rate) => ["from_z", "shared"].map((noise) => {
      const settings = { data: arg.data, latents: 1, rate, noise, epochs: 5 };
      const { broken, worse } = train(settings, 5);
      return [Boolean(broken || worse), js.cure(rate)];
    }));"""
    )
    lower = "Lower the learning rate to 0.1 or less, then start again."
    wrong, well = [True, lower], [False, "Lower the learning rate, then start again."]
    got = run(body, {"start": START, "data": data})
    assert got == [[wrong, wrong], [wrong, wrong], [well, well]]


def test_a_run_is_called_worse_than_before_training_only_where_its_steps_are_too_long(run):
    """Points too few for the test points are no cause, nor is a weight of the KL that leaps."""
    body = (
        SESSION
        + """
    const few = train({ data: "three_blobs", points: 20, width: 64 }, 4000);
    const { session, end } = open({ data: "three_blobs", beta: 0 }, 13), free = end();
    session.hear({ settings: { ...session.settings, beta: 20 } });
    session.advance(20);
    const leap = end();
    const long = train({ latents: 1, noise: "shared", rate: 1 }, 5);
    return { few, free, leap, long };"""
    )
    got = run(body, {"start": START})
    worse = {name: got[name]["worse"] for name in ("few", "free", "leap", "long")}
    assert worse == {"few": False, "free": False, "leap": False, "long": True}
    assert got["few"]["elbo"] < -20  # it began at −2.6
    assert got["long"]["elbo"] < -1_000


@pytest.mark.parametrize(
    ("settings", "points", "draws"),
    [({}, 256, 8), ({"data": "digits"}, 256, 8), ({"data": "mnist"}, 256, 1)]
    + [({"data": "own"}, n, d) for n, d in ((5, 410), (255, 9), (256, 8), (300, 8))],
)
def test_the_draws_of_z_are_as_many_as_the_page_says(run, settings, points, draws):
    body = """
    const digits = Uint8Array.from({ length: 64 * 1797 }, (_, k) => k % 2);
    const session = new js.Session(() => {}, digits);
    session.mnist = Uint8Array.from({ length: 784 * 300 }, (_, k) => k % 2);
    session.look = () => ({ evidence: 0, trusted: true });
    const own = Array.from({ length: 2 * arg.points }, (_, k) => (k % 7) - 3);
    session.hear({ settings: { ...arg.start, ...arg.settings }, own });
    return [session.test.length / session.D, session.testNoise.length];"""
    got = run(body, {"start": START, "settings": settings, "points": points})
    assert got == [points, draws]
    if settings == {"data": "own"} and points < 256:
        assert points * draws >= 2048
    page = " ".join((ROOT / "playground.md").read_text(encoding="utf-8").split())
    assert (
        "eight for each test point, more for each of a few points of your own, "
        "one for each test image of MNIST." in page
    )


def test_play_after_the_end_goes_on_for_as_long_again(run):
    body = """
    const session = new js.Session(() => {}), epochs = [];
    const play = () => {
      session.hear({ run: true });
      while (session.work(20));
      epochs.push(session.epoch);
    };
    session.hear({ settings: { ...arg, points: 100, epochs: 20 } });
    play();
    play();
    session.hear({ settings: { ...session.settings, epochs: 50 } });
    play();
    session.hear({ settings: { ...session.settings, anew: true } });
    play();
    return epochs;"""
    assert run(body, START) == [20, 40, 50, 50]


@pytest.mark.parametrize("rows", [2_000, 100])
def test_epochs_are_passes_whatever_the_batch(run, rows):
    """Passes already made stay made, and so do the end of the run and of the warm-up."""
    body = """
    const session = new js.Session(() => {}), seen = [];
    const look = () => seen.push([session.epoch, session.beta]);
    const change = (batch) => session.hear({ settings: { ...session.settings, batch } });
    session.hear({ settings: { ...arg.start, points: arg.rows, epochs: 20, warmup: 50 } });
    session.advance(10 * Math.ceil(arg.rows / 64));
    look();
    change(256);
    look();
    session.hear({ run: true });
    while (session.work(20));
    look();
    change(16);
    look();
    const done = session.done;
    session.advance(Math.ceil(arg.rows / 16));
    look();
    return [seen, done];"""
    seen, done = run(body, {"start": START, "rows": rows})
    assert seen == [[epoch, epoch / 50] for epoch in (10, 10, 20, 20, 21)]
    assert done == 10 * math.ceil(rows / 64) + 10 * math.ceil(rows / 256)


def test_a_run_whose_bound_broke_says_at_which_rate_and_rests(run):
    body = """
    let last;
    const session = new js.Session((frame) => (last = frame));
    session.hear({ settings: { ...arg, rate: 0.01 } });
    session.model.weights.fill(NaN);
    session.running = true;
    session.report(true);
    return [last.broken, last.brokenRate, last.running, session.running];"""
    assert run(body, START) == ["bound", 0.01, False, False]


SEEDS = vc.budget([0], [0], [0, 1, 2])


def lesson(run, name, epochs, own=None, **changes):
    settings = [{**LESSONS[name]["settings"], **changes, "seed": seed} for seed in SEEDS]
    body = SESSION + "return arg.settings.map((one) => train(one, arg.epochs, arg.own))"
    return run(body, {"start": START, "settings": settings, "epochs": epochs, "own": own})


def test_the_lesson_on_a_good_fit(run):
    for end in lesson(run, "good-fit", 150):
        assert abs(end["ceiling"] - end["evidence"]) < 0.02
        assert -0.005 < end["evidence"] - end["elbo"] < 0.03


def test_the_lesson_on_collapse(run):
    body = (
        SESSION
        + """
    const { session, end } = open({ ...arg.settings, seed: arg.seed }, 0), first = end();
    session.advance(10);
    const tenth = end();
    session.advance(50 * 32 - 10);
    const collapsed = end();
    session.hear({ settings: { ...session.settings, beta: 1 } });
    session.advance(100 * 32);
    return [first, tenth, collapsed, end()];"""
    )
    settings = LESSONS["collapse"]["settings"]
    assert settings["epochs"] == 50  # where it stops, as the lesson says
    for seed in SEEDS:
        arg = {"start": START, "settings": settings, "seed": seed}
        first, tenth, end, after = run(body, arg)
        assert tenth["kl"] < 0.5 * first["kl"]
        assert 0.2 < end["ceiling"] - end["evidence"] < 0.3
        assert abs(end["evidence"] - end["elbo"]) < 0.005 and end["kl"] < 0.005
        assert after["kl"] > 0.5 and after["evidence"] > end["evidence"] + 0.05
        earned = (after["reconstruction"] - end["reconstruction"]) / after["kl"]
        assert abs(earned - 1.1) < 0.08


def test_the_lesson_on_a_small_weight(run):
    for end in lesson(run, "small-beta", 150):
        assert end["reconstruction"] > 2 and end["kl"] > 6
        assert 0.35 < end["ceiling"] - end["evidence"] < 0.7
        assert end["evidence"] - end["elbo"] > 0.9  # 1.54, 0.97 and 1.64 with the three seeds


def test_the_lesson_on_the_slope(run):
    large, small = 9.2, 1 / 9 + 0.2  # the variances of the data in their own directions
    assert f"{2 * large / (large + small):.2f}" == "1.93"
    for end in lesson(run, "slope", 150):
        assert end["kl"] < 0.02
    for end in lesson(run, "slope", 150, beta=1.0):
        assert abs(end["kl"] - 1.6) < 0.05
    body = (
        SESSION
        + """
    const { session, end } = open({ ...arg.settings, seed: arg.seed }, 150);
    session.hear({ settings: { ...session.settings, beta: 1 } });
    session.advance(150 * 32);
    return end();"""
    )
    settings = LESSONS["slope"]["settings"]
    for seed in SEEDS:
        end = run(body, {"start": START, "settings": settings, "seed": seed})
        assert abs(end["kl"] - 1.6) < 0.05  # also for who plays on from the collapse
    assert f"{0.5 * math.log(large / small):.1f}" == "1.7"


def test_the_lesson_on_a_variance_that_goes_to_zero(run):
    body = (
        SESSION
        + """
    const { session, end } = open(arg.settings, 0, arg.own), bounds = [end().elbo], slack = [];
    for (let k = 0; k < 40; k++) {
      session.advance(400);
      const { elbo, evidence } = end();
      bounds.push(elbo);
      slack.push(evidence - elbo);
    }
    return [bounds, slack];"""
    )
    for seed in SEEDS:
        settings = LESSONS["spikes"]["settings"] | {"seed": seed}
        arg = {"start": START, "settings": settings, "own": FIVE_POINTS}
        bounds, slack = run(body, arg)
        assert f"{bounds.pop(0):.1f}" == "-3.5"
        assert bounds[0] < -2.9 and max(bounds[:30]) > 2  # of 12,000 steps
        assert max(bounds[30:]) - min(bounds[30:]) > 1
        arg["settings"] = settings | {"noise": "shared"}
        shared, slack_shared = run(body, arg)
        del shared[0]
        assert np.median(shared[20:30]) + 1 < np.median(bounds[20:30])
        assert np.median(shared[10:20]) + 1 < np.median(shared[30:])
        assert (
            min(slack + slack_shared) > -0.02
        )  # draws of z, and as many for five points as for 256


def test_the_lessons_on_a_lost_component_and_its_cure(run):
    plain, warm = lesson(run, "lost-blob", 150), lesson(run, "warm-up", 150)
    data = vc.data.synthetic("gaussian_mixture", 20_000, seed=5).x.double()
    rare = vc.data.log_density("gaussian_mixture", data).quantile(0.001)

    def between(end):
        """The share of the samples that lie where one data point in a thousand lies."""
        samples = torch.tensor(end["samples"], dtype=torch.float64).reshape(-1, 2)
        return (vc.data.log_density("gaussian_mixture", samples) < rare).double().mean()

    for without, with_it in zip(plain, warm):
        assert 0.9 < without["ceiling"] - without["evidence"] < 1.1
        assert 0.3 < with_it["ceiling"] - with_it["evidence"] < 0.55
        assert between(without) > 0.3 > 0.25 > between(with_it)


def test_the_lesson_on_one_latent(run):
    one, two = lesson(run, "one-latent", 150), lesson(run, "one-latent", 150, latents=2)
    for a, b in zip(one, two):
        assert 0.15 < a["ceiling"] - a["evidence"] < 0.3
        assert b["evidence"] > a["evidence"] + 0.05


def test_the_lesson_on_the_diagonal(run):
    for end in lesson(run, "diagonal", 150):
        assert 0 < end["evidence"] - end["elbo"] < 0.05


def test_the_lesson_of_the_slides(run):
    for end in lesson(run, "slides", 20):
        assert abs(end["ceiling"] - end["elbo"]) < 0.02


def test_an_axis_has_at_least_three_numbers(run):
    body = """
    return arg.flatMap(([low, high]) => [2, 3, 4, 5, 8].map((most) =>
      [Math.min(3, most), js.linearAxis(low, high, most).ticks.length, most]));"""
    ends = [(-3.9 - 0.013 * k, 0.31 * 1.07**k - 3.5) for k in range(200)]
    for least, ticks, most in run(body, [*ends, (-3.7, 5.6), (-0.4, 9.9), (1e-7, 1.9e-6)]):
        assert least <= ticks <= 2 * most + 1
    assert (
        run("return js.linearAxis(2, 2, 4).ticks.length + js.linearAxis(NaN, 1, 4).ticks.length")
        == 0
    )


def test_long_numbers_fit_the_margin(run):
    body = (
        "return arg.map((half) => js.tight(js.linearAxis(-half, half, 5)).ticks.map((t) => t[1]))"
    )
    small, large, huge = run(body, [4, 1e4, 1.2e11])
    assert small == ["−4", "−2", "0", "2", "4"]
    assert large == ["−10k", "−5k", "0", "5k", "10k"]
    assert huge == ["−1e11", "−5e10", "0", "5e10", "1e11"]


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"beta": 3}, "beta is 3; it must be one of 0.0, 0.1"),
        ({"data": "blobs"}, "data is 'blobs'.*did you mean 'three_blobs'.*"),
        ({"lesson": "colapse"}, r"lesson is 'colapse' \(did you mean 'collapse'\?\)"),
        ({"depth": 3}, "setting is 'depth'"),
        ({"width": "wide"}, "width is 'wide'; it must be one of 8, 16"),
    ],
)
def test_a_knob_that_is_not_there_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Playground(**settings)


def test_every_lesson_sets_knobs_to_choices():
    for name, lesson in LESSONS.items():
        for knob, value in lesson["settings"].items():
            assert value in KNOBS[knob][1], (name, knob)
