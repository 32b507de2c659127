"""All explorers: from the hand to the picture; and the first page's weight.

    .venv/bin/python benchmarks/explorer.py [NAME ...]

Drags the first handle of each explorer, made as in its chapter, for 240 steps in headless Chromium,
as it is and slowed down six times, and reads its own measure of each paint (the latent explorer
decodes in it). Beside it the alternative: the least that a kernel does for each step, decode in
torch and encode a PNG, before anything travels to the page. Page weights are those of the built
first page, where there is one, and of the same page with float32 weights.
"""

import io
import math
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from playwright.sync_api import sync_playwright

import vaecourse as vc

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "_ext"), str(ROOT / "tests")]
from browser import FLAGS, find_chromium  # noqa: E402
from widget_page import static_page  # noqa: E402

PAGE = ROOT / "_build" / "html" / "index.html"
STEPS = 240

RECORD = """name => {
  window.paints = []; window.frames = [];
  new PerformanceObserver((list) => {
    for (const e of list.getEntriesByName(`${name}:paint`)) window.paints.push(e.duration);
  }).observe({ type: "measure" });
  let last = performance.now();
  const frame = (now) => {
    window.frames.push(now - last); last = now; requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


def latent():
    """The explorer of the first page."""
    vae, _ = vc.checkpoint.pretrained("mnist_vae_2d")
    test = vc.data.mnist("test", binarize="threshold")
    return vc.widgets.LatentExplorer(vae, test.x, test.label)


def family():
    """The explorer of chapter 12."""
    models = (vc.checkpoint.pretrained(name)[0] for name in ("gmvae_mnist", "vrnn_mnist_rows"))
    return vc.widgets.FamilyExplorer(*models, vc.data.mnist("test", binarize="threshold").x[:12])


def training():
    """Two runs of chapter 11."""
    return vc.widgets.TrainingExplorer(["three_blobs_diagonal", "three_blobs_full"])


MADE = {"LatentExplorer": latent, "FamilyExplorer": family, "TrainingExplorer": training}


def drag(tab, page, slowdown):
    """Milliseconds of each paint and between frames while a handle is dragged in a spiral."""
    tab.goto(page.as_uri())
    tab.wait_for_selector(".vw-handle")
    tab.wait_for_timeout(1500)
    session = tab.context.new_cdp_session(tab)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    box = tab.locator(".vw-handle").first.bounding_box()
    stage = tab.locator(".vw-stage:has(.vw-handle)").first.bounding_box()
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(*centre)
    tab.mouse.down()
    tab.evaluate(RECORD, tab.locator(".vw-figure").evaluate("figure => figure.classList[1]"))
    for step in range(STEPS):
        angle, radius = step / 20, 0.4 * stage["width"] * step / STEPS
        tab.mouse.move(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
        tab.wait_for_timeout(8)
    tab.mouse.up()
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return np.array(tab.evaluate("window.paints")), np.array(tab.evaluate("window.frames"))


def kernel_step():
    """Milliseconds for one decode in torch and one PNG, the median of 200."""
    model, _ = vc.checkpoint.pretrained("mnist_vae_2d")
    times = []
    for z in torch.randn(200, 1, 2, generator=torch.Generator().manual_seed(0)):
        start = time.perf_counter()
        plt.imsave(io.BytesIO(), model.decode(z).mean.reshape(28, 28).numpy(), cmap="gray")
        times.append(1000 * (time.perf_counter() - start))
    return np.median(times)


def load_time(tab):
    """Seconds from opening the page to the first decoded picture, the median of five."""
    times = []
    for _ in range(5):
        tab.goto("about:blank")
        start = time.perf_counter()
        tab.goto(PAGE.as_uri(), wait_until="commit")
        tab.wait_for_selector(".lx-decoded canvas")
        times.append(time.perf_counter() - start)
    return np.median(times)


def main(names):
    torch.set_num_threads(1)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        tab = browser.new_page(viewport={"width": 1280, "height": 1000})
        for name in names:
            page = Path(folder) / f"{name}.html"
            make = MADE.get(name, getattr(vc.widgets, name))
            page.write_text(static_page(make()), encoding="utf-8")
            for slowdown in (1, 6):
                paints, frames = drag(tab, page, slowdown)
                p50, p95 = np.percentile(paints, [50, 95])
                print(
                    f"{name:17} slowed {slowdown}x   p50 {p50:4.1f} ms   p95 {p95:4.1f} ms", end=""
                )
                print(
                    f"   frame p50 {np.median(frames):.1f} ms   ({len(paints)} paints)", flush=True
                )
        if PAGE.is_file():
            print(f"first picture after opening from disk   {load_time(tab):.2f} s")
        browser.close()
    print(f"a kernel's part of a step of the latent explorer   p50 {kernel_step():.1f} ms")
    if not PAGE.is_file():
        return
    weight = PAGE.stat().st_size
    model, _ = vc.checkpoint.pretrained("mnist_vae_2d")
    numbers = sum(parameter.numel() for parameter in model.decoder.parameters())
    more = numbers * 2 * 4 / 3  # two more bytes a weight, in base64
    print(
        f"page {weight / 1e3:.0f} kB; with float32 weights {(weight + more) / 1e3:.0f} kB or more"
    )


if __name__ == "__main__":
    main(sys.argv[1:] or vc.widgets.__all__)
