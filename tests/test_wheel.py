"""The library as users have it: built, installed into a new environment, used from elsewhere."""

import email
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import fedlib

ROOT = Path(__file__).parent.parent
CELL = "table_iv/mnist_noniid/rop/tm/0.9"
RUN = ("run", "centered_clipping", "--scale", "smoke", "--only", CELL, "--jobs", "1")


def call(*command, cwd, env=None):
    """Run a command. A search path of the user's own would hide what is installed."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=env or {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy, because a build leaves folders beside its sources."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "fedlib", source / "fedlib", ignore=shutil.ignore_patterns("__pycache__")
    )
    # What builds it is taken from this environment, so that no registry is asked.
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", made]
    built = call(sys.executable, "-m", "pip", "wheel", *options, ".", cwd=source)
    assert built.returncode == 0, built.stderr
    (path,) = made.iterdir()
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A new environment with the wheel in it. It borrows the dependencies of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    installed = call(
        sys.executable, "-m", "pip", "--python", python, "install",
        "--no-deps", "--no-index", "--quiet", wheel, cwd=folder,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    (packages,) = folder.glob("lib/python3*/site-packages")
    # These folders come after the environment's own, so that this repository's fedlib is not taken.
    borrowed = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (packages / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    return python


@pytest.fixture
def use(python, tmp_path):
    """Call the installed library from an empty folder, without settings and without data."""
    empty = tmp_path / "empty folder"
    empty.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FEDLIB", "PYTHON"))}
    kept.update(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"), FEDLIB_KERNELS="off")

    def run(*arguments, **settings):
        found = call(python, *arguments, cwd=empty, env={**kept, **settings})
        assert found.returncode == 0, found.stderr
        return found

    run.folder = empty
    return run


def test_the_wheel_holds_the_library_and_the_published_numbers_and_no_more(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        told = email.message_from_bytes(archive.read(metadata))
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "fedlib").rglob("*")
        if path.suffix in (".py", ".csv")
    }
    about = f"fedlib-{fedlib.__version__}.dist-info/"
    assert {name for name in names if not name.startswith(about)} == tracked
    assert sum(name.endswith("published.csv") for name in names) == 3
    assert told["Version"] == fedlib.__version__
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(told.get_all("Provides-Extra")) == set(extras["optional-dependencies"])
    assert {"bench", "book", "rl"} <= set(told.get_all("Provides-Extra"))


def test_the_version_is_the_same_everywhere():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == fedlib.__version__
    assert f"\n## {fedlib.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_installed_library_runs_from_an_empty_folder(use, python):
    code = (
        "import fedlib, torch\n"
        "from fedlib.evidence.published import load_published, published_slugs\n"
        "print(fedlib.__file__, fedlib.__version__)\n"
        "print({slug: len(load_published(slug)) > 100 for slug in published_slugs()})\n"
        "print(fedlib.AGGREGATORS['median']().apply(torch.eye(3))[0].tolist())\n"
    )
    place, published, median = use("-c", code).stdout.splitlines()
    assert place.startswith(str(python.parent.parent)) and place.endswith(fedlib.__version__)
    assert published.count("True") == 3 and "False" not in published
    assert median == "[0.0, 0.0, 0.0]"

    # Results go to the folder where the command is called, and are found there again.
    first = use("-m", "fedlib", *RUN)
    kept = use.folder / "results" / "centered_clipping" / "smoke.jsonl"
    assert "1 run computed, 0 stored before" in first.stdout
    assert f"Records: {kept}" in first.stdout
    assert len(kept.read_text().splitlines()) == 1
    assert f"fedlib {fedlib.__version__}" in kept.read_text()
    assert "0 runs computed, 1 stored before" in use("-m", "fedlib", *RUN).stdout
    listed = use("-m", "fedlib", "list", "centered_clipping", "--only", CELL)
    assert f"stored results are read from {use.folder / 'results'}\n" in listed.stderr
    assert "1 at scale smoke" in listed.stdout
    assert "FILE_OR_NAME" in use("-m", "fedlib", "rank", "--help").stdout


def test_the_installed_library_reads_and_stores_where_it_is_told(use, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    told = use("-m", "fedlib", *RUN, FEDLIB_RESULTS=str(elsewhere))
    assert f"Records: {elsewhere / 'centered_clipping' / 'smoke.jsonl'}" in told.stdout
    assert not list(use.folder.iterdir())
    listed = use("-m", "fedlib", "list", "centered_clipping", FEDLIB_RESULTS=str(elsewhere))
    assert f"read from {elsewhere}\n" in listed.stderr and "1 at scale smoke" in listed.stdout
