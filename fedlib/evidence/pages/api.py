"""The reference of the public names, which Sphinx makes from their docstrings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import CLIENTS
from fedlib.data import PARTITIONS
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.models import MODELS
from fedlib.trackers import TRACKERS
from fedlib.validation import check_name

_REGISTRIES: dict[str, Mapping[str, Any]] = {
    "aggregators": AGGREGATORS,
    "attacks": ATTACKS,
    "clients": CLIENTS,
    "partitions": PARTITIONS,
    "models": MODELS,
    "trackers": TRACKERS,
}
_IN_CATALOGUE = ("aggregators", "attacks")


@page_mark("api:KIND")
def api(page: Page, kind: str) -> str:
    """Return a section on each part of a kind, in the order of the names.

    Parameters
    ----------
    page
        The page.
    kind
        ``aggregators``, ``attacks``, ``clients``, ``partitions``, ``models`` or ``trackers``.
    """
    registry = _REGISTRIES[check_name("api", kind, _REGISTRIES)]
    sections = []
    for name, part in registry.items():
        lines = [f"### {name}", ""]
        if isinstance(part, partial):
            values = ", ".join(f"{field}={value}" for field, value in part.keywords.items())
            lines += [f"The network is that of `{part.func.__name__}` with `{values}`.", ""]
            sections.append("\n".join(lines))
            continue
        if kind in _IN_CATALOGUE:
            lines += [f"Formula and all parameters: {{ref}}`{name} <{kind}-{name}>`.", ""]
        of = "autoclass" if isinstance(part, type) else "autofunction"
        lines += ["```{eval-rst}", f".. {of}:: {part.__module__}.{part.__name__}", "```", ""]
        sections.append("\n".join(lines))
    return "\n".join(sections)
