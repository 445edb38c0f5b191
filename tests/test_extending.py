"""Adding a part touches one file: the tests, the catalogue and mypy take a new part by themselves.

Files are written into a copy of the package: those of ``tests/extensions``, and the examples of the
page on extending as they are printed.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "book" / "extend.md").read_text(encoding="utf-8")
EXTENSIONS = Path(__file__).parent / "extensions"
PARTS = ("aggregators", "attacks", "clients", "trackers")


def printed_files():
    """The files that the page on extending prints, by their paths."""
    return dict(re.findall(r"`fedlib/(\w+/\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A folder with the extended package, the tests, and what mypy has cached."""
    folder = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "fedlib", folder / "fedlib", ignore=leave)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=leave)
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=leave)
    for name in ("pyproject.toml", "book"):
        (folder / name).symlink_to(ROOT / name)
    if (ROOT / ".mypy_cache").exists():
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    shutil.copytree(EXTENSIONS, folder / "fedlib", dirs_exist_ok=True, ignore=leave)
    for path, text in printed_files().items():
        assert not (folder / "fedlib" / path).exists(), path
        (folder / "fedlib" / path).write_text(text)
    return folder


def run(folder, *command):
    # The kernels of a copy would all be compiled anew, which takes long, and no part needs them.
    environment = {
        **os.environ,
        "FEDLIB_KERNELS": "off",
        "FEDLIB_RESULTS": str(folder / "results"),
        "PYTHONPATH": str(folder),
    }
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True, text=True, cwd=folder, timeout=600, env=environment,
    )  # fmt: skip


def new_names():
    """The names under which the new parts are registered."""
    texts = [path.read_text() for part in PARTS for path in (EXTENSIONS / part).glob("*.py")]
    return [
        re.search(r'\.register\("(\w+)"\)', text)[1] for text in [*texts, *printed_files().values()]
    ]


def test_the_page_prints_a_file_for_each_kind_of_part():
    assert {path.split("/")[0] for path in printed_files()} == set(PARTS)
    for path, text in printed_files().items():
        assert len([line for line in text.splitlines() if line.strip()]) <= 40, path


def test_new_parts_pass_the_tests_that_go_over_the_catalogues(copy):
    pattern = " or ".join(new_names())
    files = [
        f"tests/test_{name}.py"
        for name in ("aggregators", "attacks", "client_step", "trackers", "facts", "guarantees")
    ]
    result = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", pattern)
    assert result.returncode == 0, result.stdout[-4000:]
    passed = int(re.search(r"(\d+) passed", result.stdout)[1])
    assert passed > 60, result.stdout[-500:]


def test_new_parts_pass_mypy(copy):
    result = run(copy, "-m", "mypy")
    assert result.returncode == 0, result.stdout


def test_new_parts_are_in_the_catalogue(copy):
    (copy / "page.md").write_text((ROOT / "book" / "catalogue.md").read_text())
    result = run(copy, "-m", "fedlib.evidence.pages", "page.md")
    assert result.returncode == 0, result.stderr
    text = (copy / "page.md").read_text()
    for name in ("counted_trimming", "median_norm", "critical_flip", "mirror"):
        assert f"\n### {name}\n" in text
    entry = text.split("### median_norm")[1].split("###")[0]
    assert "A factor of the median norm." in entry and "Cost: $O(n d)$" in entry, entry


def test_the_example_of_a_run_is_played(copy):
    (example,) = re.findall(r"first example of each kind:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    (copy / "example.py").write_text(example.replace("rounds=100", "rounds=20"))
    result = run(copy, "-W", "ignore", "example.py")
    assert result.returncode == 0, result.stderr
    said = r"accuracy after the last round: \d+ %\nmean norm of the honest updates: \d\.\d\d\n"
    assert re.fullmatch(said, result.stdout), result.stdout


def test_new_parts_get_rows_in_a_chapter_and_the_claims_stay(copy):
    (in_chapter,) = re.findall(r"```python\n(RULES\[.*?)```", PAGE, re.DOTALL)
    code = (
        "from fedlib.papers.centered_clipping.settings import ATTACK_NAMES, RULES, RULE_TITLES\n"
        + in_chapter
        + "ATTACK_NAMES['mirror'] = 'mirror'\n"
        "from fedlib import Archive, load_grid\n"
        "from fedlib.papers.centered_clipping import tables\n"
        "text = ' '.join(claim.text for claim in tables.CLAIMS)\n"
        "assert 'median norm' not in text and 'mirror' not in text\n"
        "cells = {cell for claim in tables.CLAIMS for cell in claim.cells}\n"
        "assert not [cell for cell in cells if 'mirror' in cell or 'median_norm' in cell]\n"
        "table = tables.table_iv(Archive(load_grid('centered_clipping')), 'mnist_noniid')\n"
        "assert sum(row[0] == 'median norm' for row in table.rows) == 7, table.rows\n"
    )
    result = run(copy, "-c", code)
    assert result.returncode == 0, result.stderr


def test_a_sixth_paper_is_its_folder_alone(copy):
    result = run(copy, "-m", "fedlib", "run", "sixth_paper", "--scale", "smoke",
                 "--data", "embedded", "--jobs", "1")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "2 runs computed" in result.stdout
    result = run(copy, "-m", "fedlib", "list", "sixth_paper")
    assert result.returncode == 0, result.stderr
    assert re.search(r"table_1/ipm +smoke", result.stdout), result.stdout
    (copy / "page.md").write_text("{coverage:sixth_paper}; {tally:sixth_paper}")
    assert run(copy, "-m", "fedlib.evidence.pages", "page.md").returncode == 0
    text = (copy / "page.md").read_text()
    wanted = "2 cells: 2 at scale smoke, embedded data (1 seed)"
    assert text == f"{wanted}; 1 sentence: 1 undecided (1 row: 1 undecided)", text


def test_the_page_on_papers_prints_files_that_work(copy):
    text = (ROOT / "book" / "add_a_paper.md").read_text(encoding="utf-8")
    grid, claims, tables, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    code = (
        grid
        + claims
        + tables.replace("from __future__ import annotations\n", "")
        + (
            "from fedlib import DataConfig\n"
            "cells = GRID.cells('paper', 1, lambda name: DataConfig(name))\n"
            "assert [cell.key for cell in cells] == ['table_1/ipm', 'table_1/sign_flip']\n"
            "assert Key.parse('table_1/ipm') == Key('ipm')\n"
            "assert CLAIMS[0].cells == ('table_1/ipm',)\n"
            "(row,) = claims_table(Archive(GRID)).judged\n"
            "assert row.verdict == 'undecided: not computed', row.verdict\n"
        )
    )
    result = run(copy, "-c", code)
    assert result.returncode == 0, result.stderr
