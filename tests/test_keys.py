"""Cell keys are written and read back; what is no key is refused by name."""

from typing import NamedTuple

import pytest

from fedlib.grids.keys import parsed, written
from fedlib.validation import ConfigError


class Place(NamedTuple):
    setting: str
    count: int
    momentum: float
    rest: str


def test_a_key_is_read_back_as_it_was_written():
    key = Place("mnist", 4, 0.9, "a/b")
    assert written("table", key) == "table/mnist/4/0.9/a/b"
    assert written("", (1.0, 0.99)) == "1/0.99"
    assert parsed(Place, "table", "table/mnist/4/0.9/a/b") == key
    assert parsed(Place, "", written("", key)) == key


@pytest.mark.parametrize("text", ["tables/mnist/4/0.9/a", "table/mnist/4", "table/mnist/x/0.9/a"])
def test_a_text_that_is_no_key_is_refused(text):
    with pytest.raises(ConfigError, match=f"key='{text}'"):
        parsed(Place, "table", text)
