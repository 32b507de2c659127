"""Answers written from the exercises alone: nothing wrong is accepted, nothing right refused.

`corpus/` has a file a check, or one a chapter while that is new, one for the ends of what several
may be given, and one that calls the package. Each wrong answer stands beside words of what it must
be told; `answer is … where … is right` alone tells a number and no reason, and one in ten may get
no more.
`python tests/checks/test_corpus.py` prints the table.
"""

import importlib.util
import re
from pathlib import Path

import pytest

import vaecourse as vc
from vaecourse.checks.answers import Mistake, _random_states

FILES = sorted((Path(__file__).parent / "corpus").glob("*.py"))
BARE = r"^(.*, )?(at \[[\d, ]*\] )?your answer is [−\d.e+]+ where [^ ]+ is right\.$"


def load(path):
    spec = importlib.util.spec_from_file_location(f"corpus_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    alone = vars(module).get("WRONG") and {"wrong": module.WRONG, "right": module.RIGHT}
    return {path.stem: alone} if alone else module.CORPUS


CORPUS = {}
for path in FILES:
    for name, answers in load(path).items():
        kept = CORPUS.setdefault(name, {"wrong": [], "right": []})
        for side in kept:
            kept[side] += answers[side]


def said(name, fn):
    """What the check says, or "" where it accepts."""
    try:
        getattr(vc.checks, name)(fn)
    except Mistake as mistake:
        return str(mistake)
    return ""


def is_bare(text):
    return re.match(BARE, text, re.I) is not None


def test_every_check_has_a_corpus():
    assert sorted(CORPUS) == sorted(set(vc.checks.__all__) - {"Mistake"})
    for path in FILES:
        if path.stem in CORPUS:
            assert len(CORPUS[path.stem]["wrong"]) >= 20 and len(CORPUS[path.stem]["right"]) >= 10


@pytest.fixture(scope="module")
def told():
    """What each wrong answer of each check is told."""
    return {name: [said(name, fn) for fn, _ in CORPUS[name]["wrong"]] for name in CORPUS}


@pytest.mark.parametrize("name", CORPUS)
def test_wrong_answers_are_refused_for_what_they_are(name, told):
    for place, (text, (_, words)) in enumerate(zip(told[name], CORPUS[name]["wrong"], strict=True)):
        assert re.search(words, text), f"number {place} is told {text!r}"


def test_at_most_one_in_ten_is_told_a_number_alone(told):
    texts = [text for by_check in told.values() for text in by_check]
    assert sum(map(is_bare, texts)) <= 0.1 * len(texts)


@pytest.mark.parametrize("name", CORPUS)
def test_right_answers_are_taken_in_any_style(name):
    before = _random_states()
    texts = [said(name, fn) for fn in CORPUS[name]["right"]]
    assert not any(texts), texts
    assert _random_states() == before


def row(name):
    part = CORPUS[name]
    texts = [(said(name, fn), words) for fn, words in part["wrong"]]
    refused = [(text, words) for text, words in texts if text]
    bare = sum(is_bare(text) for text, _ in refused)
    return (
        name,
        len(texts),
        len(texts) - len(refused),
        len(refused) - bare,
        sum(re.search(words, text) is None for text, words in refused),
        bare,
        len(part["right"]),
        sum(said(name, fn) != "" for fn in part["right"]),
    )


if __name__ == "__main__":
    heads = ("check", "wrong", "accepted", "named", "misnamed", "bare", "right", "refused")
    rows = [row(name) for name in CORPUS]
    for line in (heads, *rows, ("all", *(sum(column) for column in list(zip(*rows))[1:]))):
        print(f"{line[0]:28}" + "".join(f"{value:>10}" for value in line[1:]))
