"""Where a sentence names chapters, their numbers become links, and nothing else of it changes."""

import pytest
from chapter_numbers import pieces


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("Chapters 07, 09 and 13 tell.", ["07", "09", "13"]),
        ("From chapter 09, 128 latents; chapter 10.", ["09", "10"]),
        ("chapters 01–04, 2010", ["01", "04"]),
        ("In 12 chapters, 45 sentences.", []),
    ],
)
def test_the_numbers_of_chapters_are_found(text, numbers):
    found = list(pieces(text))
    assert [number for _, number in found] == [*numbers, ""]
    assert "".join(words + number for words, number in found) == text
