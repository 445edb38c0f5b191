"""Kill a grid at random moments again and again, and check that nothing of it is lost.

``python tests/kills.py 100`` plays a small grid with two workers, kills the parent or a worker at a
random moment a hundred times, resumes after each kill, and compares what is stored in the end with
what an undisturbed process stores. A grid that is complete is checked and begun anew elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from fedlib.grids import expand, load_grid, run_grid
from fedlib.runs.store import Store

SLUG, SCALE, ONLY = "centered_clipping", "smoke", "table_iv/fmnist_iid/*/cc*/0.9"
WORKERS = 2
LONGEST = 600
"""Seconds after which a process that neither ends nor stores anything counts as hung."""
ALLOWED = (0, 1, 3)
"""The statuses of a grid that ends by itself: all is stored, a run has failed because its worker
was killed twice, or another process still has a run."""


class Played:
    """A grid that is killed and resumed in one folder after the other.

    Parameters
    ----------
    root
        The folder for all results.
    seed
        The seed of the moments and of the victims.
    """

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._wanted = undisturbed(root / "undisturbed")
        self._number = 0
        self._survived = b""
        self._old: list[subprocess.Popen[str]] = []

    @property
    def _store(self) -> Store:
        return Store(SLUG, self.root / str(self._number))

    def play(self, kills: int, span: float) -> None:
        """Kill so many times, and then let the last grid end.

        Parameters
        ----------
        kills
            The number of kills.
        span
            A kill comes up to three runs after a start or the last kill, and up to this many
            seconds after that. So the work goes on however slow the machine is.
        """
        while self._killed < kills:
            process = self._start()
            while process.poll() is None and self._killed < kills:
                of_worker = self._random.random() < 0.5
                wanted = self._lines() + self._random.randint(0, 3)
                while process.poll() is None and (
                    self._lines() < wanted or (of_worker and not workers_of(process.pid))
                ):
                    time.sleep(0.01)
                self._wait(process, self._random.uniform(0, span))
                if process.poll() is None:
                    self._kill(process, of_worker)
            if process.poll() is None or process.returncode != -signal.SIGKILL:
                self._end(process)
        while self._survived or not self.counts["complete grids"]:
            self._end(self._start())

    @property
    def _stored(self) -> int:
        return self.counts["runs"] + self._survived.count(b"\n")

    @property
    def _killed(self) -> int:
        return self.counts["kills of the parent"] + self.counts["kills of a worker"]

    def _start(self) -> subprocess.Popen[str]:
        self.counts["starts"] += 1
        command = [sys.executable, "-m", "fedlib", "run", SLUG, "--scale", SCALE]
        return subprocess.Popen(
            [*command, "--data", "embedded", "--only", ONLY, "--jobs", str(WORKERS)],
            env={**os.environ, "FEDLIB_RESULTS": str(self._store.folder.parent)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait(self, process: subprocess.Popen[str], seconds: float) -> None:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def _kill(self, process: subprocess.Popen[str], of_worker: bool) -> None:
        """Kill the parent or one of its workers, and check what is stored."""
        if of_worker:
            workers = workers_of(process.pid)
            if not workers:
                return
            try:
                os.kill(self._random.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                return  # It has ended by itself meanwhile.
            self.counts["kills of a worker"] += 1
        else:
            process.kill()
            process.wait()
            # Its workers end by themselves, and the next process does not wait for that.
            self._old.append(process)
            self.counts["kills of the parent"] += 1
        self._check()
        if self._killed % 10 == 0:
            print(f"{self._killed} kills, {self._stored} runs stored", flush=True)

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Wait for the end of a process, and check the folder if its grid is complete."""
        _, errors = process.communicate(timeout=LONGEST)
        # A signal from elsewhere, as of a user who wants the memory, is one more accident.
        assert process.returncode in ALLOWED or process.returncode < 0, errors
        self.counts[f"ends with status {process.returncode}"] += 1
        self._check()
        if process.returncode == 0:
            self._check_complete()

    def _data(self) -> bytes:
        try:
            return self._store.path(SCALE).read_bytes()
        except FileNotFoundError:
            return b""

    def _lines(self) -> int:
        return self._data().count(b"\n")

    def _check(self) -> None:
        """Check that what was stored before is there, whole, and each run once."""
        data = self._data()
        assert data.startswith(self._survived), "a finished run was lost or changed"
        whole = data[: data.rfind(b"\n") + 1]
        records = [json.loads(line) for line in whole.splitlines()]
        identities = [record["id"] for record in records]
        assert len(identities) == len(set(identities)), "a run was stored twice"
        for record in records:
            assert record["metrics"] == self._wanted[record["id"]], "other numbers"
        self.counts["torn lines"] += len(whole) < len(data)
        self._survived = whole

    def _check_complete(self) -> None:
        """Compare a complete grid with an undisturbed one, and go to the next folder."""
        for process in self._old:
            # The pipe ends when the last worker of a killed parent has ended.
            process.communicate(timeout=LONGEST)
        self._old.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            stored = self._store.read(SCALE)
        assert {run: record["metrics"] for run, record in stored.items()} == self._wanted
        assert len(self._store.path(SCALE).read_bytes().splitlines()) == len(self._wanted)
        self.counts["complete grids"] += 1
        self.counts["runs"] += len(self._wanted)
        self._number += 1
        self._survived = b""


def undisturbed(folder: Path) -> dict[str, dict]:
    """The metrics by run identity that one process stores that nobody kills."""
    store = Store(SLUG, folder)
    cells = expand(load_grid(SLUG), SCALE, data="embedded", only=ONLY)
    outcome = run_grid(cells, store, SCALE, jobs=1, progress=False)
    assert len(outcome.computed) == len(cells)
    return {run: record["metrics"] for run, record in store.read(SCALE).items()}


def workers_of(pid: int) -> list[int]:
    """The worker processes of a grid's process."""
    found = []
    try:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass  # It has ended meanwhile.
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int, help="the number of kills")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and the victims")
    parser.add_argument("--span", type=float, default=2.0, help="seconds of chance before a kill")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        played = Played(Path(folder), options.seed)
        played.play(options.kills, options.span)
        for name, count in sorted(played.counts.items()):
            print(f"{name}: {count}")
        print(f"nothing lost, repeated or torn in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
