"""What the pages and tools promise: the examples run, the checks find what they look for."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from records import put

from benchmarks import summarise
from fedlib.aggregators import Aggregator
from fedlib.data import DataConfig
from fedlib.evidence.chapter import PARAMETERS
from fedlib.evidence.pages import MARKS, Page, fill, fill_file, page_mark, reads_figure, times
from fedlib.evidence.pages.__main__ import main as pages_command
from fedlib.evidence.pages.catalogue import section
from fedlib.evidence.pages.progress import hours_of
from fedlib.grids import load_grid, paper_slugs
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

ROOT = Path(__file__).parent.parent


def run(*command, **kwargs):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True, text=True, cwd=ROOT, timeout=300, **kwargs,
    )  # fmt: skip


def test_parameters_and_commands_of_the_pages_exist():
    text = (ROOT / "book" / "rerun.md").read_text() + (ROOT / "README.md").read_text()
    for path in re.findall(r"papermill (\S+\.ipynb)", text):
        assert (ROOT / path).exists()
    notebook = nbformat.read(ROOT / "notebooks" / "centered_clipping.ipynb", as_version=4)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    named = re.findall(r"^\| `(\w+)` \|", (ROOT / "book" / "rerun.md").read_text(), re.MULTILINE)
    assert tuple(named) == PARAMETERS
    # What follows them is for the chapter's demonstration alone.
    assigned = re.findall(r"^(\w+) =", cell.source, re.MULTILINE)
    assert assigned == [*PARAMETERS, "tau", "z", "n_byzantine"]


def test_the_readme_counts_the_runs_of_the_grids():
    def real(name):
        return DataConfig(name, "real", "canonical")

    def counted(slugs):
        cells = [
            cell
            for grid in map(load_grid, slugs)
            for seed in range(1, grid.seeds["paper"] + 1)
            for cell in grid.cells("paper", seed, real)
        ]
        return len({cell.key for cell in cells}), len({cell.config.id for cell in cells})

    told = re.findall(r"about (\d+,\d00)", (ROOT / "README.md").read_text())
    configurations, runs, bouts = (int(number.replace(",", "")) for number in told)
    assert (configurations, runs) == pytest.approx(counted(paper_slugs()), rel=0.03)
    assert bouts == pytest.approx(counted(["arena_1"])[1], rel=0.03)


def notebook_of(output=None, tags=("parameters",)):
    code = nbformat.v4.new_code_cell("1 + 1", execution_count=1)
    code.metadata["tags"] = list(tags)
    if output is not None:
        code.outputs = [output]
    return nbformat.v4.new_notebook(cells=[code])


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


@pytest.mark.parametrize(
    ("notebook", "problem"),
    [
        (notebook_of(), None),
        (notebook_of(tags=()), "no cell tagged 'parameters'"),
        (notebook_of(stream("careful", "stderr")), "writes to stderr"),
        (notebook_of(stream("saved to /home/somebody/x")), "path of this machine"),
        (notebook_of(stream("10%|#    | 3.1it/s]")), "progress bar"),
        (notebook_of(nbformat.v4.new_output("error", ename="ValueError")), "ends with ValueError"),
    ],
)
def test_the_notebook_check_finds_what_it_looks_for(tmp_path, notebook, problem):
    import jupytext

    path = tmp_path / "chapter.ipynb"
    nbformat.write(notebook, path)
    jupytext.write(notebook, path.with_suffix(".md"), fmt="md:myst")
    result = run("tools/check_notebooks.py", path)
    if problem is None:
        assert result.returncode == 0, result.stderr
    else:
        assert result.returncode == 1
        assert problem in result.stderr


def test_the_notebook_check_finds_texts_out_of_step(tmp_path):
    import jupytext

    path = tmp_path / "chapter.ipynb"
    nbformat.write(notebook_of(), path)
    other = notebook_of()
    other.cells[0].source = "2 + 2"
    jupytext.write(other, path.with_suffix(".md"), fmt="md:myst")
    result = run("tools/check_notebooks.py", path)
    assert result.returncode == 1
    assert "jupytext --sync" in result.stderr


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script src="_static/a.js"></script><a href="https://x.org">x</a>', False),
        ('<script src="https://cdn.org/a.js"></script>', True),
        ('<link rel="stylesheet" href="//cdn.org/a.css">', True),
        ('<img src="https://x.org/badge.svg">', True),
        ("<style>@import url(https://fonts.org/f.css)</style>", True),
    ],
)
def test_the_offline_check_tells_links_from_loads(tmp_path, page, found):
    (tmp_path / "index.html").write_text(page)
    result = run("tools/check_offline.py", tmp_path)
    assert result.returncode == int(found)
    assert ("index.html: " in result.stderr) == found
    (tmp_path / "index.html").unlink()
    result = run("tools/check_offline.py", tmp_path)
    assert result.returncode == 1
    assert "holds no index.html" in result.stderr


def test_the_front_page_is_filled_from_the_store(tmp_path):
    page = tmp_path / "intro.md"
    page.write_text("x {coverage:centered_clipping} y")
    environment = {**os.environ, "FEDLIB_RESULTS": str(tmp_path)}
    assert run("-m", "fedlib.evidence.pages", page, env=environment).returncode == 0
    assert re.fullmatch(r"x (\d+) cells: \1 not computed y", page.read_text())


def test_verdicts_are_those_of_the_store(tmp_path):
    def real(name):
        return DataConfig(name, "real", "canonical")

    store = Store("two_stage_attack", tmp_path)
    halves = ["0" * 40 + "1" * 21] * 61
    grid = load_grid("two_stage_attack")
    for cell in (cell for seed in range(1, 6) for cell in grid.cells("paper", seed, real)):
        if cell.key in ("circle/none/mean", "circle/random/mean", "circle/ipm/mean"):
            # IPM leaves a tenth of the level, and no boundary is better than another.
            level = 0.01 if "ipm" in cell.key else 0.1
            more = {"robustness_level": [level], "test_loss": [2.0, 1.0]}
            more |= {"perturbation_level": [0.0, 10.0], "perturbation_error": [0.1, 0.1]}
            put(store, cell, "paper", 0.9, decision=halves, **more)
    page = tmp_path / "verdicts.md"
    page.write_text("{tally:two_stage_attack}\n\n{verdicts:two_stage_attack}")
    environment = {**os.environ, "FEDLIB_RESULTS": str(tmp_path)}
    assert run("-m", "fedlib.evidence.pages", page, env=environment).returncode == 0
    counted, shown = page.read_text().split("\n\n")
    rows = r"\(\d+ rows: 4 hold, 2 do not hold, 1 tie, \d+ not computed\)"
    assert re.fullmatch(rf"\d+ sentences: [^()]+ {rows}", counted)
    found = [
        re.findall(r'<li id="claim-[^"]+" data-kind="(does not hold|tie|holds)"', part)
        for part in shown.split("Questions that no paper answers")
    ]
    # What the paper claims comes first, then what this book asks.
    of_the_paper = [*["does not hold"] * 2, *["holds"] * 4, "tie"]
    assert found == [of_the_paper, ["does not hold"]]
    page.write_text("{contradicted}")
    assert run("-m", "fedlib.evidence.pages", page, env=environment).returncode == 0
    assert "| Residual reweighting | MNIST, both backdoors: " in page.read_text()
    assert "this book" not in page.read_text()
    page.write_text("{tally:gradient_guard}: {verdicts:gradient_guard}")
    assert run("-m", "fedlib.evidence.pages", page, env=environment).returncode == 0
    counted, _, shown = page.read_text().partition("): ")
    assert re.fullmatch(r"\d+ sentences: \d+ not computed \(\d+ rows: \d+ not computed", counted)
    assert set(re.findall(r'<li id="claim-[^"]+" data-kind="([^"]+)"', shown)) == {"not computed"}


def test_the_page_on_speed_has_a_gpus_times_and_whole_runs(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("{gpu:machine}\n\n{gpu:strategy}\n\n{gpu:jobs}\n\n{gpu:runs}")
    assert run("-m", "fedlib.evidence.pages", page).returncode == 0
    machine, strategies, jobs, runs = page.read_text().split("\n\n")
    assert machine.startswith("Measured ")
    header, _, *rows = (line.split(" | ") for line in strategies.splitlines())
    assert all(len(row) == len(header) for row in rows)
    assert "vmap, ms" in header and rows
    assert "multi-process service" in jobs
    # What a CPU gave is looked up in the store.
    assert len(runs.splitlines()) == 2 + 3 and runs.count(" min | ") == 3


def test_the_catalogue_page_lists_every_rule_and_attack(tmp_path):
    from fedlib.aggregators import AGGREGATORS
    from fedlib.attacks import ATTACKS

    page = tmp_path / "catalogue.md"
    page.write_text((ROOT / "book" / "catalogue.md").read_text())
    assert run("-m", "fedlib.evidence.pages", page).returncode == 0
    text = page.read_text()
    for name in [*AGGREGATORS, *ATTACKS]:
        assert f"| [`{name}`](#" in text
        section = text.split(f"\n### {name}\n")[1].split("\n### ")[0]
        assert "\n$$ " in section and f'["{name}"](n_byzantine=1' in section
        assert "\ntensor([" in section  # what the example gives
    assert "| [`krum`](#aggregators-krum) | Choose the update that is closest to" in text
    assert "| 11 |" in next(line for line in text.splitlines() if "[`krum`]" in line)
    assert "benign updates, last aggregate" in text
    for name in ("full_krum", "full_trim"):  # an option decides
        assert "Is told: benign updates." in text.split(f"\n### {name}\n")[1].split("\n### ")[0]
        row = next(line for line in text.splitlines() if f"| [`{name}`]" in line)
        assert row.endswith("| benign updates |")
    krum = text.split("\n### krum\n")[1].split("\n### ")[0]
    assert "Cost: $O(n^2 d)$" in krum and "tensor([1.0000, 2.1000])" in krum


def test_a_field_that_no_docstring_describes_is_named():
    @dataclass(frozen=True)
    class MedianNorm(Aggregator):
        """Of the median norm."""

        factor: float = 1.0

        def _aggregate(self, updates, state, context):
            return updates.mean(0), state

    with pytest.raises(ConfigError, match="MedianNorm: field 'factor' has no entry under Param"):
        section("aggregators", "median_norm", MedianNorm, {})


def test_ratios_of_the_performance_page_are_those_measured(tmp_path):
    entry = {"kind": "aggregator", "size": [25, 100_000]}
    seconds = {"fedlib": 0.002, "byzfl": 0.01, "torch": 0.006, "krum": 0.003}
    measured = [
        {**entry, "name": "krum", "seconds": seconds},
        {**entry, "name": "one read", "seconds": {"memory": 0.001}},
    ]
    (tmp_path / "measured.json").write_text(json.dumps({"measured": measured}))
    table = fill(Page("{measured:aggregator}", tmp_path)).splitlines()
    assert table[2:] == ["| `krum` | 25 | 100,000 | 2 | 5.0 | 1.5 | 3.0 | 2.0 |"]
    assert table[0].count("|") == table[1].count("|") == 9


def test_a_column_of_the_table_of_rules_is_left_out_if_it_is_empty(tmp_path):
    measured = [
        {"kind": "aggregator", "name": name, "size": [25, 100_000], "seconds": seconds}
        for name, seconds in (
            ("krum", {"fedlib": 0.002, "byzfl": 0.01}),
            ("mean", {"fedlib": 0.001, "byzfl": 0.001, "flower": 0.003}),
            ("one read", {"memory": 0.001}),
        )
    ]
    (tmp_path / "measured.json").write_text(json.dumps({"measured": measured}))
    lines = fill(Page("{measured:aggregator}", tmp_path)).splitlines()
    heads = "rule | n | d | fedlib, ms | byzfl / fedlib | Flower / fedlib | fedlib / one read"
    assert lines[0] == f"| {heads} |"
    assert lines[2:] == [
        "| `krum` | 25 | 100,000 | 2 | 5.0 |  | 2.0 |",
        "| `mean` | 25 | 100,000 | 1 | 1.0 | 3.0 | 1.0 |",
    ]


def test_the_hours_of_runs_are_summed_by_device():
    made = [("cpu", 3600), ("cpu", 1800), ("cuda:0", 720)]
    records = [{"provenance": {"device": name, "wall_time_s": time}} for name, time in made]
    assert hours_of(records) == "1.5 h CPU, 0.2 h GPU"
    assert hours_of(records[2:]) == "0.2 h GPU"
    assert hours_of([]) == ""


def test_goals_stand_beside_the_reads_that_were_measured(tmp_path):
    measured = [
        {"kind": "goal", "name": name, "size": size, "seconds": {library: seconds}, **goal}
        for size, factor in (([25, 1_000_000], 1), ([100, 100_000], 3))
        for name, library, seconds, goal in (
            ("krum", "fedlib", 0.0039 * factor, {"goal": 4}),
            ("one read", "memory", 0.001, {}),
        )
    ]
    (tmp_path / "measured.json").write_text(json.dumps({"measured": measured}))
    table = fill(Page("{measured:goal}", tmp_path)).splitlines()
    assert table[0] == "| rule | goal | 25 × 1,000,000 | 100 × 100,000 |"
    assert table[2:] == ["| `krum` | 4 | 3.9 | **11.7** |"]


def test_kernels_of_networks_are_compared_with_torch(tmp_path):
    measured = [
        {
            "kind": kind, "name": "gradients, `cnn_4_8`", "size": [800, 32],
            "seconds": {"on": 0.004, "off": 0.02},
        }
        for kind in ("network", "run")
    ]  # fmt: skip
    (tmp_path / "measured.json").write_text(json.dumps({"measured": measured}))
    for kind, expected in (("network", "5 | 25 | 5.0"), ("run", "0.004 | 0.02 | 5.0")):
        lines = fill(Page(f"{{measured:{kind}}}", tmp_path)).splitlines()
        assert lines[2:] == [f"| gradients, `cnn_4_8` | {expected} |"]


def test_the_page_says_where_another_library_is_faster(tmp_path):
    measured = [
        {"kind": "aggregator", "name": name, "size": [25, 10_000], "seconds": seconds}
        for name, seconds in (
            ("krum", {"fedlib": 0.004, "byzfl": 0.02, "krum": 0.005}),
            ("mean", {"fedlib": 0.002, "byzfl": 0.001, "flower": 0.0015, "torch": 0.0005}),
            ("one read", {"memory": 0.001}),
        )
    ]
    (tmp_path / "measured.json").write_text(json.dumps({"measured": measured}))
    said, _, lines = fill(Page("{measured:slower}", tmp_path)).partition("\n\n")
    assert said == "Another library is faster in 2 of 4 comparisons."
    assert lines.splitlines()[2:] == [
        "| `mean` | 25 × 10,000 | byzfl | 0.50 | 1000 |",
        "| `mean` | 25 × 10,000 | Flower | 0.75 | 500 |",
    ]
    (tmp_path / "measured.json").write_text(json.dumps({"measured": measured[:1]}))
    said = fill(Page("{measured:slower}", tmp_path))
    assert said == "Another library is faster in 0 of 2 comparisons."


def test_the_figure_of_reads_has_a_row_for_each_rule(tmp_path):
    measured = [
        {"kind": "aggregator", "name": name, "size": size, "seconds": seconds}
        for size in ([25, 1_000_000], [100, 100_000])
        for name, seconds in (
            ("krum", {"fedlib": 0.004, "byzfl": 0.02}),
            ("mean", {"fedlib": 0.002, "torch": 0.003}),
            ("one read", {"memory": 0.001}),
        )
    ]
    (tmp_path / "measured.json").write_text(json.dumps({"measured": measured}))
    reads_figure.draw(Page("", tmp_path), tmp_path / "reads.png")
    assert (tmp_path / "reads.png").stat().st_size > 10_000
    found = reads_figure._reads({"measured": measured}, (25, 1_000_000))
    assert found == {
        "krum": {"fedlib": pytest.approx(4), "byzfl": pytest.approx(20)},
        "mean": {"fedlib": pytest.approx(2), "torch": pytest.approx(3)},
    }


def test_the_table_of_rounding_is_of_what_was_measured(tmp_path):
    measured = [
        {
            "scale": "quick",
            "cell": f"mnist/{'full_trim' if share else 'none'}/{share}/{rule}",
            "accuracy": {
                "as stored": 50.0, "two threads": 50.0 - move, "one parameter": 50.0,
                "another seed": 50.0 + 2 * move,
            },
        }
        for rule, share, move in (("krum", 0, 0.0), ("krum", 50, 1.0), ("median", 50, 3.0))
    ]  # fmt: skip
    summary = {"date": "2026-11-28", "measured": measured}
    (tmp_path / "rounding.json").write_text(json.dumps(summary))
    text, _, lines = fill(Page("{rounding}", tmp_path)).partition("\n\n")
    assert "3 cells were played again: `krum`, `median` under `full_trim` of 0 to 50 %" in text
    assert [line.split(" | ")[1:] for line in lines.splitlines()[2:]] == [
        ["2 of 3", "1.00", "3.00 |"],
        ["0 of 3", "0.00", "0.00 |"],
        ["2 of 3", "2.00", "6.00 |"],
    ]


def test_a_page_says_how_much_faster_a_whole_run_is(tmp_path):
    summary = {
        "date": "2026-11-28", "cell": "residual_reweighting figure_3/10/ours", "rounds": 200,
        "processor": "AMD EPYC",
        "before": {"commit": "a1d3d62ffff", "seconds": 1_800.0, "accuracy": 0.9312},
        "now": {"commit": "00b7470ffff", "seconds": 240.0, "accuracy": 0.9308},
    }  # fmt: skip
    (tmp_path / "whole_run.json").write_text(json.dumps(summary))
    said = fill(Page("{whole_run}", tmp_path))
    assert "`residual_reweighting figure_3/10/ours` has 200 rounds" in said
    assert "(commit `a1d3d62`) has no compiled kernels. It took 30.0 minutes" in said
    assert "took 4.0 minutes, so it is 7.5 times as fast" in said
    assert "93.12 % with the older code and 93.08 % with the newer code" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{rounding}", "has no file 'rounding.json'"),
        ("{measured:rule}", "measured='rule' is unknown"),
        ("{measured:aggregator}", "has no file 'measured.json'"),
        ("{gpu:runs}", "has no file 'gpu_runs.jsonl'"),
        ("{coverage}", "mark={coverage} must have the form {coverage:SLUG}"),
        ("{times:quick}", "mark={times:quick} must have the form {times}"),
        ("{coverage:centred}", "slug='centred' is unknown"),
        ("{catalogue:aggregators}", "a Python block of the page must define 'AGGREGATORS'"),
    ],
)
def test_a_mark_that_cannot_be_filled_is_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        fill(Page(text, tmp_path))
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ConfigError):
        fill_file(page, tmp_path)
    assert page.read_text() == text


def test_the_command_names_a_page_that_is_missing(tmp_path, capsys):
    assert pages_command([str(tmp_path / "none.md")]) == 2
    assert "none.md" in capsys.readouterr().err


def test_other_names_in_braces_stay(tmp_path):
    text = "{doc}`catalogue` {cite}`a` {unknown:mark} {}"
    assert fill(Page(text, tmp_path)) == text


def test_a_mark_is_entered_by_one_function(tmp_path):
    @page_mark("shouted:WORD")
    def shouted(page, word):
        return word.upper()

    try:
        assert fill(Page("a {shouted:word}", tmp_path)) == "a WORD"
        with pytest.raises(ValueError, match="'shouted' is already made"):
            page_mark("shouted")(shouted)
    finally:
        del MARKS["shouted"]


def test_a_part_measured_again_leaves_the_rest():
    def entry(name, seconds, date):
        seconds = {"fedlib": seconds}
        return {"kind": "round", "name": name, "size": [25, 32], "seconds": seconds, "date": date}

    old = {"processor": "p", "commit": "a", "measured": [entry("x", 1, "1"), entry("y", 2, "1")]}
    new = {"processor": "p", "commit": "b", "measured": [entry("z", 3, "2"), entry("x", 4, "2")]}
    both = summarise.merged(new, old)
    assert both["commit"] == "b"
    assert both["measured"] == [entry("x", 4, "2"), entry("y", 2, "1"), entry("z", 3, "2")]
    assert summarise.merged(new, {**old, "processor": "q"}) == new


def test_papermill_runs_the_chapter_and_refuses_a_wrong_parameter(tmp_path):
    environment = {**os.environ, "FEDLIB_RESULTS": str(tmp_path)}
    notebook = ROOT / "notebooks" / "residual_reweighting.ipynb"

    def papermill(*parameters):
        return run(
            "-m", "papermill", "--no-progress-bar", "-k", "python3", notebook,
            tmp_path / "out.ipynb", "-p", "data", "embedded", *parameters, env=environment,
        )  # fmt: skip

    result = papermill("-p", "scale", "smoke", "-p", "only", "figure_3/*/ours")
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "out.ipynb").read_text()
    assert "Some of the runs shown are on generated data" in text
    assert "smoke, embedded glyphs in place of MNIST, 1 seed" in text
    result = papermill("-p", "scale", "smok")
    assert result.returncode == 1
    assert "did you mean 'smoke'" in result.stderr
    result = papermill("-p", "scal", "smoke")
    assert result.returncode == 1
    assert "parameter='scal' is unknown" in result.stderr


def test_equal_data_have_one_row_of_times_under_their_newest_name(monkeypatch):
    def record(seconds, called, day, name="cifar10", device="cpu"):
        made = {"data": called, "data_checksum": "e3b0", "started": f"2026-11-{day}"}
        made |= {"wall_time_s": seconds, "device": device}
        return {"config": {"data": {"name": name}}, "provenance": made}

    stored = {
        "quick": [record(10.0, "old words", 20), record(30.0, "new words", 28)],
        # Points that are computed have no file, and so the same checksum as others without one.
        "paper": [
            record(600.0, "points", 21, "circle"),
            record(1.0, "points", 22, "circle", "cuda"),
        ],
    }
    read = SimpleNamespace(read=lambda scale: dict(enumerate(stored[scale])))
    monkeypatch.setattr(times, "grid_slugs", lambda: ["toy"])
    monkeypatch.setattr(times, "Store", lambda slug: read)
    *_, first, second = times.times(None).splitlines()
    assert first == "| `toy` | new words | 20 s | – |"
    assert second == "| `toy` | points | – | 10 min |"
