"""What every aggregator shares: the contract, its checks and the treatment of NaN and Inf."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch

from fedlib.federation.facts import FACTS, Facts, check_facts
from fedlib.parts import Revision
from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_int, check_matrix, check_name

AGGREGATORS: Registry[Any] = Registry("aggregator", "fedlib.aggregators")


@dataclass(frozen=True)
class Aggregator(ABC):
    """Base of the aggregators. A rule defines ``_aggregate``, and ``_max_byzantine`` if bounded.

    A row with a NaN or an Inf is Byzantine. Before the rule sees it, it becomes the zero
    update: one of the values its sender could as well have sent, so that a rule's guarantee for
    ``n_byzantine`` arbitrary rows covers it, and the shape of the matrix stays.

    Parameters
    ----------
    n_byzantine
        How many clients the rule is to withstand, f in the papers.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    """The facts (see :mod:`fedlib.federation.facts`) that the rule cannot do without."""
    keeps_reputations: ClassVar[bool] = False
    """Whether the state has ``reputation`` and ``scores`` of the clients, ``(n_clients,)``."""
    knows_clients: ClassVar[bool] = False
    """Whether the state is of each client, so that a row must be of the same client in every
    round."""
    candidates_ask: ClassVar[bool] = True
    """Whether clients are asked while :meth:`candidates` names the candidates."""
    accepts_half: ClassVar[bool] = False
    """Whether the rule accepts that half of the clients are Byzantine."""
    bounds_far_rows: ClassVar[bool] = True
    """Whether a few rows that are far away move the aggregate by a bounded distance alone."""
    by_distances: ClassVar[bool] = False
    """Whether the rule selects rows by their distances, so that it does not matter where a row is
    that is very far away."""
    moves_with_updates: ClassVar[bool] = True
    """Whether the first aggregate moves by ``v`` if every update moves by ``v``."""
    scales_with_updates: ClassVar[bool] = True
    """Whether the first aggregate is multiplied by ``c`` if every update is, for ``c > 0``."""
    shows_non_finite: ClassVar[bool] = False
    """Whether a NaN or an Inf in any row is bound to show in the aggregate. The rule then looks
    for it there, which spares a read of the matrix."""
    revisions: ClassVar[tuple[Revision, ...]] = ()
    """Changes of the code after which runs give other numbers."""
    formula: ClassVar[str] = ""
    """The aggregate in LaTeX: updates x_i, n of them, of which f are Byzantine."""
    cost: ClassVar[str] = ""
    """Order of operations in LaTeX, of n updates with d parameters."""

    n_byzantine: int = 0

    def __post_init__(self) -> None:
        check_int("aggregator.n_byzantine", self.n_byzantine, 0)
        self._set_needs(*self.needs)

    def to_dict(self) -> dict[str, Any]:
        """Name and hyperparameters, as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        # A rule may hold another one, as pre-aggregation does.
        values = {k: v.to_dict() if isinstance(v, Aggregator) else v for k, v in values.items()}
        return {"name": self.name, **values}

    def check(self, n_clients: int) -> None:
        """Raise ConfigError if the rule cannot serve ``n_clients`` with its ``n_byzantine``."""
        check_int("n_clients", n_clients, 1)
        limit = self._max_byzantine(n_clients)
        if self.n_byzantine > limit:
            raise ConfigError(
                f"aggregator.n_byzantine={self.n_byzantine} is too many for {self.name} with "
                f"n_clients={n_clients}: allowed are 0 to {limit}."
                if limit >= 0
                else f"n_clients={n_clients} is too few for {self.name}."
            )

    def init(self, n_clients: int, n_parameters: int) -> Any:
        """The state before the first round: None where the rule keeps nothing.

        Raises
        ------
        ConfigError
            If the rule cannot serve so many clients or Byzantine ones.
        """
        self.check(n_clients)
        check_int("n_parameters", n_parameters, 1)
        return None

    def apply(
        self, updates: torch.Tensor, state: Any = None, facts: Facts | None = None
    ) -> tuple[torch.Tensor, Any]:
        """Aggregate one round's updates.

        Parameters
        ----------
        updates
            ``(n_clients, n_parameters)``, floating point; left as it is.
        state
            From ``init`` or the round before.
        facts
            What the rule ``needs`` beside the updates. Most rules need nothing.

        Returns
        -------
        aggregate, state
            ``(n_parameters,)``, finite (unless rounding takes a mean of the largest floats over
            the edge), of the same dtype and device; the state to pass on.

        Raises
        ------
        ConfigError
            If ``updates`` is no floating-point matrix, the rule cannot serve so many clients or
            Byzantine ones, or a fact that it needs is not given or has another shape.
        """
        check_matrix("updates", updates, "(n_clients, n_parameters)")
        self.check(updates.shape[0])
        # An update that carries a graph must not carry it into the state, and on from there.
        updates, facts = updates.detach(), facts or Facts()
        if self.needs:
            n_clients, n_parameters = updates.shape
            sizes = {"n_clients": n_clients, "n_parameters": n_parameters}
            check_facts(f"aggregator={self.name!r}", self.needs, facts, sizes)
        if self.shows_non_finite and updates.device.type == "cpu":
            hopeful = self._aggregate(updates, state, facts)
            if math.isfinite(hopeful[0].sum()):
                return hopeful
        return self._aggregate(replace_non_finite(updates), state, facts)

    def candidates(
        self, updates: torch.Tensor, state: Any = None, facts: Facts | None = None
    ) -> torch.Tensor:
        """What :meth:`apply` chooses from, ``(n_candidates, n_parameters)``, without choosing.

        Of a rule whose clients do not vote, its one aggregate.
        """
        return self.apply(updates, state, facts)[0][None]

    def led_by(self, state: Any, aggregate: torch.Tensor) -> Any:
        """The state of a rule that is only watched, where the server steps along ``aggregate``.

        By default it is ``state``, which does not depend on where the server steps.
        """
        return state

    def _max_byzantine(self, n_clients: int) -> int:
        """The largest allowed ``n_byzantine``: fewer than half, unless a rule says otherwise."""
        return (n_clients - 1) // 2

    def _set_needs(self, *names: str) -> None:
        """Set what this object needs, where a hyperparameter decides it."""
        for name in names:
            check_name("aggregator.needs", name, FACTS)
        object.__setattr__(self, "needs", frozenset(names))

    @abstractmethod
    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        """:meth:`apply` for checked updates without NaN or Inf."""


def replace_non_finite(updates: torch.Tensor) -> torch.Tensor:
    """``updates`` with zeros in each row that holds a NaN or an Inf; a copy only if needed."""
    if updates.device.type == "cpu" and bool(torch.isfinite(updates.sum(1)).all()):
        # A NaN or an Inf would show in its row's sum: one read, and nothing to do.
        return updates
    # A sum may also overflow, so the values decide; extremes propagate NaN, which is in no range.
    # On an accelerator the question "all finite?" would wait for the device every round.
    least, largest = torch.aminmax(updates, dim=1)
    limit = torch.finfo(updates.dtype).max
    finite = (least >= -limit) & (largest <= limit)
    return torch.where(finite[:, None], updates, 0.0)


def make_aggregator(spec: dict[str, Any] | Aggregator) -> Aggregator:
    """The aggregator that ``spec`` (as from ``to_dict``) describes."""
    if isinstance(spec, Aggregator):
        return spec
    made: Aggregator = AGGREGATORS.make(spec)
    return made
