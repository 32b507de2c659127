"""The page "Your own data, model and machine": its cells run, and its parameter file trains."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.distributions import Bernoulli, Normal, Poisson

import vaecourse as vc
from vaecourse import checkpoint, cli

PAGE = (Path(__file__).parents[1] / "own_data.md").read_text(encoding="utf-8")
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?:---\n.*?^---\n)?(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def cells():
    """The names that the cells of the page leave, and what they print."""
    names, printed = {}, []
    names["print"] = lambda *values, **_: printed.append(" ".join(map(str, values)))
    for code in CELL.findall(PAGE):
        exec(code, names)
    plt.close("all")
    return names, "\n".join(printed)


def test_what_the_cells_print_is_what_the_text_says(cells):
    names, printed = cells
    assert "column 13 of x has values from 278 to 1680, of which training breaks: use" in printed
    gain = names["gain"]
    assert gain.mean() > 2 * gain.std() / len(gain) ** 0.5
    proline = names["vae"].sample(1_000).mean(0)[12].item()
    assert proline == pytest.approx(names["train"][:, 12].mean().item(), rel=0.15)
    assert names["history"].epoch_loss[-1] < names["history"].epoch_loss[0] / 2
    assert names["losses"][-1] < names["losses"][0] - 1
    opened = names["colour"].decode(torch.tensor([names["brightest"]])).mean
    assert opened.mean() > 2 * names["patches"].mean()  # the explorer opens on a bright patch
    other = names["padded"].clone()
    for walk, length in zip(other, names["lengths"].tolist()):
        walk[length:] = 7.0  # padding counts for nothing
    bounds = [
        names["vrnn"].elbo(x, 1, torch.Generator().manual_seed(0), names["lengths"])
        for x in (names["padded"], other)
    ]
    assert torch.equal(*bounds)
    assert names["own"].params["kind"] == "own"
    for kind in ("vae", "colour", "counts"):  # what is exported is the mean in the units of x
        model, z = names[kind], torch.tensor([[0.5, -1.0]])
        program = torch.export.export(names["Mean"](model), (z,))
        torch.testing.assert_close(program.module()(z), model.decode(z).mean)
    assert not torch.allclose(names["vae"].decoder(z), names["vae"].decode(z).mean, rtol=0.1)


RETURNS = {  # what an own decode may return so that an export can follow it
    "normal": lambda out: Normal(out, out.exp(), validate_args=False),
    "probabilities": lambda out: Bernoulli(probs=out.sigmoid(), validate_args=False),
    "logits": lambda out: Bernoulli(logits=out, validate_args=False),
    "poisson": lambda out: Poisson(out.exp(), validate_args=False),
    "tensor": lambda out: out,
}


@pytest.mark.parametrize("name", RETURNS)
def test_a_wrapped_module_can_be_exported_as_the_page_says(cells, name):
    torch.manual_seed(0)
    module = cells[0]["Own"]()
    module.decode = lambda z: RETURNS[name](module.decoder(z))
    model, z = vc.models.wrap(module, shape=(1, 8, 8)), torch.tensor([[0.5, -1.0]])
    program = torch.export.export(cells[0]["Mean"](model), (z,))
    torch.testing.assert_close(program.module()(z), model.decode(z).mean)
    assert "`Normal(mean, deviation, validate_args=False)` say" in PAGE


def test_the_parameter_file_of_the_page_trains_on_the_table(cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wine = cells[0]["wine"]
    header = ",".join(wine.feature_names)
    np.savetxt("wine.csv", wine.data, delimiter=",", header=header, comments="")
    Path("wine.json").write_text(re.search(r"```json\n(.*?)```", PAGE, re.S)[1])
    assert cli.main(["train", "wine.json", "--output", "wine"]) == 0
    model, record = checkpoint.load("wine/wine_seed0")
    assert record["metrics"]["elbo"] > -25 and model.likelihood.standardize
    assert Path("wine/wine_seed0_latent.png").exists()


def test_a_table_is_read_in_python_by_the_lines_of_the_page(cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, wine = {}, cells[0]["wine"]
    words = wine.target_names[wine.target]
    lines = [",".join([*map(str, row), word]) for row, word in zip(wine.data, words)]
    Path("wine.csv").write_text("\n".join([",".join([*wine.feature_names, "cultivar"]), *lines]))
    for line in re.findall(r"`((?:from vaecourse|x, labels)[^`]*)`", PAGE):
        exec(line, names)
    assert np.array_equal(names["x"], wine.data.astype(np.float32))
    assert names["columns"] == wine.feature_names
    assert [names["kinds"][label] for label in names["labels"]] == words.tolist()
    train = cells[0]["order"][:130]
    x, labels, tables = names["x"], names["labels"], PAGE[: PAGE.index("## Images in colour")]
    names |= cells[0] | {"train": x[train], "test": x[cells[0]["order"][130:]], "print": print}
    for code in CELL.findall(tables)[2:]:  # they run on the tensors of read_rows as well
        exec(code.replace("labels = ", "_ = "), names | {"labels": labels[train]})
    plt.close("all")


def test_a_model_is_saved_read_and_trained_further_by_the_lines_of_the_page(
    cells, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = cells[0] | {}
    section = PAGE[PAGE.index("## Out of the course") :]
    for line in re.findall(r"`(vc\.check[^`]*|vae, record[^`]*|vae\.[^`]*\(\))`", section):
        exec(line, names)
    assert names["vae"] is not cells[0]["vae"] and names["vae"].training
    before = names["vae"].decoder[0].weight.clone()
    names["vc"].training.fit(names["vae"], names["train"], epochs=1, progress=False)
    assert not torch.equal(names["vae"].decoder[0].weight, before)


def test_a_page_of_an_explorer_needs_the_line_and_the_file_that_the_page_names():
    course = Path(__file__).parents[1]
    line, file = re.search(r"`(nb_ipywidgets_js: [^`]*)`.*?`(_ext/[^`]*)`", PAGE, re.S).groups()
    config = yaml.safe_load((course / "_config.yml").read_text(encoding="utf-8"))
    assert yaml.safe_load(line).items() <= config["sphinx"]["config"].items()
    assert (course / file).exists()


LEVELS = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
GREY = LEVELS[..., 0]


@pytest.mark.parametrize(
    ("kind", "pictures"),
    [
        ("png", [Image.fromarray(x) for x in LEVELS]),
        ("tif", [Image.fromarray(x) for x in LEVELS]),
        ("png", [Image.fromarray(np.dstack([x, np.full((4, 5), 9, np.uint8)])) for x in LEVELS]),
        ("png", [Image.fromarray(x) for x in GREY]),
        ("png", [Image.fromarray(np.stack([x, x], -1), "LA") for x in GREY]),
        ("png", [Image.fromarray(x).quantize(256) for x in GREY]),
        ("jpg", [Image.new("CMYK", (5, 4), (0, 255 - v, 255, 0)) for v in (0, 100, 255)]),
        ("png", [Image.fromarray(x.astype(np.uint16) * 257) for x in GREY]),
        ("tif", [Image.fromarray(x.astype(np.uint16) * 257) for x in GREY]),
        ("tif", [Image.fromarray(x.astype(np.int32) * 257) for x in GREY]),
        ("tif", [Image.fromarray(x.astype(np.float32) / 255) for x in GREY]),
    ],
    ids=[
        *("rgb", "tiff", "rgba", "grey", "grey with alpha", "palette", "cmyk"),
        *("16 bits", "16 tiff", "32 tiff", "float tiff"),
    ],
)
def test_a_folder_of_pictures_becomes_an_array_of_the_page(tmp_path, monkeypatch, kind, pictures):
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for k, picture in enumerate(pictures):
        picture.save(f"pictures/{k}.{kind}")
    for other in (".DS_Store", "Thumbs.db"):  # which systems leave beside them
        Path("pictures", other).write_bytes(b"\0")
    found, names = [], {"np": np}
    for line in re.findall(r"`((?:from pathlib|from PIL|files = |images = )[^`]*)`", PAGE):
        exec(line.replace("*.png", f"*.{kind}"), names)
        found += [names["images"]] if "images" in names else []
    colour, grey, deep = found
    if pictures[0].mode in ("I;16", "I", "F"):
        whole = pictures[0].mode != "F"
        np.testing.assert_allclose(deep, GREY / 255 / (1 if whole else 65_535), rtol=1e-6)
        assert set(grey.flat) == set(colour.flat) == {0.0, 1.0} if whole else {0.0}
        return
    levels = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    assert colour.shape == (3, 3, 4, 5) and grey.shape == (3, 4, 5)
    if kind == "jpg":  # white ink is none, magenta and yellow are red
        np.testing.assert_allclose(colour, np.moveaxis(levels, -1, 1) / 255, atol=0.02)
        return
    assert np.array_equal(colour, np.moveaxis(levels, -1, 1) / 255)
    if pictures[0].mode in ("L", "LA", "P"):
        assert np.array_equal(grey, GREY / 255)
