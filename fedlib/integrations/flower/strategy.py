"""A strategy of Flower that aggregates with a rule of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from logging import INFO, WARNING, getLogger
from typing import Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result

from fedlib.aggregators.base import Aggregator, make_aggregator
from fedlib.federation.facts import FACTS, Facts
from fedlib.integrations.flower.layout import Layout
from fedlib.integrations.flower.memory import Memory, Numbers
from fedlib.integrations.flower.replies import (
    ClientOf,
    FlowerRound,
    Received,
    node_id,
    receive,
    with_usable_metrics,
)
from fedlib.validation import ConfigError, check_name, check_real

_log = getLogger("flwr").log


class RuleStrategy(FedAvg):
    """Flower's FedAvg with a rule of the catalogue in the place of the weighted average.

    The rule gets one row for each client that has answered. The row is the broadcast model minus
    the client's model. The server subtracts the rule's aggregate from the broadcast model. Rows are
    in the order of the clients' numbers, which clients keep from round to round. If a client does
    not take part in a round, a rule that remembers clients keeps what it knows of this client.

    A client that fails or does not answer in time has no row. If a client sends another shape,
    something that cannot be read, or NaN, its row is the zero update. If the rule cannot serve the
    number of rows, the model stays as it is in this round. Each of these cases is counted in the
    metrics of the round: ``fedlib-rows``, ``fedlib-failed``, ``fedlib-malformed``,
    ``fedlib-non-finite``, ``fedlib-metrics-left-out`` and ``fedlib-skipped``.

    Parameters
    ----------
    rule
        The rule, as an object or as its dictionary, such as ``{"name": "krum", "n_byzantine": 2}``.
    facts
        What the rule needs beside the updates. Each entry has the name of a fact, and a function
        that takes the :class:`FlowerRound` and returns the fact. ``sample_counts`` is taken from
        the replies.
    absent
        What happens with a client that was asked and has not answered. With ``"left_out"`` it has
        no row. With ``"zero"`` its row is the zero update. The rule's ``n_byzantine`` then counts
        it, so attackers cannot stop the rule by not answering. ``"zero"`` needs the default of
        ``client_of``.
    server_learning_rate
        The aggregate is multiplied by this number before it is subtracted.
    client_of
        A function that takes a reply and returns the client's name. By default the name is the
        number of the node, which a client cannot forge. Flower draws these numbers anew in every
        simulation. If the rows must be in the same order in every simulation, use
        ``lambda reply: reply.content["metrics"]["partition-id"]``, for clients that report it.
    watch
        A function that is called in each round with the :class:`FlowerRound` and the aggregate
        ``(n_parameters,)``.
    **options
        The options of ``flwr.serverapp.strategy.FedAvg``.

    Raises
    ------
    ConfigError
        If a fact that the rule needs is not given, or a parameter is out of range.

    Examples
    --------
    >>> strategy = RuleStrategy({"name": "trimmed_mean", "n_byzantine": 3}, fraction_evaluate=0.0)
    >>> strategy.rule.name, strategy.rule.n_byzantine
    ('trimmed_mean', 3)

    A rule that needs more than the updates says so at once:

    >>> RuleStrategy({"name": "fltrust"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    fedlib.validation.ConfigError: rule='fltrust' needs the fact 'server_update', ...
    """

    def __init__(
        self,
        rule: Aggregator | dict[str, Any],
        *,
        facts: Mapping[str, Callable[[FlowerRound], Any]] | None = None,
        absent: str = "left_out",
        server_learning_rate: float = 1.0,
        client_of: ClientOf = node_id,
        watch: Callable[[FlowerRound, torch.Tensor], None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.rule = make_aggregator(rule)
        self.facts = dict(facts or {})
        for name in self.facts:
            check_name("facts", name, FACTS)
        missing = sorted(self.rule.needs - set(self.facts) - {"sample_counts"})
        if missing:
            raise ConfigError(
                f"rule={self.rule.name!r} needs the fact {missing[0]!r}, as it is set: must be "
                f"given as facts={{{missing[0]!r}: function of the round}}."
            )
        self.absent = check_name("absent", absent, ("left_out", "zero"))
        if absent == "zero" and client_of is not node_id:
            raise ConfigError(
                "absent='zero' needs client_of=node_id, because a client that does not answer does "
                "not say who it is."
            )
        self.server_learning_rate = check_real(
            "server_learning_rate", server_learning_rate, 0, open_low=True
        )
        self.client_of, self.watch = client_of, watch
        self.reset()

    def reset(self) -> None:
        """Forget all rounds and clients. :meth:`start` does so, because it begins a training."""
        self.numbers = Numbers()
        self.memory = Memory(self.rule, self.numbers)
        self._layout: Layout | None = None
        self._asked: set[Hashable] = set()

    def start(self, *args: Any, **options: Any) -> Result:
        """Train, as ``flwr.serverapp.strategy.Strategy.start`` does, from a fresh state."""
        self.reset()
        return super().start(*args, **options)

    def summary(self) -> None:
        """Log the rule and the options."""
        _log(INFO, "\t├──> Rule of fedlib: %s", self.rule.to_dict())
        super().summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Choose the clients of a round, as FedAvg does.

        Raises
        ------
        ConfigError
            If the rule cannot serve so many clients, before any of them computes something.
        """
        messages = list(super().configure_train(server_round, arrays, config, grid))
        nodes = [message.metadata.dst_node_id for message in messages]
        if nodes:
            self.rule.check(
                len(list(grid.get_node_ids())) if self.rule.knows_clients else len(nodes)
            )
        self._layout, self._arrays, self._asked = Layout.of(arrays), arrays, set(nodes)
        if self.client_of is node_id:
            # Nodes are numbered before they answer, so that their order does not hang on that.
            self.numbers.know(grid.get_node_ids())
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Aggregate the replies of a round with the rule.

        Returns
        -------
        arrays
            The new model. None if the model stays as it is.
        metrics
            The clients' metrics, averaged, and the numbers of what was wrong.
        """
        replies = list(replies)
        if self._layout is None:
            raise ConfigError("aggregate_train was called before configure_train: must be after.")
        received = self.received(replies)
        played = self.played(server_round, received)
        counts = {
            "rows": len(played.clients),
            "failed": len(received.failed) + max(0, len(self._asked) - len(replies)),
            "malformed": len(received.reasons),
            "non-finite": int((~played.updates.isfinite().all(1)).sum()),
        }
        arrays = self._aggregated(played, received)
        counts["skipped"] = int(arrays is None)
        self._say(server_round, received, counts)
        metrics = self._averaged(replies, self.train_metrics_aggr_fn, counts)
        return arrays, metrics

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Average the metrics of an evaluation over the clients whose metrics can be averaged."""
        replies = list(replies)
        if not replies:
            return None
        valid, errors = self._check_and_log_replies(replies, is_train=False, validate=False)
        return self._averaged(valid, self.evaluate_metrics_aggr_fn, {"failed": len(errors)})

    def received(self, replies: Iterable[Message]) -> Received:
        """Read the replies to this round's broadcast."""
        assert self._layout is not None
        needs_counts = "sample_counts" in self.rule.needs - set(self.facts)
        return receive(replies, self._layout, self.client_of, self.weighted_by_key, needs_counts)

    def played(self, server_round: int, received: Received) -> FlowerRound:
        """Return the round with the updates of the clients that have a row."""
        assert self._layout is not None
        clients = set(received.models)
        if self.absent == "zero":
            clients |= self._asked
        ordered = self.numbers.in_order(clients)
        model = self._layout.vector(self._arrays)
        updates = torch.zeros(len(ordered), len(model), dtype=model.dtype)
        for row, client in enumerate(ordered):
            sent = received.models.get(client)
            if sent is not None:
                updates[row] = model - sent
        return FlowerRound(server_round, ordered, updates, model, self._arrays, self._layout)

    def refusal(self, played: FlowerRound) -> str | None:
        """Say why the rule cannot serve the rows of a round, or return None if it can."""
        try:
            rule, _ = self.memory.of(played.clients)
            rule.check(len(played.clients))
        except ConfigError as error:
            return str(error)
        return None

    def prepared(self, played: FlowerRound, received: Received) -> tuple[Aggregator, Any, Facts]:
        """Return the rule for the clients of a round, its state, and the facts that it needs."""
        rule, state = self.memory.of(played.clients)
        made = {name: self.facts[name](played) for name in rule.needs if name in self.facts}
        if "sample_counts" in rule.needs and "sample_counts" not in made:
            said = [received.counts.get(client, 0.0) for client in played.clients]
            made["sample_counts"] = torch.tensor(said, dtype=torch.float64)
        return rule, state, Facts(**made)

    def _aggregated(self, played: FlowerRound, received: Received) -> ArrayRecord | None:
        """Return the new model, or None if the rule cannot serve the rows that have arrived."""
        if not received.counters:  # No client has sent a model.
            return None
        refusal = self.refusal(played)
        if refusal is not None:
            _log(WARNING, "aggregate_train: the model stays as it is: %s", refusal)
            return None
        rule, state, facts = self.prepared(played, received)
        aggregate, state = rule.apply(played.updates, state, facts)
        self.memory.keep(played.clients, state)
        if self.watch is not None:
            self.watch(played, aggregate)
        counters = played.layout.median_counters(played.arrays, received.counters)
        model = played.model - self.server_learning_rate * aggregate
        return played.layout.arrays(model, counters)

    def _say(self, server_round: int, received: Received, counts: Mapping[str, int]) -> None:
        """Log what was wrong in a round."""
        _log(INFO, "aggregate_train: Received %s", counts)
        for reason in received.failed:
            _log(WARNING, "\t> Round %s: failed: %s", server_round, reason)
        for client, reason in received.reasons.items():
            _log(WARNING, "\t> Round %s: malformed from %s: %s", server_round, client, reason)

    def _averaged(
        self, replies: Iterable[Message], average: Any, counts: Mapping[str, int]
    ) -> MetricRecord:
        """Return the clients' metrics averaged, and the counts under fedlib's names."""
        contents = [reply.content for reply in replies if not reply.has_error()]
        usable, left_out = with_usable_metrics(contents, self.weighted_by_key)
        metrics = average(usable, self.weighted_by_key) if usable else MetricRecord()
        for name, value in {**counts, "metrics-left-out": left_out}.items():
            metrics[f"fedlib-{name}"] = value
        return metrics
