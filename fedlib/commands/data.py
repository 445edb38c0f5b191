"""``data`` says which data sets are on disk, fetches one, or records a copy as it is."""

from __future__ import annotations

import argparse
from pathlib import Path

from fedlib.data.catalogue import DATASETS, DOWNLOADABLE
from fedlib.data.download import download
from fedlib.data.errors import DataError
from fedlib.data.files import data_root, on_disk, verify_files
from fedlib.data.trust import read_all, trust
from fedlib.validation import ConfigError, check_name


def add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``data`` to the parser."""
    data = commands.add_parser("data", help="which data sets are on disk; get or trust others")
    names = ", ".join(DOWNLOADABLE)
    data.add_argument("--download", metavar="NAME", help=f"fetch into the data folder: {names}")
    data.add_argument("--trust", metavar="NAME", help="record the files of a set as they are")
    data.add_argument("--variant", metavar="NAME", help="with --trust: what to call that copy")
    data.set_defaults(command=_data)


def _data(options: argparse.Namespace) -> int:
    """Download or trust a data set if asked to, and print the state of all data sets."""
    if options.variant and not options.trust:
        raise ConfigError(f"variant={options.variant!r} is of use with --trust alone.")
    root = data_root()
    if options.trust:
        check_name("trust", options.trust, DATASETS)
        if not options.variant:
            raise ConfigError("variant=None must be a name for the copy: --variant NAME.")
        print(f"recorded in {trust(options.trust, root, options.variant)}")
    if options.download:
        download(options.download)
    print_data()
    return 0


def print_data() -> None:
    """Print the data folder and the state of all data sets."""
    root = data_root()
    print(f"data folder: {root}")
    for name, info in DATASETS.items():
        print(f"  {name:16} {info.title:18} {_data_status(name, root)}")


def _data_status(name: str, root: Path) -> str:
    """Say whether a data set is on disk and usable, or how to get it."""
    info = DATASETS[name]
    if not info.files:
        return "made on the spot"
    try:
        if not on_disk(name, root):
            if info.generate is not None:
                return f"absent: cannot be downloaded, goes to {', '.join(info.files)}"
            return f"absent: python -m fedlib data --download {name}"
        verified = verify_files(name, root)
        if verified.trusted:
            # Only the user vouches for these files, so that they may be of any content.
            read_all(name, root, verified)
        return f"on disk and verified ({verified.variant})"
    except DataError as error:
        return f"NOT USABLE: {' '.join(str(error).split())}"
