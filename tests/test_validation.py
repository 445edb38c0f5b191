"""Checks of outside values, and the registry that names parts."""

import importlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from fedlib.aggregators import AGGREGATORS, make_aggregator
from fedlib.attacks import make_attack
from fedlib.data import make_partition
from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_bool, check_int, check_name, check_real, construct


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
    with pytest.raises(ConfigError, match=r"in \(0, inf\)\.$"):
        check_real("x", 0, 0, open_low=True)
    with pytest.raises(ConfigError, match=r"in \(-inf, inf\)\.$"):
        check_real("x", math.nan)
    for value in (math.nan, math.inf, "1", True):
        with pytest.raises(ConfigError, match="must be a finite number"):
            check_real("x", value)


def test_numbers_of_numpy_count_and_become_those_of_python():
    for value in (np.int64(3), np.uint8(3), np.int8(3)):
        assert type(check_int("n", value, 1)) is int
        assert type(check_real("x", value)) is float
    for value in (np.float32(0.5), np.float64(0.5)):
        assert type(check_real("x", value, 0, 1)) is float
        with pytest.raises(ConfigError, match="must be a whole number"):
            check_int("n", value, 0)
    with pytest.raises(ConfigError, match="n=0 is out of range"):
        check_int("n", np.int64(0), 1)
    for value in (np.float32("nan"), np.float64("inf"), np.bool_(True), np.array([1.0, 2.0])):
        with pytest.raises(ConfigError, match="must be a finite number"):
            check_real("x", value)
    with pytest.raises(ConfigError, match="must be a whole number"):
        check_int("n", np.bool_(True), 0)


def test_truth_values():
    assert check_bool("b", True) is True
    assert check_bool("b", np.bool_(False)) is False
    for value in ("no", 0, 1, None, np.int64(1)):
        with pytest.raises(ConfigError, match=r"b=.* must be True or False\."):
            check_bool("b", value)


def test_registry_finds_every_module_by_itself():
    assert {"mean", "krum", "centered_clipping"} <= set(AGGREGATORS)
    assert "krum" in AGGREGATORS
    assert len(AGGREGATORS) == len(list(AGGREGATORS))
    assert AGGREGATORS["krum"].name == "krum"


def test_a_whole_number_beyond_every_float_is_no_real_number():
    with pytest.raises(ConfigError, match=r"x=1000.* must be a finite number"):
        check_real("x", 10**400)


def test_get_and_in_are_those_of_a_mapping():
    assert AGGREGATORS.get("krum") is AGGREGATORS["krum"]
    assert AGGREGATORS.get("crumb") is None
    assert AGGREGATORS.get("crumb", 3) == 3
    assert "crumb" not in AGGREGATORS
    with pytest.raises(ConfigError, match="aggregator='krumm' is unknown; did you mean 'krum'"):
        AGGREGATORS["krumm"]


def test_a_registry_that_failed_to_load_is_not_half_filled_afterwards(tmp_path, monkeypatch):
    package = tmp_path / "parts_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from fedlib.registry import Registry\nPARTS = Registry('part', 'parts_of_a_test')\n"
    )
    for name in ("first", "second"):
        (package / f"{name}.py").write_text(
            f"from parts_of_a_test import PARTS\n@PARTS.register('{name}')\nclass Part: pass\n"
        )
    broken = package / "second.py"
    whole = broken.read_text()
    broken.write_text("raise ImportError('a package is missing')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    parts = importlib.import_module("parts_of_a_test").PARTS
    for _ in range(2):
        with pytest.raises(ConfigError, match="second cannot be imported: ImportError: a package"):
            list(parts)
    broken.write_text(whole)
    importlib.invalidate_caches()
    assert list(parts) == ["first", "second"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_aggregator("krum"), "aggregator='krum' must be a dictionary with a 'name'"),
        (lambda: make_aggregator({"n_byzantine": 1}), "must be a dictionary with a 'name'"),
        (lambda: make_aggregator({"name": "crum"}), "aggregator='crum' is unknown; did you mean"),
        (
            lambda: make_aggregator({"name": "krum", "n_byz": 5}),
            r"krum has no parameter 'n_byz'; it has: n_byzantine\.$",
        ),
        (
            lambda: make_attack({"name": "ipm", "eps": 1}),
            "ipm has no parameter 'eps'; it has: n_byzantine, epsilon",
        ),
        (
            lambda: make_partition({"name": "dirichlet", "a": 1}),
            "dirichlet has no parameter 'a'; it has: alpha",
        ),
        (lambda: make_partition({"name": "iid", "a": 1}), r"has no parameter 'a'; it has: none\."),
    ],
)
def test_a_part_is_made_of_its_name_and_its_own_parameters(make, message):
    assert make_aggregator({"name": "krum", "n_byzantine": 5}) == AGGREGATORS["krum"](5)
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_parameter_without_a_default_must_be_given():
    @dataclass(frozen=True)
    class Part:
        size: int

    assert construct("part", Part, {"size": 3}) == Part(3)
    with pytest.raises(ConfigError, match="part needs the parameter 'size'"):
        construct("part", Part, {})
    with pytest.raises(ConfigError, match="part=3 must be a dictionary of parameters"):
        construct("part", Part, 3)


def test_registry_refuses_a_second_class_of_a_name():
    registry = Registry("part", "fedlib.aggregators")

    @registry.register("a")
    class First:
        pass

    with pytest.raises(ValueError, match=r"'a' is already registered by .*First in"):

        @registry.register("a")
        class Second:
            pass

    assert registry._classes["a"] is First


@pytest.mark.parametrize("name", ["", "a/b*", "my rule", "Krum", "2fast", None])
def test_registry_refuses_a_name_that_no_cell_could_have(name):
    with pytest.raises(ValueError, match="cannot be a name: it must begin with a lower-case"):
        Registry("part", "fedlib.aggregators").register(name)


def test_threads_that_use_a_registry_first_find_all_of_it(tmp_path, monkeypatch):
    package = tmp_path / "parts_of_threads"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from fedlib.registry import Registry\nPARTS = Registry('part', 'parts_of_threads')\n"
    )
    for name in ("first", "second", "third"):
        (package / f"{name}.py").write_text(
            "import time\nfrom parts_of_threads import PARTS\ntime.sleep(0.05)\n"
            f"@PARTS.register('{name}')\nclass Part: pass\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    parts = importlib.import_module("parts_of_threads").PARTS
    start = threading.Barrier(4)

    def count(_):
        start.wait()
        return len(parts)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, range(4))) == [3] * 4
