"""The pages that say what every name of the package takes and gives."""

from importlib import import_module

import api_reference
import pytest
from bs4 import BeautifulSoup

import vaecourse as vc

MODULES = sorted(set(vc.__all__) - {"budget", "says"})


def public(module):
    """The functions and classes that a module offers, by their full names."""
    here = import_module(f"vaecourse.{module}")
    listed = getattr(here, "__all__", None)
    for name in listed or [name for name in vars(here) if not name.startswith("_")]:
        thing = getattr(here, name)
        if callable(thing) and thing.__doc__ and (listed or thing.__module__ == here.__name__):
            yield f"vaecourse.{module}.{name}"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_an_entry_that_says_something(site, module):
    page = BeautifulSoup((site / "reference" / f"{module}.html").read_text("utf-8"), "html.parser")
    entries = {entry["id"]: entry.find_next_sibling("dd") for entry in page.select("dt.sig[id]")}
    assert {
        name for name in public(module) if not entries.get(name, page.new_tag("dd")).text.strip()
    } == set()


def test_the_index_has_the_names(site):
    index = BeautifulSoup((site / "genindex.html").read_text("utf-8"), "html.parser")
    links = {link["href"] for link in index.select("a[href]")}
    assert "reference/models.html#vaecourse.models.VAE" in links
    assert "reference/objectives.html#vaecourse.objectives.elbo_terms" in links


def test_the_first_name_of_a_chapter_leads_to_its_entry_and_the_second_does_not(site):
    page = site / "chapters" / "09_variational_autoencoder.html"
    links = BeautifulSoup(page.read_text("utf-8"), "html.parser").select("a.vc-name")
    assert len({link["href"] for link in links}) == len(links) > 10
    for link in links:
        path, anchor = link["href"].split("#")
        entry = BeautifulSoup((page.parent / path).read_text("utf-8"), "html.parser").find(
            id=anchor
        )
        assert entry is not None
        name = link.text.split("(")[0].removeprefix("vc.")
        assert anchor.removeprefix("module-") == f"vaecourse.{name}"


@pytest.mark.parametrize(
    "text, written",
    [
        ("`x` [B] and p(x|z)*2, a_ too.", "``x`` [B] and p(x\\|z)\\*2, a\\_ too.\n"),
        (
            "name: it is,\n    long.\nb, c: more.",
            "* ``name``: it is,\n  long.\n* ``b, c``: more.\n",
        ),
        ("Raises: nothing\nbut this.", "Raises: nothing\nbut this.\n"),
        ("Thus\n    k1 = `ℓ` * 2\nholds.", "Thus\n\n::\n\n    k1 = `ℓ` * 2\n\nholds.\n"),
    ],
    ids=["escapes", "a list", "no list", "a formula"],
)
def test_a_docstring_is_read_as_it_is_meant(text, written):
    lines = text.splitlines()
    api_reference.read_docstring(None, "function", "f", None, None, lines)
    assert "\n".join(lines) == written
