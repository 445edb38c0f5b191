"""A reader of pickles that runs nothing.

A pickle may name any function and have it called when it is read. CIFAR's batches are pickles, and
a folder of data may come from anybody. The reader of this module therefore knows the few names
that pickled arrays and numbers of NumPy need, and refuses every other one. Stand-ins take the
place of these names, so that NumPy itself never restores a state that a file describes.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from fedlib.data.errors import DataError

_SIMPLE_TYPES = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f4", "f8", "b1"}


class _Type:
    """Stands in for ``numpy.dtype``, the type of the elements of an array."""

    def __init__(self, name: str, *_: object) -> None:
        if name not in _SIMPLE_TYPES:
            raise pickle.UnpicklingError(f"elements of type {name!r} are not allowed")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands in for ``numpy.ndarray``, whose elements come as the state of the array."""

    def __init__(self, *_: object) -> None:
        self.values = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, content = state
        flat = np.frombuffer(_as_bytes(content), dtype=kind.dtype)
        self.values = flat.reshape(shape, order="F" if by_columns else "C")


def _as_bytes(content: str | bytes) -> bytes:
    """Return the bytes of a text of Python 2, in which each letter is a byte."""
    return content.encode("latin1") if isinstance(content, str) else memoryview(content).tobytes()


def _encode(text: str, encoding: str) -> bytes:
    """Stand in for ``codecs.encode``, with which Python 3 writes bytes that Python 2 can read."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"the encoding {encoding!r} is not allowed")
    return text.encode("latin1")


def _number(kind: _Type, content: str | bytes) -> Any:
    """Stand in for the function that restores a single number of NumPy."""
    return np.frombuffer(_as_bytes(content), dtype=kind.dtype, count=1)[0].item()


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    # NumPy 2 has moved this module. Files keep the name of the version that wrote them.
    **{
        (module, name): stand_in
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name, stand_in in (("_reconstruct", _Array), ("scalar", _number))
    },
}
"""The stand-in for each name that a pickle may use."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]


def read_pickled_table(content: bytes, source: str) -> dict[str, Any]:
    """Read a pickled dictionary of arrays, lists, texts and numbers, and run nothing.

    Parameters
    ----------
    content
        The pickle, written by Python 2 or Python 3.
    source
        Where the pickle comes from, for the message.

    Returns
    -------
    dict
        The values by name. Arrays are NumPy arrays.

    Raises
    ------
    DataError
        If the pickle is damaged, holds something else than a dictionary, or asks for anything
        but plain arrays, lists, dictionaries, texts and numbers.
    """
    try:
        table = _Reader(io.BytesIO(content), encoding="latin1").load()
    # A damaged pickle may raise an error of any kind.
    except Exception as error:
        raise DataError(f"{source} cannot be read as a pickle of plain arrays: {error}") from error
    if not isinstance(table, dict):
        raise DataError(f"{source} holds a {type(table).__name__}, but must hold a dictionary.")
    return {
        str(name): value.values if isinstance(value, _Array) else value
        for name, value in table.items()
    }
