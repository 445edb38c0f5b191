"""The progress of a grid on the terminal: a bar, and a line for each finished run."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

try:
    from tqdm import tqdm
except ImportError:  # a machine that only computes may have torch and numpy alone
    tqdm = None


def duration(seconds: float) -> str:
    """Put a number of seconds into words: ``88 s``, ``38 min``."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class Progress:
    """The count of the rounds and runs that are done, as the terminal shows it.

    A terminal shows a bar and a line for each finished run, a log file the lines alone.

    Parameters
    ----------
    rounds, runs
        How many rounds and how many runs there are to do.
    enabled
        False prints nothing at all, which suits notebooks.
    budget
        After so many seconds no run is started any more, so that no more time is left than they
        are. None sets no limit.
    """

    def __init__(
        self, rounds: int, runs: int, enabled: bool = True, budget: float | None = None
    ) -> None:
        self._enabled = enabled
        self._budget = math.inf if budget is None else budget
        self._rounds = rounds
        self._runs = runs
        self._done_rounds = 0
        self._done_runs = 0
        self._start = time.monotonic()
        self._bar: Any = None
        if enabled and rounds and tqdm is not None and sys.stderr.isatty():
            self._bar = tqdm(total=rounds, unit="round", smoothing=0.05, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, rounds: int) -> None:
        """Count this many more rounds as done."""
        self._done_rounds += rounds
        if self._bar is not None:
            self._bar.update(rounds)

    def line(self, text: str, details: Sequence[str] = ()) -> None:
        """Count one more run as done and print its line, with the time left if there is no bar.

        Parameters
        ----------
        text
            The line.
        details
            More lines to print below it.
        """
        self._done_runs += 1
        if not self._enabled:
            return
        text = f"[{self._done_runs}/{self._runs}] {text}"
        if self._bar is not None:
            self._bar.write("\n".join([text, *details]), file=sys.stdout)
            return
        left = ""
        if 0 < self._done_rounds < self._rounds:
            spent = time.monotonic() - self._start
            seconds = spent * (self._rounds / self._done_rounds - 1)
            left = f" ({duration(min(seconds, max(self._budget - spent, 0)))} left)"
        print("\n".join([text + left, *details]), flush=True)

    @contextlib.contextmanager
    def fed_by(self, queue: Any) -> Iterator[None]:
        """Count the rounds that worker processes report, while this context lasts.

        Parameters
        ----------
        queue
            The workers put numbers of rounds done into this ``multiprocessing.SimpleQueue``.
        """

        def listen() -> None:
            while (rounds := queue.get()) is not None:
                self.advance(rounds)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield
        finally:
            # A worker that Ctrl-C ended may still hold the queue's lock, so a thread of its own
            # puts the end mark and nobody waits for it.
            threading.Thread(target=queue.put, args=(None,), daemon=True).start()
            listener.join(timeout=2)
