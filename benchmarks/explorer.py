"""The latent explorer of the built first page: from the hand to the picture, and the page's weight.

    make book && .venv/bin/python benchmarks/explorer.py

Drags the point for 240 steps in headless Chromium, as it is and slowed down six times, and reads
the explorer's own measure of each decode and paint. Beside it the alternative: the least that a
kernel does for each step, decode in torch and encode a PNG, before anything travels to the page.
Page weights are those of the built page, and of the same page with float32 weights.
"""

import io
import math
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from playwright.sync_api import sync_playwright

import vaecourse as vc

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser import FLAGS, find_chromium  # noqa: E402

PAGE = ROOT / "_build" / "html" / "index.html"
STEPS = 240

RECORD = """() => {
  window.paints = []; window.frames = [];
  new PerformanceObserver((list) => {
    for (const e of list.getEntries())
      if (e.name === "latent-explorer:paint") window.paints.push(e.duration);
  }).observe({ type: "measure" });
  let last = performance.now();
  const frame = (now) => {
    window.frames.push(now - last); last = now; requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


def drag(tab, slowdown):
    """Milliseconds of each paint and between frames while the point is dragged in a spiral."""
    tab.goto(PAGE.as_uri())
    tab.wait_for_selector(".lx-decoded canvas")
    tab.wait_for_timeout(1500)
    session = tab.context.new_cdp_session(tab)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    plane = tab.locator(".lx-plane").first
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(*centre)
    tab.mouse.down()
    tab.evaluate(RECORD)
    for step in range(STEPS):
        angle, radius = step / 20, 0.4 * box["width"] * step / STEPS
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


def main():
    torch.set_num_threads(1)
    if not PAGE.is_file():
        sys.exit("There are no pages yet: run `make book` first.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        for slowdown in (1, 6):
            paints, frames = drag(tab, slowdown)
            p50, p95 = np.percentile(paints, [50, 95])
            print(
                f"decode and paint, slowed {slowdown}x   p50 {p50:.1f} ms   p95 {p95:.1f} ms",
                end="",
            )
            print(f"   frame p50 {np.median(frames):.1f} ms   ({len(paints)} paints)")
        print(f"first picture after opening from disk   {load_time(tab):.2f} s")
        browser.close()
    print(f"a kernel's part of the same step        p50 {kernel_step():.1f} ms")
    weight = PAGE.stat().st_size
    model, _ = vc.checkpoint.pretrained("mnist_vae_2d")
    numbers = sum(parameter.numel() for parameter in model.decoder.parameters())
    more = numbers * 2 * 4 / 3  # two more bytes a weight, in base64
    print(
        f"page {weight / 1e3:.0f} kB; with float32 weights {(weight + more) / 1e3:.0f} kB or more"
    )


if __name__ == "__main__":
    main()
