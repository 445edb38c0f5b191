"""The commands of the Makefile: in a folder of any name, and several at once."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest
import yaml
from jupyter_book.config import get_final_config
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools import build_site, check_toc, notebooks, repository, set_up, smoke_notebooks
from tools.workspace import put_in_place, workspace

ROOT = Path(__file__).parent.parent
# Each of these means something to a shell or to make.
NAME = 'a b & c; it\'s (#1) $HOME `x` "y"'

# A Python that only writes down what it is called with, and where.
RECORDER = f"""#!/bin/sh
exec {shlex.quote(sys.executable)} -c 'import json, os, sys
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")' "$@"
"""


@pytest.fixture
def make(tmp_path):
    """Run a target in a folder with a bad name; give the calls of Python that it makes."""
    folder = tmp_path / NAME
    folder.mkdir()
    for name in ("Makefile", "tools", "notebooks", ".ci"):
        (folder / name).symlink_to(ROOT / name)
    python = tmp_path / NAME / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(RECORDER)
    python.chmod(0o755)
    python3 = shutil.copy(python, tmp_path / "python 3")
    record = tmp_path / "record"

    def called(*command):
        record.write_text("")
        result = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, timeout=60,
            env={**os.environ, "RECORD": str(record), "PYTHON": str(python3), "MAKEFLAGS": ""},
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert not result.stderr
        return [json.loads(line) for line in record.read_text().splitlines()]

    called.folder = folder
    return called


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
SET_UP = ["tools/set_up.py", ".venv"]
CHAPTERS = [f"notebooks/{path.name}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
SITE = ["-m", "tools.build_site", "--build", "_build", "--html"]


@needs_make
def test_every_target_calls_what_it_names_in_a_folder_of_any_name(make):
    assert make("make", "setup") == [SET_UP]
    assert make("make", "site") == [SET_UP, [*SITE, "_build/html"]]
    texts = [name.replace(".ipynb", ".md") for name in CHAPTERS]
    assert make("make", "chapters") == [SET_UP, ["tools/execute_notebooks.py", *texts]]
    style = [["-m", "ruff", "check", "."], ["-m", "ruff", "format", "--check", "."]]
    types = ["-m", "mypy"]
    assert make("make", "lint") == [SET_UP, *style, types]
    unit = ["-m", "pytest", "-q", "-n", "3", "--dist", "worksteal"]
    chapters = [
        ["tools/check_toc.py"],
        ["tools/check_notebooks.py", *CHAPTERS],
        ["-m", "tools.smoke_notebooks", "--build", "_build"],
    ]
    browse = ["-m", "pytest", "-q", "-n", "2", "tests/test_site.py"]
    site = [*SITE, "_build/html-committed"]
    committed = [*chapters, SET_UP, site, SET_UP, browse]
    assert make("make", "committed") == [SET_UP, *committed]
    for command in (["make", "test"], [".ci/run"]):
        calls = make(*command)
        assert calls[:4] == [SET_UP, *style, SET_UP]
        # They begin beside the chapters, before or after one of them.
        calls.remove(types)
        calls.remove(unit)
        assert calls[4:] == committed
    *_, pytest_call, summary = make("make", "bench", "ONLY=mda or krum", "DEVICE=cuda")
    assert pytest_call[2:7] == ["-q", "benchmarks", "-k", "mda or krum", "--device"]
    assert summary[1:] == ["_build/benchmark.json", "benchmarks/measured_gpu.json"]
    (make.folder / "_build" / "html").mkdir(parents=True)
    assert make("make", "clean") == []
    assert not (make.folder / "_build").exists()


@needs_make
def test_the_chapters_parameters_arrive_as_they_were_given(make):
    only = '*/it\'s "rop"/a&b; *'
    given = ("SCALE=quick", "SEEDS=2", "DATA=real", "DEVICE=cuda:1", "JOBS=3", f"ONLY={only}")
    _, call = make("make", "book", *given, "BUILD=out put", "VENV=.venv")
    assert call == [
        "-m", "tools.build_site", "--execute",
        "--parameter", "scale", "quick", "--parameter", "seeds", "2",
        "--parameter", "data", "real", "--parameter", "device", "cuda:1",
        "--parameter", "jobs", "3", "--parameter", "only", only,
        "--build", "out put", "--html", "out put/html",
    ]  # fmt: skip


@needs_make
def test_an_environment_elsewhere_may_have_any_name_too(make):
    (make.folder / ".venv").rename(make.folder / "my venv")
    calls = make("make", "site", "VENV=my venv")
    assert calls == [["tools/set_up.py", "my venv"], [*SITE, "_build/html"]]


@needs_make
def test_help_names_every_target_but_itself():
    text = (ROOT / "Makefile").read_text()
    (targets,) = [line for line in text.splitlines() if line.startswith(".PHONY:")]
    result = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True)
    for target in set(targets.split()[1:]) - {"help"}:
        assert f"make {target}" in result.stdout, target


@pytest.fixture
def book(tmp_path):
    """A small book: two pages, two chapters."""
    root = tmp_path / "root"
    for folder in ("book", "notebooks", "benchmarks"):
        (root / folder).mkdir(parents=True)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nchapters:\n- file: book/rerun\n"
        "- file: notebooks/one\n- file: notebooks/two\n"
    )
    (root / "_config.yml").write_text("title: A book\n")
    for name in ("intro", "rerun"):
        (root / "book" / f"{name}.md").write_text(f"# {name}\n")
    for name in ("one", "two"):
        (root / "notebooks" / f"{name}.md").write_text("text")
        (root / "notebooks" / f"{name}.ipynb").write_text("stored")
    return root


@pytest.fixture
def steps(monkeypatch):
    """Papermill, the pages' marks and jupyter-book, made up: a page shows its source."""

    def execute(notebook, output, parameters=()):
        output.write_text(f"executed {dict(parameters)}")

    def render(source, output):
        html = output / "_build" / "html"
        html.mkdir(parents=True)
        text = "".join(path.read_text() for path in sorted(source.rglob("*.ipynb")))
        (html / "index.html").write_text(text)
        return html

    monkeypatch.setattr(notebooks, "execute", execute)
    monkeypatch.setattr(build_site, "fill_pages", lambda root, source: None)
    monkeypatch.setattr(build_site, "render", render)
    return render


def test_two_builds_at_once_each_render_their_own_chapters(book, steps, monkeypatch):
    both, shown = threading.Barrier(2, timeout=20), {}

    def render(source, output):
        both.wait()  # both builds have made their sources, and neither has rendered them
        html = steps(source, output)
        both.wait()
        return html

    monkeypatch.setattr(build_site, "render", render)

    def build(scale):
        html = book / "_build" / scale
        build_site.build(
            book, book / "_build", html, execute=scale != "stored", parameters=[("scale", scale)]
        )
        shown[scale] = (html / "index.html").read_text()

    threads = [threading.Thread(target=build, args=(scale,)) for scale in ("quick", "stored")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown == {"quick": "executed {'scale': 'quick'}" * 2, "stored": "stored" * 2}
    assert sorted(path.name for path in (book / "_build").iterdir()) == ["quick", "stored"]


@pytest.mark.parametrize(("given", "most"), [([], 2), ([("scale", "quick")], 1)])
def test_chapters_are_executed_side_by_side_unless_they_compute_runs(
    book, steps, monkeypatch, given, most
):
    running, seen, lock = set(), [], threading.Lock()
    both = threading.Barrier(most, timeout=20)

    def execute(notebook, output, parameters):
        with lock:
            running.add(notebook)
            seen.append(len(running))
        both.wait()
        with lock:
            running.remove(notebook)
        output.write_text("executed")

    monkeypatch.setattr(notebooks, "execute", execute)
    html = book / "_build" / "html"
    build_site.build(book, book / "_build", html, execute=True, parameters=given)
    assert max(seen) == most
    assert (html / "index.html").read_text() == "executed" * 2


def test_pages_are_filled_after_the_chapters_that_compute_what_they_show(book, steps, monkeypatch):
    done = []
    monkeypatch.setattr(notebooks, "execute", lambda notebook, *_: done.append(notebook.name))
    monkeypatch.setattr(build_site, "fill_pages", lambda root, source: done.append("pages"))
    (book / "notebooks" / "two.ipynb").write_text("a longer one")
    html = book / "_build" / "html"
    parameters = [("scale", "quick")]
    build_site.build(book, book / "_build", html, execute=True, parameters=parameters)
    assert done == ["two.ipynb", "one.ipynb", "pages"]


def test_works_that_have_not_begun_are_left_out_after_an_error():
    begun = []

    def fail():
        raise subprocess.CalledProcessError(1, "papermill")

    def work():
        begun.append(1)
        time.sleep(0.01)

    with pytest.raises(subprocess.CalledProcessError):
        notebooks.at_once([fail, *[work] * 1000], 1)
    assert len(begun) < 1000


def test_a_build_leaves_the_working_tree_and_replaces_the_site(book, steps):
    before = {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}
    html = book / "_build" / "html"
    build_site.build(book, book / "_build", html, execute=True)
    (html / "page_of_before.html").write_text("x")
    build_site.build(book, book / "_build", html)
    assert [path.name for path in html.iterdir()] == ["index.html"]
    assert before == {path: path.read_bytes() for path in before}


def test_a_build_that_fails_leaves_the_site_and_says_where_it_was(book, steps, monkeypatch, capsys):
    html = book / "_build" / "html"
    build_site.build(book, book / "_build", html)

    def remote(source, output):
        rendered = steps(source, output)
        (rendered / "index.html").write_text('<script src="https://x.org/a.js"></script>')
        return rendered

    monkeypatch.setattr(build_site, "render", remote)
    with pytest.raises(build_site.BuildError, match=r"index.html: <script> https://x.org/a.js"):
        build_site.build(book, book / "_build", html)
    assert (html / "index.html").read_text() == "storedstored"
    (left,) = (book / "_build").glob("site-*")
    assert str(left) in capsys.readouterr().err
    monkeypatch.setattr(build_site, "render", lambda _, output: output)
    with pytest.raises(build_site.BuildError, match=r"holds no index\.html"):
        build_site.build(book, book / "_build", html)


@pytest.mark.parametrize("step", ["execute", "fill", "render"])
def test_a_step_that_fails_is_the_commands_status(book, steps, monkeypatch, capsys, step):
    def fail(*_, **__):
        raise subprocess.CalledProcessError(3, ["python", "-m", step])

    monkeypatch.chdir(book)
    place = {"execute": (notebooks, "execute"), "fill": (build_site, "fill_pages")}
    monkeypatch.setattr(*place.get(step, (build_site, "render")), fail)
    options = ["--execute", "--build", "_build", "--html", "_build/html"]
    assert build_site.main(options) == 1
    assert f"status 3 of -m {step}" in capsys.readouterr().err
    assert not (book / "_build" / "html").exists()


def test_moves_to_one_place_at_once_end_with_one_whole_folder(tmp_path):
    place = tmp_path / "html"

    def put(name):
        for number in range(20):
            with workspace(tmp_path / "build", name) as folder:
                for file in ("a", "b"):
                    (folder / "made").mkdir(exist_ok=True)
                    (folder / "made" / file).write_text(f"{name} {number}")
                put_in_place(folder / "made", place)

    threads = [threading.Thread(target=put, args=(name,)) for name in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = ((place / file).read_text() for file in ("a", "b"))
    assert first == second and first.endswith(" 19")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "html"]


def test_chapters_are_tried_in_a_folder_of_their_own(book, steps, monkeypatch):
    seen = []

    def run(command, check):
        seen.append((os.environ["FEDLIB_RESULTS"], [Path(path) for path in command[-2:]]))
        executed = "executed {'scale': 'smoke', 'jobs': '1'}"
        assert all(path.read_text() == executed for path in seen[-1][1])

    monkeypatch.setenv("FEDLIB_RESULTS", "")
    monkeypatch.setenv("FEDLIB_DATA", "")
    monkeypatch.setattr(smoke_notebooks.subprocess, "run", run)
    for _ in range(2):
        smoke_notebooks.smoke(book, book / "_build")
    results = {Path(folder) for folder, _ in seen}
    assert len(results) == 2
    assert all(Path(folder).parent == paths[0].parent for folder, paths in seen)


def test_the_books_table_of_contents_is_complete():
    assert check_toc.problems(ROOT) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda root: (root / "book/new.md").write_text("x"),
         "_toc.yml does not name 'book/new', so that the site lacks book/new.md"),
        (lambda root: (root / "notebooks/new.ipynb").write_text("x"),
         "_toc.yml does not name 'notebooks/new', so that the site lacks notebooks/new.ipynb"),
        (lambda root: (root / "book/rerun.md").unlink(),
         "_toc.yml names 'book/rerun', and there is no such page below book and notebooks"),
        (lambda root: (root / "notebooks/one.ipynb").unlink(),
         "notebooks/one.md has no notebook, which make chapters makes of it"),
        (lambda root: (root / "_toc.yml").unlink(), "cannot be read: No such file"),
        (lambda root: (root / "_toc.yml").write_text("a: [x"), "cannot be read: while parsing"),
        (lambda root: (root / "_toc.yml").open("a").write("- file: book/rerun\n"),
         "document file used multiple times: 'book/rerun'"),
    ],
)  # fmt: skip
def test_a_page_out_of_place_is_named_by_the_check_and_stops_a_build(
    book, steps, change, problem, capsys
):
    assert check_toc.problems(book) == []
    change(book)
    assert check_toc.main([str(book)]) == 1
    assert problem in capsys.readouterr().err
    with pytest.raises(build_site.BuildError) as error:
        build_site.build(book, book / "_build", book / "_build" / "html", execute=True)
    assert problem in str(error.value)
    assert not (book / "_build").exists()  # nothing was executed first


def test_pages_that_are_meant_to_be_left_out_are_listed(book):
    (book / "book" / "draft.md").write_text("x")
    assert check_toc.problems(book, {"book/draft"}) == []
    (missing,) = check_toc.problems(book, {"book/draft", "book/gone"})
    assert "lists 'book/gone' as left out, and there is no such file" in missing
    (named,) = check_toc.problems(book, {"book/draft", "book/rerun"})
    assert "names 'book/rerun', which tools/check_toc.py lists as left out" in named


def test_hidden_files_and_globs_are_understood(book):
    (book / "book" / ".ipynb_checkpoints").mkdir()
    (book / "book" / ".ipynb_checkpoints" / "x.ipynb").write_text("x")
    (book / "book" / "_static").mkdir()
    (book / "book" / "_static" / "notes.md").write_text("x")
    assert check_toc.problems(book) == []
    (book / "book" / "more.md").write_text("x")
    with (book / "_toc.yml").open("a") as toc:
        toc.write("- glob: book/m*\n")
    assert check_toc.problems(book) == []


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A folder that an environment is made in; pip and venv are made up, and counted."""
    calls = []

    def run(command, check):
        assert check
        calls.append(command)

    monkeypatch.chdir(tmp_path)
    for name in set_up.NAMED_IN:
        Path(name).touch()
    monkeypatch.setattr(set_up.subprocess, "run", run)
    return calls


def test_an_environment_is_made_once_and_again_when_what_it_needs_changes(bare):
    venv = Path("a folder", ".venv")
    set_up.set_up(venv)
    assert [command[1:3] for command in bare] == [["-m", "venv"], ["-m", "pip"]]
    set_up.set_up(venv)
    assert len(bare) == 2
    later = (venv / ".installed").stat().st_mtime + 10
    os.utime("constraints.txt", (later, later))
    set_up.set_up(venv)
    assert len(bare) == 4


def test_the_pins_that_flower_does_not_work_with_are_left_out_for_flower_alone(bare):
    Path("constraints.txt").write_text("# pins\ncertifi==1\nnumpy==2\npackaging==3\n")
    for folder, extras in (("one", "flower,ray"), ("two", set_up.EXTRAS)):
        set_up.set_up(Path(folder), extras)
        assert bare[-1][-2:] == ["-e", f".[{extras}]"]
        assert bare[-1][-3] == str(Path(folder, "constraints.txt"))
    assert Path("one", "constraints.txt").read_text() == "# pins\nnumpy==2\n"
    assert Path("two", "constraints.txt").read_text() == Path("constraints.txt").read_text()


def test_two_that_set_up_at_once_do_it_once(bare, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def run(command, check):
        bare.append(command)
        begun.set()
        assert go_on.wait(20)

    monkeypatch.setattr(set_up.subprocess, "run", run)
    first = threading.Thread(target=set_up.set_up, args=(Path(".venv"),))
    first.start()
    assert begun.wait(20)
    second = threading.Thread(target=set_up.set_up, args=(Path(".venv"),))
    second.start()
    second.join(0.2)
    assert second.is_alive() and len(bare) == 1
    go_on.set()
    first.join()
    second.join()
    assert len(bare) == 2


def test_an_environment_that_cannot_be_made_is_named(bare, monkeypatch, capsys):
    def fail(command, check):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(set_up.subprocess, "run", fail)
    assert set_up.main([".venv"]) == 1
    assert "fedlib cannot be set up: " in capsys.readouterr().err
    assert not Path(".venv", ".installed").exists()
    monkeypatch.setattr(set_up, "OLDEST", (3, 99))
    assert set_up.main([".venv"]) == 1
    assert "is not 3.11 to 3.13: make PYTHON=python3.12" in capsys.readouterr().err


def test_what_is_required_what_is_pinned_and_what_conda_takes_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    extras = project["optional-dependencies"]
    # Flower wants other versions than the book, so that no pins would suit both.
    extras = {name: group for name, group in extras.items() if name not in ("flower", "ray")}
    for text in [*project["dependencies"], *(text for group in extras.values() for text in group)]:
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        (pin,) = [pin for pin in pinned if canonicalize_name(pin.name) == name]
        ((_, version),) = [(spec.operator, spec.version) for spec in pin.specifier]
        assert version in wanted.specifier, f"{text} but {pin}"
    conda = (ROOT / "environment.yml").read_text()
    assert re.search(r"- -e (\S+)", conda)[1] == f".[{set_up.EXTRAS}]"
    python = re.search(r"- python=(\S+)", conda)[1]
    assert python in SpecifierSet(project["requires-python"])
    assert set_up.OLDEST == (3, 11) and set_up.TOO_NEW == (3, 14)
    assert project["requires-python"] == ">=3.11,<3.14"


def theme_with(address, folder):
    """The options of the theme that jupyter-book comes to with an address of the repository."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["repository"]["url"] = address
    path = folder / "_config.yml"
    path.write_text(yaml.safe_dump(config))
    repository.configure(path)
    final, _ = get_final_config(
        user_yaml=path, validate=False, cli_config={"latex_individualpages": False}
    )
    return final["html_theme_options"]


def test_without_an_address_of_the_repository_no_button_is_shown(tmp_path):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert config["repository"]["url"] == ""
    theme = theme_with("", tmp_path)
    assert "repository_url" not in theme and "launch_buttons" not in theme
    own = {"use_download_button"}  # needs no repository
    assert not any(v for name, v in theme.items() if name.startswith("use_") and name not in own)


def test_the_address_of_the_repository_is_one_setting(book, steps, monkeypatch, tmp_path):
    github = theme_with("https://github.com/somebody/fedlib/", tmp_path)
    assert github["repository_url"] == "https://github.com/somebody/fedlib"
    assert github["repository_branch"] == "main"
    assert github["launch_buttons"]["binderhub_url"] == "https://mybinder.org"
    assert github["launch_buttons"]["colab_url"] == "https://colab.research.google.com"
    assert github["use_repository_button"] and github["use_issues_button"]
    assert github["home_page_in_toc"]  # the other options stay
    # Colab opens notebooks of GitHub alone, and the theme would warn.
    elsewhere = theme_with("https://gitlab.com/somebody/fedlib", tmp_path)
    assert "colab_url" not in elsewhere["launch_buttons"]

    seen = []
    text = "title: A book\nrepository:\n  url: https://github.com/somebody/fedlib\n"
    (book / "_config.yml").write_text(text)

    def render(source, output):
        seen.append(yaml.safe_load((source / "_config.yml").read_text()))
        return steps(source, output)

    monkeypatch.setattr(build_site, "render", render)
    build_site.build(book, book / "_build", book / "_build" / "html")
    shown = seen[0]["sphinx"]["config"]["html_theme_options"]
    assert shown["use_repository_button"] and seen[0]["title"] == "A book"
    assert (book / "_config.yml").read_text() == text


@pytest.mark.parametrize("address", ["github.com/somebody/fedlib", "https://github.com/somebody"])
def test_an_address_that_is_none_ends_the_build(book, steps, monkeypatch, capsys, address):
    (book / "_config.yml").write_text(f"repository:\n  url: {address}\n")
    monkeypatch.chdir(book)
    assert build_site.main(["--build", "_build", "--html", "_build/html"]) == 1
    assert f"repository.url='{address}' in _config.yml must be empty" in capsys.readouterr().err


def test_the_container_sets_up_from_files_that_it_has_copied():
    text = (ROOT / "Dockerfile").read_text()
    before, _, after = text.partition("RUN make setup")
    for name in (*set_up.NAMED_IN, "README.md", "LICENSE", "Makefile"):
        assert re.search(rf"^COPY .*\b{re.escape(name)}\b", before, re.MULTILINE), name
    assert "COPY tools/set_up.py tools/" in before and "COPY fedlib fedlib" in before
    assert "COPY . ." in after and 'CMD ["make", "book"]' in after
    assert "VENV=/opt/venv" in before  # as the Makefile and the dev container take it
    lines = (ROOT / ".devcontainer" / "devcontainer.json").read_text().splitlines()
    container = json.loads("\n".join(line for line in lines if not line.strip().startswith("//")))
    assert container["workspaceFolder"] == "/book" and "WORKDIR /book" in text
    settings = container["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"] == "/opt/venv/bin/python"


def test_binder_installs_the_library_with_the_versions_of_the_book():
    lines = (ROOT / ".binder" / "requirements.txt").read_text().splitlines()
    assert "-e .[book,rl]" in lines
    (constraints,) = [line.removeprefix("-c ") for line in lines if line.startswith("-c ")]
    assert (ROOT / ".binder" / constraints).resolve() == ROOT / "constraints.txt"
