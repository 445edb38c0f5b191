"""The repeated median, and robust regression lines through sorted values in general."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import (
    NonFiniteError,
    Rows,
    column_blocks,
    in_chunks,
    require_finite,
    rows_for_kernel,
)
from fedlib.federation.facts import Facts
from fedlib.kernels.networks import selection_network
from fedlib.validation import check_name

ESTIMATORS = ("repeated_median", "theil_sen", "median")
INTERCEPTS = ("repeated_median", "middle")


@AGGREGATORS.register("repeated_median")
@dataclass(frozen=True)
class RepeatedMedian(Aggregator):
    """Take the middle of the repeated-median line through the sorted values of each coordinate.

    The line is that of Siegel (1982), and of equations (1) and (2) of residual_reweighting, where
    this rule is a baseline. In each coordinate the line is fitted to the points (rank, value). For
    each point the median of the slopes to all other points is taken, and the slope of the line is
    the median of these medians. The aggregate is the value of the line at the mean rank.

    Parameters
    ----------
    intercept
        This says where the line lies. ``"repeated_median"`` takes the repeated median's own
        intercept (equation 2). ``"middle"`` makes the line go through the median at the mean rank,
        as in the authors' code.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["repeated_median"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.1000, 2.0000, 0.4500])
    """

    checks_finite: ClassVar[bool] = True
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\beta_0 + \beta_1 \tfrac{n + 1}{2}, \quad \beta_1 = \operatorname{median}_i "
        r"\operatorname{median}_{j \ne i} \frac{x_{(j)} - x_{(i)}}{j - i}"
    )
    cost: ClassVar[str] = r"n^2 d \log n"

    intercept: str = "repeated_median"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.intercept", self.intercept, INTERCEPTS)

    def _max_byzantine(self, n_clients: int) -> int:
        return most_byzantine(n_clients)

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n = len(updates)
        rows = rows_for_kernel(updates) if n > 1 else None
        if rows is not None:
            return self._compiled(rows), state
        require_finite(updates)
        out = updates.new_empty(updates.shape[1])
        for columns in column_blocks(updates):
            ordered = working_copy(updates[:, columns]).sort(dim=1).values
            slope, start = fit_lines(ordered, "repeated_median", self.intercept)
            middle = start + slope * (n + 1) / 2
            out[columns] = middle.to(updates.dtype)
        return out, state

    def _compiled(self, rows: Rows) -> torch.Tensor:
        """Return the aggregate by a kernel."""
        from fedlib.kernels import lines

        n, out = rows.n, np.empty(rows.d, rows.values.dtype)
        networks = (
            selection_network(n, range(n)),
            selection_network(n, ((n - 1) // 2, n // 2)),
            selection_network(n - 1, ((n - 2) // 2, (n - 1) // 2)),
        )
        largest = rows.values.dtype.type(largest_value(torch.finfo(torch.from_numpy(out).dtype), n))
        own = self.intercept == "repeated_median"

        def middles(start: int, stop: int) -> bool:
            return lines.middles_of_lines(*rows[:3], start, stop, largest, own, *networks, out)

        if not all(in_chunks(rows.d, middles)):
            raise NonFiniteError("The matrix holds a NaN or an Inf.")
        return torch.from_numpy(out)


def largest_value(dtype: torch.finfo, n: int) -> float:
    """Return the largest value of ``n`` whose differences times a rank do not overflow.

    No honest value is so large.
    """
    return dtype.max / (8 * n**2)


def most_byzantine(n_clients: int) -> int:
    """Return how many Byzantine clients a repeated median withstands.

    Every value is compared with the values of the other clients. The Byzantine clients must be a
    minority of these others.
    """
    return max((n_clients - 2) // 2, 0)


def working_copy(block: torch.Tensor) -> torch.Tensor:
    """Return columns ``(n, m)`` as rows ``(m, n)``, in float32 at least.

    A value is cut if it is so large that a difference times a rank would overflow.
    """
    dtype = torch.promote_types(block.dtype, torch.float32)
    largest = largest_value(torch.finfo(dtype), max(len(block), 1))
    return block.t().to(dtype).clamp(-largest, largest).contiguous()


def fit_lines(
    ordered: torch.Tensor, estimator: str = "repeated_median", intercept: str = "repeated_median"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit robust lines through the points ``(k, ordered[:, k - 1])``.

    Parameters
    ----------
    ordered
        The values ``(m, n)``: m sets of n values, each in ascending order.
    estimator
        How the slope is found. ``"repeated_median"`` takes equation (1) of residual_reweighting.
        ``"theil_sen"`` takes the median of all slopes. ``"median"`` takes the slope zero.
    intercept
        Where the line of the repeated median lies. ``"repeated_median"`` takes its own intercept
        (equation 2). ``"middle"`` makes the line go through the median at the mean rank, as in the
        authors' code. The lines of the other estimators always go through this point.

    Returns
    -------
    slope
        The slope of each line, ``(m,)``.
    intercept
        The value of each line at rank 0, ``(m,)``.
    """
    n = ordered.shape[1]
    centre = median_of_sorted(ordered)
    if n == 1 or estimator == "median":
        return torch.zeros_like(centre), centre
    rank = torch.arange(1, n + 1, dtype=ordered.dtype, device=ordered.device)
    parts = ordered.split(_rows_at_once(ordered))
    slopes = torch.cat([_median_slopes(part, rank, estimator) for part in parts])
    slope = slopes if estimator == "theil_sen" else median_of_sorted(sort_last(slopes.clone()))
    if estimator == "theil_sen" or intercept == "middle":
        return slope, centre - slope * (n + 1) / 2
    # Equation (2) takes the value at rank 0 of each pair's line, which is y_i - i slope_ij. Its
    # median over j is the value of the line whose slope is the median.
    return slope, median_of_sorted(sort_last(ordered - rank * slopes))


def _rows_at_once(ordered: torch.Tensor) -> int:
    """Return a number of rows whose pairs of values all fit the cache, or a device's memory."""
    values = 1 << (16 if ordered.device.type == "cpu" else 26)
    return max(values // ordered.shape[1] ** 2, 1)


def _median_slopes(ordered: torch.Tensor, rank: torch.Tensor, estimator: str) -> torch.Tensor:
    """Return the median slope of each row of ``ordered`` ``(m, n)``, or of each of its points.

    For ``"theil_sen"`` it is the median of all slopes, ``(m,)``. For the repeated median it is the
    median of each point's slopes to the other points, ``(m, n)``.
    """
    n = len(rank)
    run = (rank - rank[:, None]).fill_diagonal_(1)
    slopes = (ordered[:, None, :] - ordered[:, :, None]) / run
    if estimator == "theil_sen":
        first, second = torch.triu_indices(n, n, 1, device=ordered.device)
        return median_of_sorted(sort_last(slopes[:, first, second]))
    # A point has no slope to itself. An Inf is sorted to the end and left out there.
    slopes.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return median_of_sorted(sort_last(slopes)[:, :, :-1])


def sort_last(values: torch.Tensor) -> torch.Tensor:
    """Return ``values`` in ascending order along the last dimension, and overwrite them."""
    if values.device.type != "cpu":
        return values.sort(dim=-1).values
    values = values.contiguous()  # numpy sorts short rows faster than torch does.
    values.numpy().sort(axis=-1)
    return values


def median_of_sorted(ordered: torch.Tensor) -> torch.Tensor:
    """Return the median along the last dimension, in which the values must be sorted.

    The median of an even number of values is the mean of the two middle values.
    """
    n = ordered.shape[-1]
    return ordered[..., (n - 1) // 2] / 2 + ordered[..., n // 2] / 2
