"""The store: what is written is read, and no accident loses a finished run."""

import codecs
import errno
import json
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fedlib.runs import RunConfig
from fedlib.runs import store as store_module
from fedlib.runs.records import check_identity
from fedlib.runs.store import MissingFileError, Store, StoreError, make_record, results_root
from fedlib.validation import ConfigError

REPOSITORY = Path(__file__).parents[1]


def record(seed=1):
    return make_record(
        RunConfig(seed=seed),
        slug="toy",
        scale="smoke",
        cell="table/mean",
        metrics={"test_accuracy": [0.5]},
        provenance={"data": "MNIST"},
    )


def test_what_is_written_is_read_in_order(store):
    for seed in (3, 1, 2):
        assert store.append("smoke", record(seed))
    read = store.read("smoke")
    assert [entry["seed"] for entry in read.values()] == [3, 1, 2]
    assert RunConfig.from_dict(read[RunConfig(seed=1).id]["config"]) == RunConfig(seed=1)
    assert store.read("paper") == {}


def test_an_unknown_scale_is_named(store):
    for action in (lambda: store.read("papr"), lambda: store.append("papr", record())):
        with pytest.raises(ConfigError, match="scale='papr' is unknown; did you mean 'paper'"):
            action()


def test_a_stored_run_is_not_stored_again(store):
    assert store.append("smoke", record())
    before = store.path("smoke").read_bytes()
    assert not store.append("smoke", record())
    assert store.path("smoke").read_bytes() == before


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_last_line_is_dropped_with_a_warning_and_cut_by_the_next_writer(store, kept):
    store.append("smoke", record(1))
    whole = store.path("smoke").read_bytes()
    line = json.dumps({"schema": 1, **record(2)}).encode()
    store.path("smoke").write_bytes(whole + line[:kept])
    with pytest.warns(UserWarning, match="torn"):
        assert [entry["seed"] for entry in store.read("smoke").values()] == [1]
    with pytest.warns(UserWarning, match="cut off"):
        store.append("smoke", record(2))
    assert [entry["seed"] for entry in store.read("smoke").values()] == [1, 2]
    assert store.path("smoke").read_bytes().startswith(whole)


def test_a_store_of_a_newer_version_is_refused_and_left_alone(store):
    store.append("smoke", record())
    newer = json.dumps({**record(2), "schema": 99}) + "\n"
    with store.path("smoke").open("a") as handle:
        handle.write(newer)
    before = store.path("smoke").read_bytes()
    for action in (lambda: store.read("smoke"), lambda: store.append("smoke", record(3))):
        with pytest.raises(StoreError, match=r"line 2: schema=99 is of a newer fedlib"):
            action()
    assert store.path("smoke").read_bytes() == before


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("line", ["no json", "{}", "[1]", '{"schema": 1}', "null", "\u00e9"])
def test_a_line_that_is_no_record_is_named_and_left_alone(store, line, end):
    store.append("smoke", record())
    with store.path("smoke").open("ab") as handle:
        handle.write((line + end).encode("latin-1"))
    before = store.path("smoke").read_bytes()
    for action in (lambda: store.read("smoke"), lambda: store.append("smoke", record(2))):
        with pytest.raises(StoreError, match=r"smoke.jsonl, line 2 is no record"):
            action()
    assert store.path("smoke").read_bytes() == before


def changed(**changes):
    """A record with changed entries; None leaves an entry out, and a dot leads into another."""
    made = json.loads(json.dumps({"schema": 1, **record()}))
    for name, value in changes.items():
        *outer, last = name.split("__")
        holder = made
        for key in outer:
            holder = holder[key]
        holder[last] = value
        if value is None:
            del holder[last]
    return json.dumps(made)


DEEP = '{"schema": 1, "id": ' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (changed(schema=True), r"schema=True must be a whole number from 1"),
        (changed(schema=0), r"schema=0 must be"),
        (changed(schema=None), r"it has no schema"),
        ('{"schema":1,"id":"x"}', r"id='x' must be a text of 16 hexadecimal digits"),
        (changed(id=5), r"id=5 must be a text of 16"),
        (changed(id="0123456789abcdef"), r"id='0123456789abcdef' is not that of its config"),
        (changed(slug="other"), r"slug='other' must be 'toy', as the file is"),
        (changed(scale="paper"), r"scale='paper' must be 'smoke', as the file is"),
        (changed(cell=None), r"it has no cell"),
        (changed(cell=3), r"cell=3 must be a text"),
        (changed(seed=2), r"config.seed=1 must be the record's seed 2"),
        (changed(seed=True), r"seed=True must be a whole number"),
        (changed(config=[]), r"config=\[\] must be an object"),
        (changed(config__attack="none"), r"config.attack='none' must be an object with a name"),
        (changed(config__rounds=7), r"is not that of its configuration"),
        (changed(metrics=None), r"it has no metrics"),
        (changed(metrics__test_accuracy=[[float("nan")]]), r"it holds NaN, which JSON does not"),
        (changed().replace("[0.5]", "[1e999]"), r"metrics.test_accuracy=\[inf\] must be of finite"),
        (changed(provenance=None), r"it has no provenance"),
        (changed().replace('"MNIST"', "[1e999]"), r"provenance must hold finite numbers"),
        (changed(provenance__files={"a": "b"}), r"provenance.files.a='b' must be a path"),
        (
            changed(provenance__files={"a": {"path": "../b", "sha256": ""}}),
            r"must be a path below the paper's folder",
        ),
        (
            changed(provenance__files={"a": {"path": "/b", "sha256": ""}}),
            r"must be a path below the paper's folder",
        ),
        (DEEP, r"it is nested too deeply"),
    ],
)
def test_a_record_with_a_fault_is_named_with_its_line_and_the_fault(store, line, fault):
    store.path("smoke").parent.mkdir()
    store.path("smoke").write_text(line + "\n")
    for action in (lambda: store.read("smoke"), lambda: store.append("smoke", record(2))):
        with pytest.raises(StoreError, match=r"toy/smoke.jsonl, line 1 is no record \(.*" + fault):
            action()
    assert store.path("smoke").read_text() == line + "\n"


@pytest.mark.parametrize(
    ("metrics", "fault"),
    [
        ({"a": [float("nan")]}, r"metrics.a=\[nan\] must be of finite numbers"),
        ({"a": {"b": float("inf")}}, "must be of finite numbers"),
        ({"a": object()}, "not JSON serializable"),
        ([], r"metrics=\[\] must be an object"),
    ],
)
def test_a_record_with_a_fault_is_not_written(store, metrics, fault):
    bad = {**record(), "metrics": metrics}
    with pytest.raises(StoreError, match=f"run {bad['id']} cannot be stored: .*{fault}"):
        store.append("smoke", bad)
    bad = {**record(), "config": {**record()["config"], "decay": float("nan")}}
    with pytest.raises(StoreError, match="cannot be stored: Out of range float values"):
        store.append("smoke", bad)
    assert not store.path("smoke").exists()


def test_a_record_of_a_part_that_is_not_known_here_is_read(store):
    line = changed(config__attack={"name": "of_another_package"})
    store.path("smoke").parent.mkdir()
    store.path("smoke").write_text(line + "\n")
    (read,) = store.read("smoke").values()
    assert not check_identity(read)


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("results/*/*.jsonl")), ids=str)
def test_every_stored_identity_is_one_of_its_configuration(path):
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert records and all(check_identity(entry) for entry in records)


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\r\n", b"\r"])
def test_a_whole_last_record_is_kept_whatever_ends_it(store, end):
    store.append("smoke", record(1))
    store.append("smoke", record(2))
    lines = store.path("smoke").read_bytes().splitlines()
    between = end if end.strip(b"\n") else b"\n"
    store.path("smoke").write_bytes(codecs.BOM_UTF8 + between.join(lines) + end)
    assert [entry["seed"] for entry in store.read("smoke").values()] == [1, 2]
    assert not store.append("smoke", record(2))
    assert store.append("smoke", record(3))
    assert [entry["seed"] for entry in store.read("smoke").values()] == [1, 2, 3]


def test_of_two_records_of_one_run_the_first_counts(store):
    store.append("smoke", record(1))
    with store.path("smoke").open("a") as handle:
        handle.write(changed(metrics__test_accuracy=[0.75]) + "\n")
    (read,) = store.read("smoke").values()
    assert read["metrics"]["test_accuracy"] == [0.5]


def test_zeros_that_a_loss_of_power_leaves_are_cut_off(store):
    store.append("smoke", record(1))
    with store.path("smoke").open("ab") as handle:
        handle.write(b'{"sch' + bytes(100))
    with pytest.warns(UserWarning, match="torn last line of 105 bytes is cut off"):
        assert store.append("smoke", record(2))
    assert [entry["seed"] for entry in store.read("smoke").values()] == [1, 2]


def test_what_is_stored_is_flushed_to_the_disk(store, monkeypatch):
    flushed = []
    monkeypatch.setattr(store_module.os, "fsync", lambda number: flushed.append(number))
    store.append("smoke", record())
    assert len(flushed) == 1
    store.keep("smoke", record()["id"], "x.bin", b"abc")
    assert len(flushed) == 2


def test_a_full_disk_leaves_the_store_as_it_was(store, monkeypatch):
    store.append("smoke", record(1))
    before = store.path("smoke").read_bytes()

    def half_then_full(handle, line):
        handle.write(line[: len(line) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_write", half_then_full)
        with pytest.raises(StoreError, match=r"No space left .* all others are as they were"):
            store.append("smoke", record(2))
    assert store.path("smoke").read_bytes() == before
    assert store.append("smoke", record(2))


def test_a_disk_too_full_to_begin_is_noticed_before_compute(store, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(store_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreError, match="only 100 bytes are free"):
        store.check_writable("smoke")


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "toy").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store("toy", tmp_path).check_writable("smoke")


def _append_many(root, first):
    target = Store("toy", root)
    for seed in range(first, first + 20):
        target.append("smoke", record(seed))


def test_processes_may_append_at_once(tmp_path):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    # Half of what each writes the others write too.
    workers = [
        context.Process(target=_append_many, args=(tmp_path, first)) for first in (0, 10, 20)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = (tmp_path / "toy" / "smoke.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["seed"] for line in lines) == list(range(40))


def _try_claim(root, run_id, answer):
    with Store("toy", root).claim(run_id) as mine:
        answer.put(mine)


def test_a_claim_keeps_other_processes_off_one_run_only(store, tmp_path):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    answer = context.SimpleQueue()
    first, second = RunConfig(seed=1).id, RunConfig(seed=2).id

    def asked(run_id):
        process = context.Process(target=_try_claim, args=(tmp_path, run_id, answer))
        process.start()
        process.join()
        return answer.get()

    with store.claim(first) as mine:
        assert mine
        assert not asked(first)
        assert asked(second)
    assert asked(first)


def test_a_claim_keeps_other_threads_off_one_run_only(store):
    first, second = RunConfig(seed=1).id, RunConfig(seed=2).id

    def attempt(run_id):
        with store.claim(run_id) as mine:
            return mine

    def asked(run_id):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(attempt, run_id).result()

    with store.claim(first) as mine:
        assert mine
        assert not asked(first)
        assert not asked(first)
        assert asked(second)
        with Store("toy", store.folder.parent / "x" / "..").claim(first) as again:
            assert not again
        with store.claim(second) as other:
            assert other
    with store.claim(first) as mine:
        assert mine


def test_the_end_of_one_claim_leaves_the_others_of_the_process(store, tmp_path):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    answer = context.SimpleQueue()
    first, second = RunConfig(seed=1).id, RunConfig(seed=2).id

    def asked(run_id):
        process = context.Process(target=_try_claim, args=(tmp_path, run_id, answer))
        process.start()
        process.join()
        return answer.get()

    with store.claim(first):
        with store.claim(second):
            store.check_writable("smoke")
        assert not asked(first)
        assert asked(second)


def _claim_when_told(root, run_id, told, answer):
    told.get()
    _try_claim(root, run_id, answer)


@pytest.mark.skipif(os.name != "posix", reason="needs fork")
def test_a_process_that_was_forked_has_no_claims_of_its_parent(store, tmp_path):
    context = multiprocessing.get_context("fork")
    told, answer = context.SimpleQueue(), context.SimpleQueue()
    run_id = RunConfig().id
    with store.claim(run_id):
        process = context.Process(target=_claim_when_told, args=(tmp_path, run_id, told, answer))
        process.start()
    told.put(None)
    assert answer.get()
    process.join()


def test_an_identity_of_another_form_cannot_be_claimed(store):
    with pytest.raises(StoreError, match=r"run '\.\./x' cannot be claimed"), store.claim("../x"):
        raise AssertionError("the run would be computed")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named_before_compute(store, monkeypatch, number):
    def no_locks(*_):
        raise OSError(number, "No locks available")

    monkeypatch.setattr(store_module.fcntl, "lockf", no_locks)
    with pytest.raises(StoreError, match=r"cannot be locked \(No locks available\)"):
        store.check_writable("smoke")
    with pytest.raises(StoreError, match="has no file locks"), store.claim("0123456789abcdef"):
        raise AssertionError("the run would be computed")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EAGAIN])
def test_a_lock_of_another_process_is_no_error(store, monkeypatch, number):
    def held(*_):
        raise OSError(number, "held")

    monkeypatch.setattr(store_module.fcntl, "lockf", held)
    with store.claim("0123456789abcdef") as mine:
        assert not mine


def test_a_file_is_kept_beside_its_record_and_checked(store):
    run = record()
    run["provenance"]["files"] = {"x.bin": store.keep("smoke", run["id"], "x.bin", b"abc")}
    assert store.append("smoke", run)
    (read,) = store.read("smoke").values()
    assert store.file(read, "x.bin") == b"abc"
    with pytest.raises(StoreError, match=r"has no file 'y'; it has x\.bin"):
        store.file(read, "y")
    path = store.folder / read["provenance"]["files"]["x.bin"]["path"]
    path.write_bytes(b"abd")
    with pytest.raises(StoreError, match="is not the file"):
        store.file(read, "x.bin")
    path.unlink()
    with pytest.raises(MissingFileError, match=f"x.bin is not there, though run {read['id']}"):
        store.file(read, "x.bin")
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        store.file(read, "x.bin")


@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_every_file_of_a_stored_run_is_there_but_policies_of_scale_quick(scale):
    store, missing = Store("two_stage_attack", REPOSITORY / "results"), set()
    for read in store.read(scale).values():
        for name in read["provenance"].get("files", {}):
            try:
                assert store.file(read, name)
            except MissingFileError:
                missing.add(name)
    # .gitignore keeps them out; the book says that the repository has those of scale paper.
    assert missing <= ({"policy.pt"} if scale == "quick" else set())


def test_a_file_that_cannot_be_kept_leaves_nothing(store, monkeypatch):
    def full(path, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.Path, "replace", full)
    with pytest.raises(StoreError, match="No space left"):
        store.keep("smoke", "0" * 64, "x.bin", b"abc")
    assert not list((store.folder / "smoke").iterdir())


def test_the_results_folder_comes_from_the_environment_or_the_project(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    assert results_root() == tmp_path
    monkeypatch.delenv("FEDLIB_RESULTS")
    assert results_root().name == "results"
    assert results_root(tmp_path / "x") == tmp_path / "x"
