"""Checks of outside values, and the registry that names parts."""

import math

import pytest

from fedlib.aggregators import AGGREGATORS
from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_int, check_name, check_real


def test_a_known_name_is_returned():
    assert check_name("scale", "quick", ("quick", "paper")) == "quick"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("papr", "scale='papr' is unknown; did you mean 'paper'? Allowed: paper, quick."),
        ("zzz", "scale='zzz' is unknown. Allowed: paper, quick."),
        (3, "scale=3 is unknown. Allowed: paper, quick."),
    ],
)
def test_an_unknown_name_names_field_value_and_what_is_allowed(value, message):
    with pytest.raises(ConfigError) as error:
        check_name("scale", value, ("quick", "paper"))
    assert str(error.value) == message


def test_whole_numbers():
    assert check_int("n", 3, 1, 5) == 3
    for value in (0, 6):
        with pytest.raises(ConfigError, match=f"n={value} is out of range: must be from 1 to 5"):
            check_int("n", value, 1, 5)
    for value in (True, 2.0, "2", None):
        with pytest.raises(ConfigError, match="must be a whole number at least 1"):
            check_int("n", value, 1)


def test_real_numbers_and_open_bounds():
    assert check_real("x", 1, 0, 1) == 1.0
    with pytest.raises(ConfigError, match=r"x=0 is out of range: .* in \(0, 1\]"):
        check_real("x", 0, 0, 1, open_low=True)
    with pytest.raises(ConfigError, match=r"in \[0, 1\)"):
        check_real("x", 1.0, 0, 1, open_high=True)
    for value in (math.nan, math.inf, "1", True):
        with pytest.raises(ConfigError, match="must be a finite number"):
            check_real("x", value)


def test_registry_finds_every_module_by_itself():
    assert {"mean", "krum", "centered_clipping"} <= set(AGGREGATORS)
    assert "krum" in AGGREGATORS
    assert len(AGGREGATORS) == len(list(AGGREGATORS))
    assert AGGREGATORS["krum"].name == "krum"


def test_registry_refuses_a_second_class_of_a_name():
    registry = Registry("part", "fedlib.aggregators")

    @registry.register("a")
    class First:
        pass

    with pytest.raises(ValueError, match="'a' is already registered"):

        @registry.register("a")
        class Second:
            pass

    assert registry._classes["a"] is First
