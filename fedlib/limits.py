"""What this process may use of the machine: processor cores and memory.

A container often shows all cores and all memory of its machine, and allows a part of them. Linux
says in the files of its control groups how much that is, in one of two versions. A limit of a group
holds for all groups below it, so that each group on the way up is asked.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Group:
    """A control group that this process is in.

    Attributes
    ----------
    folder
        Where the files of the group are.
    version
        The version of the control groups, 1 or 2.
    """

    folder: Path
    version: int

    def numbers(self, name: str) -> list[float] | None:
        """Return the numbers in a file of the group, or None if there is no such file.

        ``max`` is infinity, as for groups of version 2 without a limit.
        """
        try:
            words = (self.folder / name).read_text().split()
            return [math.inf if word == "max" else float(word) for word in words]
        except (OSError, ValueError):
            return None

    def number(self, name: str) -> float | None:
        """Return the first number in a file of the group, or None if there is none."""
        found = self.numbers(name)
        return found[0] if found else None

    def cores(self) -> float:
        """Return how many cores' time the group may use; infinity if all that there are."""
        if self.version == 2:
            found = self.numbers("cpu.max") or []
        else:
            quota, period = self.number("cpu.cfs_quota_us"), self.number("cpu.cfs_period_us")
            found = [] if quota is None or period is None else [quota, period]
        if len(found) != 2 or min(found) <= 0:
            return math.inf  # in version 1 a quota of -1 stands for none
        return found[0] / found[1]

    def free_memory(self) -> float:
        """Return how many bytes the group may still take; infinity if it has no limit.

        What is cached of files that were not read lately counts as free, because Linux drops it
        when memory is short.
        """
        if self.version == 2:
            # Above `high` a process is slowed down until it nearly stands still.
            limits = [self.number(name) for name in ("memory.max", "memory.high")]
            used, cached = self.number("memory.current"), "inactive_file"
        else:
            limits = [self.number("memory.limit_in_bytes")]
            used, cached = self.number("memory.usage_in_bytes"), "total_inactive_file"
        limit = min((limit for limit in limits if limit is not None), default=math.inf)
        if used is None or limit == math.inf:
            return limit
        return max(0.0, limit - used + self._statistic(cached))

    def _statistic(self, name: str) -> float:
        """Return an entry of the group's statistics of memory in bytes, 0 if it is not there."""
        try:
            text = (self.folder / "memory.stat").read_text()
        except OSError:
            return 0.0
        found = re.search(rf"^{name} (\d+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0


def groups(controller: str, root: Path = Path("/")) -> Iterator[Group]:
    """Give the control groups that limit this process, from its own one up to the highest seen.

    Nothing is given on a system without control groups.

    Parameters
    ----------
    controller
        What is limited, ``cpu`` or ``memory``.
    root
        The folder that takes the place of ``/``, for tests.
    """
    try:
        own = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    for version, mounted, point in _hierarchies(mounts, controller):
        for line in own:
            _, controllers, path = line.split(":", 2)
            of_this = not controllers if version == 2 else controller in controllers.split(",")
            if of_this:
                folder = root / point.lstrip("/")
                inner = _below(path, mounted)
                for part in (inner, *inner.parents):
                    yield Group(folder / part, version)


def _hierarchies(mounts: list[str], controller: str) -> Iterator[tuple[int, str, str]]:
    """Give version, mounted group and mount point of each hierarchy that may limit a controller."""
    for line in mounts:
        # See proc(5): ... ... ... root mount-point options [optional]... - type source options
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(), after.split(maxsplit=2)
        mounted, point = (_unescaped(field) for field in fields[3:5])
        if kind == "cgroup2":
            yield 2, mounted, point
        elif kind == "cgroup" and controller in options.split(","):
            yield 1, mounted, point


def _below(path: str, mounted: str) -> PurePosixPath:
    """Return where a group is below the mount point.

    A container may see its own group as the highest, while its path is that of the machine. Then
    the mounted group is its own.
    """
    outer, inner = PurePosixPath(mounted), PurePosixPath(path)
    below = inner.relative_to(outer) if inner.is_relative_to(outer) else PurePosixPath(".")
    return PurePosixPath(".") if ".." in below.parts else below


def _unescaped(field: str) -> str:
    """Return a field of the list of mounts with its spaces, which stand as numbers there."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def cores(root: Path = Path("/")) -> int:
    """Return how many processes that compute all the time this process should start at most.

    That is the number of cores that it may run on, or less if it may use only a part of their time.
    A part of a core that is left counts as one, because it would stay idle otherwise.

    Parameters
    ----------
    root
        The folder that takes the place of ``/``, for tests.
    """
    quota = min((group.cores() for group in groups("cpu", root)), default=math.inf)
    return max(1, math.ceil(min(_allowed_cores(), quota)))


def _allowed_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on; users may set it
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS or Windows
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def free_memory(root: Path = Path("/")) -> float:
    """Return how many bytes of memory may still be taken; infinity if nothing is known of it.

    Parameters
    ----------
    root
        The folder that takes the place of ``/``, for tests.
    """
    free = [group.free_memory() for group in groups("memory", root)]
    try:
        text = (root / "proc/meminfo").read_text()
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
        if found:
            free.append(1024.0 * int(found[1]))
    except OSError:
        free.append(_all_memory())
    return min(free, default=math.inf)


def _all_memory() -> float:
    """Return the bytes of memory of a machine that does not say how many are free, as macOS."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def memory_of_this_process(root: Path = Path("/")) -> float:
    """Return how many bytes of memory this process has.

    Where the system does not say that, it is how many the process had at most.

    Parameters
    ----------
    root
        The folder that takes the place of ``/``, for tests.
    """
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
        return float(pages * os.sysconf("SC_PAGE_SIZE"))
    except OSError:
        try:
            import resource
        except ImportError:  # on Windows
            return 0.0
        unit = 1 if sys.platform == "darwin" else 1024
        return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
