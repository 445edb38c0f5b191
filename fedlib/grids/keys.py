"""Cell keys: text such as ``table_iv/mnist_iid/rop/cc_tau1/0.99``, written and read in one place.

A paper names the parts of its keys in a ``NamedTuple`` for each kind of cell::

    class TableIV(NamedTuple):
        setting: str
        attack: str
        rule: str
        momentum: float

        def __str__(self) -> str:
            return written("table_iv", self)

        @classmethod
        def parse(cls, text: str) -> "TableIV":
            return parsed(cls, "table_iv", text)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, get_type_hints

from fedlib.validation import ConfigError

K = TypeVar("K")


def written(prefix: str, parts: Iterable[Any]) -> str:
    """Return the text of a key: the prefix, if there is one, and the parts, separated by slashes.

    Numbers are written as short as they can be (``0.9``, ``1``).
    """
    texts = [f"{part:g}" if isinstance(part, float) else str(part) for part in parts]
    return "/".join([prefix, *texts] if prefix else texts)


def parsed(kind: Callable[..., K], prefix: str, text: str) -> K:
    """Return the key that :func:`written` wrote as ``text``.

    If the last part is text, it may have slashes itself.

    Parameters
    ----------
    kind
        The ``NamedTuple`` of the key. Its fields may be text or numbers.
    prefix
        The text before the first slash, or an empty text.
    text
        The key's text.

    Raises
    ------
    ConfigError
        If the text is no key of this kind.
    """
    types = get_type_hints(kind)
    start = f"{prefix}/" if prefix else ""
    parts = text.removeprefix(start).split("/", len(types) - 1)
    if not text.startswith(start) or len(parts) != len(types):
        form = "/".join([prefix, *types] if prefix else list(types))
        raise ConfigError(f"key={text!r} must have the form {form}.")
    try:
        return kind(*(of(part) for of, part in zip(types.values(), parts, strict=True)))
    except ValueError as error:
        raise ConfigError(f"key={text!r} has a part that is no number: {error}.") from error
