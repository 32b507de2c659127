"""The figures of the built pages: one drawing in two dresses, larger at a tap."""

import base64
import io
import re

import matplotlib.pyplot as plt
import narrow_figures
import numpy as np
import pytest
from book_page import DEVICES
from bs4 import BeautifulSoup
from matplotlib.text import Text
from PIL import Image
from vector_figures import PAGE, PICTURE, SIZE, dark

from vaecourse.palette import contrast

LETTERS = re.compile(r'<g id="text_\d+">\s*<!--.*?-->\s*<g style="fill: (#\w+)', re.S)

PAPER = "getComputedStyle(document.documentElement).getPropertyValue('--pst-color-background')"


@pytest.fixture
def drawing(tmp_path):
    """The text of an SVG: a blue line, black and grey letters, and letters on a picture."""
    fig, ax = plt.subplots(figsize=(4, 3))
    ax.plot([0, 1], [0, 1], color="#0072B2")
    ax.plot([0, 1], [1, 0], color="#7A0000")
    ax.set_title("a title", color="#6B7280")
    ax.imshow([[0.0, 1.0]], extent=(0, 1, 0, 1))
    ax.text(0.5, 0.5, "on it", color="#101010", gid="keep-0")
    fig.savefig(tmp_path / "figure.svg")
    plt.close(fig)
    return (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_dark_drawing_has_the_dark_colours_of_the_course(drawing):
    assert "stroke: #0072b2" in drawing and "stroke: #0072b2" not in dark(drawing)
    assert dark(drawing).count("stroke: #56B4E9") == drawing.count("stroke: #0072b2") == 1


def test_dark_drawing_leaves_pictures_and_letters_on_them(drawing):
    picture = re.search(r"<image\b.*?/>", drawing, re.S)[0]
    assert picture in dark(drawing)
    assert "fill: #101010" in dark(drawing)


def test_a_cloud_of_marks_is_drawn_in_the_dark_colours_too(tmp_path):
    fig, ax = plt.subplots(figsize=(2, 2))
    for side, colour in enumerate(("#111827", "#0072B2")):
        ax.scatter([side], [side], s=200, color=colour, linewidths=0, rasterized=True)
    fig.savefig(tmp_path / "cloud.svg")
    plt.close(fig)
    light, found = (tmp_path / "cloud.svg").read_text(encoding="utf-8"), {}
    for dress, svg in (("light", light), ("dark", dark(light))):
        pixels = np.array(Image.open(io.BytesIO(base64.b64decode(PICTURE.search(svg)[0]))))
        found[dress] = {tuple(map(int, rgb)) for rgb in pixels[pixels[..., 3] == 255][:, :3]}
    assert found["light"] == {(0x11, 0x18, 0x27), (0, 0x72, 0xB2)}
    assert found["dark"] == {(0xF3, 0xF4, 0xF6), (0x56, 0xB4, 0xE9)}


def pictures_of(figure, path):
    """The pixels of each picture in the drawing of a figure, as it is and for a dark page."""
    figure.savefig(path, dpi=130)
    plt.close(figure)
    light = path.read_text(encoding="utf-8")
    return [
        [
            np.array(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")).astype(int)
            for picture in PICTURE.findall(svg)
        ]
        for svg in (light, dark(light))
    ]


def test_greys_that_were_drawn_are_turned_and_an_image_beside_them_stays(tmp_path):
    """A map of greys is turned as a picture as it would be as shapes: every panel the same way."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(4, 2))
    shades = left.pcolormesh([[0.0, 1.0], [1.0, 0.0]], cmap="Greys", rasterized=True)
    right.imshow([[0.0, 1.0]], cmap="Greys", interpolation="none")
    bar = fig.colorbar(shades)
    bar.solids.set_rasterized(True)
    light, turned = pictures_of(fig, tmp_path / "greys.svg")
    kinds = {"mesh": [], "image": [], "bar": []}
    for before, after in zip(light, turned, strict=True):
        kind = "image" if before.shape[0] == 1 else "bar" if before.shape[1] < 30 else "mesh"
        kinds[kind].append((before[0, 0].tolist(), after[0, 0].tolist()))
    assert kinds["image"] == [([255, 255, 255], [255, 255, 255])]
    ((before, after),) = kinds["mesh"]
    assert (before, after) == ([255, 255, 255], [0x12, 0x12, 0x12])
    ((before, after),) = kinds["bar"]  # it tells the greys of the image
    assert before == after


def test_a_map_in_colours_keeps_them(tmp_path):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.pcolormesh([[0.0, 1.0], [1.0, 0.0]], cmap="viridis", rasterized=True)
    light, turned = pictures_of(fig, tmp_path / "colours.svg")
    assert len(light) == 1 and (light[0] == turned[0]).all()


def test_a_map_of_greys_keeps_its_order(tmp_path):
    """Among 256 greys are some that lie near the course's, which no map may take them for."""
    fig, ax = plt.subplots(figsize=(3, 1))
    ax.pcolormesh(np.arange(256.0)[None], cmap="Greys", rasterized=True)
    ((light,), (turned,)) = pictures_of(fig, tmp_path / "ramp.svg")
    before, after = light.mean(0).mean(-1), turned.mean(0).mean(-1)
    assert (np.diff(before) <= 0).all() and (np.diff(after) >= 0).all()
    assert (before[0], before[-1]) == (255, 0)
    assert (after[0], round(after[-1])) == (0x12, (0xF3 + 0xF4 + 0xF6) // 3)


def test_marks_that_a_map_colours_keep_its_colours(tmp_path):
    """Twilight goes through white and a dark violet, near the greys of the course."""
    fig, ax = plt.subplots(figsize=(3, 3))
    angle = np.linspace(0, 2 * np.pi, 300)
    ax.scatter(np.cos(angle), np.sin(angle), s=9, c=angle, cmap="twilight", rasterized=True)
    ((light,), (turned,)) = pictures_of(fig, tmp_path / "circle.svg")
    assert (light == turned).all()


def test_dark_drawing_turns_greys_over_and_lifts_what_is_too_dark(drawing):
    # grey 0x6B, 0x72, 0x80: a mean of 116.3/255 of the way from the ink f3f4f6 to the page 121212
    assert "fill: #6b7280" in drawing and "fill: #8c8d8e" in dark(drawing)
    assert "#7a0000" in drawing and "#7a0000" not in dark(drawing)
    colours = set(re.findall(r"stroke: (#\w+)", dark(drawing)))
    assert min(contrast(colour, PAGE) for colour in colours) >= 3


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == 21
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WebAIM prints 4.47


def panels(count, **texts):
    """A figure of panels in a row that share the y axis, as the chapters draw them."""
    fig, axes = plt.subplots(
        1, count, figsize=(3 * count, 3), sharey=True, layout="constrained", squeeze=False
    )
    for ax, name in zip(axes[0], ("the first one", "second", "third", "fourth")):
        ax.plot([0, 1], [0, 3])
        ax.set_title(name, loc="left")
        for text, place in texts.items():
            ax.text(*place, text)
    axes[0, 0].set_ylabel("nats")
    return fig


def test_panels_stand_below_each_other_on_a_phone_and_say_what_their_neighbour_said():
    wide = panels(3)
    phone = narrow_figures.narrow(wide)
    assert tuple(wide.get_size_inches()) == (9, 3)
    assert tuple(phone.get_size_inches()) == (3.75, 9)  # a quarter wider than drawn, and as tall
    phone.draw_without_rendering()
    boxes = [axes.get_position() for axes in phone.axes]
    assert [box.x0 for box in boxes] == pytest.approx([boxes[0].x0] * 3)
    assert boxes[0].y0 > boxes[1].y1 > boxes[1].y0 > boxes[2].y1
    assert [axes.get_ylabel() for axes in phone.axes] == ["nats"] * 3
    assert [axes.get_title(loc="right") for axes in phone.axes] == ["left", "middle", "right"]
    assert [axes.get_ylabel() for axes in wide.axes] == ["nats", "", ""]
    # letters of 10 points, 3.75 inches on 358 pixels
    assert narrow_figures._smallest(phone) >= 9
    assert plt.get_fignums() == [wide.number]  # pyplot would show the copy as well
    plt.close(wide)


def test_a_column_of_panels_without_titles_stays_together_on_a_phone():
    wide, axes = plt.subplots(2, 3, figsize=(9, 5), height_ratios=[1, 2], layout="constrained")
    for column in range(3):
        axes[0, column].imshow([[column, 1.0]])
        axes[1, column].plot([0, column])
        axes[1, column].set_title(f"of {column}", loc="left")
    phone = narrow_figures.narrow(wide)
    phone.draw_without_rendering()
    order = sorted(range(6), key=lambda k: -phone.axes[k].get_position().y1)
    assert order == [0, 3, 1, 4, 2, 5]  # each below its image
    plt.close(wide)


def test_a_figure_whose_letters_would_touch_or_that_is_small_stays_as_it_is():
    crowded = panels(1, **{"a text as wide as the panel": (0, 1), "and another one": (0.75, 1)})
    crowded.set_size_inches(12, 3)
    assert narrow_figures._collisions(crowded) == 0
    assert narrow_figures.narrow(crowded) is None
    own = panels(3)
    own.axes[0].set_xscale("function", functions=(lambda x: 2 * x, lambda x: x / 2))
    assert narrow_figures.narrow(own) is None  # it cannot be copied
    small = panels(1)
    assert narrow_figures.narrow(small) is None
    plt.close("all")


def test_small_panels_over_one_as_wide_as_all_keep_their_places_on_a_phone():
    wide, axes = plt.subplot_mosaic("abc;ddd", figsize=(8, 5), layout="constrained")
    axes["d"].set_title("score", loc="left")
    phone = narrow_figures.narrow(wide)
    assert tuple(phone.get_size_inches()) == (4.8, 5)
    phone.draw_without_rendering()
    a, b, c, d = [axes.get_position() for axes in phone.axes]
    assert a.x1 < b.x0 < b.x1 < c.x0 and a.y0 == b.y0 == c.y0 > d.y1
    other, _ = plt.subplot_mosaic("aab;ccb", figsize=(8, 5), layout="constrained")
    assert narrow_figures.narrow(other) is None
    plt.close("all")


def test_letters_may_be_smaller_than_nine_pixels_where_they_need_the_room():
    wide = panels(1, **{"a text of some width": (0, 1), "and another one": (0.56, 1)})
    wide.set_size_inches(8, 3)
    phone = narrow_figures.narrow(wide)
    assert phone.get_figwidth() == 5.8
    assert 7.5 <= narrow_figures._smallest(phone) < 9
    plt.close(wide)


def test_a_title_ends_before_the_name_of_its_side():
    """Also where the panel is narrower than the figure, as one of equal scales is."""
    wide = panels(3)
    for axes in wide.axes:
        axes.set_aspect(0.6)
        axes.set_title("a figure of eight, as it was printed", loc="left")
    phone = narrow_figures.narrow(wide)
    phone.draw_without_rendering()
    for axes in phone.axes:
        texts = {text.get_ha(): text for text in axes.get_children() if isinstance(text, Text)}
        assert texts["left"].get_window_extent().x1 < texts["right"].get_window_extent().x0
    plt.close(wide)


def test_a_title_is_broken_where_its_panel_ends():
    wide = panels(1)
    wide.set_size_inches(9, 3)
    title = "A title of so many words that no phone has room for it in a single line"
    wide.axes[0].set_title(title, loc="left")
    phone = narrow_figures.narrow(wide)
    broken = phone.axes[0].get_title(loc="left")
    assert broken.replace("\n", " ") == title and broken.count("\n") == 1
    assert phone.get_tightbbox().width <= phone.get_figwidth()
    plt.close(wide)


def test_seven_figures_of_eight_have_a_drawing_for_a_phone(site, pages):
    narrow = wide = 0
    for page in pages:
        soup = BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser")
        for link in soup.select("a.drawing.only-light"):
            narrow += bool(link.select("source"))
            wide += not link.select("source") and int(link.img["width"]) > 800
    assert narrow >= 7 * wide


def test_a_phone_shows_the_narrow_drawing_and_its_letters_can_be_read(chromium, addresses):
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    tab.goto(f"{addresses['file']}/chapters/05_posteriors_easy_and_hard.html")
    image = tab.locator("a.drawing.only-light:has(source) img").first
    image.scroll_into_view_if_needed()
    assert image.evaluate("image => image.currentSrc").endswith("-narrow.svg")
    shape = (
        "image => image.clientWidth / image.clientHeight - image.naturalWidth / image.naturalHeight"
    )
    assert abs(image.evaluate(shape)) < 0.02
    tab.emulate_media(media="print")  # paper is wide
    tab.wait_for_function(
        "image => !image.currentSrc.includes('narrow')", arg=image.element_handle()
    )
    context.close()


def test_every_figure_is_a_drawing_of_known_size_with_its_dark_one(site, page, soup):
    images = soup.select(".cell_output img")
    assert [image["src"] for image in images if not image["src"].endswith(".svg")] == []
    for image in images:
        path = (site / page).parent / image["src"]
        head = path.read_text(encoding="utf-8")[:600]
        width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head).groups())
        assert int(image["width"]) / int(image["height"]) == pytest.approx(width / height, rel=0.01)
        link = image.find_parent("a")
        assert link["href"] == image["src"]
        assert ("-dark.svg" in image["src"]) == ("only-dark" in link["class"])
        for phone in link.select("source"):
            drawn = (path.parent / phone["srcset"].rpartition("/")[2]).read_text(encoding="utf-8")
            width, height = map(float, SIZE.search(drawn).groups())
            ratio = int(phone["width"]) / int(phone["height"])
            assert ratio == pytest.approx(width / height, rel=0.01)
            assert ("-dark.svg" in phone["srcset"]) == ("only-dark" in link["class"])
    assert len(soup.select(".only-dark.drawing")) == len(soup.select(".only-light.drawing"))


def test_names_on_coloured_discs_keep_their_colour_on_a_dark_page(site):
    """The digits of a latent map: dark or white letters, by their disc and not by the page."""
    page = (site / "chapters" / "09_variational_autoencoder.html").read_text(encoding="utf-8")
    names = set(re.findall(r"_images/([0-9a-f]+)\.svg", page))
    kept = {name: (site / "_images" / f"{name}.svg").read_text().count('"keep-') for name in names}
    assert sum(letters >= 10 for letters in kept.values()) >= 2


def test_letters_of_every_dark_drawing_stand_out(site):
    faint = {
        path.name: colour
        for path in (site / "_images").glob("*-dark.svg")
        for colour in LETTERS.findall(path.read_text(encoding="utf-8"))
        if contrast(colour, PAGE) < 4
    }
    assert faint == {}


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_tap_enlarges_the_drawing_that_is_shown(chromium, addresses, width, theme):
    context = chromium.new_context(
        viewport={"width": width, "height": 844}, color_scheme=theme, reduced_motion="reduce"
    )
    tab = context.new_page()
    tab.goto(f"{addresses['file']}/chapters/05_posteriors_easy_and_hard.html")
    link = tab.locator(f"a.drawing.only-{theme}").first
    small = link.locator("img").bounding_box()
    assert small["width"] > 250
    other = "dark" if theme == "light" else "light"
    assert not tab.locator(f"a.drawing.only-{other}").first.is_visible()
    style = "image => [getComputedStyle(image).backgroundColor, getComputedStyle(image).filter]"
    assert link.locator("img").evaluate(style) == ["rgba(0, 0, 0, 0)", "none"]
    assert theme == "light" or tab.evaluate(PAPER) == PAGE
    link.click()
    large = tab.locator("dialog.enlarged img")
    drawn = "image => image.currentSrc"
    assert large.evaluate(drawn) == link.locator("img").evaluate(drawn)
    whole = large.bounding_box()
    assert whole["width"] >= small["width"] and whole["height"] >= small["height"]
    assert whole["x"] >= 0 and whole["x"] + whole["width"] <= width  # all of it is seen first
    assert whole["y"] >= 0
    assert whole["y"] + whole["height"] <= 844 or whole["width"] == small["width"]  # a tall one
    large.click(position={"x": whole["width"] * 0.9, "y": whole["height"] / 2})
    assert large.evaluate(style) == ["rgba(0, 0, 0, 0)", "none"]  # as bright as in the page
    near = large.bounding_box()
    assert near["width"] >= max(800, 1.99 * whole["width"])
    assert near["x"] + near["width"] <= width + 1  # the end that was tapped
    zoom, close = tab.locator("dialog.enlarged button").all()
    assert [part.inner_text() for part in (zoom, close)] == ["Zoom out", "Close"]
    ground = "part => getComputedStyle(part).backgroundColor"
    assert close.evaluate(ground) == tab.locator("dialog.enlarged").evaluate(ground)
    assert min(part.bounding_box()["height"] for part in (zoom, close)) >= 44
    zoom.click()
    back = large.bounding_box()
    assert [back[side] for side in ("x", "width", "height")] == [
        whole[side] for side in ("x", "width", "height")
    ]
    tab.keyboard.press("Escape")
    assert tab.locator("dialog.enlarged").count() == 0
    link.press("Enter")
    large.click()  # the focus is on the sheet
    tab.keyboard.press("Escape")
    assert tab.locator("dialog.enlarged").count() == 0
    link.press("Enter")  # the focus is where it was, and the keyboard opens it too
    tab.locator("dialog.enlarged button", has_text="Close").click()
    assert tab.locator("dialog.enlarged").count() == 0
    context.close()


def test_paper_has_the_light_drawings_from_a_dark_page_too(chromium, addresses):
    context = chromium.new_context(color_scheme="dark")
    tab = context.new_page()
    tab.goto(f"{addresses['file']}/chapters/05_posteriors_easy_and_hard.html")
    shown, other = (tab.locator(f"a.drawing.only-{theme}").first for theme in ("light", "dark"))
    assert other.is_visible() and not shown.is_visible()
    tab.emulate_media(media="print")
    shown.wait_for(state="visible")
    assert not other.is_visible()
    context.close()


def test_a_tap_makes_no_figure_smaller_on_a_phone(chromium, addresses):
    """Those that are taller than the screen too: they scroll."""
    context = chromium.new_context(**DEVICES["phone"])
    tab = context.new_page()
    tab.goto(f"{addresses['file']}/chapters/07_elbo.html")
    links = tab.locator("a.drawing.only-light").all()
    assert len(links) > 5
    for link in links:
        size = "image => [image.clientWidth, image.clientHeight, image.currentSrc]"
        small = link.locator("img").evaluate(size)
        link.evaluate("link => link.click()")
        large = tab.locator("dialog.enlarged img").evaluate(size)
        assert large[2] == small[2]
        assert large[0] >= small[0] and large[1] >= small[1]
        tab.keyboard.press("Escape")
    context.close()
