"""A strategy under attack: attackers that know everything change what their clients have sent."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import replace
from logging import INFO, WARNING, getLogger
from typing import Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from torch import nn

from fedlib.aggregators.base import Aggregator
from fedlib.attacks.base import Attack
from fedlib.federation.facts import Facts
from fedlib.integrations.flower.facts import MASKS
from fedlib.integrations.flower.knowledge import check_attack
from fedlib.integrations.flower.layout import Layout
from fedlib.integrations.flower.memory import Numbers
from fedlib.integrations.flower.replies import ClientOf, FlowerRound, Received, node_id, receive
from fedlib.integrations.flower.strategy import RuleStrategy
from fedlib.validation import ConfigError, check_int, check_kind

_log = getLogger("flwr").log
_KNOWN = frozenset({"benign_updates", "own_updates", "model", "last_aggregate"})
_TRIALS = frozenset({"rule", "candidates"})


class UnderAttack(Strategy):
    """Any strategy of Flower, with attackers that see what all honest clients have sent.

    The wrapper stands on the server between the replies and the strategy. It replaces the models of
    the attacking clients by those that an attack of the catalogue makes of the honest updates of
    the same round. No client can do this in Flower alone, because no client sees what others send.
    In the literature this is called an omniscient attacker. The wrapper is meant for tests and
    simulations.

    The metrics that attacking clients report stay as they are. An attacker that fails sends
    nothing. An update of an honest client that is not finite or has another shape is left out of
    what the attack sees. If no honest update is left, the attackers are honest in this round.

    Parameters
    ----------
    strategy
        The strategy that aggregates. An attack that tries the server's rule (it knows ``rule`` or
        ``candidates``) needs a :class:`RuleStrategy`.
    attack
        The attack, as an object or as its dictionary. Its ``n_byzantine`` is set to the number of
        attackers that have answered in a round.
    attackers
        The names of the attacking clients, as ``client_of`` gives them, or how many attack. In the
        second case, the last of the nodes that are there in the first round attack.
    client_of
        As for :class:`RuleStrategy`. With None, it is that of the strategy if there is one, and
        otherwise the number of the node.
    model
        A model of PyTorch with the layers of the model that is trained. Attacks on certain layers
        need it.

    Raises
    ------
    ConfigError
        If the attack changes data, or needs to know something that is not known here.

    Examples
    --------
    The last two clients send what ALIE makes of the honest updates, and the median aggregates:

    >>> median = RuleStrategy({"name": "median", "n_byzantine": 2})
    >>> attacked = UnderAttack(median, {"name": "alie"}, attackers=2)
    >>> attacked.attack.name, attacked.strategy.rule.name
    ('alie', 'median')
    """

    def __init__(
        self,
        strategy: Strategy,
        attack: Attack | dict[str, Any],
        attackers: int | Collection[Hashable],
        *,
        client_of: ClientOf | None = None,
        model: nn.Module | None = None,
    ) -> None:
        check_kind("strategy", strategy, Strategy, "a strategy of Flower", "FedAvg()")
        tried = _TRIALS if isinstance(strategy, RuleStrategy) else frozenset()
        self.strategy = strategy
        self.attack = check_attack(
            attack, _KNOWN | tried, model, "a strategy whose rule can be tried: a RuleStrategy"
        )
        by_default: ClientOf = getattr(strategy, "client_of", node_id)
        self.client_of = client_of or by_default
        self.attackers: set[Hashable] | None = None
        self._wanted = attackers
        if isinstance(attackers, int):
            check_int("attackers", attackers, 0)
            if self.client_of is not node_id:
                raise ConfigError(
                    f"attackers={attackers} says how many, which needs client_of=node_id: must be "
                    "the names of the attackers, as client_of gives them."
                )
        masks = {} if model is None else {name: make(model) for name, make in MASKS.items()}
        self._masks = {name: mask for name, mask in masks.items() if name in self.attack.knows}
        self.reset()

    def reset(self) -> None:
        """Forget all rounds. :meth:`start` does so."""
        self.attackers = None if isinstance(self._wanted, int) else set(self._wanted)
        self._numbers = Numbers()
        self._state: Any = None
        self._begun = False
        self._layout: Layout | None = None
        self._model: torch.Tensor | None = None
        self._last: torch.Tensor | None = None

    def start(self, *args: Any, **options: Any) -> Result:
        """Train, as the strategy does, from a fresh state of the attack and of the strategy."""
        self.reset()
        if isinstance(self.strategy, RuleStrategy):
            self.strategy.reset()
        return super().start(*args, **options)

    def summary(self) -> None:
        """Log the attack, and what the strategy logs."""
        _log(INFO, "\t├──> Attack of fedlib: %s", self.attack.to_dict())
        self.strategy.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Let the strategy choose the clients, and look at the broadcast model."""
        messages = list(self.strategy.configure_train(server_round, arrays, config, grid))
        if self.attackers is None:
            assert isinstance(self._wanted, int)
            nodes = sorted(grid.get_node_ids())
            check_int("attackers", self._wanted, 0, len(nodes) - 1)
            self.attackers = set(nodes[len(nodes) - self._wanted :])
        if self.client_of is node_id:
            self._numbers.know(grid.get_node_ids())
        layout = Layout.of(arrays, self._layout)
        model = layout.vector(arrays)
        self._last = None if self._model is None else self._model - model
        self._layout, self._model = layout, model
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Replace the attackers' models, and let the strategy aggregate."""
        replies = list(replies)
        self._attack(server_round, replies)
        return self.strategy.aggregate_train(server_round, replies)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Let the strategy do it."""
        return self.strategy.configure_evaluate(server_round, arrays, config, grid)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Let the strategy do it."""
        return self.strategy.aggregate_evaluate(server_round, replies)

    def _attack(self, server_round: int, replies: list[Message]) -> None:
        """Replace the models in the attackers' replies by what the attack makes."""
        if self._layout is None or self._model is None or self.attackers is None:
            raise ConfigError("aggregate_train was called before configure_train: must be after.")
        weighted_by = getattr(self.strategy, "weighted_by_key", "num-examples")
        received = receive(replies, self._layout, self.client_of, weighted_by, needs_counts=False)
        finite = {
            client: self._model - model
            for client, model in received.models.items()
            if model is not None and bool(model.isfinite().all())
        }
        if self.attack.knows & _TRIALS and isinstance(self.strategy, RuleStrategy):
            refusal = self.strategy.refusal(self.strategy.played(server_round, received))
            if refusal is not None:
                _log(
                    WARNING,
                    "attack: none in round %s, because the rule has no answer: %s",
                    server_round,
                    refusal,
                )
                return
        ordered = self._numbers.in_order(finite)
        honest = [client for client in ordered if client not in self.attackers]
        mine = [client for client in ordered if client in self.attackers]
        if not honest or not mine:
            _log(WARNING, "attack: none in round %s, for want of clients", server_round)
            return
        benign = torch.stack([finite[client] for client in honest])
        own = torch.stack([finite[client] for client in mine])
        attack = replace(self.attack, n_byzantine=len(mine))
        if not self._begun:
            self._state = attack.init(len(finite), len(self._model))
            self._begun = True
        facts = self._facts(attack, own, [*honest, *mine], server_round, received)
        seen = benign if "benign_updates" in attack.knows else benign[:0]
        sent, self._state = attack.apply(seen, self._state, facts)
        models = dict(zip(mine, self._model - sent, strict=True))
        for reply in replies:
            if not reply.has_error() and (client := self._name(reply)) in models:
                self._replace(reply, models.pop(client))

    def _facts(
        self,
        attack: Attack,
        own: torch.Tensor,
        clients: list[Hashable],
        server_round: int,
        received: Received,
    ) -> Facts:
        """Return what the attack knows; ``clients`` are those of the rows that it thinks of."""
        made: dict[str, Any] = {
            "own_updates": own,
            "model": self._model,
            "last_aggregate": self._last,
        }
        made |= self._masks
        if attack.knows & _TRIALS:

            def rule(updates: torch.Tensor) -> torch.Tensor:
                rule, played, *others = self._tried(clients, updates, server_round, received)
                return rule.apply(played.updates, *others)[0]

            def candidates(updates: torch.Tensor) -> torch.Tensor:
                rule, played, *others = self._tried(clients, updates, server_round, received)
                return rule.candidates(played.updates, *others)

            made |= {"rule": rule, "candidates": candidates}
        return Facts(**{name: value for name, value in made.items() if name in attack.knows})

    def _tried(
        self,
        clients: list[Hashable],
        updates: torch.Tensor,
        server_round: int,
        received: Received,
    ) -> tuple[Aggregator, FlowerRound, Any, Facts]:
        """Return the strategy's rule, and what it would get if the clients sent these updates."""
        assert isinstance(self.strategy, RuleStrategy) and self._model is not None
        models: dict[Hashable, torch.Tensor | None] = dict(received.models)
        models |= zip(clients, self._model - updates, strict=True)
        sent = Received(models, received.counts)
        played = self.strategy.played(server_round, sent)
        rule, state, facts = self.strategy.prepared(played, sent)
        return rule, played, state, facts

    def _name(self, reply: Message) -> Hashable | None:
        """Return who has sent a reply, or None if it does not say so."""
        try:
            return self.client_of(reply)
        except Exception:  # The strategy says it when it reads the same reply.
            return None

    def _replace(self, reply: Message, model: torch.Tensor) -> None:
        """Put a model in the place of the one that a reply holds."""
        assert self._layout is not None
        ((name, arrays),) = reply.content.array_records.items()
        reply.content[name] = self._layout.arrays(model, self._layout.counters(arrays))
