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
        f"The run `{summary['cell']}` has {summary['rounds']} rounds at the paper's scale. An "
        "older and a newer version of the code computed it at the same time, each on a core of its "
        f"own, on {summary['date']} ({summary['processor']}). The older code (commit "
        f"`{before['commit'][:7]}`) has no compiled kernels. It took {_minutes(before)} of "
        f"processor time. The newer code (`{now['commit'][:7]}`) took {_minutes(now)}, so it is "
        f"{before['seconds'] / now['seconds']:.1f} times as fast. The accuracy after the last "
        f"round is {100 * before['accuracy']:.2f} % with the older code and "
        f"{100 * now['accuracy']:.2f} % with the newer code."
    )


def _minutes(played: dict[str, Any]) -> str:
    """Say how long a run took."""
    return f"{played['seconds'] / 60:.1f} minutes"
