"""The machine: which devices are taken, by how many threads is computed, and which code it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fedlib import __version__, hardware
from fedlib.validation import ConfigError


def test_auto_takes_no_device_without_float64(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert hardware.check_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"device='mps' has no float64. Allowed: auto, cpu\."):
        hardware.check_device("mps")


def test_auto_takes_the_first_gpu_that_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert hardware.check_device("auto") == torch.device("cuda")
    assert hardware.check_device("cuda:1") == torch.device("cuda:1")


def test_one_thread_is_given_back_whatever_happens():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ZeroDivisionError), hardware.one_thread():
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


PACKAGE = Path(hardware.__file__).parent
ASK = (
    "from fedlib import hardware; from fedlib.runs.store import results_root;"
    "print(hardware.commit(), results_root(), sep='|')"
)


def git(folder, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def put_package(folder, project):
    """A repository with a commit, and in it the package beside a ``pyproject.toml``."""
    skipped = shutil.ignore_patterns("__pycache__", "published.csv")
    shutil.copytree(PACKAGE, folder / "fedlib", ignore=skipped)
    (folder / "pyproject.toml").write_text(project)


def answer(folder, work, **environment):
    work.mkdir()
    known = {k: v for k, v in os.environ.items() if k != "FEDLIB_RESULTS"}
    result = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=work, capture_output=True, text=True, check=True, timeout=120,
        env={**known, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )  # fmt: skip
    return result.stdout.strip().split("|")


@pytest.mark.parametrize("project", ['[project]\nname = "other"\n', "[tool]\n", "no toml ["])
def test_an_installed_package_has_neither_commit_nor_results_of_what_lies_around_it(
    tmp_path, project
):
    put_package(tmp_path, project)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "fedlib/__init__.py")
    git(tmp_path, "commit", "-q", "-m", "other")
    code, results = answer(tmp_path, tmp_path / "work")
    assert code == f"fedlib {__version__}"
    assert results == str(tmp_path / "work" / "results")


def test_the_project_has_its_own_commit_and_no_other(tmp_path):
    own, outer = tmp_path / "outer" / "own", tmp_path / "outer"
    own.mkdir(parents=True)
    put_package(own, '[project]\nname = "fedlib"\n')
    git(outer, "init", "-q")
    git(outer, "commit", "-q", "--allow-empty", "-m", "outer")
    assert answer(own, tmp_path / "a") == [f"fedlib {__version__}", str(own / "results")]
    git(own, "init", "-q")
    git(own, "add", "fedlib")
    git(own, "commit", "-q", "-m", "own")
    head = git(own, "rev-parse", "HEAD")[:12]
    assert answer(own, tmp_path / "b", GIT_DIR=str(outer / ".git"))[0] == head
    (own / "fedlib" / "new.py").write_text("")
    assert answer(own, tmp_path / "c")[0] == f"{head}+"


@pytest.mark.parametrize("there", [False, True])
def test_a_repository_that_git_does_not_open_is_not_taken_for_none(tmp_path, there):
    put_package(tmp_path, '[project]\nname = "fedlib"\n')
    refusing = tmp_path / "bin" / "git"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\necho fatal: detected dubious ownership >&2\nexit 128\n")
    refusing.chmod(0o755)
    if there:
        git(tmp_path, "init", "-q")
    code, _ = answer(tmp_path, tmp_path / "work", PATH=str(refusing.parent))
    assert code == f"fedlib {__version__}" + (", commit unknown" if there else "")


def test_versions_are_those_of_the_first_call(monkeypatch):
    before = hardware.versions()
    assert before["numpy"] == hardware.metadata.version("numpy")
    monkeypatch.setattr(hardware.metadata, "version", lambda name: "another")
    assert hardware.versions() == before
