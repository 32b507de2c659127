"""The pipeline explorer: networks and log p(x) against torch, drawings, parts that light."""

import base64
import math

import numpy as np
import pytest
import torch
from widget_page import PHONE, drag, pixels, press, script, settle, static_page

import vaecourse as vc
from vaecourse.widgets import PipelineExplorer
from vaecourse.widgets.pipeline_explorer import encoder_script


@pytest.fixture(scope="module")
def vae():
    return vc.checkpoint.pretrained("mnist_vae_2d")[0]


@pytest.fixture(scope="module")
def images():
    test = vc.data.mnist("test", binarize="sample")
    return test.x[[(test.label == digit).nonzero()[0, 0].item() for digit in range(10)]]


@pytest.fixture(scope="module")
def widget(vae, images):
    return PipelineExplorer(vae, images)


UNPACKED = """
const bytes = (text) =>
  new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const { decoder, images } = await js.unpack(bytes(arg.arrays), arg.spec.table);
const decode = js.makeNetwork(arg.spec.decoder, decoder);
"""


def packed(widget):
    arrays = {name: getattr(widget, name) for name in ("arrays", "encoder")}
    return {"spec": widget.spec} | {k: base64.b64encode(v).decode() for k, v in arrays.items()}


def bill(page):
    rows = page.locator(".px-bill tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    return {kind: text.replace("−", "-") for kind, text in rows}


def evidence(vae, x, side=301):
    """log p(x) [B] by a finer grid than the page's."""
    axis = torch.linspace(-4.5, 4.5, side)
    z = torch.cartesian_prod(axis, axis)
    parts = []
    for rows in z.split(5_000):
        logits = vae.decoder(rows)
        prior = vae.prior.log_prob(rows)[:, None]
        softplus = torch.nn.functional.softplus(logits).sum(1, keepdim=True)
        parts.append(logits @ x.T - softplus + prior)
    return torch.cat(parts).double().logsumexp(0) + 2 * math.log(9 / (side - 1))


def test_the_page_encodes_and_decodes_as_torch(tab, widget, vae, images):
    got = tab.evaluate(
        script(
            widget,
            UNPACKED
            + """const size = arg.spec.encoder.reduce((n, [i, o]) => n + o * (i + 1), 0);
            const table = [['encoder', 'float16', [size]]];
            const { encoder } = await js.unpack(bytes(arg.encoder), table);
            const encode = js.makeNetwork(arg.spec.encoder, encoder);
            return Array.from({ length: 10 }, (_, k) => {
              const q = [...encode(images.subarray(784 * k, 784 * (k + 1)))];
              return [q, [...decode(q.slice(0, 2))].map(js.sigmoid)];
            });""",
        ),
        packed(widget),
    )
    with torch.no_grad():
        q = vae.encode(images)
        pixels = vae.decode(q.loc).mean
    codes = np.array([code for code, _ in got])
    np.testing.assert_allclose(codes[:, :2], q.loc, rtol=0, atol=1e-3)
    np.testing.assert_allclose(np.exp(0.5 * codes[:, 2:]), q.scale, rtol=0, atol=1e-3)
    np.testing.assert_allclose([p for _, p in got], pixels, rtol=0, atol=1 / 255)


def test_log_p_is_a_finer_grids(tab, widget, vae, images):
    got = tab.evaluate(
        script(
            widget,
            UNPACKED
            + """const cache = {};
            return [0, 1, 2, 3].map((k) => {
              const steps = js.evidence(decode, images.subarray(784 * k, 784 * (k + 1)), cache);
              let step;
              do step = steps.next(); while (!step.done);
              return step.value;
            });""",
        ),
        packed(widget),
    )
    with torch.no_grad():
        exact = evidence(vae, images[:4])
    # weights of float16 in the page; half of the last digit that it shows is 0.05
    np.testing.assert_allclose(got, exact, rtol=0, atol=0.05)


def test_a_drawing_is_made_as_mnist_was(tab, widget):
    side = 280
    ink = np.zeros((side, side))
    ink[20:200, 200:224] = 1  # a one, up in the right corner
    got = tab.evaluate(
        script(widget, "return [...js.prepare(Float64Array.from(arg), 280)]"), ink.ravel().tolist()
    )
    x = np.array(got).reshape(28, 28)
    rows, columns = np.nonzero(x)
    assert rows.max() - rows.min() + 1 == 20  # the longer side
    assert columns.max() - columns.min() + 1 in (2, 3)
    centre = np.array([rows.mean(), columns.mean()]) + 0.5
    assert (np.abs(centre - 14) <= 0.75).all()
    nothing = tab.evaluate(
        script(widget, "return js.prepare(new Float64Array(280 * 280), 280).some(Boolean)")
    )
    assert nothing is False


def test_pixels_survive_their_address(tab, widget, images):
    x = images[3].int().tolist()
    got = tab.evaluate(script(widget, "return [...js.fromHex(js.toHex(arg))]"), x)
    assert got == x


def test_the_bill_is_torchs(visit, widget, vae, images):
    page = visit(static_page(widget), viewport={"width": 1000, "height": 800})
    page.locator(".px-picks button").nth(4).click()
    settle(page)
    page.locator(".vw-handle").focus()
    press(page, "ArrowRight", 3)
    shown = bill(page)
    with torch.no_grad():
        q = vae.encode(images[4:5])
        z = q.loc + q.scale * torch.tensor([0.8, -0.5])
        distortion = -vae.decode(z).log_prob(images[4:5]).item()
        rate = torch.distributions.kl_divergence(q, vae.prior).item()
    assert abs(float(shown["distortion"]) - distortion) < 0.1
    assert abs(float(shown["rate"]) - rate) < 0.06
    assert abs(float(shown["elbo"]) + distortion + rate) < 0.15


def test_a_digit_is_drawn_by_mouse_and_cleared(visit, widget):
    page = visit(static_page(widget), viewport={"width": 1000, "height": 800})
    before = bill(page)["distortion"]
    box = page.locator(".px-pen").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 120, steps=8)
    page.mouse.up()
    page.wait_for_function(
        "before => document.querySelector('[data-kind=distortion] td').textContent !== before",
        arg=before.replace("-", "−"),
    )
    page.click(".px-clear")
    settle(page)
    assert bill(page)["distortion"] == before
    assert page.locator(".px-clear").is_disabled()


def test_every_q_lies_within_its_plane(tab, widget, vae, images):
    half = tab.evaluate(script(widget, "return js.PLANE"))
    with torch.no_grad():
        q = vae.encode(images)
    assert (q.loc.abs() + 2 * q.scale).max() < half


WIDE = {"viewport": {"width": 1000, "height": 800}}


def stroke(page, *places):
    """The pen through these places, in pixels of x."""
    box = page.locator(".px-pen").bounding_box()
    at = [(box["x"] + box["width"] * c / 28, box["y"] + box["width"] * r / 28) for c, r in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    settle(page)


def drawing(page, other_than=""):
    """The drawing [28, 28] that the page keeps, once it keeps another one."""
    kept = "history.state?.explorers?.['pipeline-explorer']?.pixels"
    page.wait_for_function(f"was => {kept} && {kept} !== was", arg=other_than)
    text = page.evaluate(kept)
    return text, np.array([int(bit) for digit in text for bit in f"{int(digit, 16):04b}"]).reshape(
        28, 28
    )


@pytest.mark.parametrize("way", ["at once", "reload", "link"])
def test_strokes_add_to_the_drawing_that_is_shown(visit, widget, way):
    html = static_page(widget)
    page = visit(html, alone=True, **WIDE)
    stroke(page, (6, 5), (6, 20))
    text, bar = drawing(page)
    assert bar.any(1).sum() == 20 and bar.any(0).sum() <= 4
    if way == "reload":
        page.reload()
    if way == "link":
        page = visit(html, page.evaluate("location.hash"), alone=True, **WIDE)
    page.locator(".px-clear:enabled").wait_for()
    settle(page)
    stroke(page, (7, 14), (21, 14))
    _, cross = drawing(page, text)
    assert cross[:, :10].any() and cross[:, -10:].any()  # the new stroke, left and right of the bar
    high = cross[:, 12:16].any(1).sum()
    assert high >= 18  # the bar
    assert cross[13:15, 8:20].any(0).all() and not cross[5:9, :10].any()


def test_a_stroke_is_kept_once_the_hand_has_ended_it(visit, widget):
    page = visit(static_page(widget), alone=True, **WIDE)
    page.clock.install()
    box = page.locator(".px-pen").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 90)
    page.clock.run_for(2000)
    assert page.evaluate("history.state?.explorers?.['pipeline-explorer']?.pixels ?? ''") == ""
    page.mouse.move(box["x"] + 60, box["y"] + 120)
    page.mouse.up()
    page.clock.run_for(2000)
    assert page.evaluate("history.state.explorers['pipeline-explorer'].pixels") != ""


def test_a_touch_without_a_stroke_leaves_the_digit_and_is_a_dot_on_a_drawing(visit, widget):
    page = visit(static_page(widget), **WIDE)
    before = pixels(page, ".px-pen")
    stroke(page, (14, 14))
    assert (pixels(page, ".px-pen") == before).all()
    assert page.locator(".px-clear").is_disabled()
    stroke(page, (14, 5), (14, 20))
    text, bar = drawing(page)
    stroke(page, (6, 22))
    _, dotted = drawing(page, text)
    assert not bar[:, :9].any() and dotted[18:, :9].any()


def test_of_a_drawing_without_an_encoder_no_number_is_shown(visit, vae, images):
    html = static_page(PipelineExplorer(vae, images, weights="weights")).replace(
        "</head>",
        "<script>document.head.append = (script) => setTimeout(script.onerror);</script></head>",
    )
    page = visit(html, **WIDE)
    assert bill(page)["distortion"] != "–"
    stroke(page, (14, 5), (14, 20))
    lost = "The encoder could not be loaded; pick an image instead."
    heard = "said => document.querySelector('.vw-live').textContent === said"
    page.wait_for_function(heard, arg=lost)
    assert set(bill(page).values()) == {"–"}
    page.locator(".px-encoder .px-arrow").hover()  # other words for a while
    page.mouse.move(2, 2)
    settle(page)
    assert page.locator(".px-said").inner_text() == lost
    page.locator(".px-picks button").nth(1).click()
    settle(page)
    assert page.locator(".px-said").inner_text() == ""
    assert bill(page)["distortion"] != "–"


def test_where_the_bound_of_one_z_is_above_log_p_the_page_says_so(visit, widget):
    page = visit(static_page(widget), **WIDE)
    above = set()
    for k in range(4):
        page.locator(".px-picks button").nth(k).click()
        settle(page)
        page.wait_for_function(
            "() => document.querySelector('[data-kind=evidence] td').textContent !== '–'"
        )
        shown = bill(page)
        higher = float(shown["elbo"]) > float(shown["evidence"])
        said = page.locator(".px-said").inner_text()
        assert said.startswith("With this z the ELBO lies above") == higher
        above.add(higher)
    assert above == {True, False}


def test_no_part_that_is_touched_hides_that_the_bound_is_above(visit, widget):
    """After New and by the handle of ε the pointer rests on the part of z."""
    page = visit(static_page(widget), **WIDE)
    known = "() => document.querySelector('[data-kind=evidence] td').textContent !== '–'"
    page.wait_for_function(known)
    warning = "With this z the ELBO lies above log p(x); its mean over q does not."
    touched = "The draw: z = μ + σ ⊙ ε, with ε from a standard normal."
    above = set()

    def check():
        shown = bill(page)
        higher = float(shown["elbo"]) > float(shown["evidence"])
        said = page.locator(".px-said").inner_text()
        assert said == (f"{warning} {touched}" if higher else touched)
        above.add(higher)

    for _ in range(8):
        page.click(".px-noise")
        settle(page)
        check()
    assert above == {True, False}
    drag(page, page.locator(".vw-handle"), 4)
    check()
    page.locator(".vw-handle").focus()
    while float(bill(page)["elbo"]) <= float(bill(page)["evidence"]):
        page.click(".px-noise")
        settle(page)
    heard = "said => document.querySelector('.vw-live').textContent.endsWith(said)"
    page.wait_for_function(heard, arg=" nats. " + warning)


@pytest.mark.parametrize("width", [330, 620, 800, 1000])
def test_the_word_of_the_button_for_noise_stays_in_it(visit, widget, width):
    page = visit(static_page(widget), viewport={"width": width, "height": 800})
    inside, room = page.locator(".px-noise").evaluate("b => [b.scrollWidth, b.clientWidth]")
    assert inside <= room
    button, part = (page.locator(s).bounding_box() for s in (".px-noise", ".px-z"))
    assert button["x"] + button["width"] <= part["x"] + part["width"] + 1


def test_a_part_lights_its_term_and_its_line(visit, widget):
    page = visit(static_page(widget), viewport={"width": 1000, "height": 800})
    lit = """part => [...document.querySelectorAll(`[data-part="${part}"]`)]
        .map((one) => getComputedStyle(one).backgroundColor !== 'rgba(0, 0, 0, 0)')"""
    for part in ("encoder", "distortion", "rate", "elbo"):
        assert not any(page.evaluate(lit, part))
        page.locator(f'.px-code [data-part="{part}"]').hover()
        assert all(page.evaluate(lit, part))
        page.mouse.move(2, 2)
    page.locator(".px-encoder .px-arrow").focus()  # and by the keyboard
    assert all(page.evaluate(lit, "encoder"))


def test_the_encoder_comes_as_a_script_on_first_use(visit, vae, images, tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "weights.js").write_text(encoder_script(vae, "weights"))
    page = visit(static_page(PipelineExplorer(vae, images, weights="weights")), **PHONE)
    assert page.evaluate("window.vaecourseBytes === undefined")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".px-pen").tap()
    page.wait_for_function("() => window.vaecourseBytes !== undefined")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"images": torch.rand(2, 784)}, "images has grey levels"),
        ({"images": torch.zeros(21, 784)}, "images has 21 rows; it must have 1 to 20"),
        ({"images": torch.zeros(2, 783)}, "images"),
        ({"model": vc.models.VAE(784, 3, (8,))}, "two latents and 784 pixels"),
        ({"model": vc.models.VAE(784, 2, (8,), posterior="full")}, "diagonal posterior"),
        ({"model": torch.nn.Linear(2, 784)}, "model is a Linear without encode"),
        ({"picked": 2}, "picked is 2; it must be an integer from 0 to 1"),
        ({"eps": [9, 0]}, r"eps\[0\] is 9; it must be a number from -3 to 3"),
    ],
)
def test_what_it_cannot_show_is_refused(change, sentence):
    made = {"model": vc.models.VAE(784, 2, (8,)), "images": torch.zeros(2, 784)} | change
    with pytest.raises(ValueError, match=sentence):
        PipelineExplorer(made.pop("model"), made.pop("images"), **made)
