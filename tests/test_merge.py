"""Records of another results folder are taken, each after a check."""

import json
import multiprocessing
import os
import re
import shlex
from pathlib import Path

import pytest

from fedlib.__main__ import main
from fedlib.data import DataConfig
from fedlib.grids import expand, run_grid
from fedlib.grids import merge as merge_module
from fedlib.grids.merge import merge_results
from fedlib.runs import RunConfig
from fedlib.runs import store as store_module
from fedlib.runs.store import Store, StoreError
from fedlib.validation import ConfigError


@pytest.fixture
def theirs(toy, tmp_path, monkeypatch):
    """A colleague's results folder with three runs of the toy paper."""
    monkeypatch.setattr(merge_module, "grid_slugs", lambda: ["toy"])
    monkeypatch.setattr(merge_module, "load_grid", lambda slug: toy)
    store = Store("toy", tmp_path / "theirs")
    run_grid(expand(toy, "smoke", data="embedded"), store, "smoke", jobs=1, progress=False)
    return store


@pytest.fixture
def ours(tmp_path):
    return Store("toy", tmp_path / "ours")


def merged(theirs, ours, *slugs):
    return list(merge_results(theirs.folder.parent, slugs, ours.folder.parent))


def rewrite(store, change):
    """Apply ``change`` to the first record of the store's file."""
    first, *others = store.path("smoke").read_text().splitlines()
    record = json.loads(first)
    change(record)
    store.path("smoke").write_text("\n".join([json.dumps(record), *others]) + "\n")


def contents(store):
    return {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


def test_records_are_added_once_and_the_source_stays_as_it_is(theirs, ours):
    before = contents(theirs)
    results = merged(theirs, ours)
    assert [result.verdict for result in results] == ["added"] * 3
    assert results[0].name == "table/mean seed 1 (toy, smoke)"
    assert ours.path("smoke").read_bytes() == theirs.path("smoke").read_bytes()
    stored = ours.path("smoke").read_bytes()
    assert [result.verdict for result in merged(theirs, ours)] == ["stored before"] * 3
    assert ours.path("smoke").read_bytes() == stored
    assert contents(theirs) == before


def forged(record):
    record["id"] = "0123456789abcdef"


def another_configuration(record):
    record["config"]["learning_rate"] = 0.5


def no_number(record):
    record["metrics"]["test_loss"] = [float("nan")]


def not_finite(record):
    record["metrics"]["test_loss"] = "1e999"


def newer(record):
    record["schema"] = 99


def unknown_part(record):
    record["config"]["attack"] = {"name": "of_another_package"}


def stranger(record):
    record["config"]["rounds"] = 7
    record["id"] = RunConfig.from_dict(record["config"]).id


def no_device(record):
    del record["provenance"]["device_name"]


def no_torch(record):
    record["provenance"]["versions"] = {"numpy": "2"}


def text_for_time(record):
    record["provenance"]["wall_time_s"] = "long"


def too_few_rounds(record):
    record["metrics"]["rounds"] = [1]


def impossible_accuracy(record):
    record["metrics"]["test_accuracy"] = [1.5]


def another_paper(record):
    record["slug"] = "other"


def path_outside(record):
    files = {"x": {"path": "../x", "sha256": "0" * 64}}
    record["provenance"]["files"] = files


def no_losses(record):
    del record["metrics"]["train_loss"]


def text_for_a_loss(record):
    record["metrics"]["test_loss"] = ["x"]


def no_date(record):
    record["provenance"]["started"] = "today"


def text_for_the_processor(record):
    record["provenance"]["cpu_time_s"] = "fast"


def less_than_no_time(record):
    record["provenance"]["cpu_time_s"] = -5


def called_real(record):
    record["provenance"]["data"] = "MNIST"


def no_threads(record):
    record["provenance"]["threads"] = 0


def truth_for_a_seed(record):
    record["config"]["seed"] = True


def name_outside(record):
    file = {"path": f"smoke/{record['id']}-x", "sha256": "0" * 64}
    record["provenance"]["files"] = {"../../x": file}


def lost_file(record):
    file = {"path": f"smoke/{record['id']}-x", "sha256": "0" * 64}
    record["provenance"]["files"] = {"x": file}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (forged, "id='0123456789abcdef' is not that of its configuration"),
        (another_configuration, "is not that of its configuration"),
        (no_number, "NaN"),
        (not_finite, "metrics.test_loss"),
        (newer, "schema=99 is of a newer fedlib"),
        (unknown_part, "has parts or fields that are not known here"),
        (stranger, "no cell of the grid at scale smoke has this run"),
        (no_device, "its provenance has no 'device_name'"),
        (no_torch, "must name that of torch"),
        (text_for_time, "wall_time_s='long' must be of type int or float"),
        (too_few_rounds, "metrics.rounds must be the 1 rounds"),
        (impossible_accuracy, "must be 1 shares from 0 to 1"),
        (no_losses, "metrics.train_loss must be 1 numbers"),
        (text_for_a_loss, "metrics.test_loss must be 1 numbers"),
        (no_date, "provenance.started='today' must be a date and time"),
        (text_for_the_processor, "provenance.cpu_time_s='fast' must be a number of at least 0"),
        (less_than_no_time, "provenance.cpu_time_s=-5 must be a number of at least 0"),
        (called_real, "provenance.data='MNIST' must say that the data are embedded"),
        (no_threads, "provenance.threads=0 must be at least 1"),
        (truth_for_a_seed, "seed=True must be a whole number"),
        (another_paper, "slug='other' must be 'toy'"),
        (path_outside, "must be a path below the paper's folder"),
        (name_outside, "its file '../../x'"),
        (lost_file, "is not there"),
    ],
)
def test_a_record_with_a_fault_is_refused_and_the_others_are_added(theirs, ours, change, why):
    rewrite(theirs, change)
    path = theirs.path("smoke")
    # A number that JSON can write and that Python reads as infinite.
    path.write_text(path.read_text().replace('"test_loss": "1e999"', '"test_loss": [1e999]'))
    first, *others = merged(theirs, ours)
    assert first.verdict == "refused"
    assert why in first.why
    assert [result.verdict for result in others] == ["added"] * 2
    assert len(ours.read("smoke")) == 2
    assert {path.parent for path in contents(ours)} == {ours.folder}


def test_a_run_that_is_stored_here_is_known_although_its_cell_is_gone(theirs, ours):
    rewrite(theirs, stranger)
    ours.folder.mkdir(parents=True)
    ours.path("smoke").write_bytes(theirs.path("smoke").read_bytes())
    assert [result.verdict for result in merged(theirs, ours)] == ["stored before"] * 3


def test_a_stored_run_with_other_numbers_is_named_and_stays(theirs, ours):
    merged(theirs, ours)
    before = ours.path("smoke").read_bytes()

    def change(record):
        record["metrics"]["test_accuracy"] = [0.0]
        record["provenance"]["device_name"] = "another processor"

    (accuracy,) = next(iter(theirs.read("smoke").values()))["metrics"]["test_accuracy"]
    rewrite(theirs, change)
    first, *others = merged(theirs, ours)
    assert first.verdict == "refused"
    assert "stored here with other numbers" in first.why
    assert f"test_accuracy: {accuracy} is stored after round 2, and it is 0.0 now" in first.why
    assert "Refused: cpu (another processor)" in first.why
    assert [result.verdict for result in others] == ["stored before"] * 2
    assert ours.path("smoke").read_bytes() == before


def test_data_of_the_same_name_with_other_bytes_are_refused(theirs, ours):
    merged(theirs, ours)
    lines = ours.path("smoke").read_text().splitlines()
    ours.path("smoke").write_text(lines[1] + "\n")
    rewrite(theirs, lambda record: record["provenance"].update(data_checksum="f" * 64))
    first, second, third = merged(theirs, ours)
    assert "its data set mnist (ffffffffffff) is not the one of the stored runs" in first.why
    assert (second.verdict, third.verdict) == ("stored before", "added")


def test_a_label_says_of_real_and_of_embedded_data_what_they_are():
    embedded, real = (DataConfig("mnist", source, "x") for source in ("embedded", "real"))
    merge_module._check_label("embedded glyphs in place of MNIST", embedded)
    merge_module._check_label("MNIST", real)
    with pytest.raises(merge_module._RefusalError, match="must not say that the data are embedded"):
        merge_module._check_label("embedded glyphs in place of MNIST", real)


def test_files_go_with_their_record_and_are_checked(theirs, ours):
    run = next(iter(theirs.read("smoke").values()))
    kept = theirs.keep("smoke", run["id"], "x.bin", b"abc")
    rewrite(theirs, lambda record: record["provenance"].update(files={"x.bin": kept}))
    assert [result.verdict for result in merged(theirs, ours)] == ["added"] * 3
    assert ours.file(ours.read("smoke")[run["id"]], "x.bin") == b"abc"
    (theirs.folder / kept["path"]).write_bytes(b"abd")
    ours.path("smoke").unlink()
    first, *_ = merged(theirs, ours)
    assert "its checksum differs" in first.why
    assert run["id"] not in ours.read("smoke")


def test_a_cell_gets_the_name_that_the_grid_gives_it(theirs, ours):
    rewrite(theirs, lambda record: record.update(cell="an/older/name"))
    assert merged(theirs, ours)[0].verdict == "added"
    assert [record["cell"] for record in ours.read("smoke").values()] == [
        "table/mean", "table/median", "table/trimmed_mean",
    ]  # fmt: skip


def test_papers_and_files_that_nobody_knows_are_named(theirs, ours):
    strange = Store("tooy", theirs.folder.parent)
    strange.folder.mkdir()
    strange.path("smoke").write_bytes(theirs.path("smoke").read_bytes())
    (theirs.folder / "papr.jsonl").write_bytes(theirs.path("smoke").read_bytes())
    refused = [result for result in merged(theirs, ours) if result.verdict == "refused"]
    assert [result.name.split("/")[-1] for result in refused] == ["tooy", "papr.jsonl"]
    assert "paper='tooy' is unknown; did you mean 'toy'?" in refused[0].why
    assert "it is the file of no scale" in refused[1].why
    assert len(ours.read("smoke")) == 3
    assert not any(result.name.endswith("tooy") for result in merged(theirs, ours, "toy"))


def test_a_folder_that_holds_no_results_is_named(theirs, ours, tmp_path):
    for path, slugs, why in (
        (tmp_path / "nothing", (), "is no folder"),
        (theirs.folder, (), "must be a results folder, which has a folder with a file"),
        (tmp_path, ("toy",), "holds no records of toy"),
        (ours.folder.parent, (), "is the results folder that the records would go to"),
        (theirs.folder.parent, ("tooy",), "did you mean 'toy'"),
    ):
        ours.folder.mkdir(parents=True, exist_ok=True)
        with pytest.raises(ConfigError, match=why):
            merge_results(path, slugs, ours.folder.parent)


def test_a_full_disk_stops_the_merge_and_a_second_one_goes_on(theirs, ours, monkeypatch):
    write, written = store_module._write, []

    def one_then_full(handle, line):
        if written:
            raise OSError(28, "No space left on device")
        written.append(line)
        write(handle, line)

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_write", one_then_full)
        with pytest.raises(StoreError, match="No space left"):
            merged(theirs, ours)
    verdicts = [result.verdict for result in merged(theirs, ours)]
    assert verdicts == ["stored before", "added", "added"]


def test_a_run_that_another_process_computes_is_left_to_it(theirs, ours):
    run_id = next(iter(theirs.read("smoke")))
    with ours.claim(run_id):
        first, *_ = merged(theirs, ours)
    assert "another process is computing this run here" in first.why
    assert merged(theirs, ours)[0].verdict == "added"


def _merge_and_die(source, root):
    write, written = store_module._write, []

    def die(handle, line):
        if written:
            handle.write(line[: len(line) // 2])
            os._exit(9)
        written.append(line)
        write(handle, line)

    store_module._write = die
    list(merge_results(source, (), root))


@pytest.mark.skipif(os.name != "posix", reason="the process must inherit the toy paper")
def test_a_merge_that_is_killed_leaves_whole_records_and_the_next_goes_on(theirs, ours):
    folders = theirs.folder.parent, ours.folder.parent
    process = multiprocessing.get_context("fork").Process(target=_merge_and_die, args=folders)
    process.start()
    process.join()
    assert process.exitcode == 9
    with pytest.warns(UserWarning, match="torn"):
        assert len(ours.read("smoke")) == 1
    with pytest.warns(UserWarning, match="cut off"), pytest.warns(UserWarning, match="left out"):
        verdicts = [result.verdict for result in merged(theirs, ours)]
    assert verdicts == ["stored before", "added", "added"]
    assert ours.path("smoke").read_bytes() == theirs.path("smoke").read_bytes()


def test_the_command_ends_with_one_if_a_record_is_refused(theirs, ours, monkeypatch, capsys):
    monkeypatch.setenv("FEDLIB_RESULTS", str(ours.folder.parent))
    path = str(theirs.folder.parent)
    assert main(["merge", path]) == 0
    out = capsys.readouterr().out
    assert "added: table/mean seed 1 (toy, smoke)" in out
    assert "3 added, 0 stored before, 0 refused" in out
    rewrite(theirs, forged)
    assert main(["merge", path, "toy"]) == 1
    out = capsys.readouterr().out
    assert "smoke.jsonl, line 1: is no record (id='0123456789abcdef' is not that" in out
    assert "0 added, 2 stored before, 1 refused" in out
    assert main(["merge", str(theirs.folder)]) == 2


def test_the_commands_of_the_page_do_what_it_says(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[1] / "book" / "contribute_runs.md").read_text()
    printed = re.findall(r"^    (.*python -m fedlib .*)$", page, re.MULTILINE)
    small = [line.replace("--scale paper", "--scale smoke") for line in printed]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "no-data"))
    outputs = []
    for line in small:
        words = shlex.split(line.replace("--data real ", "").replace("--device cuda ", ""))
        settings = words[: words.index("python")]
        with monkeypatch.context() as patch:
            patch.setenv("FEDLIB_RESULTS", "results")
            for setting in settings:
                patch.setenv(*setting.split("="))
            if "verify" in words:  # The book has this run, and the page adds another one.
                cell = words[words.index("--only") + 1]
                paper = words[words.index("verify") + 1]
                assert main(["run", paper, "--scale", "smoke", "--only", cell]) == 0
                capsys.readouterr()
            assert main(words[words.index("fedlib") + 1 :]) == 0
        outputs.append(capsys.readouterr().out)
    run, merge, verify = outputs
    assert "1 run computed" in run
    assert "my-results: 1 added, 0 stored before, 0 refused" in merge
    assert "of 1 stored runs 1 identical" in verify


def test_two_contents_of_one_data_set_in_one_merge_are_refused(theirs, ours):
    """The first record that is added says what the data are, and the others have other data."""
    rewrite(theirs, lambda record: record["provenance"].update(data_checksum="f" * 64))
    first, *others = merged(theirs, ours)
    assert first.verdict == "added"
    assert others
    assert all("is not the one of the stored runs (ffffffffffff)" in one.why for one in others)
