"""The base of every aggregator: its contract, its checks and its treatment of NaN and Inf."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch

from fedlib.aggregators.clients_part import ClientsPart
from fedlib.aggregators.states import check_state
from fedlib.arrays import ArrayT, as_tensor, in_kind, json_value
from fedlib.blocks import NonFiniteError
from fedlib.federation.facts import FACTS, Facts, check_facts, check_given
from fedlib.parts import Revision
from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_int, check_matrix, check_name

AGGREGATORS: Registry[Any] = Registry("aggregator", "fedlib.aggregators")


@dataclass(frozen=True)
class Aggregator(ClientsPart, ABC):
    """Base class of the aggregators.

    Every rule defines ``_aggregate``. A rule also defines ``_max_byzantine`` unless it allows any
    number of Byzantine clients below one half.

    A row that holds a NaN or an Inf is Byzantine. It becomes the zero update before the rule sees
    it. Its sender could have sent the zero update as well, so a rule's guarantee for
    ``n_byzantine`` arbitrary rows covers this case. The shape of the matrix stays the same.

    Parameters
    ----------
    n_byzantine
        This is the number of Byzantine clients that the rule must withstand, f in the papers.

    Examples
    --------
    A rule is a function of the updates and of a state, which goes from round to round.

    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> rule = AGGREGATORS["trimmed_mean"](n_byzantine=1)
    >>> state = rule.init(n_clients=4, n_parameters=2)
    >>> updates = torch.tensor([[1.0, 2.0], [2.0, 2.0], [3.0, 2.0], [9.0, -9.0]])
    >>> aggregate, state = rule.apply(updates, state)
    >>> aggregate
    tensor([2.5000, 2.0000])
    >>> rule.to_dict()
    {'name': 'trimmed_mean', 'n_byzantine': 1}
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    """These are the facts (see :mod:`fedlib.federation.facts`) that the rule cannot do without."""
    uses_n_byzantine: ClassVar[bool] = True
    """If true, the aggregate depends on ``n_byzantine``. Otherwise the rule only accepts it."""
    candidates_ask: ClassVar[bool] = True
    """If true, the rule may ask clients while :meth:`candidates` computes the candidates."""
    accepts_half: ClassVar[bool] = False
    """If true, the rule accepts that half of the clients are Byzantine."""
    bounds_far_rows: ClassVar[bool] = True
    """If true, a few rows that are far away move the aggregate by a bounded distance only."""
    by_columns: ClassVar[bool] = False
    """If true, a value of the aggregate depends on the same column of the updates alone, and the
    rule neither keeps a state nor needs facts."""
    by_distances: ClassVar[bool] = False
    """If true, the rule selects rows by their distances. The exact place of a row that is very far
    away then does not matter."""
    moves_with_updates: ClassVar[bool] = True
    """If true, the first aggregate moves by ``v`` when every update moves by ``v``."""
    scales_with_updates: ClassVar[bool] = True
    """If true, multiplying every update by ``c > 0`` multiplies the first aggregate by ``c``."""
    checks_finite: ClassVar[bool] = False
    """If true, the rule passes the updates with ``check=True`` through a function of
    :mod:`fedlib.blocks` before it does anything else. On a CPU :meth:`apply` then looks for a NaN
    or an Inf only if that function finds one, which saves one read of the matrix."""
    shows_non_finite: ClassVar[bool] = False
    """If true, a NaN or an Inf in any row always shows in the aggregate. :meth:`apply` then looks
    for it there on a CPU, which saves one read of the matrix."""
    revisions: ClassVar[tuple[Revision, ...]] = ()
    """These are the changes of the code after which runs give other numbers."""
    formula: ClassVar[str] = ""
    """This is the aggregate in LaTeX, for n updates x_i of which f are Byzantine."""
    cost: ClassVar[str] = ""
    """This is the order of the number of operations in LaTeX, for n updates with d parameters."""

    n_byzantine: int = 0

    def __post_init__(self) -> None:
        check_int("aggregator.n_byzantine", self.n_byzantine, 0)
        self._set_needs(*self.needs)

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the hyperparameters of the rule as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        # A rule may hold another one, as pre-aggregation does.
        values = {
            k: v.to_dict() if isinstance(v, Aggregator) else json_value(v)
            for k, v in values.items()
        }
        return {"name": self.name, **values}

    def check(self, n_clients: int) -> None:
        """Check that the rule can serve a number of clients with its ``n_byzantine``.

        Parameters
        ----------
        n_clients
            The number of clients, at least 1.

        Raises
        ------
        ConfigError
            If ``n_clients`` is too small for the rule, or ``n_byzantine`` is too large for it.
        """
        check_int("n_clients", n_clients, 1)
        limit = self._max_byzantine(n_clients)
        if self.n_byzantine > limit:
            raise ConfigError(
                f"aggregator.n_byzantine={self.n_byzantine} is too many for {self.name} with "
                f"n_clients={n_clients}: allowed are 0 to {limit}."
                if limit >= 0
                else f"n_clients={n_clients} is too few for {self.name}, even with n_byzantine=0: "
                "must be larger."
            )

    def init(self, n_clients: int, n_parameters: int) -> Any:
        """Make the state before the first round.

        Parameters
        ----------
        n_clients
            The number of clients, at least 1.
        n_parameters
            The number of the model's parameters, at least 1.

        Returns
        -------
        Any
            The state. It is None if the rule keeps nothing.

        Raises
        ------
        ConfigError
            If a number is out of range, or if the rule cannot serve so many clients with its
            ``n_byzantine``.
        """
        self.check(n_clients)
        check_int("n_parameters", n_parameters, 1)
        return None

    def apply(
        self, updates: ArrayT, state: Any = None, facts: Facts | None = None
    ) -> tuple[ArrayT, Any]:
        """Aggregate the updates of one round.

        Parameters
        ----------
        updates
            The updates as a floating-point matrix ``(n_clients, n_parameters)``. It is a tensor, a
            NumPy array or another array with ``__dlpack__`` or ``__array__``. It is not changed.
            A client whose update holds a NaN or an Inf counts as if it had sent zeros.
        state
            The state that ``init`` or the round before returned. None stands for that of ``init``.
        facts
            The facts that the rule ``needs`` beside the updates. Most rules need none.

        Returns
        -------
        aggregate
            The aggregate ``(n_parameters,)``, of the same kind, dtype and device as ``updates``. It
            is finite, unless rounding takes a mean of the largest floats over the edge.
        state
            The state for the next round.

        Raises
        ------
        ConfigError
            If ``updates`` is not a floating-point matrix, if the rule cannot serve so many clients
            with its ``n_byzantine``, if a fact that it needs is missing or has another shape, or
            if the state is not one of this rule for such updates.
        """
        aggregate, state = self._apply(as_tensor("updates", updates), state, facts)
        return in_kind(aggregate, updates), state

    def _apply(
        self, updates: torch.Tensor, state: Any, facts: Facts | None
    ) -> tuple[torch.Tensor, Any]:
        """Do what :meth:`apply` does, for updates of any values and shape in a tensor."""
        check_matrix("updates", updates, "(n_clients, n_parameters)")
        self.check(updates.shape[0])
        check_int("updates.shape[1]", updates.shape[1], 1)
        # A graph that an update carries must not enter the state and stay there round after round.
        updates, facts = updates.detach(), check_given(state, facts).matched_to(updates)
        if self.needs:
            n_clients, n_parameters = updates.shape
            sizes = {"n_clients": n_clients, "n_parameters": n_parameters}
            check_facts(f"aggregator={self.name!r}", self.needs, facts, sizes)
        self._check_state(updates, state, facts)
        if self.shows_non_finite and updates.device.type == "cpu":
            hopeful = self._tried(updates, state, facts)
            if math.isfinite(hopeful[0].sum()):
                return hopeful
        elif self.checks_finite and updates.device.type == "cpu":
            try:
                return self._tried(updates, state, facts)
            except NonFiniteError:
                pass  # The rows that hold one are replaced now.
        return self._tried(replace_non_finite(updates), state, facts)

    def _tried(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        """Do what :meth:`_aggregate` does, and say what is wrong if it returns something else."""
        found = self._aggregate(updates, state, facts)
        if not isinstance(found, tuple) or len(found) != 2:
            raise ConfigError(
                f"aggregator={self.name!r} returns a {type(found).__name__}: must return "
                "(aggregate, state)."
            )
        shape = getattr(found[0], "shape", None)
        if not isinstance(found[0], torch.Tensor) or shape != updates.shape[1:]:
            got = f"shape {tuple(shape)}" if shape is not None else type(found[0]).__name__
            raise ConfigError(
                f"aggregator={self.name!r} returns {got} as its aggregate: must return a tensor of "
                f"shape {tuple(updates.shape[1:])}."
            )
        return found

    def candidates(
        self, updates: torch.Tensor, state: Any = None, facts: Facts | None = None
    ) -> torch.Tensor:
        """Compute the candidates from which :meth:`apply` chooses, without choosing.

        Parameters
        ----------
        updates, state, facts
            The arguments of :meth:`apply`.

        Returns
        -------
        torch.Tensor
            The candidates ``(n_candidates, n_parameters)``. If clients do not vote on this rule,
            its aggregate is the only candidate.
        """
        return self.apply(updates, state, facts)[0][None]

    def led_by(self, state: Any, aggregate: torch.Tensor) -> Any:
        """Return the state of a rule that is only watched while another aggregate leads the server.

        Parameters
        ----------
        state
            The state that the watched rule returned in this round.
        aggregate
            The aggregate ``(n_parameters,)`` along which the server really steps.

        Returns
        -------
        Any
            The state for the next round. By default it is ``state``, because most states do not
            depend on where the server steps.
        """
        return state

    def fixed_weights(self, n_clients: int) -> torch.Tensor | None:
        """Return the weights of the updates if they are the same whatever the updates are.

        Parameters
        ----------
        n_clients
            The number of clients, at least 1.

        Returns
        -------
        torch.Tensor or None
            The weights, of shape ``(n_clients,)`` in float64. None if the rule has no such weights.
        """
        return None

    def _max_byzantine(self, n_clients: int) -> int:
        """Return the largest allowed ``n_byzantine``. By default it is fewer than half."""
        return (n_clients - 1) // 2

    def _state_like(self, updates: torch.Tensor, facts: Facts) -> Any:
        """Return what the state for these updates is like after a round.

        By default it is like the state that :meth:`init` gives, so a rule defines this if
        :meth:`init` gives None and a round gives something else. See
        :func:`~fedlib.aggregators.states.check_state` for the values.
        """
        return self.init(*updates.shape)

    def _check_state(self, updates: torch.Tensor, state: Any, facts: Facts) -> None:
        """Raise ConfigError if ``state`` is not one of this rule for these updates."""
        if state is not None:
            whose = f"the state of aggregator={self.name!r}"
            check_state(whose, state, self._state_like(updates, facts), updates.device)

    def _set_needs(self, *names: str) -> None:
        """Set the facts that this object needs, for rules in which a hyperparameter decides it."""
        for name in names:
            check_name("aggregator.needs", name, FACTS)
        object.__setattr__(self, "needs", frozenset(names))

    @abstractmethod
    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        """Do what :meth:`apply` does, for checked updates without NaN or Inf."""


def replace_non_finite(updates: torch.Tensor) -> torch.Tensor:
    """Replace each row that holds a NaN or an Inf by zeros.

    Parameters
    ----------
    updates
        The updates ``(n_clients, n_parameters)``. The matrix is not changed.

    Returns
    -------
    torch.Tensor
        The updates with the replaced rows. On a CPU it is ``updates`` itself if the sum of every
        row is finite, and otherwise a copy.
    """
    if updates.device.type == "cpu" and bool(torch.isfinite(updates.sum(1)).all()):
        # A NaN or an Inf would show in the sum of its row, so one read of the matrix is enough.
        return updates
    # A sum may also overflow, so the values themselves decide. The extremes of a row with a NaN are
    # NaN, which lies in no range. On an accelerator, asking whether all values are finite would
    # make the host wait for the device in every round, so the copy is always made there.
    least, largest = torch.aminmax(updates, dim=1)
    limit = torch.finfo(updates.dtype).max
    finite = (least >= -limit) & (largest <= limit)
    return torch.where(finite[:, None], updates, 0.0)


def make_aggregator(spec: dict[str, Any] | Aggregator) -> Aggregator:
    """Make the aggregator that ``spec`` describes.

    Parameters
    ----------
    spec
        A dictionary such as ``to_dict`` returns, or an aggregator, which is returned as it is.

    Raises
    ------
    ConfigError
        If the name or a parameter in the dictionary is unknown, or a value is not allowed.

    Examples
    --------
    >>> make_aggregator({"name": "trimmed_mean", "n_byzantine": 2}).n_byzantine
    2
    """
    if isinstance(spec, Aggregator):
        return spec
    made: Aggregator = AGGREGATORS.make(spec)
    return made
