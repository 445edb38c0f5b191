"""These functions check values that come from outside.

Their errors name the field, its value and what is allowed.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch


class ConfigError(ValueError):
    """A value cannot be used. The message names the field, the value and what is allowed.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ConfigError
    >>> try:
    ...     AGGREGATORS["krum"](n_byzantine=5).check(n_clients=10)
    ... except ConfigError as error:
    ...     print(error)
    aggregator.n_byzantine=5 is too many for krum with n_clients=10: allowed are 0 to 3.
    """


def check_name(field: str, value: object, allowed: Iterable[str]) -> str:
    """Return ``value`` if it is one of the allowed names.

    Parameters
    ----------
    field
        The name of the field, for the message.
    value
        The value to check.
    allowed
        The allowed names.

    Raises
    ------
    ConfigError
        If the value is not an allowed name. The message proposes the nearest allowed name.
    """
    # Sorting takes longer than all else, and only the message needs it.
    names = allowed if isinstance(allowed, Collection) else list(allowed)
    if isinstance(value, str) and value in names:
        return value
    names = sorted(names)
    near = (
        difflib.get_close_matches(value, names, n=1, cutoff=0.4) if isinstance(value, str) else []
    )
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ConfigError(f"{field}={value!r} is unknown{hint} Allowed: {', '.join(names)}.")


def check_bool(field: str, value: object) -> bool:
    """Return ``value`` if it is a truth value, as Python's own.

    Parameters
    ----------
    field
        The name of the field, for the message.
    value
        The value to check. NumPy's truth values count, but numbers and texts do not.

    Raises
    ------
    ConfigError
        If the value is no truth value.
    """
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{field}={value!r} must be True or False.")
    return bool(value)


def check_int(field: str, value: object, low: int, high: int | None = None) -> int:
    """Return ``value`` as Python's int if it is a whole number from ``low`` to ``high``.

    Parameters
    ----------
    field
        The name of the field, for the message.
    value
        The value to check. Whole numbers of NumPy count. A truth value does not count as a number.
    low, high
        The least and the largest allowed number. With None there is no largest number.

    Raises
    ------
    ConfigError
        If the value is not a whole number, or if it is out of range.
    """
    if type(value) is int and low <= value and (high is None or value <= high):
        return value  # Almost all values are right, and the words below take longer than the check.
    bound = f"at least {low}" if high is None else f"from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ConfigError(f"{field}={value!r} must be a whole number {bound}.")
    number = int(value)
    if number < low or (high is not None and number > high):
        raise ConfigError(f"{field}={number!r} is out of range: must be {bound}.")
    return number


def check_real(
    field: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return ``value`` as a float if it is finite and lies in an interval.

    Parameters
    ----------
    field
        The name of the field, for the message.
    value
        The value to check. Numbers of NumPy count. A truth value does not count as a number.
    low, high
        The ends of the interval.
    open_low, open_high
        Whether the end is excluded from the interval. By default it is included.

    Raises
    ------
    ConfigError
        If the value is not a finite number, or if it is out of range.
    """
    if type(value) is float and low < value < high:
        return value
    left = "(" if open_low or low == -math.inf else "["
    right = ")" if open_high or high == math.inf else "]"
    allowed = f"a finite number in {left}{low:g}, {high:g}{right}"
    try:
        usable = isinstance(value, Real) and not isinstance(value, bool)
        number = float(value) if usable else math.nan  # type: ignore[arg-type]
    except OverflowError:  # The whole number is too large for a float.
        number = math.inf
    if not math.isfinite(number):
        raise ConfigError(f"{field}={value!r} must be {allowed}.")
    too_low = number <= low if open_low else number < low
    too_high = number >= high if open_high else number > high
    if too_low or too_high:
        raise ConfigError(f"{field}={value!r} is out of range: must be {allowed}.")
    return number


def check_kind(
    field: str, value: object, kind: type | tuple[type, ...], allowed: str, example: str
) -> None:
    """Check that ``value`` is an object of one of the classes in ``kind``.

    Parameters
    ----------
    field
        The name of the field, for the message.
    value
        The value to check.
    kind
        The allowed class or classes.
    allowed
        The allowed classes in words, for the message.
    example
        An allowed value, for the message.

    Raises
    ------
    ConfigError
        If the value is of another class.
    """
    if not isinstance(value, kind):
        raise ConfigError(f"{field}={value!r} must be {allowed}, such as {example}.")


def check_matrix(field: str, value: object, axes: str) -> None:
    """Check that ``value`` is a floating-point matrix.

    Parameters
    ----------
    field
        The name of the field, for the message.
    value
        The value to check.
    axes
        The names of the two axes, for the message, such as ``"(n_clients, n_parameters)"``.

    Raises
    ------
    ConfigError
        If the value is not a tensor, or if it is not a matrix of floating-point numbers.
    """
    if not isinstance(value, torch.Tensor):
        raise ConfigError(
            f"{field} of type {type(value).__name__} cannot be used: it must be a torch.Tensor, "
            f"such as torch.from_numpy({field})."
        )
    if value.dim() != 2 or not value.is_floating_point() or value.layout != torch.strided:
        raise ConfigError(
            f"{field} of shape {tuple(value.shape)} and type {value.dtype}"
            + ("" if value.layout == torch.strided else f" and layout {value.layout}")
            + f" cannot be used: it must be a dense floating-point matrix {axes}."
        )


def make_part(field: str, classes: Mapping[str, type], spec: object) -> Any:
    """Return the object that ``spec`` describes.

    Parameters
    ----------
    field
        The kind of part, for the message.
    classes
        The dataclasses by name.
    spec
        A dictionary with the ``name`` of a dataclass and with its parameters.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown, or if a parameter is missing.
    """
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise ConfigError(f"{field}={spec!r} must be a dictionary with a 'name' and parameters.")
    name = check_name(field, spec["name"], classes)
    return construct(name, classes[name], {k: v for k, v in spec.items() if k != "name"})


def construct(title: str, cls: Any, values: object) -> Any:
    """Return ``cls(**values)`` for a dataclass.

    Parameters
    ----------
    title
        The name of the class, for the message.
    cls
        The dataclass.
    values
        A dictionary of its parameters.

    Raises
    ------
    ConfigError
        If a parameter is unknown or missing. If it is unknown, the message lists the known ones.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{title}={values!r} must be a dictionary of parameters.")
    parameters = [field for field in fields(cls) if field.init]
    names = [field.name for field in parameters]
    for name in values:
        if name not in names:
            known = ", ".join(names) or "none"
            raise ConfigError(f"{title} has no parameter {name!r}; it has: {known}.")
    for field in parameters:
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if not optional and field.name not in values:
            raise ConfigError(f"{title} needs the parameter {field.name!r}.")
    return cls(**values)
