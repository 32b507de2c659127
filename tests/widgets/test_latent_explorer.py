"""The latent explorer: what it packs, what it refuses, and what it does in a real browser."""

import base64
import copy
import math
from pathlib import Path

import explorers
import numpy as np
import pytest
import torch
import widget_page
from explorers import unpack
from scipy.stats import norm
from torch import nn
from widget_page import (
    HOST,
    PHONE,
    colour_count,
    noise,
    pixels,
    press,
    settle,
    static_page,
    swipe_from,
)

import vaecourse as vc
from vaecourse.palette import COLOURS, DIGIT_COLOURS, DIGIT_LETTERS
from vaecourse.widgets import LatentExplorer

SOURCE = Path(__file__).parents[2] / "vaecourse" / "widgets" / "latent_explorer"
DECODED, CANVAS = ".lx-decoded canvas", ".lx-plane canvas"


def small_vae(**arguments):
    """An untrained VAE on 6 × 4 images, with weights large enough that z matters."""
    vae = vc.models.VAE(24, 2, (16,), **arguments)
    with torch.no_grad():
        vae.decoder[0].weight.mul_(3)
        vae.decoder[-1].weight.mul_(3)
    return vae


def small_data(n=60):
    generator = torch.Generator().manual_seed(1)
    return torch.rand((n, 24), generator=generator).round(), np.arange(n) % 10


def rounded(model, widget):
    """The model with the weights of its decoder as the page has them."""
    page_model = vc.models.build(model.params)
    page_model.load_state_dict(model.state_dict())
    packed = unpack(widget.arrays, widget.spec["table"])["weights"]
    weights = torch.from_numpy(packed.astype(np.float32))
    for parameter in page_model.decoder.parameters():
        part, weights = weights[: parameter.numel()], weights[parameter.numel() :]
        parameter.data = part.reshape(parameter.t().shape).t().contiguous()
    return page_model


# ------------------------------------------------------------------ the Python side


def test_state_holds_the_decoder_the_points_and_the_posteriors():
    vae, (x, label) = small_vae(), small_data()
    images = [3, 1, 4]
    widget = LatentExplorer(vae, x, label, images=images, image_shape=(6, 4), title="T")
    arrays, spec = unpack(widget.arrays, widget.spec["table"]), widget.spec
    assert spec["title"] == "T" and spec["image_shape"] == [6, 4]
    assert spec["layers"] == [[2, 16, "relu"], [16, 24, "linear"]]
    assert spec["output"] == {"kind": "bernoulli"} and spec["posterior"] == "diagonal"
    assert spec["digit_colours"] == list(DIGIT_COLOURS)
    # each matrix column by column, then its bias
    weights = torch.cat([p.detach().t().flatten() for p in vae.decoder.parameters()])
    np.testing.assert_array_equal(arrays["weights"], weights.half().numpy())
    with torch.no_grad():
        q = vae.encode(x)
    np.testing.assert_allclose(arrays["points"], q.mean.half().numpy(), rtol=2e-3)
    np.testing.assert_array_equal(arrays["labels"], label)
    np.testing.assert_array_equal(arrays["image_labels"], label[images])
    np.testing.assert_array_equal(arrays["images"], 255 * x[images].numpy())
    np.testing.assert_allclose(arrays["means"], q.mean[images].numpy(), rtol=1e-5)
    sd = q.stddev[images].numpy()
    np.testing.assert_allclose(
        arrays["scale_tril"], np.stack([sd[:, 0], np.zeros(3, np.float32), sd[:, 1]], 1), rtol=1e-5
    )


def test_weights_get_more_bits_where_float16_would_move_the_picture():
    vae, (x, label) = small_vae(), small_data()
    with torch.no_grad():
        vae.decoder[0].weight.mul_(100)
    widget = LatentExplorer(vae, x, label, images=[3], image_shape=(6, 4))
    assert unpack(widget.arrays, widget.spec["table"])["weights"].dtype == np.float32
    z = torch.cartesian_prod(*[torch.linspace(*side, 7) for side in widget.spec["range"]])
    with torch.no_grad():
        error = (rounded(vae, widget).decode(z).mean - vae.decode(z).mean).abs().max()
        half = copy.deepcopy(vae)
        for parameter in half.decoder.parameters():
            parameter.copy_(parameter.half())
        error_of_half = (half.decode(z).mean - vae.decode(z).mean).abs().max()
    assert 255 * error_of_half > 0.8
    assert error < error_of_half / 2


def test_full_posterior_is_packed_as_its_cholesky_factor():
    vae, (x, label) = small_vae(posterior="full"), small_data()
    widget = LatentExplorer(vae, x, label, images=[0, 7], image_shape=(6, 4))
    arrays = unpack(widget.arrays, widget.spec["table"])
    with torch.no_grad():
        tril = vae.encode(x[[0, 7]]).scale_tril
    assert widget.spec["posterior"] == "full"
    np.testing.assert_allclose(arrays["scale_tril"], tril[:, [0, 1, 1], [0, 0, 1]], rtol=1e-5)


def test_the_point_to_drag_is_named_by_its_ring_for_digits_are_green_too():
    """Discs of digits have no ring; 7 and 8 are green."""
    vae, (x, label) = small_vae(), small_data()
    widget = LatentExplorer(vae, x, label, images=[0], image_shape=(6, 4))
    greens = [c for c in DIGIT_COLOURS if int(c[3:5], 16) > max(int(c[1:3], 16), int(c[5:], 16))]
    assert len(greens) == 2
    assert "Drag the ringed green point" in widget._esm


def test_autoencoder_has_codes_and_no_posterior():
    model = vc.models.Autoencoder(24, 2, (16,), activation="tanh", seed=3)
    x, label = small_data()
    widget = LatentExplorer(model, x, label, image_shape=(6, 4))
    assert widget.spec["posterior"] is None and widget.spec["output"] == {"kind": "sigmoid"}
    assert widget.spec["layers"][0] == [2, 16, "tanh"]
    assert {"scale_tril", "evidence"}.isdisjoint(name for name, *_ in widget.spec["table"])
    (low, high), (bottom, top) = widget.spec["range"]
    codes = model.encode(x).detach().numpy()
    inside = (codes > [low, bottom]) & (codes < [high, top])
    assert low <= 0 <= high and bottom <= 0 <= top and inside.all(axis=1).mean() > 0.9


def test_default_images_are_ten_of_each_label_in_turn_and_lie_on_the_plane():
    vae, (x, label) = small_vae(), small_data(200)
    widget = LatentExplorer(vae, x, label, image_shape=(6, 4))
    arrays = unpack(widget.arrays, widget.spec["table"])
    half = widget.spec["range"][0][1]
    sd = arrays["scale_tril"][:, [0, 2]]
    np.testing.assert_array_equal(arrays["image_labels"], np.tile(np.arange(10), 10))
    assert (np.abs(arrays["means"]) + 2 * sd <= half).all()


def test_plane_holds_every_picked_posterior():
    vae, (x, label) = small_vae(), small_data()
    with torch.no_grad():
        vae.encoder[-1].bias[0] += 6
    widget = LatentExplorer(vae, x, label, images=[5], image_shape=(6, 4))
    q = vae.encode(x[5])
    assert widget.spec["range"][0][1] >= (q.mean + 2 * q.stddev).max()


def test_at_most_two_thousand_points_are_drawn():
    vae, (x, _) = small_vae(), small_data(2500)
    widget = LatentExplorer(vae, x, images=[0], image_shape=(6, 4))
    table = {name: shape for name, _, shape in widget.spec["table"]}
    assert table["points"] == [2000, 2] and "labels" not in table


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_evidence_is_the_integral_of_the_joint_density(likelihood):
    noise = {"noise_variance": 0.3} if likelihood == "gaussian" else {}
    vae, (x, label) = small_vae(likelihood=likelihood, **noise), small_data()
    widget = LatentExplorer(vae, x, label, images=[2, 9], image_shape=(6, 4))
    evidence = unpack(widget.arrays, widget.spec["table"])["evidence"]
    # importance sampling from a wide proposal, which needs no grid
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        z = 1.5 * torch.randn((200_000, 2), generator=generator)
        proposal = torch.distributions.Normal(0.0, 1.5).log_prob(z).sum(1)
        for k, row in enumerate([2, 9]):
            weight = vae.decode(z).log_prob(x[row]) + vae.prior.log_prob(z) - proposal
            estimate = torch.logsumexp(weight, 0) - math.log(len(z))
            error = (weight - estimate).exp().std() / len(z) ** 0.5
            assert abs(evidence[k] - estimate) < 4 * error + 1e-3


def test_evidence_is_left_out_where_the_grid_cannot_resolve_the_posterior():
    vae, (x, label) = small_vae(likelihood="gaussian", noise_variance=1e-7), small_data()
    widget = LatentExplorer(vae, x, label, images=[2], image_shape=(6, 4))
    assert np.isnan(unpack(widget.arrays, widget.spec["table"])["evidence"]).all()


def no_decoder():
    return nn.Linear(24, 2)


def gelu():
    model = small_vae()
    model.decoder = nn.Sequential(nn.Linear(2, 16), nn.GELU(), nn.Linear(16, 24))
    return model


def broken():
    model = small_vae()
    model.decoder[0].weight.data[0, 0] = math.nan
    return model


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (no_decoder, {}, r"model is a Linear without encode\(x\); `vc.models.wrap`"),
        (lambda: vc.models.VAE(24, 3, (16,)), {}, "model has 3 latent dimensions"),
        (gelu, {}, "model.decoder has a GELU where the page can run only"),
        (broken, {}, "model.decoder has weights that are NaN"),
        (lambda: vc.models.VRNN(24, 1, 1), {}, "model is a VRNN; this needs one with"),
        (lambda: vc.models.VRNN(2, 1, 8), {}, "model is a VRNN; this needs one with"),
        (lambda: vc.models.M2(24, 2), {}, "model is a M2; this needs one with"),
        (small_vae, {"x": torch.zeros(5, 23)}, r"x has shape \[5, 23\]; it must be \[N, 24\]"),
        (small_vae, {"x": torch.full((5, 24), math.nan)}, "x has NaN or infinite values in"),
        (small_vae, {"x": torch.full((5, 24), 1.5)}, "column 1 of x has values from 1.5 to 1.5"),
        (small_vae, {"labels": np.zeros(3)}, r"labels has shape \[3\]; it must be \[60\]"),
        (small_vae, {"labels": np.full(60, 11)}, "labels has values other than"),
        (small_vae, {"images": [60]}, "images has rows outside x, which has rows 0 to 59"),
        (small_vae, {"images": [0.5]}, "images must be a list of one or more rows"),
        (small_vae, {"image_shape": None}, "image_shape is None and 24 pixels make no square"),
        (small_vae, {"image_shape": (5, 5)}, "image_shape is 5 × 5; x has 24 pixels"),
        (small_vae, {"image_shape": (-6, -4)}, r"image_shape is \(-6, -4\); it must be \(height"),
        (small_vae, {"image_shape": (1.5, 16)}, r"image_shape is \(1.5, 16\); it must be"),
        (small_vae, {"image_shape": 24}, "image_shape is 24; it must be"),
        (small_vae, {"image_shape": (6, 4, 1)}, r"image_shape is \(6, 4, 1\); it must be"),
        (small_vae, {"x": None}, "x is a NoneType that cannot be read as numbers"),
        (small_vae, {"x": "digits"}, "x is a str that cannot be read as numbers"),
        (small_vae, {"x": 3.0}, r"x has shape \[\]; it must be \[N, 24\]"),
        (small_vae, {"images": range(30_000)}, "images has 30000 rows; at most 500"),
        (small_vae, {"z": None}, r"z is None; it must be \[z1, z2\]"),
        (small_vae, {"z": [1.0]}, r"z is \[1.0\]; it must be \[z1, z2\]"),
        (small_vae, {"z": [math.nan, 0.0]}, r"z\[0\] is nan; it must be a number from"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(model, arguments, message):
    x, _ = small_data()
    arguments = {"x": x, "labels": None, "image_shape": (6, 4)} | arguments
    with pytest.raises(ValueError, match=message) as error:
        LatentExplorer(model(), arguments.pop("x"), **arguments)
    assert "\n" not in str(error.value)


def luminance(colour):
    channels = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("page", ["#FFFFFF", "#14181E"])
def test_digit_colours_stand_out_by_three_to_one(page):
    for colour in DIGIT_COLOURS:
        low, high = sorted([luminance(colour), luminance(page)])
        assert (high + 0.05) / (low + 0.05) >= 3


def test_letters_on_digit_colours_stand_out_by_four_and_a_half_to_one():
    for colour in DIGIT_COLOURS:
        low, high = sorted([luminance(colour), {"black": 0, "white": 1}[DIGIT_LETTERS[colour]]])
        assert (high + 0.05) / (low + 0.05) >= 4.5


# ------------------------------------------------------------------ the browser


@pytest.mark.parametrize(("half", "named"), [(4.5, "1 2 3"), (2.85, "1 2 3"), (2.1, "1 2")])
def test_a_circle_of_the_prior_has_its_name_where_the_plane_has_room(
    new_tab, tmp_path, half, named
):
    widget, path = explorers.latent(), tmp_path / "page.html"
    widget.spec = widget.spec | {"range": [[-half, half]] * 2}
    path.write_text(static_page(widget), encoding="utf-8")
    page = new_tab(reduced_motion="reduce", **PHONE)
    page.add_init_script(
        "window.names = {}; const fill = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {"
        " const half = this.measureText(text).width / 2;"
        " if (/ sd$/.test(text)) names[text[0]] = [x - half, y - 7, x + half, y + 7];"
        " fill.call(this, text, x, y); }"
    )
    page.goto(path.as_uri())
    page.locator(CANVAS).wait_for()
    settle(page)
    names, side = page.evaluate("names"), page.locator(CANVAS).bounding_box()["width"] - 34 - 10
    page.close()
    assert " ".join(sorted(names)) == named
    for box in names.values():
        assert min(box) >= 0 and max(box) <= side


@pytest.fixture(scope="module")
def digits():
    """The shipped VAE and an explorer of it on MNIST's test set."""
    vae, _ = vc.checkpoint.pretrained("mnist_vae_2d")
    test = vc.data.mnist("test", binarize="threshold")
    return vae, test, LatentExplorer(vae, test.x, test.label, title="Digits")


@pytest.fixture(scope="module")
def digits_page(digits):
    return static_page(digits[2])


def script(body):
    """A function for page.evaluate that has the widget's own functions at hand as `lx`."""
    return widget_page.script(LatentExplorer, f"const lx = js; {body}")


def parse(text):
    """The last number of a text such as "2.48 + 2.38 = 4.86"."""
    return float(text.replace("−", "-").split()[-1])


def shown(page):
    """The numbers of the table, by kind."""
    rows = page.locator(".vw-numbers tr:visible").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    return dict(rows)


def plane_box(page):
    """The plane within its margins, in pixels of the page."""
    box = page.locator(".lx-plane").bounding_box()
    return {
        "x": box["x"] + 34,
        "y": box["y"] + 8,
        "width": box["width"] - 44,
        "height": box["height"] - 36,
    }


def where(page):
    """z as the caption shows it, two decimals."""
    text = page.locator(".lx-decoded figcaption span").inner_text().replace("−", "-")
    return [float(part) for part in text.strip("()").split(",")]


def test_the_mathematics_agrees_with_python(visit, digits_page):
    page = visit(digits_page)
    u = [0.001, 0.02, 0.3, 0.5, 0.77, 0.999]
    a = [-40.0, -3.2, -0.1, 0.0, 0.4, 5.0, 60.0]
    got = page.evaluate(
        script(
            "const normal = lx.makeNormal(1);"
            "const eps = Array.from({length: 20000}, () => [normal(), normal()]);"
            "return {quantile: arg.u.map(lx.normalQuantile), cdf: arg.a.map(lx.normalCdf),"
            " sigmoid: arg.a.map(lx.sigmoid), softplus: arg.a.map(lx.softplus), eps,"
            " levels: lx.massLevels([1, 5, 3, 1], [0.4, 0.75]),"
            " near: lx.nearestLabel([0, 0, 1, 1, 5, 5], [3, 3, 7], [0, 0], 2)}"
        ),
        {"u": u, "a": a},
    )
    np.testing.assert_allclose(got["quantile"], norm.ppf(u), atol=1e-10)
    np.testing.assert_allclose(got["cdf"], norm.cdf(a), atol=1e-14)
    tensor = torch.tensor(a, dtype=torch.float64)
    np.testing.assert_allclose(got["sigmoid"], tensor.sigmoid(), rtol=1e-12)
    np.testing.assert_allclose(got["softplus"], nn.functional.softplus(tensor), rtol=1e-12)
    eps = np.array(got["eps"])  # four standard errors at n = 20,000
    np.testing.assert_allclose(eps.mean(0), 0, atol=4 / len(eps) ** 0.5)
    np.testing.assert_allclose(np.cov(eps.T), np.eye(2), atol=4 * (2 / len(eps)) ** 0.5)
    assert got["levels"] == [5, 3]
    assert got["near"] == {"label": 3, "votes": 2}


def test_the_contour_of_a_cone_is_its_circle(visit, digits_page):
    page = visit(digits_page)
    n, radius = 41, 12.5
    i, j = np.mgrid[:n, :n] - 20
    grid = np.hypot(i, j)
    segments = page.evaluate(
        script("return lx.contour(arg.grid, arg.n, arg.level)"),
        {"grid": grid.ravel().tolist(), "n": n, "level": radius},
    )
    ends = np.array(segments).reshape(-1, 2) - 20
    np.testing.assert_allclose(np.hypot(*ends.T), radius, atol=0.05)
    lengths = np.hypot(*(ends[::2] - ends[1::2]).T)
    assert abs(lengths.sum() - 2 * math.pi * radius) < 0.01 * 2 * math.pi * radius


@pytest.mark.parametrize(
    "arguments",
    [
        {"activation": "relu"},
        {"activation": "tanh", "posterior": "full"},
        {"activation": "softplus", "likelihood": "gaussian"},
        {"activation": "sigmoid", "likelihood": "gaussian", "noise_variance": 0.2},
        # about half of the variances lie below the floor
        {"likelihood": "gaussian", "noise_variance": "from_z", "variance_floor": 1.0},
    ],
    ids=lambda arguments: arguments.get("activation", "floor"),
)
def test_decoder_likelihood_kl_and_q_agree_with_torch(visit, arguments):
    vae, (x, label) = small_vae(**arguments), small_data()
    images = list(range(10))
    widget = LatentExplorer(vae, x, label, images=images, image_shape=(6, 4))
    page = visit(static_page(widget))
    axis = torch.linspace(-3, 3, 7)
    grid = torch.cartesian_prod(axis, axis)
    got = page.evaluate(
        script(
            "const a = await lx.unpack(Uint8Array.from(atob(arg.arrays), c => c.charCodeAt(0)),"
            "  arg.spec.table);"
            "const decode = lx.makeNetwork(arg.spec.layers, a.weights);"
            "const {kind, log_var, log_var_floor} = arg.spec.output, t = a.scale_tril, m = a.means;"
            "const q = k => ({mean: [m[2*k], m[2*k+1]], tril: [t[3*k], t[3*k+1], t[3*k+2]]});"
            "const like = (k, z) => { const x = Float32Array.from("
            "    a.images.subarray(24*k, 24*k + 24), g => g / 255);"
            "  return kind === 'bernoulli' ? lx.bernoulliLogLikelihood(x, decode(z))"
            "    : lx.gaussianLogLikelihood(x, decode(z), log_var, log_var_floor); };"
            "return {out: arg.grid.map(z => [...decode(z)]),"
            " prior: arg.grid.map(lx.priorLogDensity),"
            " like: arg.grid.map(z => arg.images.map(k => like(k, z))),"
            " q: arg.grid.map(z => arg.images.map(k => lx.posteriorLogDensity(q(k), z))),"
            " kl: arg.images.map(k => lx.klTerms(q(k))),"
            " point: arg.images.map(k => lx.posteriorPoint(q(k), [0.7, -1.1]))}"
        ),
        {
            "arrays": base64.b64encode(widget.arrays).decode(),
            "spec": widget.spec,
            "grid": grid.tolist(),
            "images": images,
        },
    )
    with torch.no_grad():
        page_vae, q = rounded(vae, widget), vae.encode(x[images])
        p = page_vae.decode(grid[:, None])
        np.testing.assert_allclose(got["out"], page_vae.decoder(grid), atol=1e-4)
        np.testing.assert_allclose(got["like"], p.log_prob(x[images]), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(got["prior"], vae.prior.log_prob(grid), atol=1e-5)
        np.testing.assert_allclose(got["q"], q.log_prob(grid[:, None]), rtol=1e-4, atol=1e-3)
        kl = torch.distributions.kl_divergence(q, vae.prior)
        np.testing.assert_allclose(np.sum(got["kl"], axis=1), kl, atol=1e-4)
        if "posterior" not in arguments:
            split = torch.distributions.kl_divergence(q.base_dist, vae.prior.base_dist)
            np.testing.assert_allclose(got["kl"], split, atol=1e-4)
        noise = torch.tensor([0.7, -1.1])
        tril = torch.diag_embed(q.stddev) if "posterior" not in arguments else q.scale_tril
        np.testing.assert_allclose(got["point"], q.mean + tril @ noise, atol=1e-5)


def test_the_picture_is_torchs_to_one_grey_level(visit, digits, digits_page):
    vae, _, widget = digits
    vae, page, half = rounded(vae, widget), visit(digits_page), widget.spec["range"][0][1]
    page.locator(".vw-handle").focus()
    # from corner to corner in steps of a quarter of the plane; Shift and an arrow is a sixteenth
    press(page, "Shift+ArrowLeft", 8)
    press(page, "Shift+ArrowDown", 8)
    for row in range(5):
        for column in range(5):
            at = column if row % 2 == 0 else 4 - column
            z = torch.tensor([at / 2 - 1, row / 2 - 1]) * half
            with torch.no_grad():
                wanted = 255 * vae.decode(z).mean.reshape(28, 28)
            assert where(page) == pytest.approx(z.tolist(), abs=0.0051)
            picture = pixels(page, DECODED).astype(float)
            assert np.abs(picture[..., 0] - wanted.numpy()).max() < 0.51
            assert (picture[..., :1] == picture[..., :3]).all()
            if column < 4:
                press(page, "Shift+ArrowRight" if row % 2 == 0 else "Shift+ArrowLeft", 4)
        press(page, "Shift+ArrowUp", 4)


def test_a_picked_image_shows_its_posterior_sample_and_its_bound(visit, digits, digits_page):
    vae, _, widget = digits
    vae, page = rounded(vae, widget), visit(digits_page)
    k = 13  # the second 3
    arrays = unpack(widget.arrays, widget.spec["table"])
    x = torch.tensor(arrays["images"][k] / 255, dtype=torch.float32)
    assert shown(page).keys() == {"near", "prior"}
    page.locator(".lx-strip button").nth(k).click()
    page.locator(".lx-resample").click()
    page.locator(".lx-resample").click()
    settle(page)
    np.testing.assert_array_equal(
        pixels(page, ".lx-x canvas")[..., 0], arrays["images"][k].reshape(28, 28)
    )
    with torch.no_grad():
        q = vae.encode(x)
        terms = torch.distributions.kl_divergence(q.base_dist, vae.prior.base_dist)
        eps = torch.tensor(np.array(noise(k + 1, 6).reshape(3, 2)), dtype=torch.float32)
        z = q.mean + q.stddev * eps
        likelihood = vae.decode(z).log_prob(x)
        elbo = likelihood - terms.sum()
        got = shown(page)
        assert where(page) == pytest.approx(z[-1].tolist(), abs=0.0051)
        assert parse(got["likelihood"]) == pytest.approx(likelihood[-1].item(), abs=0.0061)
        assert parse(got["elbo"]) == pytest.approx(elbo[-1].item(), abs=0.0061)
        assert parse(got["mean"]) == pytest.approx(elbo.mean().item(), abs=0.0061)
        assert parse(got["evidence"]) == pytest.approx(arrays["evidence"][k], abs=0.0051)
        first, second, total = got["kl"].replace(" +", "").replace(" =", "").split()
        assert [float(first), float(second)] == pytest.approx(terms.tolist(), abs=0.0051)
        assert float(total) == pytest.approx(terms.sum().item(), abs=0.0051)

        # moved by hand, z is no sample: the integrand stands in the place of the ELBO
        page.locator(".vw-handle").focus()
        press(page, "ArrowUp")
        z = z[-1] + torch.tensor([0.0, 2 * widget.spec["range"][0][1] / 80])
        likelihood = vae.decode(z).log_prob(x)
        weight = likelihood + vae.prior.log_prob(z) - q.log_prob(z)
        got = shown(page)
        assert "elbo" not in got and "no sample" in page.locator(".vw-note").inner_text()
        assert parse(got["likelihood"]) == pytest.approx(likelihood.item(), abs=0.0061)
        assert parse(got["weight"]) == pytest.approx(weight.item(), abs=0.0061)


def test_the_same_image_gives_the_same_samples_again(visit, digits_page):
    page = visit(digits_page)
    seen = []
    for _ in range(2):
        page.locator(".lx-strip button").nth(2).click()
        page.locator(".lx-resample").click()
        settle(page)
        seen.append(shown(page)["elbo"])
        page.locator(".vw-reset").click()
        settle(page)
        assert where(page) == [0, 0] and page.locator(".lx-strip [aria-checked=true]").count() == 0
    assert seen[0] == seen[1]


def near_colour(picture, colour, x, y, reach=2):
    """Whether a pixel within `reach` of (x, y) is white paper with 40 % or more of this ink."""
    ink = 255 - np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
    x, y = round(x), round(y)
    patch = 255.0 - picture[y - reach : y + reach + 1, x - reach : x + reach + 1, :3]
    share = patch @ ink / (ink @ ink)
    other = np.abs(patch - share[..., None] * ink).max(axis=2)
    return ((share > 0.4) & (other < 40)).any()


@pytest.mark.parametrize("posterior", ["diagonal", "full"])
def test_ellipses_are_drawn_at_one_and_two_standard_deviations(visit, posterior):
    vae, (x, label) = small_vae(posterior=posterior), small_data()
    with torch.no_grad():
        vae.encoder[-1].bias[2:] = torch.tensor([-1.2, -2.4, -0.4])[: len(vae.encoder[-1].bias) - 2]
    widget = LatentExplorer(vae, x, label, images=[4], image_shape=(6, 4))
    page = visit(static_page(widget), viewport={"width": 900, "height": 900})
    q, half = vae.encode(x[4]), widget.spec["range"][0][1]
    tril = torch.diag_embed(q.stddev) if posterior == "diagonal" else q.scale_tril
    page.locator(".lx-strip button").click()
    page.locator(".vw-handle").focus()
    press(page, "Shift+ArrowLeft", 16)  # z out of the way
    press(page, "Shift+ArrowDown", 16)
    kl = torch.distributions.kl_divergence(q, vae.prior).item()
    assert parse(shown(page)["kl"]) == pytest.approx(kl, abs=0.0051)
    picture, side = pixels(page, CANVAS), plane_box(page)["width"]
    for radius in (1, 2):
        for angle in np.arange(0.3, 6, 0.7):
            u = radius * torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float32)
            a, b = (q.mean + tril @ u).tolist()
            px, py = 34 + (a + half) / (2 * half) * side, 8 + (half - b) / (2 * half) * side
            assert near_colour(picture, COLOURS["inference"], px, py)
            # and nothing half way between the two
            if radius == 2:
                a, b = (q.mean + tril @ (0.75 * u)).tolist()
                px, py = 34 + (a + half) / (2 * half) * side, 8 + (half - b) / (2 * half) * side
                assert not near_colour(picture, COLOURS["inference"], px, py, reach=1)


def test_an_autoencoder_shows_its_error_and_nothing_of_a_posterior(visit):
    model = vc.models.Autoencoder(24, 2, (16,), seed=3)
    x, label = small_data()
    widget = LatentExplorer(model, x, label, images=[6], image_shape=(6, 4))
    page = visit(static_page(widget))
    assert page.locator(".lx-resample").count() == 0
    page.locator(".lx-strip button").click()
    settle(page)
    page_model, code = rounded(model, widget), model.encode(x[6]).detach()
    error = (x[6] - page_model.decode(code)).square().sum().item()
    got = shown(page)
    assert got.keys() == {"error", "best"} and not page.locator(".lx-ledger").is_visible()
    assert parse(got["error"]) == pytest.approx(error, abs=0.0051)
    assert where(page) == pytest.approx(code.tolist(), abs=0.0051)
    page.locator(".vw-handle").focus()
    press(page, "Home")
    z = torch.tensor([widget.spec["range"][0][0], code[1]])
    error = (x[6] - page_model.decode(z)).square().sum().item()
    assert parse(shown(page)["error"]) == pytest.approx(error, abs=0.0051)
    assert parse(shown(page)["best"]) == parse(got["best"])


def test_the_mouse_drags_z(visit, digits, digits_page):
    half = digits[2].spec["range"][0][1]
    page = visit(digits_page)
    before = pixels(page, DECODED)
    box = plane_box(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.4, steps=5)
    settle(page)
    assert where(page) == pytest.approx([half / 2, half / 5], abs=2 * half / box["width"])
    assert (pixels(page, DECODED) != before).any()
    page.mouse.move(box["x"] + 2 * box["width"], box["y"] - 50, steps=3)  # out of the plane
    settle(page)
    assert where(page) == [half, half]
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    settle(page)
    assert where(page) == [half, half]


def test_the_keyboard_moves_z_and_picks_images(visit, digits, digits_page):
    half = digits[2].spec["range"][0][1]
    page = visit(digits_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "vw-handle"
    press(page, "ArrowRight")
    assert where(page) == pytest.approx([half / 40, 0])
    press(page, "Shift+ArrowDown")
    assert where(page) == pytest.approx([half / 40, -half / 8], abs=0.0051)
    page.locator(".vw-reset").click()
    settle(page)
    assert where(page) == [0, 0]
    first = page.locator(".lx-strip button").first
    first.focus()
    press(page, "ArrowRight", 2)
    checked = page.locator(".lx-strip [aria-checked=true]")
    assert checked.count() == 1 and checked.get_attribute("aria-label") == "Test image 3, a 2"
    assert page.locator(".lx-strip [tabindex='0']").count() == 1
    assert page.evaluate("document.activeElement.getAttribute('aria-checked')") == "true"
    page.locator(".lx-z1").focus()
    before = where(page)
    press(page, "ArrowRight")
    assert where(page)[0] > before[0]


def test_a_finger_drags_z_on_the_plane_and_scrolls_beside_it(visit, digits_page):
    page = visit(digits_page, **PHONE)
    box = plane_box(page)
    swipe_from(page, box["x"] + 100, box["y"] + 200, 60, up=150)
    moved = where(page)
    assert moved != [0, 0] and page.evaluate("scrollY") == 0
    swipe_from(page, 8, box["y"] + 200, 0, up=150)
    assert page.evaluate("scrollY") > 50 and where(page) == moved


def test_the_legend_filters_points_and_images(visit, digits_page):
    page = visit(digits_page)
    seen = {digit: colour_count(page, DIGIT_COLOURS[digit], CANVAS) for digit in (4, 9)}
    assert seen[4] > 50 and seen[9] > 50
    page.locator(".lx-legend [data-label='4']").click()
    settle(page)
    assert colour_count(page, DIGIT_COLOURS[4], CANVAS) > 50
    assert colour_count(page, DIGIT_COLOURS[9], CANVAS) == 0
    visible = page.locator(".lx-strip button:visible")
    labels = visible.evaluate_all("items => items.map(i => i.getAttribute('aria-label').slice(-3))")
    assert labels == ["a 4"] * 10
    page.locator(".lx-legend [data-label='4']").click()
    settle(page)
    assert colour_count(page, DIGIT_COLOURS[9], CANVAS) == seen[9]


def test_the_manifold_is_the_decoder_at_normal_quantiles(visit, digits, digits_page):
    vae, page = rounded(digits[0], digits[2]), visit(digits_page)
    page.locator(".vw-handle").focus()
    press(page, "Shift+ArrowRight", 8)  # z into a corner
    page.get_by_role("button", name="manifold").click()
    settle(page)
    canvas = pixels(page, CANVAS)[..., 0].astype(float)
    box = plane_box(page)
    cell = box["width"] / 15
    for i, j in [(0, 0), (0, 14), (7, 7), (3, 10), (12, 2)]:
        z = norm.ppf([(i + 0.5) / 15, 1 - (j + 0.5) / 15])
        with torch.no_grad():
            wanted = 255 * vae.decode(torch.tensor(z, dtype=torch.float32)).mean.mean().item()
        left, top = round(34 + i * cell), round(8 + j * cell)
        tile = canvas[top : top + round(cell), left : left + round(cell)]
        assert abs(tile.mean() - wanted) < 4  # the tile is scaled to whole pixels
        page.mouse.click(box["x"] + (i + 0.5) * cell, box["y"] + (j + 0.5) * cell)
        settle(page)
        assert where(page) == pytest.approx(z.tolist(), abs=0.03)


def test_the_page_stays_small(digits_page):
    # the frame of the book adds some 33 kB, and there the host is a file of its own
    assert len(digits_page.encode()) - HOST.stat().st_size < 600_000 - 35_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"posterior": "exponential"}, r"model.prior is not N\(0, I\)"),
        (
            {"likelihood": "gaussian", "noise_variance": "per_dimension"},
            "every dimension a variance of its own",
        ),
    ],
)
def test_a_family_that_the_page_does_not_know_is_refused(arguments, message):
    vae, (x, label) = small_vae(**arguments), small_data()
    if vae.params["noise_variance"] is not None:
        with torch.no_grad():
            vae.likelihood.log_var[0] += 1.0
    with pytest.raises(ValueError, match=message):
        LatentExplorer(vae, x, label, images=[0], image_shape=(6, 4))


def test_colour_images_are_decoded_in_colour(visit):
    vae = small_vae()
    x = torch.rand((20, 3, 4, 2), generator=torch.Generator().manual_seed(2)).round()
    widget = LatentExplorer(vae, x, images=[3])
    assert widget.spec["image_shape"] == [4, 2] and widget.spec["channels"] == 3
    flat = LatentExplorer(vae, x.flatten(1), images=[3], image_shape=(3, 4, 2))
    assert flat.spec == widget.spec and flat.arrays == widget.arrays
    page = visit(static_page(widget))
    with torch.no_grad():
        mean = rounded(vae, widget).decode(torch.zeros(2)).mean.reshape(3, 4, 2)
    assert mean.std(0).max() > 0.1  # in which red, green and blue differ
    painted = pixels(page, DECODED)[..., :3]
    assert np.abs(painted - 255 * mean.permute(1, 2, 0).numpy()).max() < 0.51
    page.locator(".lx-strip button").click()
    settle(page)
    assert (pixels(page, ".lx-x canvas")[..., :3] == 255 * x[3].permute(1, 2, 0).numpy()).all()


def test_a_strip_of_thirteen_fields_leaves_room_for_others(visit):
    x = torch.linspace(0, 1, 4 * 13).reshape(4, 13)
    explorer = LatentExplorer(vc.models.VAE(13, 2, (8,)), x, image_shape=(1, 13))
    strips = visit(static_page(explorer), **PHONE).locator(".lx-strip canvas")
    sizes = "all => all.map(({ clientWidth, clientHeight }) => [clientWidth, clientHeight])"
    assert strips.evaluate_all(sizes) == [[80, 40]] * 4
