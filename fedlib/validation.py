"""Checks of values that come from outside, with errors that name field, value and remedy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable


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
    left, right = "(" if open_low else "[", ")" if open_high else "]"
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
