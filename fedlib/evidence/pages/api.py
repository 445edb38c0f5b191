"""The reference of the public names, which Sphinx makes from their docstrings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import CLIENTS
from fedlib.data import PARTITIONS
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.validation import check_name

_REGISTRIES: dict[str, Mapping[str, Any]] = {
    "aggregators": AGGREGATORS,
    "attacks": ATTACKS,
    "clients": CLIENTS,
    "partitions": PARTITIONS,
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
        ``aggregators``, ``attacks``, ``clients`` or ``partitions``.
    """
    registry = _REGISTRIES[check_name("api", kind, _REGISTRIES)]
    sections = []
    for name, cls in registry.items():
        lines = [f"### {name}", ""]
        if kind in _IN_CATALOGUE:
            lines += [f"Formula and all parameters: {{ref}}`{name} <{kind}-{name}>`.", ""]
        lines += ["```{eval-rst}", f".. autoclass:: {cls.__module__}.{cls.__name__}", "```", ""]
        sections.append("\n".join(lines))
    return "\n".join(sections)
