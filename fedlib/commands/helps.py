"""What ``--help`` says about options that several commands have."""

from __future__ import annotations

import argparse

SCALE_HELP = (
    "how large the runs are: smoke (a few rounds, only to see that they work), quick (short runs) "
    "or paper (as long as in the paper)"
)
DEVICE_HELP = (
    "where to compute: cpu, cuda, cuda:1 and so on, or auto, which takes a GPU if there is one "
    "(default: auto)"
)
DATA_HELP = (
    "which data to use: real (they are downloaded if they are not on disk), embedded (data that "
    "fedlib generates), or auto, which takes the real data if they are on disk, and otherwise "
    "generated data (default: auto)"
)
ONLY_HELP = (
    "choose the cells (configurations) whose names match the pattern, such as '*/rop/*'. The "
    "command 'list' prints all names"
)


def pattern(text: str) -> str:
    """Return a pattern of the command line. An empty one is an unset variable more often than not.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError(
            "must not be empty: give a pattern such as '*/rop/*', or leave the option out"
        )
    return text


def sentence(text: str) -> str:
    """Return a text of the list of commands as a sentence: with a capital letter and a full stop.

    Parameters
    ----------
    text
        The text, in one line.
    """
    return f"{text[0].upper()}{text[1:]}."
