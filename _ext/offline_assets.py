"""Sphinx extension: what a page loads lies beside it, so the book opens from disk, offline."""

import shutil
from hashlib import sha256
from html import escape
from importlib.metadata import distribution
from pathlib import Path

from docutils import nodes
from ipywidgets.embed import escape_script
from myst_nb.core import render

HERE = Path(__file__).resolve().parent
ASSETS = HERE / "assets"

# Pixels that an explorer takes in the column of a chapter, and on a phone. The page keeps them
# free from the beginning, so that nothing moves when the explorer starts.
ROOM = {
    "BandwidthExplorer": (505, 825),
    "CorrelationExplorer": (525, 880),
    "DiffusionExplorer": (590, 985),
    "ElboExplorer": (490, 880),
    "EMStepper": (550, 990),
    "FamilyExplorer": (710, 1030),
    "FrechetExplorer": (565, 960),
    "GradientExplorer": (725, 1095),
    "KLExplorer": (590, 960),
    "LatentExplorer": (650, 800),
    "MissingExplorer": (540, 925),
    "PipelineExplorer": (600, 960),
    "Playground": (970, 1365),
    "PrecisionExplorer": (560, 990),
    "TrainingExplorer": (605, 840),
}


def assets_digest():
    """Return a digest of this folder; Sphinx writes its pages anew when it changes."""
    files = sorted(path for path in HERE.rglob("*") if path.suffix in {".py", ".js", ".css"})
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def add_static_folder(app):
    # Jupyter Book puts every script that it finds in the static folders into every page.
    # It looks before this event; what is added now is served, and loaded only where it is named.
    app.config.html_static_path.append(str(ASSETS))


def copy_picture(app, exception):
    """Copy the picture of an explorer, for pages without scripts and for links to them."""
    picture = Path(app.srcdir) / "explorer.png"
    if exception is None and app.builder.format == "html" and picture.is_file():
        shutil.copy(picture, Path(app.outdir) / "_static")


def copy_mathjax(app, exception):
    """Copy the parts of MathJax that pages can ask for: the program, its fonts, its extensions."""
    if exception is not None or app.builder.format != "html":
        return
    package = distribution("sphinx-mathjax-offline")
    program = next(file for file in package.files if file.name == "tex-mml-chtml.js")
    source = Path(package.locate_file(program)).parent
    target = Path(app.outdir) / "_static" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / program.name, target)
    for folder in ("output/chtml/fonts/woff-v2", "input/tex/extensions"):
        # all-packages.js holds all extensions at once, for pages that load no single ones
        ignored = shutil.ignore_patterns("all-packages.js")
        shutil.copytree(source / folder, target / folder, ignore=ignored, dirs_exist_ok=True)


def without_scripts(model):
    """What stands in the place of an explorer where no script runs."""
    title = escape(model.get("title") or "A figure that computes")
    return (
        f"<noscript><p><strong>{title}.</strong> This figure computes in the browser and needs "
        "JavaScript, which is switched off here. Without it formulas stand as they are written, in "
        "TeX; all else on this page reads.</p>"
        "</noscript>"
    )


def with_room(render_widget_view):
    """MyST-NB's place of a widget, as high as the widget will be."""

    def render_with_room(self, data):
        views = render_widget_view(self, data)
        state = self.renderer.nb_client.nb_metadata["widgets"][render.WIDGET_STATE_MIMETYPE][
            "state"
        ]
        model = state.get(data.string["model_id"], {}).get("state", {})
        room = ROOM.get(model.get("_anywidget_id", "").rpartition(".")[2])
        if room is None:
            return views
        style = f"--room: {room[0]}px; --room-on-a-phone: {room[1]}px"
        html = "".join(view.astext() for view in views) + without_scripts(model)
        text = f'<div class="explorer-room" style="{style}">{html}</div>'
        return [nodes.raw(text=text, format="html")]

    return render_with_room


def write_scripts(app, exception):
    """What pages load on demand: the encoder, for who draws a digit; the playground's MNIST."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    encoder, mnist = static / "mnist_vae_2d_encoder.js", static / "playground_mnist.js"
    if encoder.exists() and mnist.exists():
        return
    import vaecourse as vc
    from vaecourse.widgets.pipeline_explorer import encoder_script
    from vaecourse.widgets.playground.playground import packed_mnist
    from vaecourse.widgets.shared import static_script

    vae, _ = vc.checkpoint.pretrained("mnist_vae_2d")
    encoder.write_text(encoder_script(vae, encoder.stem), encoding="utf-8")
    mnist.write_text(static_script(mnist.stem, packed_mnist()), encoding="utf-8")


def setup(app):
    # MyST-NB escapes "</script>" in the state of widgets, in lower case only: "</SCRIPT>" in a
    # title ended it, and "<!--<script>" swallowed the rest of the page.
    render.sanitize_script_content = escape_script
    renderer = render.NbElementRenderer
    renderer.render_widget_view = with_room(renderer.render_widget_view)
    app.add_config_value("assets_digest", assets_digest(), "html")
    # Formulas may come with the outputs of a cell, where Sphinx does not see them.
    app.set_html_assets_policy("always")
    app.add_css_file("course.css")
    app.add_css_file("explorers.css")
    app.add_js_file("accessible.js", loading_method="defer", priority=600)
    app.add_js_file("early_theme.js", priority=100)
    app.add_js_file("quiet_console.js", priority=100)
    app.add_js_file("print.js", loading_method="defer", priority=600)
    app.add_js_file("save_notebook.js", loading_method="defer", priority=600)
    # Deferred like MathJax and listed before it, so that they run just before it.
    app.add_js_file("formulas.js", loading_method="defer", priority=400)
    app.add_js_file("predict.js", loading_method="defer", priority=400)
    app.add_js_file("enlarge.js", loading_method="defer", priority=400)
    app.connect("builder-inited", add_static_folder)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", write_scripts)
    app.connect("build-finished", copy_picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
