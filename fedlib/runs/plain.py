"""Values in one form: the same configuration has the same identity, however it was written down.

Python takes ``1``, ``1.0`` and NumPy's ``float64(1)`` for equal, but JSON writes the first two
differently and does not know the third. A field therefore holds the Python type that it is declared
with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from numbers import Integral, Real
from typing import Any

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
    for field in fields(part):
        before = getattr(part, field.name)
        after = _plain(_declared(field.type), before, f"{prefix}{field.name}")
        # Equal values may be of other types, and so may the members of equal tuples.
        if repr(after) != repr(before) or type(after) is not type(before):
            changed[field.name] = after
    return changed


def _declared(kind: object) -> str:
    """Return a declared type as its source text. It is text already in most modules."""
    return kind.__name__ if type(kind) is type else str(kind)


def _plain(declared: str, value: Any, name: str) -> Any:
    """Return a value in the form of its declared type."""
    if is_dataclass(value) and not isinstance(value, type):
        changed = plain_values(value, f"{name}.")
        return replace(value, **changed) if changed else value
    declared = declared.removesuffix(" | None")
    if declared.startswith("tuple[") and declared.endswith(", ...]"):
        member = declared.removeprefix("tuple[").removesuffix(", ...]")
        is_many = isinstance(value, list | tuple)
        return tuple(_plain(member, one, name) for one in value) if is_many else value
    if declared == "bool":
        return check_bool(name, value)
    kind, make = _FORMS.get(declared, (type(None), _same))
    # A truth value is no number, though Python says that it is one.
    return make(value) if isinstance(value, kind) and not isinstance(value, bool) else value


def _same(value: Any) -> Any:
    return value


def _float(value: Any) -> float:
    # The sum turns -0.0 into 0.0, which equals it but is written differently.
    return float(value) + 0.0


_FORMS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "int": (Integral, int),
    "float": (Real, _float),
    "str": (str, str),
}
