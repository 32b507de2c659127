"""The missing explorer: its sums against Python's grid, and the hand."""

import pytest
import torch
from widget_page import PHONE, handle_value, parse, press, script, settle, static_page

import vaecourse as vc
from vaecourse.evaluation import LatentGrid
from vaecourse.widgets import MissingExplorer, PipelineExplorer

CORNER = [20, 9]  # 20 columns of 19 rows are seen


@pytest.fixture(scope="module")
def model():
    vae = vc.models.VAE(784, 2, (6,), activation="tanh", seed=3).requires_grad_(False)
    for weight in vae.decoder.parameters():
        weight.copy_((4 * weight).half())  # what the page holds
    return vae


@pytest.fixture(scope="module")
def images():
    x = torch.rand(2, 784, generator=torch.Generator().manual_seed(0))
    return (x > 0.6).float()


def test_the_page_computes_what_the_grid_does(tab, model, images):
    grid = LatentGrid(model, 11, 3.0)
    seen = torch.zeros(28, 28, dtype=torch.bool)
    seen[:19, :20] = True
    seen = seen.flatten()
    got = tab.evaluate(
        script(
            MissingExplorer,
            "const grid = js.gridOf([11, 3]), n = grid.length * 784;"
            "const table = {logits: new Float32Array(n), zero: new Float32Array(n)};"
            "const rows = arg.logits; let g = 0;"
            "for (const _ of js.decodeGrid(() => rows[g++], grid, table));"
            "const log = js.logJoint(arg.x, grid, table, js.windowOf(arg.corner));"
            "const all = js.logSum(log), weights = log.map(v => Math.exp(v - all));"
            "return {z: grid, log: [...log], all, mean: [...js.meanPixels(weights, table)]}",
        ),
        {"logits": grid.logits.tolist(), "x": images[0].tolist(), "corner": CORNER},
    )
    assert torch.allclose(torch.tensor(got["z"]), grid.z, atol=1e-6)
    log_joint = grid.log_joint(images[:1], seen)[0]
    assert torch.allclose(torch.tensor(got["log"]), log_joint, atol=2e-3)
    assert got["all"] == pytest.approx(log_joint.logsumexp(0).item(), abs=2e-3)
    mean = torch.tensor(got["mean"])[~seen]
    assert torch.allclose(mean, grid.pixels(images[:1], seen)[0, ~seen], atol=1e-4)


def test_the_numbers_follow_the_corner_and_add_up(visit, model, images):
    explorer = MissingExplorer(model, images, corner=CORNER, picked=1)
    page = visit(static_page(explorer))
    page.wait_for_function("document.querySelector('[data-kind=whole] td').textContent")

    def numbers():
        return [parse(text) for text in page.locator(".vw-numbers td").all_inner_texts()]

    assert numbers() == pytest.approx(list(explorer.values.values()), abs=0.06)
    handle = page.locator(".mx-window .vw-handle")
    handle.focus()
    press(page, "Home")
    press(page, "ArrowRight", 8)
    assert handle_value(page) == 0 and handle.get_attribute("aria-valuetext") == (
        "28 columns, 28 rows seen"
    )
    seen, missing, whole = numbers()
    assert missing == 0 and seen == whole
    press(page, "End")
    assert numbers()[0] == pytest.approx(0, abs=0.051)  # nothing seen: the prior has mass one
    page.locator(".vw-reset").click()
    settle(page)
    assert numbers() == pytest.approx(list(explorer.values.values()), abs=0.06)


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_numbers_that_come_later_find_their_place_kept(visit, model, images, options):
    page = visit(static_page(MissingExplorer(model, images, corner=CORNER)), **options)
    page.wait_for_function("document.querySelector('[data-kind=whole] td').textContent")
    with_them, without = page.evaluate(
        "() => { const cells = [...document.querySelectorAll('.vw-numbers :is(th, td)')];"
        " const places = () => cells.map(e => { const b = e.getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height]; });"
        " const then = places(); for (const e of cells) if (e.matches('td')) e.textContent = '';"
        " return [then, places()]; }"
    )
    assert len(with_them) == 6 and with_them == without


def test_what_the_page_cannot_show_is_refused(model, images):
    with pytest.raises(ValueError, match="two latents and 784 Bernoulli pixels"):
        MissingExplorer(vc.models.VAE(784, 3, (4,)), images)
    with pytest.raises(ValueError, match="grey levels"):
        MissingExplorer(model, 0.5 * images)
    with pytest.raises(ValueError, match="0 rows|no rows"):
        MissingExplorer(model, images[:0])
    with pytest.raises(ValueError, match=r"corner\[1\] is 29; it must be a number from 0 to 28"):
        MissingExplorer(model, images, corner=[3, 29])
    with pytest.raises(ValueError, match="picked is 2; it must be an integer from 0 to 1"):
        MissingExplorer(model, images, picked=2)


@pytest.mark.parametrize("explorer", [MissingExplorer, PipelineExplorer])
def test_images_are_named_by_their_digits_where_these_are_known(visit, explorer):
    vae, images = vc.models.VAE(784, 2, (4,)), torch.zeros(3, 784)
    names = "[...document.querySelectorAll('[data-trait=picked]')].map(b => b.ariaLabel)"
    named = visit(static_page(explorer(vae, images, torch.tensor([7, 8, 0])))).evaluate(names)
    assert named == ["Image 1, a 7", "Image 2, an 8", "Image 3, a 0"]
    assert visit(static_page(explorer(vae, images))).evaluate(names) == [
        "Image 1",
        "Image 2",
        "Image 3",
    ]
    sentence = r"^labels has shape \[2\]; it must be \[3\], as images has\.$"
    with pytest.raises(ValueError, match=sentence):
        explorer(vae, images, [7, 8])
