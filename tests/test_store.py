"""The store: what is written is read, and no accident loses a finished run."""

import errno
import json
import multiprocessing
import os

import pytest

from fedlib.runs import RunConfig
from fedlib.runs import store as store_module
from fedlib.runs.store import Store, StoreError, make_record, results_root
from fedlib.validation import ConfigError


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


@pytest.mark.parametrize("line", ["no json", "{}", "[1]", '{"schema": 1}'])
def test_a_line_that_is_no_record_is_named(store, line):
    store.append("smoke", record())
    with store.path("smoke").open("a") as handle:
        handle.write(line + "\n")
    with pytest.raises(StoreError, match=r"smoke.jsonl, line 2 is no record"):
        store.read("smoke")


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
    with pytest.raises(StoreError, match="cannot be read"):
        store.file(read, "x.bin")


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
