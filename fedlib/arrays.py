"""Arrays of other libraries: they become tensors on the way in, and are answered in kind.

A library's array is known by the protocols that it offers, and not by its name: ``__dlpack__``
shares memory on any device, ``__array__`` gives a NumPy array, and ``__array_namespace__`` says
which library makes arrays of this kind.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import torch

from fedlib.validation import ConfigError

ArrayT = TypeVar("ArrayT")


def is_array(value: object) -> bool:
    """Return whether an object offers a protocol by which :func:`as_tensor` reads its values."""
    return hasattr(value, "__dlpack__") or hasattr(value, "__array__")


def json_value(value: Any) -> Any:
    """Return a number of NumPy as the same number of Python, and any other value as it is."""
    return value.item() if isinstance(value, np.generic) else value


def as_tensor(field: str, value: Any) -> torch.Tensor:
    """Return the values of an array as a tensor, which shares its memory where that is possible.

    Parameters
    ----------
    field
        The name of the field, for the message.
    value
        A tensor, which is returned as it is, a NumPy array, or an object with ``__dlpack__`` or
        ``__array__``.

    Raises
    ------
    ConfigError
        If the object has no such protocol, or if its values are of a type that PyTorch lacks.
    """
    if isinstance(value, torch.Tensor):
        return value
    try:
        if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
            return cast(torch.Tensor, torch.from_dlpack(value))
        if hasattr(value, "__array__"):
            array = np.asarray(value)
            # PyTorch takes neither memory that it may not write to nor steps backwards.
            array = array if array.flags.writeable else array.copy()
            return torch.from_numpy(np.ascontiguousarray(array))
    except (BufferError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{field} of type {type(value).__name__} cannot be read as a tensor: {error}"
        ) from error
    raise ConfigError(
        f"{field} of type {type(value).__name__} cannot be used: it must be a torch.Tensor, a "
        "NumPy array, or an object with __dlpack__ or __array__."
    )


def in_kind(result: torch.Tensor, like: ArrayT) -> ArrayT:
    """Return a tensor as an array of the library that another array is of.

    Parameters
    ----------
    result
        The tensor.
    like
        The other array. A tensor is answered by a tensor. An array whose library knows DLPack and
        names itself by ``__array_namespace__`` is answered by an array of that library on the same
        device. Everything else, such as a table of pandas, is answered by a NumPy array.
    """
    if isinstance(like, torch.Tensor):
        return cast(ArrayT, result)
    if not isinstance(like, np.ndarray) and hasattr(like, "__array_namespace__"):
        return cast(ArrayT, like.__array_namespace__().from_dlpack(result.contiguous()))
    return cast(ArrayT, result.cpu().numpy())
