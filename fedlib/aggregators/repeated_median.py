"""Robust regression lines through the sorted values of each coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import column_blocks
from fedlib.federation.facts import Facts
from fedlib.validation import check_name

ESTIMATORS = ("repeated_median", "theil_sen", "median")
INTERCEPTS = ("repeated_median", "middle")


@AGGREGATORS.register("repeated_median")
@dataclass(frozen=True)
class RepeatedMedian(Aggregator):
    """The middle of the repeated-median line through the sorted values of each coordinate.

    The line is that of Siegel (1982), and of equations (1) and (2) of residual_reweighting, where
    this rule is a baseline. It goes through the points (rank, value), and the aggregate is its
    value at the mean rank.

    Parameters
    ----------
    intercept
        As for :func:`fit_lines`.
    """

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
        out = updates.new_empty(updates.shape[1])
        for columns in column_blocks(updates):
            ordered = working_copy(updates[:, columns]).sort(dim=1).values
            slope, start = fit_lines(ordered, "repeated_median", self.intercept)
            middle = start + slope * (n + 1) / 2
            out[columns] = middle.to(updates.dtype)
        return out, state


def most_byzantine(n_clients: int) -> int:
    """How many a repeated median withstands: a minority of the others of every value."""
    return max((n_clients - 2) // 2, 0)


def working_copy(block: torch.Tensor) -> torch.Tensor:
    """Columns ``(n, m)`` as rows ``(m, n)``, in float32 at least.

    Values so large that a difference times a rank would overflow are cut: no honest one is.
    """
    dtype = torch.promote_types(block.dtype, torch.float32)
    largest = torch.finfo(dtype).max / (8 * max(len(block), 1) ** 2)
    return block.t().to(dtype).clamp(-largest, largest).contiguous()


def fit_lines(
    ordered: torch.Tensor, estimator: str = "repeated_median", intercept: str = "repeated_median"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Slope and intercept of a robust line through the points ``(k, ordered[:, k - 1])``.

    Parameters
    ----------
    ordered
        ``(m, n)``: m sets of n values, each in ascending order.
    estimator
        ``"repeated_median"`` (residual_reweighting, equation 1); ``"theil_sen"``: the median
        of all slopes; ``"median"``: slope zero.
    intercept
        Of the repeated median: its own (equation 2), or ``"middle"``, so that the line goes
        through the median at the mean rank, as in the authors' code. The other estimators'
        line always does.

    Returns
    -------
    slope, intercept
        ``(m,)`` each.
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
    # Equation (2) is the value at rank 0 of each pair's line, y_i - i slope_ij; its median over j
    # is the line's whose slope is the median.
    return slope, median_of_sorted(sort_last(ordered - rank * slopes))


def _rows_at_once(ordered: torch.Tensor) -> int:
    """So few that all their pairs of values fit the cache, or another device's memory."""
    values = 1 << (16 if ordered.device.type == "cpu" else 26)
    return max(values // ordered.shape[1] ** 2, 1)


def _median_slopes(ordered: torch.Tensor, rank: torch.Tensor, estimator: str) -> torch.Tensor:
    """Median of all slopes, ``(m,)``; or of each point's to the others, ``(m, n)``."""
    n = len(rank)
    run = (rank - rank[:, None]).fill_diagonal_(1)
    slopes = (ordered[:, None, :] - ordered[:, :, None]) / run
    if estimator == "theil_sen":
        first, second = torch.triu_indices(n, n, 1, device=ordered.device)
        return median_of_sorted(sort_last(slopes[:, first, second]))
    slopes.diagonal(dim1=1, dim2=2).fill_(torch.inf)  # sorted to the end, and left out there
    return median_of_sorted(sort_last(slopes)[:, :, :-1])


def sort_last(values: torch.Tensor) -> torch.Tensor:
    """``values``, overwritten, in ascending order along the last dimension."""
    if values.device.type != "cpu":
        return values.sort(dim=-1).values
    values = values.contiguous()  # numpy's sort of short rows is the faster
    values.numpy().sort(axis=-1)
    return values


def median_of_sorted(ordered: torch.Tensor) -> torch.Tensor:
    """Median along the last, sorted dimension; of an even number, the mean of the middle two."""
    n = ordered.shape[-1]
    return ordered[..., (n - 1) // 2] / 2 + ordered[..., n // 2] / 2
