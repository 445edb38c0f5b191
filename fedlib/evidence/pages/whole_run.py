"""How long a whole run takes with two states of the code, from ``benchmarks/whole_run.py``."""

from __future__ import annotations

import json
from typing import Any

from fedlib.evidence.pages.marks import Page, page_mark

FILE = "whole_run.json"


@page_mark("whole_run")
def whole_run(page: Page) -> str:
    """Say what a whole run took with an older state of the code, and with a newer one.

    Parameters
    ----------
    page
        It knows where the benchmarks' results are.
    """
    summary: dict[str, Any] = json.loads(page.benchmark(FILE))
    before, now = summary["before"], summary["now"]
    return (
        f"`{summary['cell']}` has {summary['rounds']} rounds at the paper's scale. Two states of "
        "the code played it at the same time, each on a core of its own, on "
        f"{summary['date']} ({summary['processor']}). The code without compiled kernels "
        f"(commit `{before['commit'][:7]}`) took {_minutes(before)} of processor time, and the "
        f"present code (`{now['commit'][:7]}`) took {_minutes(now)}. This is "
        f"{before['seconds'] / now['seconds']:.1f} times as fast. The accuracy after the last "
        f"round is {100 * before['accuracy']:.2f} % and {100 * now['accuracy']:.2f} %."
    )


def _minutes(played: dict[str, Any]) -> str:
    """Say how long a run took."""
    return f"{played['seconds'] / 60:.1f} minutes"
