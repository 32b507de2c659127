"""The training explorer: its points against the tensors, what it refuses, hands in a browser."""

import base64
import math

import numpy as np
import pytest
import torch
from sentences import refused
from widget_page import (
    PHONE,
    drag,
    handle_value,
    parse,
    pixels,
    press,
    rgb,
    script,
    settle,
    static_page,
    swipe,
)

import vaecourse as vc
from vaecourse import checkpoint
from vaecourse.experiments import datasets, parameters, runs, schedule
from vaecourse.palette import COLOURS
from vaecourse.widgets import TrainingExplorer
from vaecourse.widgets.training_explorer.training_explorer import quantize, shipped_run

EPOCHS = [0, 1, 2, 5, 8]
LOSS = [9.0, 3.4, 3.0, 2.8, 2.7, 2.6, 2.55, 2.5, 2.45, 2.4, 2.42]
KINDS = {"x": "data", "samples": "generative", "codes": "latent"}
LOSS_CANVAS = ".te-plot-loss canvas"
CANVASES = [*(f".te-plot-{kind} canvas" for kind in KINDS), LOSS_CANVAS]
STILL = {"reduced_motion": "reduce"}


def made_up(data="three_blobs", posterior="diagonal", seed=0, **changes):
    """A run of 20 points that never was."""
    generator = torch.Generator().manual_seed(seed)

    def points(*before, scale=1.0):
        return scale * torch.randn(*before, 20, 2, generator=generator)

    return {
        "data": data,
        "posterior": posterior,
        "x": points(scale=2.0),
        "epochs": EPOCHS,
        "codes": points(len(EPOCHS)).half(),
        "samples": points(len(EPOCHS), scale=1.5).half(),
        "loss": LOSS,
    } | changes


RUNS = [
    made_up("axis_aligned_gaussian", loss=LOSS[:4], epochs=[0, 2])
    | {kind: made_up()[kind][:2] for kind in ("codes", "samples")},
    made_up("three_blobs", "diagonal", 1, elbo=-2.431, log_density=-2.25),
    made_up("three_blobs", "full", 2),
]


@pytest.fixture
def page(visit):
    return visit(static_page(TrainingExplorer(RUNS, data="three_blobs")), **STILL)


def shown(page):
    rows = page.locator(".vw-numbers tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.kind, r.cells[1].textContent])"
    )
    return {kind: text.replace("−", "-") for kind, text in rows}


def pressed(page):
    return page.locator("[aria-pressed=true]").all_inner_texts()


def pictures(page):
    return [pixels(page, canvas) for canvas in CANVASES]


def changed(before, after):
    return [(a.shape != b.shape) or bool((a != b).any()) for a, b in zip(before, after)]


# ------------------------------------------------------------------ points


def test_the_page_has_the_tensors_to_half_a_step(tab):
    widget = TrainingExplorer(RUNS)
    got = tab.evaluate(
        script(
            widget,
            "const bytes = Uint8Array.from(atob(arg.points), c => c.charCodeAt(0));"
            "return js.unpack(arg.spec, bytes).map(run => Object.fromEntries("
            "Object.entries(run).map(([kind, all]) => [kind, all.map(one => [...one])])))",
        ),
        {"spec": widget.spec, "points": base64.b64encode(widget.points).decode()},
    )
    assert len(got) == len(RUNS)
    for found, run in zip(got, RUNS):
        for kind in KINDS:
            wanted = run[kind].double().reshape(-1, 20, 2)
            error = (torch.tensor(found[kind]).double().reshape(wanted.shape) - wanted).abs()
            width = wanted.amax(1, keepdim=True) - wanted.amin(1, keepdim=True)
            assert (error <= width / 510 + 1e-12).all()
            assert (error > 0).any()
    # a byte for each coordinate
    assert len(widget.points) == 40 * (1 + 2 * 2) + 2 * 40 * (1 + 2 * len(EPOCHS))


def test_a_cloud_without_width_stays_where_it_is():
    points = torch.tensor([[3.25, -1.0], [3.25, 1.0], [3.25, 0.0]])
    levels, low, step = quantize(points)
    assert step.tolist() == [0.0, 2 / 255] and low.tolist() == [3.25, -1.0]
    assert levels[:, 1].tolist() == [0, 255, 128]


def test_the_epoch_axis_goes_there_and_back(tab):
    got = tab.evaluate(
        script(
            TrainingExplorer,
            "const axis = js.epochAxis(400), all = [0, 1, 7, 144, 400];"
            "return {to: all.map(axis.to), back: all.map(v => axis.from(axis.to(v))),"
            " ticks: js.epochAxis(20).ticks}",
        )
    )
    wanted = [math.log1p(epoch) / math.log(401) for epoch in (0, 1, 7, 144, 400)]
    assert got["to"] == pytest.approx(wanted, abs=1e-12)
    assert got["back"] == pytest.approx([0, 1, 7, 144, 400], abs=1e-9)
    assert got["ticks"] == [[0, "0"], [1, "1"], [2, "2"], [5, "5"], [10, "10"], [20, "20"]]


def test_a_shipped_run_is_shown_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path)
    params = parameters.Params.model_validate(
        {
            "model": {
                "kind": "vae",
                "data_dim": 2,
                "latent_dim": 2,
                "hidden": [8, 8],
                "likelihood": "gaussian",
                "posterior": "full",
                "separate_heads": True,
            },
            "data": {"name": "figure_eight", "n_train": 64, "n_test": 600},
            "training": {"epochs": 3, "batch_size": 32, "gradients": "by_hand"},
            "seeds": [0],
        }
    )
    tasks = runs.tasks("eight", params)
    schedule.run_all(tasks, tmp_path, "make {}", workers=1, report=lambda line: None)
    run, (model, record) = shipped_run("eight"), checkpoint.pretrained("eight")
    assert run["data"] == "figure_eight" and run["posterior"] == "full"
    assert run["epochs"] == [0, 1, 2, 3]
    assert torch.equal(run["x"], vc.data.synthetic("figure_eight", 600, datasets.TEST_SEED).x[:500])
    # the codes are those of x, by the trained model in the end
    code = model.encode(run["x"]).sample((), torch.Generator().manual_seed(0))
    assert torch.equal(run["codes"][-1], code.half())
    assert run["loss"] == [record["batch_loss"][0], *record["epoch_loss"]]
    spec = TrainingExplorer(["eight"]).spec["runs"][0]
    assert spec["elbo"] == record["metrics"]["elbo"]
    assert spec["log_density"] == record["metrics"]["log_density"]
    assert spec["loss"] == pytest.approx(run["loss"], abs=5.1e-5)


def without(key):
    return {k: value for k, value in made_up().items() if k != key}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "runs is []; it must be a list of one or more runs."),
        ("three_blobs_full", "runs is 'three_blobs_full'; it must be a list of one or more runs."),
        ([3], "runs[0] is 3; it must be a name or a dict."),
        (
            [without("codes")],
            "runs[0] lacks 'codes'; it must have data, posterior, x, epochs, codes, samples, loss.",
        ),
        ([made_up(data="")], "runs[0]['data'] is ''; it must be a name."),
        (
            [made_up(posterior="ful")],
            "runs[0]['posterior'] is 'ful' (did you mean 'full'?); it must be one of 'diagonal', "
            "'full'.",
        ),
        (
            [made_up(), made_up()],
            "runs has three_blobs with diagonal posterior twice; once is enough.",
        ),
        (
            [made_up(epochs=[0, 1, 2, 5, 11])],
            "runs[0]['epochs'] is [0, 1, 2, 5, 11]; it must be rising integers from 0 to 10, "
            "where the loss ends.",
        ),
        (
            [made_up(epochs=[0, 2, 2, 5, 8])],
            "runs[0]['epochs'] is [0, 2, 2, 5, 8]; it must be rising integers from 0 to 10, "
            "where the loss ends.",
        ),
        ([made_up(loss=[1.0])], "runs[0]['loss'] has 1 entries; it must have at least 2."),
        (
            [made_up(loss=[1.0, math.nan])],
            "runs[0]['loss'][1] is nan; it must be a number from -1e+09 to 1e+09.",
        ),
        (
            [made_up(elbo="high")],
            "runs[0]['elbo'] is 'high'; it must be a number from -1e+09 to 1e+09.",
        ),
        (
            [made_up(x="points")],
            "runs[0]['x'] is a str that cannot be read as numbers; it must be a torch tensor, a "
            "numpy array, nested lists or a pandas frame of them.",
        ),
        ([made_up(x=torch.zeros(0, 2))], "runs[0]['x'] has shape [0, 2]; it must be [N, 2]."),
        (
            [made_up(codes=torch.zeros(4, 20, 2))],
            "runs[0]['codes'] has shape [4, 20, 2]; it must be [5, 20, 2].",
        ),
        (
            [made_up(samples=torch.full((5, 20, 2), math.inf))],
            "runs[0]['samples'] has NaN or infinite values; it must be finite.",
        ),
    ],
)
def test_wrong_runs_are_refused_in_one_sentence(given, message):
    assert refused(TrainingExplorer, given) == message


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"data": "blobs"}, "data is 'blobs'.* must be one of 'axis_aligned_gaussian', 'three_bl"),
        ({"posterior": "both"}, "posterior is 'both'; it must be one of 'diagonal', 'full'."),
        ({"epoch": 11}, "epoch is 11; it must be an integer from 0 to 10."),
        ({"epoch": True}, "epoch is True; it must be an integer from 0 to 10."),
    ],
)
def test_a_wrong_start_is_refused_in_one_sentence(traits, message):
    with pytest.raises(ValueError, match=message):
        TrainingExplorer(RUNS, **traits)


# ------------------------------------------------------------------ the picture


def assert_points_drawn(page, run, at, window):
    """Every point of the snapshot that lies in its window has ink of its colour."""
    for kind, name in KINDS.items():
        picture = pixels(page, f".te-plot-{kind} canvas")[..., :3].astype(int)
        side = picture.shape[1] - 30 - 4
        (x, y), half = window["z" if kind == "codes" else "x"]
        points = (run[kind] if kind == "x" else run[kind][at]).double().numpy()
        inside = 0
        for u, v in points:
            px, py = 30 + side * (u - x + half) / (2 * half), 2 + side * (y + half - v) / (2 * half)
            if not (32 < px < 28 + side and 4 < py < side):
                continue
            inside += 1
            # a point is three pixels wide and off by half of one at most
            patch = picture[int(py) - 1 : int(py) + 2, int(px) - 1 : int(px) + 2]
            assert np.abs(patch - rgb(COLOURS[name])).max(axis=2).min() < 40, (kind, u, v)
        assert inside >= 15


def assert_loss_marked(page, run, epoch, low, high):
    """The marker is on the curve; `low` to `high` is the axis of the loss."""
    picture = pixels(page, LOSS_CANVAS)[..., :3].astype(int)
    width = picture.shape[1] - 46 - 20
    px = 46 + width * math.log1p(epoch) / math.log(len(run["loss"]))
    py = 24 + 130 * (high - min(run["loss"][epoch], high)) / (high - low)
    patch = picture[round(py) - 2 : round(py) + 3, round(px) - 2 : round(px) + 3]
    assert (np.abs(patch - rgb(COLOURS["inference"])).max(axis=2) < 10).all()


def test_the_slider_moves_samples_codes_and_loss_and_each_is_where_it_should_be(page):
    run, window = RUNS[1], TrainingExplorer(RUNS).spec["windows"]["three_blobs"]
    room = 0.1 * (3.4 - 2.25)  # below the exact density's line, above the first epoch's loss
    page.locator(".vw-handle").focus()
    before = pictures(page)
    for at, epoch in enumerate(EPOCHS):
        assert handle_value(page) == epoch
        values = shown(page)
        assert values.pop("epoch") == f"{epoch} of 10"
        assert {kind: parse(text) for kind, text in values.items()} == pytest.approx(
            {"loss": LOSS[epoch], "elbo": -2.431, "log_density": -2.25}, abs=5.1e-4
        )
        assert_points_drawn(page, run, at, window)
        assert_loss_marked(page, run, epoch, 2.25 - room, 3.4 + room)
        press(page, "ArrowRight")
        if at < len(EPOCHS) - 1:
            # the data stay; the rest goes on
            after = pictures(page)
            assert changed(before, after) == [False, True, True, True]
            before = after
    assert changed(before, pictures(page)) == [False] * 4  # the last snapshot is the end


def test_another_data_set_changes_all_four_and_another_covariance_all_but_the_data(visit):
    twins = [RUNS[1], made_up("three_blobs", "full", 2, x=RUNS[1]["x"]), RUNS[0]]
    page = visit(static_page(TrainingExplorer(twins, epoch=2)), **STILL)
    assert pressed(page) == ["Three blobs", "Diagonal"]
    before = pictures(page)
    page.locator("[data-value=full]").click()
    settle(page)
    after = pictures(page)
    assert changed(before, after) == [False, True, True, True]
    assert shown(page)["elbo"] == shown(page)["log_density"] == "–"
    page.locator("[data-value=axis_aligned_gaussian]").click()
    settle(page)
    assert changed(after, pictures(page)) == [True] * 4
    # it has no full covariance, and says so; what was asked for comes back with the next set
    assert pressed(page) == ["Axis-aligned Gaussian", "Diagonal"]
    assert page.locator("button:disabled").all_inner_texts() == ["Full"]
    assert shown(page)["epoch"] == "2 of 3"
    page.locator("[data-value=three_blobs]").click()
    page.mouse.move(0, 0)
    settle(page)
    assert pressed(page) == ["Three blobs", "Full"]
    assert changed(after, pictures(page)) == [False] * 4


def test_a_data_set_with_one_covariance_stands_alone(visit):
    page = visit(static_page(TrainingExplorer(RUNS[:1], posterior="full", epoch=3)), **STILL)
    assert pressed(page) == ["Axis-aligned Gaussian", "Diagonal"]
    assert shown(page)["epoch"] == "2 of 3"  # the last snapshot before


# ------------------------------------------------------------------ hands


def test_the_keyboard_goes_from_snapshot_to_snapshot(page):
    for _ in range(4):  # two data sets, two covariances
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Epoch"
    press(page, "ArrowUp", 3)
    assert handle_value(page) == 5
    press(page, "ArrowLeft")
    assert handle_value(page) == 2
    press(page, "Shift+ArrowRight")
    assert handle_value(page) == 8
    text = page.locator(".vw-handle").get_attribute("aria-valuetext")
    assert text == "8 of 10, loss 2.450 nats"
    press(page, "Shift+ArrowDown")
    assert handle_value(page) == 0


def test_the_mouse_drags_the_marker_to_the_nearest_snapshot(page):
    width = pixels(page, LOSS_CANVAS).shape[1] - 46 - 20
    place = [width * math.log1p(epoch) / math.log(11) for epoch in (0, 2, 5, 8)]
    handle = page.locator(".vw-handle")
    drag(page, handle, place[1] + 10)
    assert handle_value(page) == 2
    drag(page, handle, place[3] - place[1] - 12, up=30)
    assert handle_value(page) == 8
    drag(page, handle, 400)
    assert handle_value(page) == 8
    drag(page, handle, place[2] - place[3])
    assert handle_value(page) == 5
    drag(page, handle, -900)
    assert handle_value(page) == 0


def test_reset_brings_back_the_start(visit):
    start = {"data": "three_blobs", "posterior": "full", "epoch": 2}
    page = visit(static_page(TrainingExplorer(RUNS, **start)), **STILL)
    before = pictures(page)
    page.locator("[data-value=diagonal]").click()
    page.locator("[data-value=axis_aligned_gaussian]").click()
    page.locator(".vw-handle").focus()
    press(page, "ArrowLeft", 2)
    assert all(changed(before, pictures(page)))
    page.locator(".vw-reset").click()
    page.mouse.move(0, 0)
    settle(page)
    assert changed(before, pictures(page)) == [False] * 4
    assert pressed(page) == ["Three blobs", "Full"] and handle_value(page) == 2


def test_a_finger_scrubs_sideways_and_a_phone_shows_all(visit):
    page = visit(static_page(TrainingExplorer(RUNS, data="three_blobs")), **PHONE, **STILL)
    page.locator(".te-loss").scroll_into_view_if_needed()
    at = page.evaluate("scrollY")
    swipe(page, page.locator(".vw-handle"), 180)
    moved = handle_value(page)
    assert moved >= 2 and page.evaluate("scrollY") == at
    swipe(page, page.locator(".vw-handle"), 0, up=150)
    assert page.evaluate("scrollY") > at + 50 and handle_value(page) == moved
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator(".vw-figure :is(button, .vw-handle)").all():
        size = target.bounding_box()
        assert size["width"] >= 32 and size["height"] >= 32


def test_points_glide_where_motion_is_welcome_and_jump_where_it_is_not(visit):
    html = static_page(TrainingExplorer(RUNS, data="three_blobs"))
    samples = ".te-plot-samples canvas"
    for options, glides in [({"reduced_motion": "no-preference"}, True), (STILL, False)]:
        page = visit(html, alone=True, **options)
        page.locator(".vw-handle").focus()
        page.clock.install(time=0)
        page.clock.pause_at(1)
        before = pixels(page, samples)
        page.keyboard.press("ArrowRight")
        page.clock.run_for(100)
        between = pixels(page, samples)
        page.clock.run_for(400)
        after = pixels(page, samples)
        assert (after != before).any() and (between != before).any()
        assert (between != after).any() == glides
        page.clock.run_for(400)
        assert (pixels(page, samples) == after).all()


def test_the_readout_speaks_once_the_hand_rests(page):
    page.locator(".vw-handle").focus()
    press(page, "ArrowRight", 3)
    page.wait_for_timeout(900)
    assert page.locator(".vw-live").inner_text() == (
        "Three blobs, diagonal covariance, epoch 5 of 10, loss 2.600 nats."
    )
