"""Keywords of explorers: those that one has not are refused, and the nearest is named."""

import pytest
import traitlets
from explorers import MAKERS
from sentences import refused

from vaecourse import widgets
from vaecourse.widgets.shared import Hand

ALL = {**MAKERS, "Playground": widgets.Playground}


@pytest.mark.parametrize("name", sorted({*ALL} - {"Playground"}))
def test_a_keyword_that_an_explorer_has_not_is_refused_with_the_nearest(name):
    explorer = ALL[name]()
    hands = [hand for hand, trait in explorer.traits().items() if isinstance(trait, Hand)]
    words = refused(ALL[name], titles="A plane")
    assert words.startswith(
        f"keyword of {name} is 'titles' (did you mean 'title'?); it must be one of "
    )
    assert all(repr(hand) in words for hand in hands) and "'self'" not in words


def test_singular_labels_are_refused_where_they_are_plural():
    assert refused(MAKERS["LatentExplorer"], label=range(4)) == (
        "keyword of LatentExplorer is 'label' (did you mean 'labels'?); it must be one of "
        "'model', 'x', 'labels', 'images', 'image_shape', 'title', 'z'."
    )


def test_every_explorer_is_one_and_takes_its_own_keywords():
    for name, make in ALL.items():
        explorer = make(title="Another")
        assert isinstance(explorer, widgets.shared.Explorer)
        assert explorer.spec["title"] == "Another"
        hands = {
            hand: getattr(explorer, hand)
            for hand, trait in explorer.traits().items()
            if isinstance(trait, Hand) and getattr(explorer, hand) is not traitlets.Undefined
        }
        again = make(**hands)
        assert {hand: getattr(again, hand) for hand in hands} == hands, name
