"""Values in one form: the same configuration has the same identity, however it was written down.

Python takes ``1``, ``1.0`` and NumPy's ``float64(1)`` for equal, but JSON writes the first two
differently and does not know the third. A field therefore holds the Python type that it is declared
with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import is_dataclass, replace
from functools import cache
from numbers import Integral, Real
from typing import Any

from fedlib.parts import fields_of, is_frozen
from fedlib.validation import check_bool


def plain_values(part: Any, prefix: str = "") -> dict[str, Any]:
    """Return the fields of a part whose values have another form than they should.

    Parameters
    ----------
    part
        A dataclass.
    prefix
        What stands before the name of a field in a message, such as ``attack.``.

    Returns
    -------
    dict
        The values in the right form by the field's name. A value of a wrong kind is left as it is,
        because the part says itself what is allowed.

    Raises
    ------
    ConfigError
        If a field that is declared as a truth value holds anything else.
    """
    changed = {}
    for name, declared, exact, member in _declared_fields(type(part)):  # type: ignore[arg-type]
        before = getattr(part, name)
        # Almost all values have their form already. Zero may be written in two ways.
        kind = type(before)
        if kind in exact and (before or kind is not float):
            continue
        if kind is tuple and all(type(one) is member for one in before) and member is not float:
            continue
        if _PLAIN in getattr(before, "__dict__", ()):
            continue  # Many runs have the same part, which cannot change.
        after = _plain(declared, before, f"{prefix}{name}")
        if after is before:
            continue
        # Equal values may be of other types, and so may the members of equal tuples.
        if repr(after) != repr(before):
            changed[name] = after
    return changed


@cache
def _declared_fields(
    kind: Hashable,
) -> tuple[tuple[str, str, frozenset[type], type | None], ...]:
    """Return what is declared of each field of a dataclass.

    Returns
    -------
    tuple
        Each field's name, its declared type as text, the types whose values have their form
        already, and the type that the members of a tuple then have. The last is None if the field
        may be no tuple.
    """
    found = []
    for field in fields_of(kind):
        declared = _declared(field.type)
        allowed = declared.split(" | ")
        many = next((one for one in allowed if _MANY.fullmatch(one)), "")
        # A number that may be of both kinds is a float, because each number must have one form.
        single = {_EXACT[one] for one in allowed if one in _EXACT}
        single -= {int} if float in single else set()
        found.append((field.name, declared, frozenset(single), _EXACT.get(many[6:-6])))
    return tuple(found)


def _declared(kind: object) -> str:
    """Return a declared type as its source text. It is text already in most modules."""
    return kind.__name__ if type(kind) is type else str(kind)


def _plain(declared: str, value: Any, name: str) -> Any:
    """Return a value in the form of its declared type."""
    if is_dataclass(value) and not isinstance(value, type):
        known = getattr(value, "__dict__", {})
        changed = plain_values(value, f"{name}.")
        if changed:
            value = replace(value, **changed)
        elif known and is_frozen(type(value)):
            known[_PLAIN] = True
        return value
    allowed = declared.split(" | ")
    if allowed == ["bool"]:
        return check_bool(name, value)
    if isinstance(value, list | tuple):
        many = next((one for one in allowed if _MANY.fullmatch(one)), None)
        return tuple(_plain(many[6:-6], one, name) for one in value) if many else value
    for form, (kind, make) in _FORMS.items():
        # A truth value is no number, though Python says that it is one.
        if form in allowed and isinstance(value, kind) and not isinstance(value, bool):
            return make(value)
    return value


def _float(value: Any) -> float:
    # The sum turns -0.0 into 0.0, which equals it but is written differently.
    return float(value) + 0.0


_PLAIN = "_has_plain_values"
"""The attribute of a part whose values have been found to have their form."""
_EXACT: dict[str, type] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "None": type(None),
}
# A number that may be of both kinds is a float, because each number must have one form.
_FORMS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "float": (Real, _float),
    "int": (Integral, int),
    "str": (str, str),
}
_MANY = re.compile(r"tuple\[\w+, \.\.\.\]")
