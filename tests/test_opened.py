"""Pages share archives and judged claims, which are made anew when the store has changed."""

import shutil
from pathlib import Path

import pytest

from fedlib.evidence.pages.opened import judged_claims, opened
from fedlib.grids import load_grid

SLUG = "two_stage_attack"
STORED = Path(__file__).parent.parent / "results" / SLUG


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of results that has a copy of one paper's runs at the quick scale."""
    (tmp_path / SLUG).mkdir()
    shutil.copy2(STORED / "quick.jsonl", tmp_path / SLUG)
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    return tmp_path / SLUG


def test_an_archive_is_opened_once_while_the_store_stays_as_it_is(folder):
    assert opened(SLUG) is opened(SLUG)
    assert opened(SLUG).store.folder == folder
    assert judged_claims(SLUG) is judged_claims(SLUG)


def test_a_record_that_is_added_is_seen(folder):
    path = folder / "quick.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    fewer = len(opened(SLUG).store.read("quick")), judged_claims(SLUG)
    path.write_bytes(b"".join(lines))
    assert len(opened(SLUG).store.read("quick")) == fewer[0] + 1
    assert judged_claims(SLUG) is not fewer[1]


def test_a_file_that_is_added_is_seen(folder):
    fewer = len(opened(SLUG).results())
    shutil.copy2(STORED / "paper.jsonl", folder)
    assert len(opened(SLUG).results()) > fewer


def test_each_folder_of_results_has_its_own_archive(folder, tmp_path_factory, monkeypatch):
    here = opened(SLUG), judged_claims(SLUG)
    other = tmp_path_factory.mktemp("empty")
    monkeypatch.setenv("FEDLIB_RESULTS", str(other))
    assert opened(SLUG).grid is load_grid(SLUG)
    assert opened(SLUG).results() == []
    assert judged_claims(SLUG).judged != here[1].judged
