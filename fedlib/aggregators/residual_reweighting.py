"""The rule residual-based reweighting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.aggregators.repeated_median import (
    ESTIMATORS,
    INTERCEPTS,
    fit_lines,
    largest_value,
    median_of_sorted,
    most_byzantine,
    sort_last,
    working_copy,
)
from fedlib.blocks import (
    NonFiniteError,
    Rows,
    column_blocks,
    in_chunks,
    require_finite,
    rows_for_kernel,
    weighted_sum,
)
from fedlib.federation.facts import Facts
from fedlib.kernels.networks import selection_network, sorting_network
from fedlib.validation import check_name, check_real

_VERSIONS = ("text", "code")
_GAMMA = {"text": 1.48, "code": 1.4826}
# In the authors' code the scale of the residuals is never zero.
_LEAST_SCALE = {"text": 0.0, "code": 1e-7}


@AGGREGATORS.register("residual_reweighting")
@dataclass(frozen=True)
class ResidualReweighting(Aggregator):
    """Weigh each client by its residuals from robust lines, and correct its extreme values.

    This is Algorithm 1 of residual_reweighting. The paper states it for models. Each client's model
    is the broadcast model minus its update. So the rule is applied to the negated updates here.
    They have the same ranks and residuals as the models.

    In each coordinate a line is fitted to the sorted values, as in ``repeated_median``. The
    residual of a value is its distance to the line. The smaller the residual is, the larger is the
    confidence in the value. The weight of a client sums up the confidences in its values. A
    coordinate counts more in this sum if its confidences differ more. In the formula w_ik is the
    confidence in a value, W_i is the weight of a client, e_ik is the residual in units of the
    residuals' scale, and h_ii is the leverage of the value's rank. If at least half of the
    residuals of a coordinate are zero, the other values of this coordinate get the confidence 0. If
    no client has any weight, all clients get the same weight.

    Parameters
    ----------
    lam
        This is half the width of the trusted interval, lambda in the text, in units of
        ``sqrt(2 / n)``. With Gaussian weighting it is the standard deviation sigma.
    delta
        This is a limit for the confidence of a value, from 0 to 1. A value whose confidence is at
        most the limit is replaced by the value of the line. Section 4.2 takes 0.01.
    estimator
        This says how the line is found (section 4.5). ``"repeated_median"`` takes the repeated
        median of the slopes. ``"theil_sen"`` takes the median of all slopes. ``"median"`` takes the
        slope zero.
    weighting
        This says how residuals become confidences. ``"irls"`` takes equation (6), as in iteratively
        reweighted least squares (IRLS). ``"gaussian"`` takes a Gaussian function (section 4.5,
        Table 7).
    intercept
        This says where the line of the repeated median lies. ``"repeated_median"`` takes its own
        intercept (equation 2). ``"middle"`` makes the line go through the median at the mean rank,
        as in the authors' code. The lines of the other estimators always go through this point.
    version
        This says whether the rule follows the ``"text"`` or the ``"code"`` of the authors. In the
        authors' code the leverages are those of a line with an intercept. The median of the
        residuals leaves out the smallest residual, and the scale of the residuals is never zero. A
        replaced value keeps its confidence, and the weights are squared. The lines in the authors'
        code have the ``intercept`` ``"middle"``. This must be set too if the rule is to follow the
        code.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["residual_reweighting"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0400, 0.3400])
    """

    checks_finite: ClassVar[bool] = True
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{\sum_i W_i x_i}{\sum_i W_i}, \quad W_i = \sum_k w_{ik} "
        r"\operatorname{std}_j(w_{jk}), \quad w_{ik} = \min\!\left(1, \lambda "
        r"\sqrt{\tfrac{2}{n}} \frac{\sqrt{1 - h_{ii}}}{|e_{ik}|}\right)"
    )
    cost: ClassVar[str] = r"n^2 d \log n"

    lam: float = 2.0
    delta: float = 0.01
    estimator: str = "repeated_median"
    weighting: str = "irls"
    intercept: str = "repeated_median"
    version: str = "text"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.lam", self.lam, 0, open_low=True)
        check_real("aggregator.delta", self.delta, 0, 1)
        check_name("aggregator.estimator", self.estimator, ESTIMATORS)
        check_name("aggregator.weighting", self.weighting, ("irls", "gaussian"))
        check_name("aggregator.intercept", self.intercept, INTERCEPTS)
        check_name("aggregator.version", self.version, _VERSIONS)

    def _max_byzantine(self, n_clients: int) -> int:
        return most_byzantine(n_clients)

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n = len(updates)
        rows = rows_for_kernel(updates) if n > 1 and self.estimator == "repeated_median" else None
        if rows is not None:
            corrected, weights = self._compiled(rows)
        else:
            require_finite(updates)
            corrected, weights = self._corrected(updates)
        if self.version == "code":
            weights = (weights / weights.max().clamp(min=torch.finfo(weights.dtype).tiny)) ** 2
        total = weights.sum()
        share = torch.where(total > 0, weights / total, 1 / n)
        return weighted_sum(corrected, share), state

    def _corrected(self, updates: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the corrected updates, and the weight of each client in float64, ``(n,)``."""
        n, limit = len(updates), torch.finfo(updates.dtype).max
        corrected = torch.empty_like(updates)
        weights = torch.zeros(n, dtype=torch.float64, device=updates.device)
        for columns in column_blocks(updates):
            ordered, owner = working_copy(-updates[:, columns]).sort(dim=1, stable=True)
            values, confidence = self._confidence(ordered)
            # A parameter on which clients disagree says more, so its sample deviation is a factor
            # (equation 10).
            if n > 1:
                confidence = confidence * confidence.std(dim=1, keepdim=True)
            weights.index_add_(0, owner.flatten(), confidence.flatten().double())
            values = torch.empty_like(values).scatter_(1, owner, -values).clamp_(-limit, limit)
            corrected[:, columns] = values.t().to(updates.dtype)
        return corrected, weights

    def _compiled(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what :meth:`_corrected` returns by a kernel."""
        from fedlib.kernels import lines

        n, kind = rows.n, rows.values.dtype.type
        dtype = torch.from_numpy(rows.values).dtype
        # The authors' code leaves out the smallest residual.
        first = int(self.version == "code")
        places = np.array([first + (n - 1 - first) // 2, first + (n - first) // 2])
        rank = torch.arange(1, n + 1, dtype=dtype)
        gaussian = self.weighting == "gaussian"
        arguments = (
            kind(largest_value(torch.finfo(dtype), n)),
            self.intercept == "repeated_median",
            sorting_network(n),
            selection_network(n, ((n - 1) // 2, n // 2)),
            selection_network(n - 1, ((n - 2) // 2, (n - 1) // 2)),
            selection_network(n, places.tolist()),
            places,
            np.array([self._scale(n), _LEAST_SCALE[self.version]], kind),
            (self.lam * math.sqrt(2 / n) * self._spread(rank)).numpy(),
            kind(2 * self.lam**2 if gaussian else 0),
            kind(self.delta),
            self.version == "text",
        )
        corrected = np.empty((n, rows.d), kind)

        def correct(start: int, stop: int) -> tuple[bool, np.ndarray]:
            weights = np.zeros(n)
            finite = lines.corrected(*rows[:3], start, stop, *arguments, weights, corrected)
            return finite, weights

        parts = in_chunks(rows.d, correct, summed=True)
        if not all(finite for finite, _ in parts):
            raise NonFiniteError("The matrix holds a NaN or an Inf.")
        total = sum((weights for _, weights in parts), np.zeros(n))
        return torch.from_numpy(corrected), torch.from_numpy(total)

    def _scale(self, n: int) -> float:
        """Return by what the middle residual is multiplied to give the scale of the residuals."""
        return _GAMMA[self.version] * (1 + 5 / max(n - 1, 1))

    def _confidence(self, ordered: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the corrected values and the confidences of sorted values, ``(m, n)`` each."""
        n = ordered.shape[1]
        rank = torch.arange(1, n + 1, dtype=ordered.dtype, device=ordered.device)
        slope, start = fit_lines(ordered, self.estimator, self.intercept)
        line = start[:, None] + slope[:, None] * rank
        size = (ordered - line).abs()
        sizes = sort_last(size.clone())
        if self.version == "code" and n > 1:
            sizes = sizes[:, 1:]
        middle = median_of_sorted(sizes)[:, None]
        scale = self._scale(n) * middle
        error = torch.where(size > 0, size / (scale + _LEAST_SCALE[self.version]), 0.0)
        if self.weighting == "gaussian":
            confidence = torch.exp(-(error**2) / (2 * self.lam**2))
        else:
            # In equation (6) Psi cuts at Z, so the confidence is Z over the error, at most 1.
            bound = self.lam * math.sqrt(2 / n) * self._spread(rank)
            confidence = (bound / error.clamp(min=torch.finfo(error.dtype).tiny)).clamp(max=1)
        kept = confidence > self.delta
        if self.version == "text":
            confidence = torch.where(kept, confidence, 0.0)
        return torch.where(kept, ordered, line), confidence

    def _spread(self, rank: torch.Tensor) -> torch.Tensor:
        """Return the root of one minus the leverage of each rank (equation 7), ``(n,)``."""
        n = len(rank)
        if n == 1:
            return torch.ones_like(rank)
        if self.version == "text":
            return (1 - rank**2 / (rank**2).sum()).sqrt()
        centred = rank - (n + 1) / 2
        leverage = 1 / n + centred**2 / (centred**2).sum()
        return (1 - leverage).clamp(min=0).sqrt()
