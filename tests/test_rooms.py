"""The modules of a paper's folder, found by the paper's name."""

import sys
import types

import pytest

from fedlib.evidence.rooms import tables_of
from fedlib.validation import ConfigError


def test_the_tables_of_a_paper_are_found_by_its_name():
    assert tables_of("gradient_guard").CLAIMS


def test_a_paper_without_tables_is_told_in_one_line(monkeypatch):
    folder = types.ModuleType("fedlib.papers.empty")
    folder.__path__ = []
    monkeypatch.setitem(sys.modules, "fedlib.papers.empty", folder)
    with pytest.raises(ConfigError, match=r"^paper='empty' has no fedlib/papers/empty/tables\.py"):
        tables_of("empty")


def test_a_package_that_the_tables_miss_is_not_taken_for_missing_tables(monkeypatch, tmp_path):
    (tmp_path / "tables.py").write_text("import a_package_that_nobody_has\n")
    folder = types.ModuleType("fedlib.papers.needy")
    folder.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "fedlib.papers.needy", folder)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        tables_of("needy")
