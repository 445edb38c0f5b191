"""The structure of the library: what imports what, and how long files and functions are."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import fedlib
from fedlib.aggregators import AGGREGATORS, Aggregator
from fedlib.attacks import ATTACKS, Attack
from fedlib.clients import CLIENTS, Client
from fedlib.data import PARTITIONS, Partition
from fedlib.engine import play
from fedlib.trackers import TRACKERS, Tracker

PACKAGE = Path(fedlib.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
BASES = (Aggregator, Attack, Client, Partition, Tracker)
GENERAL = ("parts", "registry", "federation", "engine", "runs", "grids", "evidence")
"""Rooms and files that know no single rule, attack, client algorithm, tracker or paper."""

# Rooms in the order in which data flow; nothing imports a room that stands after it.
ORDER = (
    ("validation", "limits"),
    ("kernels",),
    ("arrays", "registry", "seeds", "compat", "hardware", "parts"),
    ("blocks",),
    ("data",),
    ("models",),
    ("gradients",),
    ("federation",),
    ("clients",),
    ("attacks", "aggregators", "metrics"),
    ("trackers", "guarantees"),
    ("runs",),
    ("engine",),
    ("agents", "grids"),
    ("integrations",),
    ("evidence",),
    ("arenas",),
    ("commands",),
    ("papers",),
    ("__main__",),
)
PLACE = {room: place for place, rooms in enumerate(ORDER) for room in rooms}


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    return module.split(".")[1] if "." in module else ""


def imports(path):
    """(module, name) of what a file imports from the library; name is None for a whole module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if "fedlib" in alias.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fedlib"):
            yield from ((node.module, alias.name) for alias in node.names)


def imported_module(module, name):
    """The module that an import reads: ``from fedlib import engine`` reads ``fedlib.engine``."""
    if name and (PACKAGE.parent / Path(*module.split("."), name)).is_dir():
        return f"{module}.{name}"
    if name and (PACKAGE.parent / Path(*module.split("."))).with_name(name).exists():
        return module
    file = PACKAGE.parent / Path(*module.split(".")) / f"{name}.py"
    return f"{module}.{name}" if name and file.exists() else module


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_import_runs_backwards(path):
    room = room_of(module_of(path))
    for module, name in imports(path):
        other = room_of(imported_module(module, name))
        if not room or not other:
            continue  # the package itself, which names what users need
        assert PLACE[other] <= PLACE[room], f"{module_of(path)} imports {module}.{name or ''}"


def is_single_part(thing):
    """Whether a class is one rule, attack, client algorithm, partition or tracker."""
    return inspect.isclass(thing) and issubclass(thing, BASES) and thing not in BASES


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(module_of(path)) in GENERAL], ids=module_of
)
def test_a_general_module_knows_no_single_part(path):
    for module, name in imports(path):
        read = imported_module(module, name)
        assert not read.startswith("fedlib.papers."), read
        if name:
            part = getattr(importlib.import_module(module), name, None)
            assert not is_single_part(part), f"{module}.{name}"
    source = importlib.import_module(module_of(path))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            for name in (n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)):
                assert not is_single_part(getattr(source, name, None)), name


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(module_of(path)) in ("engine", "runs", "grids")],
    ids=module_of,
)  # fmt: skip
def test_the_middle_names_no_part(path):
    names = {*AGGREGATORS, *ATTACKS, *CLIENTS, *TRACKERS} - {"mean", "none"}
    # The parts that a configuration has if nobody names others.
    defaults = {"momentum_sgd"} if path.name == "config.py" else set()
    texts = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not texts & (names - defaults)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_file_is_longer_than_400_lines(path):
    if path.name not in ("strokes.py",):  # data
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_the_round_fits_on_one_screen():
    for function in (play.play_round, play.clients_step, play.byzantine_updates):
        assert len(inspect.getsource(function).splitlines()) <= 60, function


def test_every_module_is_in_a_room_of_the_order():
    found = {module.name for module in pkgutil.iter_modules(fedlib.__path__)}
    assert found == set(PLACE)


def test_every_registered_part_stands_in_a_file_of_its_room():
    for registry in (AGGREGATORS, ATTACKS, CLIENTS, TRACKERS, PARTITIONS):
        for name in registry:
            assert registry[name].__module__.startswith("fedlib."), name


def test_what_the_package_names_is_there():
    for name in fedlib.__all__:
        assert getattr(fedlib, name) is not None
    with pytest.raises(AttributeError, match="'fedlib' has no attribute 'nothing'"):
        _ = fedlib.nothing
