"""The picture of the first page's explorer, from the built book: `python _ext/picture_explorer.py`.

README.md, previews of links and pages without scripts show it; run by hand when it has changed.
"""

import io
from pathlib import Path

from browser import COMPUTED, FLAGS, READY, find_chromium
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICKED = 17  # a 7 whose loupe hides no name on the plane
SCREEN = {"width": 820, "height": 1000}

if __name__ == "__main__":
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport=SCREEN, device_scale_factor=1.5)
        page.goto((ROOT / "_build" / "html" / "index.html").as_uri())
        page.evaluate(READY)
        explorer = page.locator(".latent-explorer")
        explorer.locator(".lx-strip button").nth(PICKED).click()
        for _ in range(5):
            explorer.locator(".lx-resample").click()
        explorer.locator(".vw-title").hover()  # no button has the pointer
        page.evaluate(COMPUTED)
        picture = Image.open(io.BytesIO(explorer.screenshot())).convert("RGB")
        picture.quantize(256).save(ROOT / "explorer.png", optimize=True)
        browser.close()
