"""The rule FoolsGold, which gives less weight to clients whose histories point the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.aggregators.states import Kept
from fedlib.blocks import add_within, gram_matrix, require_finite, shortened, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.validation import check_name, check_real

_ALIKE = 0.01
"""Below this largest weight the inner products are taken again in float64."""


@AGGREGATORS.register("foolsgold")
@dataclass(frozen=True)
class FoolsGold(Aggregator):
    """Average the updates, with less weight for a client whose history is like another client's.

    The rule is that of Fung et al. (2020). The state is the sum of each client's updates in the m
    parameters that are compared, a matrix of shape ``(n_clients, m)``. The rule is meant to
    withstand any number of Sybils (clients that one attacker has made up), so it accepts
    ``n_byzantine`` and does not use it. If client j resembles another client more than client i
    does, the cosine of i and j is multiplied by the quotient of both clients' largest cosines,
    the smaller one above (the pardon). If all clients are alike, none gets any weight, and the
    aggregate is zero.

    Parameters
    ----------
    confidence
        This is the steepness of the logit (the logarithm in the formula), which spreads the
        weights. It is kappa in the paper.
    features
        This says which parameters are compared. ``"all"`` compares all parameters alike.
        ``"last_layer"`` compares the weights of the last layer, as in the code of
        residual_reweighting.
    divide_by
        This says by what the weighted sum is divided. ``"weights"`` divides it by the sum of the
        weights. ``"clients"`` divides it by the number of clients, as in the code of
        residual_reweighting. A client without weight then shortens the step.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 0.1, 0.2], [0.2, 1.0, 0.1], [0.1, 0.2, 1.0], [-2, -2, -2], [-2, -2, -2]]
    ... )
    >>> rule = AGGREGATORS["foolsgold"](n_byzantine=2)
    >>> aggregate, state = rule.apply(updates)
    >>> aggregate.round(decimals=2)
    tensor([0.4300, 0.4300, 0.4300])
    """

    accepts_half: ClassVar[bool] = True
    bounds_far_rows: ClassVar[bool] = False
    moves_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{\sum_i \alpha_i x_i}{\sum_i \alpha_i}, \quad \alpha_i = \min\left(1, \max\left(0,\ "
        r"\kappa \left(\ln \frac{w_i}{1 - w_i} + \tfrac12\right)\right)\right), \ w_i = "
        r"\frac{u_i}{\max_k u_k}, \ u_i = 1 - \max_{j \ne i} c_{ij}, \ c_{ij} = \cos(h_i, h_j), \ "
        r"h_i = \sum_t x_i^t"
    )
    cost: ClassVar[str] = r"n^2 d"

    knows_clients: ClassVar[bool] = True
    checks_finite: ClassVar[bool] = True

    confidence: float = 1.0
    features: str = "all"
    divide_by: str = "weights"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.confidence", self.confidence, 0, open_low=True)
        check_name("aggregator.features", self.features, ("all", "last_layer"))
        check_name("aggregator.divide_by", self.divide_by, ("weights", "clients"))
        if self.features == "last_layer":
            self._set_needs("output_weights")

    def _max_byzantine(self, n_clients: int) -> int:
        return n_clients

    def _state_like(self, updates: torch.Tensor, facts: Facts) -> Kept:
        n, d = updates.shape
        compared = int(facts.output_weights.sum()) if self.features == "last_layer" else d
        return Kept((n, compared), updates.dtype)

    def with_clients(
        self, state: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        return change(state)

    def _aggregate(
        self, updates: torch.Tensor, state: torch.Tensor | None, facts: Facts
    ) -> tuple[torch.Tensor, torch.Tensor]:
        largest, compared = torch.finfo(updates.dtype).max, updates
        if self.features == "last_layer":
            compared = updates[:, facts.output_weights]
            require_finite(updates)
        # The history is a copy, because the state must not change with the matrix of updates.
        history = add_within(state, compared, largest, check=True)
        weights = self._weights(history)
        if self.divide_by == "clients":
            share = weights / len(weights)
        else:
            share = weights / weights.sum().clamp(min=torch.finfo(torch.float64).tiny)
        return weighted_sum(updates, share), history

    def _weights(self, history: torch.Tensor) -> torch.Tensor:
        """Return the weight of each client, ``(n,)`` in [0, 1], from the history ``(n, m)``."""
        # Shortening the rows does not change their cosines.
        rows = shortened(history)[0]
        if len(rows) == 1:
            return torch.ones(1, dtype=torch.float64, device=rows.device)
        weights = self._unlikeness(gram_matrix(rows, exact=False))
        # The weights are divided by the largest. If all clients are alike, it consists of the last
        # digits of the cosines.
        if rows.device.type == "cpu" and weights.amax() < _ALIKE:
            weights = self._unlikeness(gram_matrix(rows))
        weights = weights / weights.amax().clamp(min=torch.finfo(torch.float64).tiny)
        return (self.confidence * (weights.logit() + 0.5)).clamp(0, 1)

    def _unlikeness(self, gram: torch.Tensor) -> torch.Tensor:
        """Return one minus each client's largest cosine, ``(n,)``, after the pardon."""
        n = len(gram)
        lengths = gram.diagonal().sqrt().clamp(min=torch.finfo(torch.float64).tiny)
        others = ~torch.eye(n, dtype=torch.bool, device=gram.device)
        cosines = (gram / lengths[:, None] / lengths).clamp(-1, 1).masked_fill(~others, -torch.inf)
        # A client is pardoned if it resembles a client that resembles others even more.
        likeness = cosines.amax(1).clamp(min=0)
        pardon = likeness[:, None] / likeness.clamp(min=torch.finfo(torch.float64).tiny)
        cosines = torch.where(likeness > likeness[:, None], cosines * pardon, cosines)
        return (1 - cosines.masked_fill(~others, -torch.inf).amax(1)).clamp(0, 1)
