"""The page "Your own data, model and machine": its cells run, and its parameter file trains."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

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
    assert proline == pytest.approx(names["train"][:, 12].mean(), rel=0.15)
    assert names["history"].epoch_loss[-1] < names["history"].epoch_loss[0] / 2
    assert names["losses"][-1] < names["losses"][0] - 1
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


def test_a_folder_of_pictures_becomes_an_array_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    levels = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    for k, picture in enumerate(levels):
        plt.imsave(f"pictures/{k}.png", picture)
    names = {"np": np, "plt": plt, "Path": Path}
    for line in re.findall(r"`((?:files|images) = .*?)`", PAGE):
        exec(line, names)
    assert np.array_equal(names["images"], np.moveaxis(levels, -1, 1) / np.float32(255))
