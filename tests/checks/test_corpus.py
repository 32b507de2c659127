"""Answers written from the exercises alone: nothing wrong is accepted, nothing right refused.

Each wrong answer stands beside words of what it must be told; `answer is … where … is right` alone
tells a number and no reason. `python tests/checks/test_corpus.py` prints the table.
"""

import importlib.util
import re
from pathlib import Path

import pytest

import vaecourse as vc
from vaecourse.checks.answers import Mistake

FILES = sorted((Path(__file__).parent / "corpus").glob("*.py"))
BARE = r"^(.*, )?(at \[[\d, ]*\] )?your answer is [−\d.e+]+ where [^ ]+ is right\.$"


def load(path):
    spec = importlib.util.spec_from_file_location(f"corpus_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CORPUS


CORPUS = {name: answers for path in FILES for name, answers in load(path).items()}
WRONG = [(name, k) for name in CORPUS for k in range(len(CORPUS[name]["wrong"]))]
RIGHT = [(name, k) for name in CORPUS for k in range(len(CORPUS[name]["right"]))]


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


@pytest.mark.parametrize(("name", "place"), WRONG)
def test_a_wrong_answer_is_refused_for_what_it_is(name, place):
    fn, words = CORPUS[name]["wrong"][place]
    assert re.search(words, said(name, fn))


@pytest.mark.parametrize(("name", "place"), RIGHT)
def test_a_right_answer_is_taken_in_any_style(name, place):
    assert said(name, CORPUS[name]["right"][place]) == ""


def table():
    rows = []
    for name, answers in sorted(CORPUS.items()):
        texts = [(said(name, fn), words) for fn, words in answers["wrong"]]
        rows.append(
            (
                name,
                len(texts),
                sum(text == "" for text, _ in texts),
                sum(text != "" and not re.search(words, text) for text, words in texts),
                sum(is_bare(text) for text, _ in texts),
                len(answers["right"]),
                sum(said(name, fn) != "" for fn in answers["right"]),
            )
        )
    return rows


if __name__ == "__main__":
    heads = ("check", "wrong", "accepted", "misnamed", "bare", "right", "refused")
    rows = table()
    for row in (heads, *rows, ("all", *(sum(column) for column in list(zip(*rows))[1:]))):
        print(f"{row[0]:28}" + "".join(f"{value:>10}" for value in row[1:]))
