"""Widgets on a static page, for tests in a real browser."""

import base64
import io
import json
from pathlib import Path

import numpy as np
from ipywidgets.embed import dependency_state, escape_script
from PIL import Image

HOST = Path(__file__).parents[1] / "_ext" / "assets" / "anywidget-static.js"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def static_page(*widgets, theme="light", copies=1):
    """A page as the book's builder writes it: state, views, and the host script."""
    state = dependency_state(widgets, drop_defaults=False)
    # escaped as _ext/offline_assets.py has the book do it
    embedded = escape_script(json.dumps({"version_major": 2, "version_minor": 0, "state": state}))
    view = '<div><script type="application/vnd.jupyter.widget-view+json">{}</script></div>'
    views = "".join(
        view.format(json.dumps({"model_id": widget.model_id}))
        for widget in widgets
        for _ in range(copies)
    )
    return (
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>Explorer</title><link rel="icon" href="data:,">'
        f'<script type="application/vnd.jupyter.widget-state+json">{embedded}</script></head>'
        f"<body>{views}<div style='height: 1500px'></div>"
        f"<script>{HOST.read_text(encoding='utf-8')}</script></body></html>"
    )


def script(widget, body):
    """A function for page.evaluate with the widget's program at hand as `js`."""
    program = base64.b64encode(widget._esm.encode()).decode()
    return (
        f"async (arg) => {{ const js = await import('data:text/javascript;base64,{program}');"
        f" {body} }}"
    )


def settle(page):
    """Wait until what was asked for is painted."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 30)))")


def press(page, key, times=1):
    """Press a key, and wait until that is painted."""
    for _ in range(times):
        page.keyboard.press(key)
    settle(page)


def drag(page, element, right, up=0):
    """Take hold of the element's centre with the mouse and move by so many pixels."""
    box = element.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y - up, steps=4)
    page.mouse.up()
    settle(page)


def swipe(page, element, right, up=0):
    """One finger from the element's centre by so many pixels."""
    box = element.bounding_box()
    swipe_from(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, right, up)


def swipe_from(page, x, y, right, up=0):
    """One finger from a place on the page by so many pixels."""
    client = page.context.new_cdp_session(page)
    for kind, share in [("touchStart", 0), *(("touchMove", k / 10) for k in range(1, 11))]:
        point = {"x": x + share * right, "y": y - share * up}
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(100)


def parse(text):
    """The number that a text such as "−6.40" reads out."""
    return float(text.replace("−", "-"))


def handle_value(page, index=0):
    """The value of a handle as a screen reader has it."""
    return float(page.locator(".vw-handle").nth(index).get_attribute("aria-valuenow"))


def pixels(page, selector, index=0):
    """The bytes [height, width, 4] of a canvas."""
    url = page.locator(selector).nth(index).evaluate("canvas => canvas.toDataURL()")
    png = base64.b64decode(url.partition(",")[2])
    return np.array(Image.open(io.BytesIO(png)).convert("RGBA"))


def rgb(colour):
    """The three channels of "#rrggbb"."""
    return [int(colour[k : k + 2], 16) for k in (1, 3, 5)]


def colour_count(page, colour, selector, index=0):
    """How many pixels of a canvas have exactly this colour and no transparency."""
    return int((pixels(page, selector, index) == [*rgb(colour), 255]).all(axis=2).sum())


def uniform(seed, count):
    """The page's uniform numbers: mulberry32."""
    state, numbers = seed, []
    for _ in range(count):
        state = (state + 0x6D2B79F5) % 2**32
        t = ((state ^ (state >> 15)) * (state | 1)) % 2**32
        t ^= (t + ((t ^ (t >> 7)) * (t | 61)) % 2**32) % 2**32
        numbers.append((t ^ (t >> 14)) / 2**32)
    return np.array(numbers)


def noise(seed, count):
    """The page's standard normal numbers: uniform ones, then Box and Muller."""
    pairs = uniform(seed, count + count % 2)
    radius, angle = np.sqrt(-2 * np.log(1 - pairs[::2])), 2 * np.pi * pairs[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count]
