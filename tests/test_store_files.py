"""The records of a scale go on in a next file when a file is full."""

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from test_store import record

from fedlib.runs import known
from fedlib.runs import store as store_module
from fedlib.runs.files import FULL, files_of
from fedlib.runs.records import SCHEMA
from fedlib.runs.store import Store, StoreError


@pytest.fixture
def small_files(monkeypatch):
    """A file is full after its first record."""
    monkeypatch.setattr(store_module, "FULL", 100)


@pytest.fixture
def files_read(monkeypatch):
    """The names of the files that were read, and a clock that is a minute late."""
    names, content, now = [], store_module._content, known.time.time_ns

    def read(path):
        names.append(path.name)
        return content(path)

    monkeypatch.setattr(store_module, "_content", read)
    monkeypatch.setattr(known.time, "time_ns", lambda: now() + 60 * 10**9)
    return names


def seeds(store):
    return [entry["seed"] for entry in store.read("smoke").values()]


def test_records_go_on_in_the_next_file_and_are_read_in_order(store, small_files):
    for seed in (3, 1, 2):
        assert store.append("smoke", record(seed))
    assert [path.name for path in store.paths("smoke")] == [
        "smoke.jsonl", "smoke.2.jsonl", "smoke.3.jsonl",
    ]  # fmt: skip
    assert seeds(store) == [3, 1, 2]
    before = {path: path.read_bytes() for path in store.paths("smoke")}
    for seed in (3, 1, 2):
        assert not store.append("smoke", record(seed))
    assert {path: path.read_bytes() for path in store.paths("smoke")} == before


def test_a_file_goes_on_until_it_is_full(store, monkeypatch):
    store.append("smoke", record(1))
    monkeypatch.setattr(store_module, "FULL", store.path("smoke").stat().st_size + 1)
    store.append("smoke", record(2))
    store.append("smoke", record(3))
    lines = [len(path.read_bytes().splitlines()) for path in store.paths("smoke")]
    assert lines == [2, 1]


def test_a_file_of_before_that_is_larger_stays_as_it_is(store):
    store.append("smoke", record(1))
    large = record(2)
    large["metrics"]["reputation"] = [0.123456] * (FULL // 5)
    store.append("smoke", large)
    before = store.path("smoke").read_bytes()
    assert len(before) > FULL
    assert store.append("smoke", record(3))
    assert store.path("smoke").read_bytes() == before
    assert [path.name for path in store.paths("smoke")] == ["smoke.jsonl", "smoke.2.jsonl"]
    assert seeds(store) == [1, 2, 3]


def test_files_are_ordered_by_number_and_other_names_are_left_alone(tmp_path):
    for name in ("paper.jsonl", "paper.old.jsonl", "paper.02.jsonl", "paper.1.jsonl"):
        (tmp_path / name).write_text("")
    for number in range(2, 12):
        (tmp_path / f"paper.{number}.jsonl").write_text("")
    files = files_of(tmp_path / "paper.jsonl")
    numbers = [f"paper.{number}.jsonl" for number in range(2, 12)]
    assert [path.name for path in files] == ["paper.jsonl", *numbers]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_missing_file_is_named_and_no_record_is_stored(store, small_files, lost):
    for seed in (1, 2, 3):
        store.append("smoke", record(seed))
    path = store.paths("smoke")[lost]
    path.unlink()
    for action in (lambda: store.read("smoke"), lambda: store.append("smoke", record(4))):
        with pytest.raises(StoreError, match=rf"{path.name} is missing, though smoke.3.jsonl"):
            action()
    assert not path.exists()


def test_a_torn_line_of_the_last_file_is_cut_off(store, small_files):
    store.append("smoke", record(1))
    store.append("smoke", record(2))
    last = store.paths("smoke")[-1]
    whole = last.read_bytes()
    last.write_bytes(whole + whole[:50])
    with pytest.warns(UserWarning, match=r"smoke.2.jsonl: the last line is torn \(50 bytes\)"):
        assert seeds(store) == [1, 2]
    with pytest.warns(UserWarning, match=r"smoke.2.jsonl: a torn last line of 50 bytes is cut"):
        assert store.append("smoke", record(3))
    assert last.read_bytes() == whole
    assert seeds(store) == [1, 2, 3]


def test_a_last_record_without_newline_stays_alone_in_a_full_file(store, small_files):
    store.append("smoke", record(1))
    kept = store.path("smoke").read_bytes().rstrip(b"\n")
    store.path("smoke").write_bytes(kept)
    store.append("smoke", record(2))
    assert store.path("smoke").read_bytes() == kept
    assert store.paths("smoke")[1].read_bytes().startswith(b'{"schema"')
    assert seeds(store) == [1, 2]


def test_a_full_disk_at_the_boundary_leaves_all_records(store, small_files, monkeypatch):
    store.append("smoke", record(1))

    def half_then_full(handle, line):
        handle.write(line[: len(line) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_write", half_then_full)
        with pytest.raises(StoreError, match=r"smoke.2.jsonl cannot be written \(No space left"):
            store.append("smoke", record(2))
    assert seeds(store) == [1]
    assert store.append("smoke", record(2))
    assert seeds(store) == [1, 2]


def test_a_bad_line_is_named_with_its_file(store, small_files):
    store.append("smoke", record(1))
    store.append("smoke", record(2))
    with store.paths("smoke")[1].open("a") as handle:
        handle.write("no json\n")
    with pytest.raises(StoreError, match=r"smoke.2.jsonl, line 2 is no record"):
        store.read("smoke")


def _append_many(root, first):
    target = Store("toy", root)
    for seed in range(first, first + 12):
        target.append("smoke", record(seed))


@pytest.mark.skipif(os.name != "posix", reason="the processes must inherit the size of a file")
def test_processes_at_the_boundary_store_each_run_once(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "FULL", 1500)
    context = multiprocessing.get_context("fork")
    # Half of what each writes the others write too.
    workers = [context.Process(target=_append_many, args=(tmp_path, first)) for first in (0, 6, 12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    files = Store("toy", tmp_path).paths("smoke")
    contents = [path.read_text().splitlines() for path in files]
    assert sorted(json.loads(line)["seed"] for lines in contents for line in lines) == list(
        range(24)
    )
    longest = max(len(line) for lines in contents for line in lines)
    assert len(files) > 5
    assert all(1500 <= path.stat().st_size <= 1500 + longest for path in files[:-1])


def test_a_folder_in_which_no_next_file_can_be_made_is_named_before_compute(
    store, small_files, monkeypatch
):
    store.append("smoke", record(1))
    monkeypatch.setattr(store_module.os, "access", lambda path, mode: Path(path) != store.folder)
    with pytest.raises(StoreError, match="its next file cannot be made"):
        store.check_writable("smoke")


def test_a_file_that_has_not_changed_is_not_read_again(store, small_files, files_read):
    for seed in (1, 2, 3):
        store.append("smoke", record(seed))
    assert store.holds("smoke", record(3)["id"])
    files_read.clear()
    assert [store.holds("smoke", record(seed)["id"]) for seed in (1, 2, 3, 4)] == [
        True, True, True, False,
    ]  # fmt: skip
    assert files_read == []
    # This process has written the end of the last file, so that it knows how the next line begins.
    store.append("smoke", record(4))
    assert files_read == []


def test_a_record_is_added_without_reading_those_before_it(store, monkeypatch):
    """This holds for files that have just changed, whatever the clock of the file system is."""
    read, content = [], store_module._content
    monkeypatch.setattr(store_module, "_content", lambda path: read.append(path) or content(path))
    assert store.append("smoke", record(1))
    read.clear()
    for seed in range(2, 12):
        assert not store.holds("smoke", record(seed)["id"])
        assert store.append("smoke", record(seed))
        assert store.holds("smoke", record(1)["id"]) and store.holds("smoke", record(seed)["id"])
        assert not store.append("smoke", record(seed))
    assert read == []
    assert seeds(store) == list(range(1, 12))


def test_a_record_of_another_process_is_seen_between_ones_own(store):
    assert store.append("smoke", record(1))
    _in_another_process(store, 2, 3)
    assert not store.append("smoke", record(2))
    assert store.append("smoke", record(4))
    _in_another_process(store, 4, 5)
    assert store.append("smoke", record(6))
    assert seeds(store) == [1, 2, 3, 4, 5, 6]


def _in_another_process(store, *to_add):
    process = multiprocessing.Process(target=_append_all, args=(store.folder.parent, to_add))
    process.start()
    process.join()
    assert process.exitcode == 0


def _append_all(root, to_add):
    target = Store("toy", root)
    for seed in to_add:
        target.append("smoke", record(seed))


def test_what_this_process_has_added_is_read_again_if_the_end_of_the_file_is_another(
    store, monkeypatch
):
    """Two changes in one step of the clock leave the same size and the same times behind."""
    for seed in (1, 2):
        store.append("smoke", record(seed))
    path = store.path("smoke")
    mark = known._mark(path)
    monkeypatch.setattr(known, "_mark", lambda _: mark)
    other = Store(store.slug, store.folder.parent.parent / "other")
    other.append("smoke", record(3))
    path.write_bytes(other.path("smoke").read_bytes().rstrip(b"\n"))
    assert known.written_size(path) is None
    assert not store.holds("smoke", record(2)["id"])
    assert store.append("smoke", record(2))
    assert seeds(store) == [3, 2]


def test_a_file_that_somebody_without_the_lock_changes_meanwhile_is_read_again(store, monkeypatch):
    store.append("smoke", record(1))
    write = store_module._write

    def write_more(handle, line):
        write(handle, line)
        with store.path("smoke").open("ab") as other:
            other.write(added)

    added = json.dumps({"schema": SCHEMA, **record(3)}).encode() + b"\n"
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_write", write_more)
        store.append("smoke", record(2))
    assert known.written_size(store.path("smoke")) is None
    assert not store.append("smoke", record(3))
    assert seeds(store) == [1, 2, 3]


def test_a_file_that_another_process_has_changed_is_read_again(store, small_files, files_read):
    for seed in (1, 2):
        store.append("smoke", record(seed))
    assert store.holds("smoke", record(2)["id"])  # It looks into both files.
    first = store.path("smoke")
    other = Store(store.slug, store.folder.parent.parent / "other")
    other.append("smoke", record(3))
    first.write_bytes(other.path("smoke").read_bytes())
    files_read.clear()
    assert not store.holds("smoke", record(1)["id"])
    assert store.holds("smoke", record(3)["id"])
    assert "smoke.jsonl" in files_read and "smoke.2.jsonl" not in files_read
    assert store.append("smoke", record(1))


def test_a_file_that_has_just_changed_is_read_each_time(store, monkeypatch):
    store.append("smoke", record(1))
    mark = known._mark(store.path("smoke"))
    assert store.holds("smoke", record(1)["id"])
    monkeypatch.setattr(known, "_mark", lambda path: mark)  # Two changes in one step of the clock.
    Path(store.path("smoke")).write_text("")
    assert not store.holds("smoke", record(1)["id"])


def test_a_file_that_cannot_be_read_is_named(store, small_files):
    store.append("smoke", record(1))
    store.path("smoke").unlink()
    store.path("smoke").mkdir()
    with pytest.raises(StoreError, match=r"smoke.jsonl cannot be read"):
        store.holds("smoke", record(1)["id"])


def test_a_file_that_changed_within_a_step_of_the_clock_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "smoke.jsonl"
    path.write_bytes(b"a\n")
    mark = known._mark(path)
    monkeypatch.setattr(known, "_mark", lambda _: mark)
    assert known.identities_in(path, lambda: frozenset("a")) == {"a"}
    assert known.identities_in(path, lambda: frozenset("b")) == {"b"}
