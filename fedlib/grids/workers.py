"""How tasks are computed: one after the other in this process, or in several worker processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

from fedlib.grids.compute import NotStarted, Task, compute
from fedlib.grids.progress import Progress

Result = dict[str, Any] | NotStarted | Exception | None
Results = Generator[tuple[Task, Result], None, None]


def in_process(tasks: Sequence[Task], bar: Progress) -> Results:
    """Compute the tasks one after the other in this process."""
    for task in tasks:
        try:
            yield task, compute(task, lambda _: bar.advance(1))
        except Exception as error:
            yield task, error


# A worker sets these when it starts: the queue for the numbers of rounds done, the event that tells
# it to stop, and where it notes that it has begun a task.
_reports: Any = None
_stopped: Any = None
_begun: Any = None


def _start_worker(reports: Any, stopped: Any, begun: Any) -> None:
    """Prepare a worker process: how it reports, and how it ends."""
    global _reports, _stopped, _begun
    _reports, _stopped, _begun = reports, stopped, begun
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        # Without this, a worker whose parent was killed would go on, and then wait for ever.
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    # Ctrl-C reaches every process of a terminal, and only the parent should print a message.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    warnings.simplefilter("ignore")  # the parent process has shown the same warnings


def _work(task: Task, number: int) -> dict[str, Any] | NotStarted | None:
    """Compute one task in a worker, and report the rounds done twice a second."""
    _begun[number] = 1
    pending, last = 0, time.monotonic()

    def on_round(_: int) -> None:
        nonlocal pending, last
        if _stopped.is_set():
            os._exit(130)
        pending += 1
        if time.monotonic() - last > 0.5:
            _reports.put(pending)
            pending, last = 0, time.monotonic()

    try:
        record = compute(task, on_round)
    except Exception as error:
        check_that_it_travels(error)
        raise
    _reports.put(pending)
    return record


def check_that_it_travels(error: Exception) -> None:
    """Raise another error with the same text if an error cannot be sent to the parent process.

    The pool would take it for the end of its worker, and the reason would be lost.
    """
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        # What fails here depends on the error's class alone, so it says nothing more.
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _children_ignore_interrupts() -> Iterator[None]:
    """Let the processes that are started in this context ignore Ctrl-C.

    They inherit this from their parent. Otherwise each would end with a message of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def in_workers(tasks: Sequence[Task], jobs: int, bar: Progress) -> Results:
    """Compute the tasks in ``jobs`` worker processes, and give each result when it is there.

    A worker may be killed, most often for want of memory. The runs that were being computed are
    then tried once more, each alone, after all others.
    """
    # The workers are spawned, because torch's threads and CUDA do not survive a fork.
    context = multiprocessing.get_context("spawn")
    waiting = list(range(len(tasks)))
    suspects: list[int] = []
    while waiting or suspects:
        alone = not waiting
        chosen = [suspects.pop(0)] if alone else waiting
        begun = context.RawArray("b", len(tasks))
        done: set[int] = set()
        try:
            numbered = {number: tasks[number] for number in chosen}
            results = _in_pool(context, numbered, 1 if alone else jobs, begun, bar)
            with contextlib.closing(results):
                for number, result in results:
                    done.add(number)
                    yield tasks[number], result
            waiting = []
        except BrokenProcessPool as error:
            # A worker may have been killed after it stored a run and before it said so.
            for number in [number for number in chosen if begun[number] and number not in done]:
                task = tasks[number]
                record = task.store.read(task.scale).get(task.cell.config.id)
                if record is not None:
                    done.add(number)
                    yield task, record
            lost = [number for number in chosen if number not in done]
            waiting = [number for number in lost if not begun[number]]
            if alone and lost:
                waiting = []
                died = "its process was killed twice, the second time while it ran alone"
                hint = "Perhaps there is too little memory: try fewer --jobs."
                yield tasks[chosen[0]], RuntimeError(f"{died}. {hint}")
            elif waiting == lost and not done:
                raise RuntimeError(
                    "no worker process could start; each has said above why. A script must call "
                    "run_grid below `if __name__ == '__main__':`, because each worker imports it, "
                    "and what a notebook defines is not known to workers: use jobs=1 there."
                ) from error
            else:
                suspects += [number for number in lost if begun[number]]


def _in_pool(
    context: Any, tasks: Mapping[int, Task], jobs: int, begun: Any, bar: Progress
) -> Generator[tuple[int, Result], None, None]:
    """Compute numbered tasks in one pool; ``begun`` notes which were begun.

    Raises
    ------
    BrokenProcessPool
        If a worker was killed. No other worker goes on then.
    """
    reports, stopped = context.SimpleQueue(), context.Event()
    pool = ProcessPoolExecutor(jobs, context, _start_worker, (reports, stopped, begun))
    try:
        with bar.fed_by(reports):
            with _children_ignore_interrupts():
                futures = {pool.submit(_work, tasks[number], number): number for number in tasks}
            for future in as_completed(futures):
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    raise error
                if error is not None and not isinstance(error, Exception):
                    raise error
                yield futures[future], error or future.result()
    except BaseException:
        stopped.set()
        raise
    finally:
        # The pool itself would wait for ever for the workers that a killed one holds up.
        workers = list(pool._processes.values())
        pool.shutdown(wait=False, cancel_futures=True)
        wait_for_end(workers)


def wait_for_end(workers: Sequence[BaseProcess]) -> None:
    """Wait until the workers of a pool have ended, where the pool was told to shut down.

    An idle worker holds the lock of the queue of tasks. If it is killed then, the lock stays
    closed, and the other workers never read that they may end. They have nothing left to do, so
    this function kills them too.

    Parameters
    ----------
    workers
        The processes of the pool.
    """
    alive = {worker.sentinel: worker for worker in workers}
    while alive:
        for sentinel in connection.wait(list(alive)):
            ended = alive.pop(sentinel)  # type: ignore[arg-type]
            ended.join()
            # The pool's own thread may have noticed the end first, and write it down a bit later.
            waited = 0
            while ended.exitcode is None and waited < 1000:
                time.sleep(0.001)
                waited += 1
            if ended.exitcode is None or ended.exitcode < 0:
                for worker in alive.values():
                    worker.kill()
