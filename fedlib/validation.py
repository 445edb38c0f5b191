"""Checks of values that come from outside, with errors that name field, value and remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

import torch


class ConfigError(ValueError):
    """A value that cannot be used: the message names the field, the value and what is allowed."""


def check_name(field: str, value: object, allowed: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``allowed``; otherwise raise with the nearest valid name."""
    names = sorted(allowed)
    if isinstance(value, str) and value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ConfigError(f"{field}={value!r} is unknown{hint} Allowed: {', '.join(names)}.")


def check_int(field: str, value: object, low: int, high: int | None = None) -> int:
    """Return ``value`` if it is a whole number in ``[low, high]``."""
    bound = f"at least {low}" if high is None else f"from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{field}={value!r} must be a whole number {bound}.")
    if value < low or (high is not None and value > high):
        raise ConfigError(f"{field}={value!r} is out of range: must be {bound}.")
    return value


def check_real(
    field: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return ``value`` as a float if it is finite and in the interval (closed unless said)."""
    left = "(" if open_low or low == -math.inf else "["
    right = ")" if open_high or high == math.inf else "]"
    allowed = f"a finite number in {left}{low:g}, {high:g}{right}"
    try:
        usable = not isinstance(value, bool) and isinstance(value, int | float)
        number = float(value) if usable else math.nan  # type: ignore[arg-type]
    except OverflowError:  # a whole number beyond every float
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
    """Raise unless ``value`` is of a class in ``kind``, which the message calls ``allowed``."""
    if not isinstance(value, kind):
        raise ConfigError(f"{field}={value!r} must be {allowed}, such as {example}.")


def check_matrix(field: str, value: object, axes: str) -> None:
    """Raise unless ``value`` is a floating-point matrix; ``axes`` names its two axes."""
    if not isinstance(value, torch.Tensor):
        raise ConfigError(
            f"{field} of type {type(value).__name__} cannot be used: must be a torch.Tensor, such "
            f"as torch.from_numpy({field})."
        )
    if value.dim() != 2 or not value.is_floating_point():
        raise ConfigError(
            f"{field} of shape {tuple(value.shape)} and type {value.dtype} cannot be used: must be "
            f"a floating-point matrix {axes}."
        )


def make_part(field: str, classes: Mapping[str, type], spec: object) -> Any:
    """The object that ``spec`` describes: the ``name`` of a dataclass, and its parameters.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown, or one is missing.
    """
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise ConfigError(f"{field}={spec!r} must be a dictionary with a 'name' and parameters.")
    name = check_name(field, spec["name"], classes)
    return construct(name, classes[name], {k: v for k, v in spec.items() if k != "name"})


def construct(title: str, cls: Any, values: object) -> Any:
    """``cls(**values)`` of a dataclass; a parameter that it lacks is named with those it has."""
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
