"""The explorers in the built pages: they answer the hand, and show what torch computes."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from book_page import STILL
from browser import READY
from bs4 import BeautifulSoup
from explorers import unpack

import vaecourse as vc
from vaecourse.widgets.latent_explorer.latent_explorer import read_decoder

# Chapter 14 trains what it shows; every other page shows shipped models, but for the page on own
# data, whose pictures are strips of a table and whose likelihood undoes a scaling.
TRAINED_IN_PAGE = {"chapters/14_when_vaes_fail.html"}
NO_IMAGES = {"own_data.html"}

PRETRAINED = Path(__file__).parents[2] / "data" / "pretrained"
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"

PLANE, DECODED = ".latent-explorer .lx-plane", ".latent-explorer .lx-decoded canvas"

PIXELS = """canvas => {
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return Array.from({ length: width * height }, (_, k) => data[4 * k]);
}"""

# Move by the sliders, which say exactly where they are. The explorer paints in the next frame.
MOVE = """async (explorer, fractions) => {
  const sliders = [".lx-z1", ".lx-z2"].map((name) => explorer.querySelector(name));
  for (const [k, slider] of sliders.entries()) {
    slider.value = +slider.min + fractions[k] * (slider.max - slider.min);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  }
  return sliders.map((slider) => +slider.value);
}"""

FRAMES = "async () => { for (let k = 0; k < 3; k++) await new Promise(requestAnimationFrame); }"

PLACES = [(0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.25, 0.9), (0.7, 0.45), (0.9, 0.95)]


def explorers(page):
    """What each latent explorer of a page holds: its description and its decoder's weights."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    state = soup.find(type=STATE)
    models = json.loads(state.get_text())["state"] if state else {}
    for view in soup.find_all(type=VIEW):
        model = models[json.loads(view.get_text())["model_id"]]
        if "latent-explorer" not in model["state"].get("_esm", ""):
            continue
        spec = model["state"]["spec"]
        data = next(one["data"] for one in model["buffers"] if one["path"] == ["arrays"])
        yield spec, unpack(base64.b64decode(data), spec["table"])["weights"]


def shown_as(model):
    """What a page may hold of a model: itself, or the autoencoder that its means make."""
    yield model
    if model.params.get("noise_variance") == "from_z":
        yield vc.models.mean_autoencoder(model)


def shipped_model(spec, weights):
    """The model in data/pretrained whose decoder, rounded, is in the page."""
    for record in sorted(PRETRAINED.glob("*.json")):
        for model in shown_as(vc.checkpoint.load(record.with_suffix(""))[0]):
            try:
                layers, shipped = read_decoder(model)
            except ValueError:
                continue  # not a model of the plane
            if layers == spec["layers"] and np.allclose(shipped, weights, rtol=1e-3, atol=1e-6):
                return record.stem, model
    pytest.fail(f"The decoder of {spec['title']!r} is none of those in data/pretrained.")


def model_of_page(spec, weights):
    """A VAE with the decoder of an explorer, for a model that only its page has."""
    hidden, pixels = (size for _, size, _ in spec["layers"])
    model = vc.models.VAE(pixels, 2, (hidden,))
    rest = torch.tensor(weights, dtype=torch.float32)
    for layer in (model.decoder[0], model.decoder[2]):
        inputs, outputs = layer.in_features, layer.out_features
        matrix, bias, rest = rest.split(
            [inputs * outputs, outputs, len(rest) - (inputs + 1) * outputs]
        )
        layer.load_state_dict({"weight": matrix.view(inputs, outputs).T, "bias": bias})
    assert read_decoder(model)[0] == spec["layers"]
    return spec["title"], model


@pytest.fixture(scope="module")
def shown(site, pages):
    """The models that the pages show: {page: [(name, model), ...]}."""
    found = {}
    for page in set(pages) - NO_IMAGES:
        source = model_of_page if page in TRAINED_IN_PAGE else shipped_model
        if models := [source(*one) for one in explorers(site / page)]:
            found[page] = models
    assert found.keys() >= TRAINED_IN_PAGE
    return found


def open_page(new_tab, address, **options):
    tab = new_tab(**options)
    tab.goto(address)
    tab.wait_for_selector(DECODED)
    tab.locator(PLANE).first.scroll_into_view_if_needed()
    return tab


def pixels(tab):
    tab.evaluate(FRAMES)
    return np.array(tab.locator(DECODED).first.evaluate(PIXELS))


def test_first_page_has_an_explorer_and_the_book_two_models(shown):
    assert "index.html" in shown
    shipped = [models for page, models in shown.items() if page not in TRAINED_IN_PAGE]
    assert len({name for models in shipped for name, _ in models}) >= 2


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_pictures_are_torchs_to_one_grey_level(new_tab, addresses, shown, scheme):
    assert shown
    for page, models in shown.items():
        tab = open_page(new_tab, f"{addresses[scheme]}/{page}")
        tab.wait_for_function(
            "n => document.querySelectorAll('.lx-decoded').length === n", arg=len(models)
        )
        for k, (name, model) in enumerate(models):
            explorer = tab.locator(".latent-explorer").nth(k)
            for place in PLACES:
                z = explorer.evaluate(MOVE, place)
                painted = np.array(explorer.locator(".lx-decoded canvas").evaluate(PIXELS))
                with torch.no_grad():
                    output = model.decode(torch.tensor([z], dtype=torch.float32))
                mean = output if isinstance(output, torch.Tensor) else output.mean
                expected = (255 * mean[0].clamp(0, 1)).round().numpy()
                assert np.abs(painted - expected).max() <= 1, (page, name, z)
        tab.close()


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_dragging_changes_the_picture(new_tab, addresses, site, scheme):
    tab = open_page(new_tab, f"{addresses[scheme]}/index.html")
    before = pixels(tab)
    box = tab.locator(PLANE).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + box["width"] / 4, y - box["height"] / 4, steps=10)
    during = pixels(tab)
    tab.mouse.up()
    after = pixels(tab)
    assert np.abs(during - before).max() > 50
    assert np.array_equal(after, during)
    tab.close()


def test_keys_change_the_picture(new_tab, addresses):
    tab = open_page(new_tab, f"{addresses['file']}/index.html")
    before = pixels(tab)
    tab.locator(f"{PLANE} .vw-handle").first.focus()
    for _ in range(8):
        tab.keyboard.press("ArrowRight")
    assert np.abs(pixels(tab) - before).max() > 20
    tab.close()


def test_a_finger_drags_the_point_and_not_the_page(new_tab, addresses):
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    tab = open_page(new_tab, f"{addresses['file']}/index.html", **phone)
    before, scrolled = pixels(tab), tab.evaluate("scrollY")
    box = tab.locator(PLANE).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = tab.context.new_cdp_session(tab)

    def touch(kind, *points):
        event = {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]}
        session.send("Input.dispatchTouchEvent", event)

    touch("touchStart", (x, y))
    for step in range(1, 11):
        touch("touchMove", (x, y - step * box["height"] / 40))
    touch("touchEnd")
    assert np.abs(pixels(tab) - before).max() > 20
    assert tab.evaluate("scrollY") == scrolled
    tab.close()


# Of the words that are painted, those that the left or the right edge of their canvas cuts.
CUT = """
    window.cut = [];
    window.painted = 0;
    const paint = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      const m = this.measureText(text), to = this.getTransform();
      const left = to.transformPoint({x: x - m.actualBoundingBoxLeft, y}).x;
      const right = to.transformPoint({x: x + m.actualBoundingBoxRight, y}).x;
      if (left < -0.5 || right > this.canvas.width + 0.5) window.cut.push(text);
      window.painted += 1;
      paint.call(this, text, x, y);
    };
"""


def test_no_number_is_cut_whatever_image_is_picked(new_tab, addresses):
    tab = new_tab(viewport={"width": 820, "height": 1000})
    tab.add_init_script(CUT)
    tab.goto(f"{addresses['file']}/index.html")
    tab.evaluate(READY)
    images = tab.locator(".lx-strip button").all()[:30]
    assert len(images) == 30
    for image in images:
        image.click()
        tab.evaluate(STILL)
    assert tab.evaluate("[painted > 100, cut]") == [True, []]
    tab.close()
