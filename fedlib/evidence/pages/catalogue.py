"""The catalogue of rules and attacks, made from their classes and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.evidence.pages.markdown import table
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.validation import ConfigError, check_name

_SECTION = re.compile(r"\n(?=\w+\n---)")
"""Where a section of a docstring begins, such as its parameters or examples."""
_REGISTRIES: dict[str, Mapping[str, Any]] = {"aggregators": AGGREGATORS, "attacks": ATTACKS}


@page_mark("catalogue:KIND")
def catalogue(page: Page, kind: str) -> str:
    """Return a table of all aggregators or attacks, and a section on each.

    Parameters
    ----------
    page
        The Python blocks of the page define the names that the examples use.
    kind
        ``aggregators`` or ``attacks``.
    """
    registry = _REGISTRIES[check_name("catalogue", kind, _REGISTRIES)]
    of_rules = kind == "aggregators"
    rows = []
    for name, cls in registry.items():
        last = str(_most_byzantine(cls)) if of_rules else _listed(cls(n_byzantine=1).knows)
        rows.append((f"[`{name}`](#{kind}-{name})", _summary_and_rest(cls)[0], last))
    heads = (
        "name",
        "what it does",
        "largest f it accepts with 25 clients" if of_rules else "is told",
    )
    defined = _defined_by(page)
    sections = [section(kind, name, cls, defined) for name, cls in registry.items()]
    return "\n".join([table(heads, rows), "", *sections])


def section(kind: str, name: str, cls: Any, defined: dict[str, Any]) -> str:
    """Return the section on one entry, with its formula, hyperparameters and an example.

    Parameters
    ----------
    kind, name
        ``aggregators`` or ``attacks``, and the entry's name.
    cls
        The entry's class.
    defined
        The values of the names that the example uses.

    Raises
    ------
    ConfigError
        If the docstring does not describe a field, or the example uses a name that is not defined.
    """
    summary, description = _summary_and_rest(cls)
    lines = [f"({kind}-{name})=", f"### {name}", "", summary, "", f"$$ {cls.formula} $$", ""]
    lines += [description, ""] if description else []
    lines += [*_hyperparameters(cls), ""]
    part = cls(n_byzantine=1)  # what it needs or is told may depend on its hyperparameters
    if kind == "aggregators":
        needs = f"Needs beside the updates, by default: {_listed(part.needs)}."
        lines.append(f"Cost: $O({cls.cost})$. {needs}")
    else:
        lines.append(f"Is told: {_listed(part.knows)}.")
    shown_with: Mapping[str, Any] = getattr(cls, "shown_with", {})
    options = "".join(f", {field}={value!r}" for field, value in shown_with.items())
    made = f'{kind.upper()}["{name}"](n_byzantine=1{options})'
    code = f"{made}.apply({_arguments(kind, part)})[0]"
    try:
        shown = eval(code, defined) + 0.0  # a zero without its sign
    except NameError as error:
        raise ConfigError(
            f"the example {code} cannot run: a Python block of the page must define {error.name!r}."
        ) from error
    own = defined["told"].own_updates if kind == "attacks" else None
    if own is not None and torch.equal(shown, own):
        lines.append("In this example it sends its own update, because it acts on the data of its "
                     "clients, or in later rounds.")  # fmt: skip
    return "\n".join([*lines, "", "```python", f">>> {code}", repr(shown), "```", ""])


def _hyperparameters(cls: Any) -> list[str]:
    """Return a line on the fields of a class but ``n_byzantine``, which every entry has.

    Fields that the docstring describes together share a line.
    """
    documented = _documented_fields(cls)
    shown: dict[str, list[str]] = {}
    for field in dataclasses.fields(cls):
        if field.name == "n_byzantine":
            continue
        if field.name not in documented:
            raise ConfigError(
                f"{cls.__name__}: field {field.name!r} has no entry under Parameters."
            )
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        shown.setdefault(documented[field.name], []).append(f"`{field.name}={default!r}`")
    return [f"- {', '.join(fields)}: {said}" for said, fields in shown.items()]


def _arguments(kind: str, part: Any) -> str:
    """Return the arguments of an example, in the names that the page defines."""
    if kind == "attacks":
        return "benign, None, told" if part.knows - {"benign_updates"} else "benign"
    return "updates, None, facts" if part.needs else "updates"


def _listed(names: frozenset[str]) -> str:
    """Return names in words and in alphabetical order."""
    return ", ".join(name.replace("_", " ") for name in sorted(names)) or "nothing"


def _markdown(text: str) -> str:
    """Return the reStructuredText of a docstring as Markdown, with a line for each paragraph."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text.replace("``", "`"))
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n|\n(?=\* )", text)]
    return "\n\n".join(part for part in paragraphs if part)


def _summary_and_rest(cls: Any) -> tuple[str, str]:
    """Return the summary of a class's docstring, and the rest up to its parameters."""
    text = _SECTION.split(inspect.cleandoc(cls.__doc__ or ""))[0]
    summary, _, rest = text.partition("\n\n")
    return _markdown(summary), _markdown(rest)


def _documented_fields(cls: Any) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say about each field."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        parts = _SECTION.split(inspect.cleandoc(base.__doc__ or ""))
        text = "".join(part for part in parts if part.startswith("Parameters\n"))
        for names, entry in re.findall(r"^(\w[\w, ]*)\n((?:    .*\n?|\n)+)", text, re.MULTILINE):
            found.update({name: _markdown(entry) for name in names.split(", ")})
    return found


def _defined_by(page: Page) -> dict[str, Any]:
    """Return the names that the Python blocks of a page define."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page.text, re.DOTALL):
        exec(block, names)
    return names


def _most_byzantine(cls: type) -> int:
    """Return the largest ``n_byzantine`` that a rule accepts with 25 clients."""
    accepted = 0
    for f in range(26):
        try:
            cls(n_byzantine=f).check(25)
        except ConfigError:
            continue
        accepted = f
    return accepted
