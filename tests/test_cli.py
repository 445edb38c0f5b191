"""The command line."""

import os
import re
import subprocess
import sys

import pytest

from fedlib.__main__ import main
from fedlib.compat import import_torchvision
from fedlib.data.files import checksums
from fedlib.data.manifest import write_entry
from fedlib.data.tables import REVIEWS_FILE
from fedlib.grids import Outcome, expand, load_grid
from fedlib.runs.store import Store


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "data"))


ONE_CELL = ["--only", "*/mnist_noniid/ipm/tm/0.9", "--jobs", "1"]


def test_run_computes_then_finds_it_stored(capsys):
    command = ["run", "centered_clipping", "--scale", "smoke", "--data", "embedded", *ONE_CELL]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "[1/1] table_iv/mnist_noniid/ipm/tm/0.9 seed 1: accuracy" in out
    assert "1 runs computed, 0 stored before" in out
    assert main(command) == 0
    assert "0 runs computed, 1 stored before" in capsys.readouterr().out


def test_without_real_data_auto_says_so_and_real_fails(capsys, monkeypatch):
    assert main(["run", "centered_clipping", "--scale", "smoke", *ONE_CELL]) == 0
    assert "EMBEDDED DATA" in capsys.readouterr().err

    def unreachable(*_, **__):
        raise OSError("unreachable")

    monkeypatch.setattr(import_torchvision().datasets.utils, "download_url", unreachable)
    status = main(["run", "centered_clipping", "--scale", "smoke", "--data", "real", *ONE_CELL])
    assert status == 2
    message = capsys.readouterr().err
    assert "MNIST is not on disk" in message
    assert "--download mnist" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "centred_clipping", "--scale", "smoke"], "did you mean 'centered_clipping'"),
        (["run", "centered_clipping", "--scale", "smol"], "did you mean"),
        (["run", "centered_clipping", "--scale", "smoke", "--device", "tpu"], "device='tpu'"),
        (["run", "centered_clipping", "--scale", "smoke", "--jobs", "0"], "jobs=0"),
        (["run", "centered_clipping", "--scale", "smoke", "--seeds", "0"], "seeds=0"),
        (
            ["run", "centered_clipping", "--scale", "smoke", "--only", "nonsense"],
            "only='nonsense' matches none of the",
        ),
        (["list", "gradient_guard", "--only", "nonsense"], "cells of gradient_guard; their keys"),
        (["list", "--only", "nonsense"], "cells of all papers; their keys look like 'table_iv/"),
        (["data", "--download", "mnits"], "did you mean 'mnist'"),
        (["data", "--download", "circle"], "download='circle' is made on the spot. Allowed: cifar"),
        (
            ["data", "--download", "lending_club"],
            "cannot be downloaded, goes to tables/lending_club_2007_2011.csv. Allowed: cifar10, "
            "cifar100, emnist_byclass, fashion_mnist, mnist.",
        ),
        (["data", "--trust", "mnist"], "--variant"),
        (["data", "--trust", "mnist", "--variant", "x"], "MNIST is not on disk: looked for MNIST/"),
        (["data", "--trust", "circle", "--variant", "x"], "trust='circle' is made on the spot"),
        (["data", "--trust", "mnits", "--variant", "x"], "did you mean 'mnist'"),
        (["data", "--variant", "x"], "--trust"),
    ],
)
def test_bad_input_is_named_and_exits_with_two(capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


_RUN = [sys.executable, "-m", "fedlib", "run", "centered_clipping", "--scale", "smoke",
        "--data", "embedded", "--only", "*/mnist_noniid/ipm/*/0.9", "--jobs"]  # fmt: skip


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("with_errors", [False, True])
def test_an_output_that_nobody_reads_any_more_is_no_success(jobs, with_errors, tmp_path):
    process = subprocess.Popen(
        [*_RUN, jobs],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.PIPE,
        text=True,
    )
    for _ in range(2):
        process.stdout.readline()
    process.stdout.close()  # as `| head` does
    told = "" if with_errors else process.stderr.read()
    assert process.wait(timeout=120) == 141
    assert with_errors or "stopped, because nobody reads the output any more" in told
    assert "Traceback" not in told and "Exception ignored" not in told
    lines = (tmp_path / "results" / "centered_clipping" / "smoke.jsonl").read_bytes()
    assert lines.endswith(b"\n")


@pytest.mark.parametrize(("number", "name"), [("1", "output"), ("2", "error")])
def test_a_closed_stream_is_refused_before_compute(number, name, tmp_path):
    command = " ".join(f"'{word}'" for word in [*_RUN, "1"])
    result = subprocess.run(
        ["sh", "-c", f"{command} {number}>&-"], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 2
    assert number == "2" or f"standard {name} is closed" in result.stderr
    assert not (tmp_path / "results").exists()


def test_a_broken_pipe_that_is_not_the_output_is_not_taken_for_it(monkeypatch):
    def broken(*_, **__):
        raise BrokenPipeError("a worker's")

    monkeypatch.setattr("fedlib.__main__.run_grid", broken)
    with pytest.raises(BrokenPipeError, match="a worker's"):
        main(["run", "two_stage_attack", "--scale", "smoke", "--data", "embedded"])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_output_that_cannot_be_written_is_no_success():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "fedlib", "list", "two_stage_attack"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert "No space left" in result.stderr


def test_runs_that_another_process_is_computing_are_no_success(capsys):
    command = ["run", "centered_clipping", "--scale", "smoke", "--data", "embedded", *ONE_CELL]
    (cell,) = expand(load_grid("centered_clipping"), "smoke", data="embedded", only=ONE_CELL[1])
    with Store("centered_clipping").claim(cell.config.id):
        assert main(command) == 3
    assert "0 runs computed, 0 stored before, 1 with another process" in capsys.readouterr().out
    assert main(command) == 0


def test_list_shows_every_cell_and_its_best_scale(capsys):
    main(["run", "centered_clipping", "--scale", "smoke", "--data", "embedded", *ONE_CELL])
    capsys.readouterr()
    assert main(["list", "centered_clipping", "--only", "table_iv/mnist_noniid/ipm/*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "centered_clipping, table_iv/mnist_noniid/ipm/*: 12 cells: "
        "1 at scale smoke, embedded data (1 seed), 11 not computed"
    )
    assert len(lines) == 1 + 12
    assert any("ipm/tm/0.9 " in line and "smoke (embedded glyphs" in line for line in lines)


def test_list_leaves_out_papers_without_a_match(capsys):
    assert main(["list", "--only", "circle/rl/*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "two_stage_attack, circle/rl/*: 3 cells: 3 not computed"
    assert len(lines) == 1 + 3
    assert main(["list", "--only", "circle/rl/*", "--only", "circle/ipm/*"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * (1 + 3)


def test_list_shows_the_cells_of_every_paper(capsys):
    assert main(["list", "--only", "*/krum"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [place for place, line in enumerate(lines) if not line.startswith(" ")]
    assert len(heads) > 1
    for place, after in zip(heads, [*heads[1:], len(lines)], strict=True):
        count = int(re.search(r", \*/krum: (\d+) cells", lines[place])[1])
        assert after - place == 1 + count


def test_an_empty_pattern_is_none(capsys, monkeypatch):
    asked = []

    def nothing_computed(cells, *_, **__):
        asked.append(len(cells))
        return Outcome()

    monkeypatch.setattr("fedlib.__main__.run_grid", nothing_computed)
    command = ["run", "two_stage_attack", "--scale", "smoke", "--data", "embedded"]
    assert main(command) == main([*command, "--only", ""]) == 0
    assert asked[0] == asked[1] > 1
    capsys.readouterr()
    assert main(["list", "two_stage_attack", "--only", ""]) == 0
    assert capsys.readouterr().out.startswith("two_stage_attack: ")


def test_cells_of_the_first_pattern_come_first_and_each_once(capsys, monkeypatch):
    asked = []

    def nothing_computed(cells, *_, **__):
        asked.extend(cell.key for cell in cells)
        return Outcome()

    monkeypatch.setattr("fedlib.__main__.run_grid", nothing_computed)
    patterns = ["--only", "circle/rl/*", "--only", "circle/*/mean", "--only", "circle/r*"]
    command = ["run", "two_stage_attack", "--scale", "smoke", "--data", "embedded"]
    assert main([*command, *patterns]) == 0
    assert len(set(asked)) == len(asked)
    kinds = [key.split("/")[1] for key in asked]
    assert kinds[:3] == ["rl"] * 3
    assert asked[3:6] == [f"circle/{kind}/mean" for kind in ("none", "random", "ipm")]


def test_data_lists_every_set(capsys):
    assert main(["data"]) == 0
    out = capsys.readouterr().out
    assert out.count("absent: python -m fedlib data --download") == 5
    assert out.count("absent: cannot be downloaded, goes to tables/") == 2
    assert out.count("made on the spot") == 1


def test_data_says_that_a_trusted_table_cannot_be_used(capsys, tmp_path):
    """A manifest of another version may vouch for a table that no run can use."""
    path = tmp_path / "data" / REVIEWS_FILE
    path.parent.mkdir(parents=True)
    path.write_text("overall;reviewText\n5;good\n")
    root = tmp_path / "data"
    write_entry(root, "amazon_reviews", "mine", checksums("amazon_reviews", root))
    assert main(["data"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "amazon_reviews" in line]
    assert (
        "NOT USABLE: tables/kindle_store_reviews.csv must start with the names of its fi"
        in lines[0]
    )
    path.write_text("overall,reviewText\n" + "5,good\n" * 5)
    assert main(["data", "--trust", "amazon_reviews", "--variant", "mine"]) == 0
    assert "on disk and verified (mine, sha256 " in capsys.readouterr().out


def test_doctor_tells_versions_device_threads_and_data(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in (
        "torch",
        "device: ",
        "cores: ",
        "free memory: ",
        "results: ",
        "data folder: ",
        "auto takes",
    ):
        assert word in out


def test_doctor_looks_at_the_device_that_it_is_told(capsys):
    assert main(["doctor", "--device", "cpu"]) == 0
    assert "device: cpu" in capsys.readouterr().out
    assert main(["doctor", "--device", "gpu"]) == 2
    assert "device='gpu'" in capsys.readouterr().err


def test_the_grids_need_no_notebook_software():
    """``python -m fedlib`` where Jupyter, papermill, matplotlib, tqdm are not to be had."""
    code = (
        "import sys\n"
        "for name in ('IPython', 'jupyter', 'nbformat', 'papermill', 'matplotlib', 'tqdm',\n"
        "             'stable_baselines3', 'gymnasium', 'skimage'):\n"
        "    sys.modules[name] = None\n"
        "from fedlib.__main__ import main\n"
        f"sys.exit(main(['run', 'centered_clipping', '--scale', 'smoke', '--data', 'embedded',\n"
        f"               *{ONE_CELL!r}]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert "1 runs computed" in result.stdout
