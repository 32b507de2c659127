"""The family explorer: its arithmetic against torch, what it refuses, hands in a browser."""

import base64
import copy
import math

import numpy as np
import pytest
import torch
from explorers import unpack
from sentences import refused
from torch.distributions import kl_divergence
from widget_page import (
    PHONE,
    drag,
    handle_value,
    noise,
    parse,
    pixels,
    press,
    script,
    settle,
    static_page,
    swipe,
    swipe_from,
    uniform,
)

import vaecourse as vc
from vaecourse.widgets import FamilyExplorer
from vaecourse.widgets.family_explorer.family_explorer import rounded, style_latents

T, D, J, K = 8, 6, 3, 4  # rows, pixels of a row, latents of a row, components
GRID, OTHERS = ".fx-grid canvas", ".fx-others canvas"
PLANE, LINE = 0, 1  # the handles


def small_models():
    """Untrained models of 8 × 6 images, with weights large enough that z and the rows matter."""
    gmvae = vc.models.GMVAE(T * D, 5, K, (16,), seed=1)
    vrnn = vc.models.VRNN(D, J, 10, (12,), seed=2)
    with torch.no_grad():
        gmvae.prior_log_var.copy_(torch.linspace(-1, 1, 5 * K).reshape(K, 5))
        for layer in (gmvae.decoder[-1], vrnn.decoder[0], vrnn.decoder[-1], vrnn.encoder[-1]):
            layer.weight.mul_(3)
    return gmvae, vrnn


def small_images(n=2):
    return torch.rand((n, T * D), generator=torch.Generator().manual_seed(4)).round()


MODELS, IMAGES = small_models(), small_images()
PAGE_MODELS = rounded(*MODELS)  # with the weights of the page
START = {"component": 1, "offset": [0.5, -1.2], "seen": 5, "seed": 3}


def explorer(**traits):
    return FamilyExplorer(*MODELS, IMAGES, **START | traits)


@pytest.fixture
def page(visit):
    return visit(static_page(explorer()))


@pytest.fixture
def rows_page(visit):
    page = visit(static_page(explorer(view="vrnn")))
    rest(page)
    return page


def rest(page):
    """Wait for what is painted when there is time: the other samples, one a frame."""
    for _ in range(10):
        settle(page)


def given_noise(seed, k):
    """The page's noise of sample k: normal [T, J], uniform [T, D]."""
    first = 2 * (9 * seed + k)
    return noise(first, T * J).reshape(T, J), uniform(first + 1, T * D).reshape(T, D)


@torch.no_grad()
def continued(vrnn, x, seen, eps, u):
    """What the page should show: means [T, D], and log p(x|z) and KL of the rows seen."""
    state, means, likelihood, kl = vrnn.first_state(1)[0], [], 0.0, 0.0
    eps, u = (torch.as_tensor(one, dtype=torch.float32) for one in (eps, u))
    for t in range(T):
        prior = vrnn.prior(state)
        q = vrnn.encode(x[t], state) if t < seen else prior
        z = q.loc + q.scale * eps[t]
        p = vrnn.decode(z, state)
        row = x[t] if t < seen else (u[t] < p.mean).float()
        if t < seen:
            likelihood += p.log_prob(row).item()
            kl += kl_divergence(q, prior).item()
        means.append(row if t < seen else p.mean)
        state = vrnn.next_state(row, z, state)
    return torch.stack(means), likelihood, kl


def shown(page, view):
    rows = page.locator(f".fx-{view} .vw-numbers tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    return {kind: parse(text) if text != "–" else None for kind, text in rows}


def drawn(page):
    """The grid as the page shows it, 0 to 1, read at the centres of its cells: [T, D]."""
    picture = pixels(page, GRID)
    cell = (picture.shape[1] - 10) / (D + 9.2)
    at = [2 + (np.arange(D) + 0.5) * cell, 34 + (np.arange(T) + 0.5) * cell]
    columns, rows = (places.astype(int) for places in at)
    return picture[rows[:, None], columns, 0] / 255


def cell_at(page, row, column):
    """Where a cell of the grid is on the page."""
    box = page.locator(GRID).first.bounding_box()
    cell = (box["width"] - 10) / (D + 9.2)
    return box["x"] + 2 + (column + 0.5) * cell, box["y"] + 34 + (row + 0.5) * cell


def stroke(page, *cells):
    """Draw through the centres of cells with the mouse."""
    page.mouse.move(*cell_at(page, *cells[0]))
    page.mouse.down()
    for cell in cells[1:]:
        page.mouse.move(*cell_at(page, *cell), steps=3)
    page.mouse.up()
    rest(page)


def evaluate(tab, widget, body, **arguments):
    """What `body` returns, with the program at hand as `js` and the arrays as `arrays`."""
    program = (
        "const bytes = Uint8Array.from(atob(arg.arrays), c => c.charCodeAt(0));"
        "const arrays = await js.unpack(bytes, arg.spec.table), spec = arg.spec;" + body
    )
    packed = base64.b64encode(widget.arrays).decode()
    return tab.evaluate(
        script(widget, program), {"arrays": packed, "spec": widget.spec, **arguments}
    )


# ------------------------------------------------------------------ arithmetic


def test_the_mixture_agrees_with_torch(tab):
    gmvae, widget = PAGE_MODELS[0], explorer()
    offsets = [[0.0, 0.0], [1.3, -0.4], [-3.0, 3.0]]
    got = evaluate(
        tab,
        widget,
        "const mixture = js.makeMixture(spec, arrays);"
        "const decode = js.makeNetwork(spec.layers['gmvae.decoder'], arrays['gmvae.decoder']);"
        "return [0, 1, 2, 3].map(k => arg.offsets.map(offset => {"
        "  const z = mixture.latent(k, offset), {given, evidence, shares} = mixture.at(z);"
        "  return {z: [...z], logits: [...decode(z)], given, evidence, shares}; }))",
        offsets=offsets,
    )
    prior = MODELS[0].prior
    with torch.no_grad():
        for k in range(K):
            for offset, found in zip(offsets, got[k]):
                axes = torch.zeros(5)
                axes[widget.spec["latents"]] = torch.tensor(offset)
                z = prior.latent.loc[k] + prior.latent.scale[k] * axes
                density = prior.latent.log_prob(z)
                np.testing.assert_allclose(found["z"], z, atol=1e-6)
                np.testing.assert_allclose(found["logits"], gmvae.decoder(z), atol=1e-5)
                np.testing.assert_allclose(found["given"], density, rtol=1e-5, atol=1e-4)
                assert found["evidence"] == pytest.approx(prior.log_prob(z).item(), abs=1e-4)
                np.testing.assert_allclose(found["shares"], density.softmax(0), atol=1e-5)


def test_a_step_of_the_recurrent_network_agrees_with_torch(tab):
    vrnn, generator = PAGE_MODELS[1], torch.Generator().manual_seed(0)
    x, z, h = (torch.randn(n, generator=generator) for n in (D, J, 10))
    got = evaluate(
        tab,
        explorer(),
        "const net = js.makeRecurrence(spec.layers, arrays);"
        "const [x, z, h] = [arg.x, arg.z, arg.h].map(v => Float32Array.from(v));"
        "const q = net.encode(x, h), p = net.prior(h), list = g => [[...g.loc], [...g.scale]];"
        "return {q: list(q), p: list(p), kl: js.divergence(q, p), self: js.divergence(q, q),"
        " logits: [...net.decode(z, h)], next: [...net.next(x, z, h)]}",
        x=x.tolist(),
        z=z.tolist(),
        h=h.tolist(),
    )
    with torch.no_grad():
        q, p = vrnn.encode(x, h), vrnn.prior(h)
        np.testing.assert_allclose(got["q"], torch.stack([q.loc, q.scale]), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(got["p"], torch.stack([p.loc, p.scale]), rtol=1e-5, atol=1e-5)
        assert got["kl"] == pytest.approx(kl_divergence(q, p).item(), rel=1e-4)
        assert got["self"] == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(got["logits"], vrnn.decode(z, h).logits, atol=1e-5)
        np.testing.assert_allclose(got["next"], vrnn.next_state(x, z, h), atol=1e-6)


@pytest.mark.parametrize("seen", [0, 1, 5, T])
def test_the_continuation_agrees_with_torch_for_the_same_noise(tab, seen):
    got = evaluate(
        tab,
        explorer(),
        "const net = js.makeRecurrence(spec.layers, arrays);"
        "return arg.seeds.map(seed => {"
        "  const run = new js.Continuation(net, js.makeNoise(seed, 24, 48), spec);"
        "  run.run(arg.x, arg.seen); return {means: [...run.means], ...run.total}; })",
        x=IMAGES[0].tolist(),
        seen=seen,
        seeds=[0, 1, 27],
    )
    for seed, found in zip([0, 1, 27], got):
        x, (eps, u) = IMAGES[0].reshape(T, D), given_noise(0, seed)
        means, likelihood, kl = continued(PAGE_MODELS[1], x, seen, eps, u)
        np.testing.assert_allclose(np.reshape(found["means"], (T, D)), means, atol=1e-5)
        assert found["likelihood"] == pytest.approx(likelihood, rel=1e-5, abs=1e-5)
        assert found["kl"] == pytest.approx(kl, rel=1e-4, abs=1e-5)


def test_a_run_that_goes_on_from_another_is_a_run_from_the_start(tab):
    # edits above, at and beneath the line, and the line up and down
    images = torch.randint(0, 2, (5, T * D), generator=torch.Generator().manual_seed(9))
    images[1, : 3 * D] = images[0, : 3 * D]
    images[2] = images[1]
    seen = [5, 5, 2, 7, 0]
    got = evaluate(
        tab,
        explorer(),
        "const net = js.makeRecurrence(spec.layers, arrays), noise = js.makeNoise(5, 24, 48);"
        "const one = new js.Continuation(net, noise, spec);"
        "return arg.images.map((x, k) => {"
        "  const fresh = new js.Continuation(net, noise, spec);"
        "  return [one, fresh].map(run => { run.run(x, arg.seen[k]);"
        "    return [[...run.means], [...run.terms]]; }); })",
        images=images.tolist(),
        seen=seen,
    )
    for (kept, fresh), length in zip(got, seen):
        assert kept == fresh and len(kept[1]) == length


def test_the_pen_inks_the_cells_near_its_path(tab):
    got = evaluate(
        tab,
        explorer(),
        "return [js.cellsAlong([2.5, 1.5], [2.5, 4.5], 0.6, [8, 6]),"
        " js.cellsAlong([3, 3], [3, 3], 0.8, [8, 6]),"
        " js.cellsAlong([-5, 9], [-4, 9], 1, [8, 6])]",
    )
    assert got[0] == [[2, 1], [2, 2], [2, 3], [2, 4]]
    assert got[1] == [[2, 2], [2, 3], [3, 2], [3, 3]]
    assert got[2] == []


# ------------------------------------------------------------------ what the page gets


def test_the_plane_is_of_the_latents_that_change_the_images_most():
    gmvae = copy.deepcopy(MODELS[0])
    with torch.no_grad():
        gmvae.decoder[0].weight[:, [1, 4]] *= 10
    assert style_latents(gmvae) == [1, 4]


def filled(network, weights):
    """A copy of a network with the weights that the page has of it."""
    network, weights = copy.deepcopy(network), torch.from_numpy(weights.astype(np.float32))
    for parameter in network.parameters():
        part, weights = weights[: parameter.numel()], weights[parameter.numel() :]
        parameter.data = part.reshape(parameter.t().shape).t().contiguous()
    return network


@torch.no_grad()
def row_means(vrnn, x, eps, seen):
    """Means of p(x_t|…), [B, T, D], for noise eps; what is fed back is x [B, T, D]."""
    state, means = vrnn.first_state(len(x)), []
    for t, x_t in enumerate(x.unbind(1)):
        p = vrnn.encode(x_t, state) if t < seen else vrnn.prior(state)
        z = p.loc + p.scale * eps[:, t]
        means.append(vrnn.decode(z, state).mean)
        state = vrnn.next_state(x_t, z, state)
    return torch.stack(means, 1)


def test_rounded_weights_move_no_pixel_by_a_grey_level():
    (gmvae, _), (vrnn, _) = map(vc.checkpoint.pretrained, ("gmvae_mnist", "vrnn_mnist_rows"))
    x, generator = vc.data.mnist("test", binarize="threshold").x, torch.Generator().manual_seed(0)
    widget = FamilyExplorer(gmvae, vrnn, x[:3])
    # as float16 they are 740 kB, and packed 639
    assert len(widget.arrays) < 540_000
    pages = {"gmvae": copy.deepcopy(gmvae), "vrnn": copy.deepcopy(vrnn)}
    arrays = unpack(widget.arrays, widget.spec["table"])
    for name in widget.spec["layers"]:
        model, part = name.split(".")
        setattr(pages[model], part, filled(getattr(pages[model], part), arrays[name]))

    # between the points at which the weights were rounded
    prior, latents = gmvae.prior.latent, widget.spec["latents"]
    offset = 6 * torch.rand(100, 1, 2, generator=generator) - 3
    rows = x[100:150].reshape(-1, 28, 28)
    eps = torch.randn(*rows.shape[:2], vrnn.latent_dim, generator=generator)
    with torch.no_grad():
        z = prior.loc.repeat(100, 1, 1)
        z[..., latents] += offset * prior.scale[:, latents]
        moved = gmvae.decode(z).mean - pages["gmvae"].decode(z).mean
        assert 0.1 < 255 * moved.abs().max() < 1
        moved = row_means(vrnn, rows, eps, 14) - row_means(pages["vrnn"], rows, eps, 14)
        assert 0.1 < 255 * moved.abs().max() < 1


def test_the_rows_seen_go_to_the_model_as_they_are():
    widget = explorer(pixels=IMAGES[1].int().tolist())
    assert torch.equal(widget.rows, IMAGES[1].reshape(1, T, D)[:, :5])
    completed = MODELS[1].complete(widget.rows, T)
    assert torch.equal(completed[:, :5], widget.rows)


SMALL = {"gmvae": MODELS[0], "vrnn": MODELS[1], "x": IMAGES}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gmvae": MODELS[1]}, "gmvae is a VRNN; it must be a GMVAE."),
        ({"vrnn": vc.models.VAE(48, 2)}, "vrnn is a VAE; it must be a VRNN."),
        (
            {"gmvae": vc.models.GMVAE(48, 1, 4)},
            "gmvae has 1 latent; the plane needs two or more.",
        ),
        (
            {"vrnn": vc.models.VRNN(6, 3, 10, recurrence="linear")},
            "The recurrence of vrnn is 'linear'; it must be one of 'gru'.",
        ),
        (
            {"vrnn": vc.models.VRNN(6, 3, 10, likelihood="gaussian")},
            "The likelihood of vrnn is 'gaussian'; it must be one of 'bernoulli'.",
        ),
        (
            {"vrnn": vc.models.VRNN(7, 3, 10)},
            "vrnn has rows of 7 pixels and gmvae images of 48; an image must be a whole number "
            "of rows.",
        ),
        ({"x": torch.zeros(2, 49)}, "x has shape [2, 49]; it must be a tensor [n, 48]."),
        ({"x": [[0, 1]]}, "x has no shape; it must be a tensor [n, 48]."),
        ({"x": torch.zeros(0, 48)}, "x has 0 images; it must have from 1 to 12."),
        ({"x": IMAGES / 2}, "x has values other than 0 and 1; binarize it."),
        (
            {"view": "gmva"},
            "view is 'gmva' (did you mean 'gmvae'?); it must be one of 'gmvae', 'vrnn'.",
        ),
        ({"component": 4}, "component is 4; it must be an integer from 0 to 3."),
        ({"offset": [0, 3.5]}, "offset[1] is 3.5; it must be a number from -3 to 3."),
        ({"offset": 1}, "offset is 1; it must be [z1, z2]."),
        ({"pixels": [0] * 47}, "pixels must be a list of 48 zeros and ones."),
        ({"pixels": [2] * 48}, "pixels must be a list of 48 zeros and ones."),
        ({"seen": 9}, "seen is 9; it must be an integer from 0 to 8."),
        ({"seed": -1}, "seed is -1; it must be an integer from 0 to 1048576."),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(given, message):
    assert refused(FamilyExplorer, **SMALL | given) == message


def test_weights_that_are_no_numbers_are_refused():
    gmvae = copy.deepcopy(MODELS[0])
    with torch.no_grad():
        gmvae.decoder[0].weight[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"gmvae\.decoder has weights that are NaN"):
        FamilyExplorer(gmvae, MODELS[1], IMAGES)


# ------------------------------------------------------------------ the mixture in the page


def expected_mixture(component, offset):
    """The pictures of all components at an offset, grey levels, and the numbers shown."""
    prior, latents = MODELS[0].prior, style_latents(MODELS[0])
    with torch.no_grad():
        z = prior.latent.loc.clone()
        z[:, latents] += torch.tensor(offset) * prior.latent.scale[:, latents]
        grey = 255 * PAGE_MODELS[0].decode(z).mean.reshape(K, T, D)
        density = prior.latent.log_prob(z[component])
        numbers = {
            "given": density[component].item(),
            "evidence": prior.log_prob(z[component]).item(),
            "share": density.softmax(0)[component].item(),
        }
    return grey.numpy(), numbers


def assert_mixture(page, component, offset):
    rest(page)
    grey, numbers = expected_mixture(component, offset)
    for k in range(K):
        picture = pixels(page, ".fx-components canvas", k)
        assert np.abs(picture[..., 0] - grey[k]).max() < 0.51
    np.testing.assert_array_equal(
        pixels(page, ".fx-decoded"), pixels(page, ".fx-components canvas", component)
    )
    assert shown(page, "gmvae") == pytest.approx(numbers, abs=0.0051)
    checked = page.locator("[data-component][aria-checked=true]")
    assert checked.get_attribute("data-component") == str(component)


def test_all_components_are_decoded_at_the_same_offset(page):
    assert_mixture(page, 1, [0.5, -1.2])
    page.locator("[data-component='3']").click()
    settle(page)
    assert_mixture(page, 3, [0.5, -1.2])
    # the point is still where the hand left it: each component is shown in its own measure
    drag(page, page.locator(".vw-handle").nth(PLANE), 0)
    assert_mixture(page, 3, [0.5, -1.2])


def test_the_keyboard_moves_z_and_chooses_a_component(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "z in the plane"
    press(page, "ArrowRight", 2)
    press(page, "Shift+ArrowUp", 2)
    assert_mixture(page, 1, [0.7, -0.2])
    press(page, "Shift+ArrowLeft", 9)  # no farther than three standard deviations
    assert_mixture(page, 1, [-3.0, -0.2])
    page.keyboard.press("Tab")
    press(page, "ArrowRight")
    assert_mixture(page, 2, [-3.0, -0.2])
    press(page, "ArrowDown", 2)  # around the end
    assert_mixture(page, 0, [-3.0, -0.2])
    assert page.evaluate("document.activeElement.dataset.component") == "0"


def test_the_mouse_drags_z_in_standard_deviations(page):
    side = pixels(page, ".fx-plane canvas").shape[1] - 34
    sd = side / (2 * 1.07 * 3)
    drag(page, page.locator(".vw-handle").nth(PLANE), sd, up=2 * sd)
    grey, _ = expected_mixture(1, [1.5, 0.8])
    picture = pixels(page, ".fx-decoded")[..., 0]
    assert np.abs(picture - grey[1]).max() < 3  # a pixel of the page is a hundredth of sd
    text = page.locator(".vw-handle").nth(PLANE).get_attribute("aria-valuetext")
    prior, latents = MODELS[0].prior.latent, style_latents(MODELS[0])
    wanted = (prior.loc + prior.scale * 1.5)[1, latents[0]].item()
    assert parse(text.split(" = ")[1].split(",")[0]) == pytest.approx(wanted, abs=0.03)


# ------------------------------------------------------------------ the rows in the page


def assert_rows(page, x, seen, seed):
    """The grid, the other samples and the numbers are torch's."""
    for k in range(9):
        means, likelihood, kl = continued(PAGE_MODELS[1], x, seen, *given_noise(seed, k))
        if k:
            picture = pixels(page, OTHERS, k - 1)[..., 0]
            assert np.abs(picture - 255 * means.numpy()).max() < 0.51
        else:
            assert np.abs(drawn(page) - means.numpy()).max() < 0.51 / 255
            wanted = {"likelihood": likelihood, "kl": kl, "elbo": likelihood - kl}
            wanted = wanted if seen else dict.fromkeys(wanted)
            assert shown(page, "vrnn") == pytest.approx(wanted, abs=0.0051)


def test_the_model_goes_on_beneath_the_line_as_torch_does(rows_page):
    page, x = rows_page, IMAGES[0].reshape(T, D)
    assert_rows(page, x, 5, 3)
    page.locator(".fx-again").click()
    rest(page)
    assert_rows(page, x, 5, 4)
    page.locator(".vw-handle").nth(LINE).focus()
    press(page, "ArrowUp", 2)  # the line, upwards
    rest(page)
    assert handle_value(page, LINE) == 3
    assert_rows(page, x, 3, 4)
    page.locator("[data-image='2']").click()
    rest(page)
    assert_rows(page, IMAGES[1].reshape(T, D), 3, 4)
    assert page.locator("[data-image][aria-pressed=true]").count() == 1
    page.locator("[data-image='0']").click()
    rest(page)
    assert_rows(page, torch.zeros(T, D), 0, 4)


def test_the_mouse_draws_rows_and_the_line_goes_with_it(rows_page):
    page, x = rows_page, torch.zeros(T, D)
    page.locator("[data-image='0']").click()
    stroke(page, (2, 1), (2, 3))
    # a pen two cells wide: the cells around the path
    x[2, 0:5] = x[1, 1:4] = x[3, 1:4] = 1
    assert_rows(page, x, 4, 3)
    assert handle_value(page, LINE) == 4
    page.locator("[data-value=eraser]").click()
    stroke(page, (2, 0), (2, 0))
    for row, column in [(2, 0), (2, 1), (1, 1), (3, 1)]:
        x[row, column] = 0
    assert_rows(page, x, 4, 3)
    stroke(page, (7, 4), (7, 5))  # nothing to erase in what the model made
    assert_rows(page, x, 4, 3)


def test_ink_beneath_the_line_forgets_what_lay_hidden(rows_page):
    page, x = rows_page, IMAGES[0].reshape(T, D).clone()
    stroke(page, (7, 2), (7, 2))
    x[5:] = 0
    x[7, 1:4] = x[6, 2] = 1
    assert_rows(page, x, T, 3)


def test_the_line_is_dragged(rows_page):
    page, x = rows_page, IMAGES[0].reshape(T, D)
    cell = cell_at(page, 1, 0)[1] - cell_at(page, 0, 0)[1]
    drag(page, page.locator(".vw-handle").nth(LINE), 0, up=3 * cell)
    rest(page)
    assert_rows(page, x, 2, 3)
    drag(page, page.locator(".vw-handle").nth(LINE), 0, up=-9 * cell)
    rest(page)
    assert_rows(page, x, T, 3)
    assert page.locator(".vw-handle").nth(LINE).get_attribute("aria-valuetext") == "8 of 8"


def test_the_keyboard_draws(rows_page):
    page, x = rows_page, torch.zeros(T, D)
    page.locator("[data-image='0']").focus()
    press(page, "Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.fx-grid')")
    press(page, "ArrowLeft", 2)  # from the middle of the third row
    press(page, " ")
    press(page, "Shift+ArrowRight", 2)
    press(page, "Shift+ArrowDown")
    press(page, "ArrowDown", 9)
    rest(page)
    x[2, 1:4] = x[3, 3] = 1
    assert_rows(page, x, 4, 3)
    page.wait_for_timeout(900)
    said = page.locator(".vw-live").inner_text()
    assert said.startswith("Row 8, column 4: beneath the line. 4 of 8 rows seen, bound −")


def test_a_finger_draws_and_the_page_stays(visit):
    page = visit(static_page(explorer(view="vrnn")), **PHONE)
    page.locator("[data-image='0']").tap()
    rest(page)
    page.locator(GRID).scroll_into_view_if_needed()
    at, x = page.evaluate("scrollY"), torch.zeros(T, D)
    start, end = cell_at(page, 1, 2), cell_at(page, 5, 2)
    swipe_from(page, *start, 0, up=start[1] - end[1])
    rest(page)
    x[0:7, 2] = x[1:6, 1] = x[1:6, 3] = 1
    assert_rows(page, x, 7, 3)
    swipe(page, page.locator(".vw-handle").nth(LINE), 0, up=end[1] - start[1])
    rest(page)
    assert_rows(page, x, 3, 3)
    assert page.evaluate("scrollY") == at
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for view in ("vrnn", "gmvae"):
        page.locator(f"[data-value={view}]").tap()
        settle(page)
        for target in page.locator(".vw-figure :is(button, .vw-handle):visible").all():
            size = target.bounding_box()
            assert size["width"] >= 32 and size["height"] >= 32


# ------------------------------------------------------------------ both


def test_reset_brings_back_the_start_and_keeps_the_view(rows_page):
    page = rows_page
    stroke(page, (0, 1), (4, 4))
    page.locator(".fx-again").click()
    page.locator("[data-value=eraser]").click()
    page.locator("[data-value=gmvae]").click()
    page.locator("[data-component='0']").click()
    page.locator(".vw-handle").first.focus()
    press(page, "ArrowUp", 3)
    page.locator(".vw-reset").click()
    settle(page)
    assert_mixture(page, 1, [0.5, -1.2])
    page.locator("[data-value=vrnn]").click()
    rest(page)
    assert_rows(page, IMAGES[0].reshape(T, D), 5, 3)
    pressed = page.locator("[data-trait=tool][aria-pressed=true]")
    assert pressed.get_attribute("data-value") == "pen"


def test_the_readout_speaks_once_the_hand_rests(page):
    page.locator("[data-component='2']").click()
    page.wait_for_timeout(900)
    _, numbers = expected_mixture(2, [0.5, -1.2])
    said = page.locator(".vw-live").inner_text()
    assert said.startswith("Component 2, z")
    assert parse(said.split("log p(z) ")[1].split(" ")[0]) == pytest.approx(
        numbers["evidence"], abs=0.0051
    )
    page.locator("[data-value=vrnn]").click()
    page.wait_for_timeout(900)
    assert page.locator(".vw-live").inner_text().startswith("5 of 8 rows seen, bound −")


def test_names_that_would_lie_on_each_other_are_pushed_apart(tab):
    places = [[0, 0], [1, 1], [1, 1], [60, 0], [62, 3]]
    got = np.array(tab.evaluate(script(FamilyExplorer, "js.separate(arg, 17); return arg"), places))
    distance = np.hypot(*(got[:, None] - got).transpose(2, 0, 1)) + 100 * np.eye(len(got))
    assert distance.min() > 16.9
    assert np.abs(got.mean(0) - np.mean(places, 0)).max() < 1e-9
