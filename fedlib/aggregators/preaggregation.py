"""The rules of pre-aggregation, which mix the updates before another rule aggregates them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import torch

from fedlib.aggregators.base import (
    AGGREGATORS,
    Aggregator,
    make_aggregator,
    replace_non_finite,
)
from fedlib.aggregators.trimmed_mean import TrimmedMean
from fedlib.blocks import (
    NonFiniteError,
    mixed_columns,
    pairwise_squared_distances,
    require_finite,
    weighted_sum,
)
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int


@dataclass(frozen=True)
class PreAggregation(Aggregator):
    """Base class of the rules that mix the updates first, and then hand them to another rule.

    The state consists of the number of past rounds and the state of the other rule.

    Parameters
    ----------
    rule
        This is the rule that comes after this step, as an object or as the dictionary that its
        ``to_dict`` returns. It gets the same ``n_byzantine``, so it must withstand as many
        Byzantine clients.
    """

    checks_finite: ClassVar[bool] = True

    rule: Aggregator = field(default_factory=TrimmedMean)

    def __post_init__(self) -> None:
        super().__post_init__()
        rule = replace(make_aggregator(self.rule), n_byzantine=self.n_byzantine)
        object.__setattr__(self, "rule", rule)
        self._set_needs(*rule.needs)
        object.__setattr__(self, "knows_clients", rule.knows_clients)

    def check(self, n_clients: int) -> None:
        super().check(n_clients)
        self.rule.check(self._rows(n_clients))

    def init(self, n_clients: int, n_parameters: int) -> tuple[int, Any]:
        super().init(n_clients, n_parameters)
        return 0, self.rule.init(self._rows(n_clients), n_parameters)

    def _state_like(self, updates: torch.Tensor, facts: Facts) -> tuple[int, Any]:
        # The other rule checks its own state, for the mixed updates.
        return 0, object

    def _aggregate(
        self,
        updates: torch.Tensor,
        state: tuple[int, Any] | None,
        facts: Facts,
    ) -> tuple[torch.Tensor, Any]:
        rounds, inner = state or self.init(*updates.shape)
        weights = self._mixing(updates, rounds)
        at_once = self._at_once(updates, weights)
        if at_once is not None:
            return at_once, (rounds + 1, inner)
        require_finite(updates)
        mixed = weights.to(updates.dtype) @ updates
        aggregate, inner = self.rule.apply(mixed, inner, facts)
        return aggregate, (rounds + 1, inner)

    def _at_once(self, updates: torch.Tensor, weights: torch.Tensor) -> torch.Tensor | None:
        """Return the aggregate if it can be had without a matrix of mixed updates, else None.

        ``weights`` are those of the mixed updates, ``(rows, n_clients)``.
        """
        fixed = self.rule.fixed_weights(len(weights))
        if fixed is not None:
            aggregate = weighted_sum(updates, fixed.to(weights) @ weights)
        elif self.rule.by_columns:
            try:
                aggregate = mixed_columns(
                    updates, weights, lambda block: self.rule._aggregate(block, None, Facts())[0]
                )
            except NonFiniteError:
                return None  # An update or a mixed update is not finite.
        else:
            return None
        # The mean of the largest floats may overflow, and then a mixed update is not finite.
        finite = updates.device.type != "cpu" or math.isfinite(aggregate.sum())
        return aggregate if finite else None

    def candidates(
        self, updates: torch.Tensor, state: Any = None, facts: Facts | None = None
    ) -> torch.Tensor:
        self.check(updates.shape[0])
        self._check_state(updates, state, facts or Facts())
        rounds, inner = state or self.init(*updates.shape)
        updates = replace_non_finite(updates)
        mixed = self._mixing(updates, rounds).to(updates.dtype) @ updates
        return self.rule.candidates(mixed, inner, facts)

    def among(self, present: Sequence[int]) -> Self:
        # If the other rule knows clients, a mixed update stands for the client in the same row.
        return replace(self, rule=self.rule.among(present)) if self.knows_clients else self

    def with_clients(
        self, state: tuple[int, Any], change: Callable[[torch.Tensor], torch.Tensor]
    ) -> tuple[int, Any]:
        rounds, inner = state
        return rounds, inner if inner is None else self.rule.with_clients(inner, change)

    def _rows(self, n_clients: int) -> int:
        """Return the number of updates that the other rule gets."""
        return n_clients

    @abstractmethod
    def _mixing(self, updates: torch.Tensor, rounds: int) -> torch.Tensor:
        """Return the weights ``(rows, n_clients)`` of the mixed updates.

        No row has a sum above 1, so that a mixed update is never longer than the longest update.
        """


@AGGREGATORS.register("nearest_neighbour_mixing")
@dataclass(frozen=True)
class NearestNeighbourMixing(PreAggregation):
    """Replace each update by the mean of its nearest neighbours, then apply another rule.

    This is nearest neighbour mixing (NNM), Algorithm 2 of Allouah et al. (2023), Fixing by mixing.
    The mean is that of the ``n - f`` nearest updates. An update is its own nearest neighbour. The
    mixed updates stay in the clients' order. The other rule may use what it knows of a client: the
    number of its samples, the samples or its history. For such a rule a mixed update belongs to the
    client whose neighbours it averages.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=1, rule={"name": "median"})
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"F(y_1, \dots, y_n), \quad y_i = \frac{1}{n - f} \sum_{j \in N_i} x_j, \ |N_i| = n - "
        r"f"
    )
    cost: ClassVar[str] = r"n^2 d"

    def _mixing(self, updates: torch.Tensor, rounds: int) -> torch.Tensor:
        n, kept = len(updates), len(updates) - self.n_byzantine
        squared = pairwise_squared_distances(updates, check=True)
        nearest = squared.argsort(dim=1, stable=True)[:, :kept]
        weights = torch.zeros(n, n, dtype=torch.float64, device=updates.device)
        return weights.scatter(1, nearest, 1 / kept)


@AGGREGATORS.register("bucketing")
@dataclass(frozen=True)
class Bucketing(PreAggregation):
    """Average the updates in random buckets, then apply another rule to the averages.

    This is Algorithm 1 of Karimireddy et al. (2022). The buckets are drawn anew in every round. If
    an attack knows the rule (``rule`` or ``candidates`` of its facts), it tries the rule on the
    buckets of the same round. Such an attacker is stronger than an attacker that cannot foresee the
    buckets.

    A bucket is not a client, so the other rule must not treat it as one. It must not weigh clients
    by their numbers of samples, look at their samples, or remember anything about each client.

    Parameters
    ----------
    bucket_size
        This is the number of updates in a bucket, s in the paper. The last bucket may be smaller.
    seed
        This is the seed from which the buckets are drawn.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["bucketing"](n_byzantine=1, rule={"name": "median"}, bucket_size=2)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.1000, 2.1000, 0.3500])
    """

    formula: ClassVar[str] = (
        r"F(y_1, \dots, y_{\lceil n / s \rceil}), \quad y_k = \frac{1}{|B_k|} \sum_{i \in "
        r"B_k} x_i"
    )
    cost: ClassVar[str] = r"n d"

    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(
            2,
            "A majority of votes was one of the number of buckets.",
            concerns=lambda rule, run: "vote" in rule.needs,
        ),
    )

    bucket_size: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("aggregator.bucket_size", self.bucket_size, 1)
        check_int("aggregator.seed", self.seed, 0)
        if self.knows_clients or self.needs & {"sample_counts", "client_saliency"}:
            raise ConfigError(
                f"aggregator.rule={self.rule.name!r} knows clients with its present parameters, "
                "but a bucket is not a client: must be a rule that needs neither sample_counts nor "
                "client_saliency and remembers nothing about each client."
            )

    def _rows(self, n_clients: int) -> int:
        return math.ceil(n_clients / self.bucket_size)

    def _mixing(self, updates: torch.Tensor, rounds: int) -> torch.Tensor:
        n = len(updates)
        order = torch.from_numpy(stream(self.seed, "bucketing", rounds).permutation(n))
        weights = torch.zeros(self._rows(n), n, dtype=torch.float64)
        for row, members in enumerate(order.split(self.bucket_size)):
            weights[row, members] = 1 / len(members)
        return weights.to(updates.device)
