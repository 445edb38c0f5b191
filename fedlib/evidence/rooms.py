"""The modules of a paper's folder, which this room imports by the paper's name alone."""

from __future__ import annotations

import importlib
from typing import Any

from fedlib.validation import ConfigError


def tables_of(slug: str) -> Any:
    """Return the module ``tables`` of a paper, which has ``claims_table`` and ``CLAIMS``.

    Parameters
    ----------
    slug
        The paper's short name.

    Raises
    ------
    ConfigError
        If the folder of the paper has no such module.
    """
    name = f"fedlib.papers.{slug}.tables"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise  # A package is missing that the module needs.
        raise ConfigError(
            f"paper={slug!r} has no {name.replace('.', '/')}.py, which makes its table of claims."
        ) from None
