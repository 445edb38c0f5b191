"""The examples in the docstrings: they run, with compiled kernels and without; none is missing."""

import doctest
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fedlib
from fedlib.aggregators import AGGREGATORS, Aggregator
from fedlib.attacks import ATTACKS, Attack
from fedlib.clients import CLIENTS
from fedlib.data import PARTITIONS
from fedlib.evidence.pages import Page, fill
from fedlib.grids import OnRay
from fedlib.models import MODELS
from fedlib.trackers import TRACKERS

ROOT = Path(__file__).parent.parent


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


FLOWER = "fedlib.integrations.flower"  # an extra, whose examples tests/test_flower.py runs
# Code that is shown on a page is no example of a docstring.
MODULES = sorted(
    name
    for path in (ROOT / "fedlib").rglob("*.py")
    if re.search(r"^ *>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
    and not (name := module_of(path)).startswith(FLOWER)
)
REGISTRIES = (AGGREGATORS, ATTACKS, CLIENTS, PARTITIONS, TRACKERS)
PARTS = [registry[name] for registry in REGISTRIES for name in registry]
NAMED = [getattr(fedlib, name) for name in fedlib.__all__]
PUBLIC = [
    Aggregator,
    Attack,
    OnRay,
    *PARTS,
    *(n for n in NAMED if inspect.isroutine(n) or type(n) is type),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_give_the_same_without_compiled_kernels():
    code = (
        "import doctest, importlib, sys\n"
        "sys.exit(sum(doctest.testmod(importlib.import_module(name)).failed\n"
        f"             for name in {MODULES!r}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, env={**os.environ, "FEDLIB_KERNELS": "off"}, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_every_public_name_has_an_example(thing):
    examples = doctest.DocTestParser().get_examples(thing.__doc__ or "")
    assert examples and examples[-1].want


def test_every_rule_answers_and_every_attack_sends_in_its_example():
    for registry in (AGGREGATORS, ATTACKS):
        for name in registry:
            code = "".join(
                example.source
                for example in doctest.DocTestParser().get_examples(registry[name].__doc__)
            )
            assert re.search(rf'(AGGREGATORS|ATTACKS)\["{name}"\]\(', code), name
            assert re.search(r"\.(apply|poison)\(", code), name


def _named_by_the_reference():
    pages = [page.read_text() for page in sorted((ROOT / "book" / "api").glob("*.md"))]
    text = "\n".join(fill(Page(page)) for page in pages)
    return re.findall(r"^\.\. auto\w+:: ([\w.]+)", text, re.MULTILINE)


def test_the_reference_has_every_part_and_every_name_that_the_package_names():
    shown = _named_by_the_reference()
    for part in PARTS:
        assert f"{part.__module__}.{part.__name__}" in shown
    last = {name.rpartition(".")[2] for name in shown}
    registries = {"AGGREGATORS", "ATTACKS", "CLIENTS", "PARTITIONS", "MODELS", "TRACKERS"}
    assert "OnRay" in last
    assert set(fedlib.__all__) - registries - {"__version__"} <= last
    builders = {getattr(make, "func", make).__name__ for make in MODELS.values()}
    for name in shown:
        if name.startswith(FLOWER):
            continue
        module, _, attribute = name.rpartition(".")
        thing = getattr(importlib.import_module(module), attribute)
        # One example is enough for all networks, and an error has none.
        if attribute not in builders and attribute != "ConfigError":
            assert doctest.DocTestParser().get_examples(thing.__doc__ or ""), name
    assert builders <= last


def test_the_reference_has_every_name_of_the_flower_integration():
    source = (ROOT / "fedlib" / "integrations" / "flower" / "__init__.py").read_text()
    names = re.findall(r'^    "(\w+)",$', source, re.MULTILINE)
    assert "RuleStrategy" in names
    assert {f"{FLOWER}.{name}" for name in names} <= set(_named_by_the_reference())
