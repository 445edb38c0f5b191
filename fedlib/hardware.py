"""The machine: its devices and threads, and what a record says of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fedlib import __version__, kernels
from fedlib.limits import cores
from fedlib.validation import ConfigError

PACKAGES = ("torch", "torchvision", "numpy")


def check_device(device: str) -> torch.device:
    """Return a device if it can be used here.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:0"`` and so on, or ``"auto"``. With ``"auto"`` the first of
        NVIDIA's GPUs is used if there is one, and the CPU otherwise. Apple's ``"mps"`` has no
        float64, which distances and averages are summed in, so that it cannot be used.

    Raises
    ------
    ConfigError
        If there is no such device here.
    """
    available = ["cpu"]
    if torch.cuda.is_available():
        available += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if device == "auto":
        return torch.device(available[1] if len(available) > 1 else "cpu")
    if device not in available:
        why = "has no float64" if device == "mps" else "is not available here"
        raise ConfigError(f"device={device!r} {why}. Allowed: {', '.join(['auto', *available])}.")
    return torch.device(device)


def threads_per_job(jobs: int) -> int:
    """Return how many threads each of several processes should use.

    The processes share the cores equally. No process uses more threads than the environment
    variable ``OMP_NUM_THREADS`` allows.

    Parameters
    ----------
    jobs
        The number of processes, at least 1.
    """
    share = max(1, cores() // jobs)
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(limit)) if limit.isdigit() and int(limit) > 0 else share


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, and with as many as before afterwards.

    The order of sums, and so the last digits of a result, depend on the number of threads. Runs are
    chaotic, so that their later rounds then differ by whole points. A run is therefore played by
    one thread, however many cores there are and whatever else is computed beside it. Several
    runs side by side use the cores better than one run with several threads does.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def configure(threads: int) -> None:
    """Set the number of torch's threads, and keep freed memory in the process.

    Parameters
    ----------
    threads
        The number of threads, at least 1.
    """
    torch.set_num_threads(threads)
    keep_memory()


def keep_memory() -> None:
    """Keep freed memory in the process.

    By default glibc gives each large array back to the system when it is freed, and the next array
    of the same size is paid for again page by page. On a CPU that costs a client's step more than
    its arithmetic does.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)


@lru_cache(maxsize=1)
def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """Return a device's name for a record, such as the model of the GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name() if device.type == "cpu" else device.type


@lru_cache(maxsize=1)
def project_folder() -> Path | None:
    """Return the folder of fedlib's own project around the package.

    It is known by its ``pyproject.toml``, which names fedlib. Any other file of this name may lie
    beside an installed package. Return None if the package is installed without its project.
    """
    folder = Path(__file__).resolve().parents[1]
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None  # There is no such file, or it is not one of Python's projects.
    named = project.get("project", {})
    return folder if isinstance(named, dict) and named.get("name") == "fedlib" else None


@lru_cache(maxsize=1)
def commit() -> str:
    """Return which version of the library's code this is.

    Returns
    -------
    str
        The first 12 digits of the commit of fedlib's own repository, followed by ``+`` if the
        library's files have changed since. Where the package does not lie in this repository, it is
        ``fedlib`` with the version. If it lies there, but git is missing or refuses to answer (as
        it does if the repository belongs to another user), ``commit unknown`` follows.
    """
    version = f"fedlib {__version__}"
    folder = project_folder()
    if folder is None:
        return version
    # Variables such as GIT_DIR, which git sets for its hooks, lead to another repository.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return found.stdout.strip()

    try:
        # A copy of the project may lie inside another repository.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != folder:
            return version
        head = git("rev-parse", "HEAD")[:12]
        # Only what the numbers depend on: the library's own files, not results beside them.
        return head + ("+" if git("status", "--porcelain", "--", "fedlib") else "")
    except (OSError, subprocess.CalledProcessError):
        # Without a repository git fails as well. One that it does not open must not count as none.
        return f"{version}, commit unknown" if (folder / ".git").exists() else version


# Every record says the versions, and reading one again takes longer than a short run.
@cache
def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the numbers depend on, by name.

    They are those at the first call: a package that is replaced later is not loaded again.
    """
    # Numba's kernels add up in another order than torch does.
    packages = (*PACKAGES, "numba") if kernels.available() else PACKAGES
    found = {name: version for name in packages if (version := _installed(name))}
    return {"python": platform.python_version(), **found, "torch": str(torch.__version__)}


def describe(device: torch.device) -> dict[str, Any]:
    """Describe the machine and the software for the provenance of a record.

    Parameters
    ----------
    device
        The device that the run is computed on.

    Returns
    -------
    dict
        JSON values by name. Only a GPU has the entry ``tf32``. It says whether convolutions may
        round their factors to 11 bits, as torch lets them by default.
    """
    convolutions = {"tf32": torch.backends.cudnn.allow_tf32} if device.type == "cuda" else {}
    return {
        "commit": commit(),
        "device": device.type,
        "device_name": device_name(device),
        **convolutions,
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "platform": f"{sys.platform} {platform.machine()}",
    }
