"""What the clients have sent in a round: who they are, what can be used, and what is wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, Message, RecordDict

from fedlib.integrations.flower.layout import Layout, MalformedError

ClientOf = Callable[[Message], Hashable]


def node_id(reply: Message) -> Hashable:
    """Return the number of the node that has sent a reply.

    Flower gives each node its number, so a client cannot take the number of another one.
    """
    return reply.metadata.src_node_id  # type: ignore[no-any-return]


@dataclass(frozen=True)
class FlowerRound:
    """A round as rules, facts and watchers see it.

    Attributes
    ----------
    number
        The number of the round, from 1.
    clients
        Who has sent each row of the updates, in the order of the rows.
    updates
        The broadcast model minus each client's model, ``(n, n_parameters)``. A row is zero if what
        the client sent had another shape or could not be read.
    model
        The floating-point values of the broadcast model, ``(n_parameters,)``.
    arrays
        The arrays of the broadcast model.
    layout
        How arrays become vectors.

    Examples
    --------
    >>> from flwr.app import Array, ArrayRecord
    >>> arrays = ArrayRecord({"weight": Array(np.array([3.0, 5.0]))})
    >>> layout = Layout.of(arrays)
    >>> played = FlowerRound(1, [7], torch.zeros(1, 2), layout.vector(arrays), arrays, layout)
    >>> played.update_of(ArrayRecord({"weight": Array(np.array([2.0, 5.5]))}))
    tensor([ 1.0000, -0.5000], dtype=torch.float64)
    """

    number: int
    clients: Sequence[Hashable]
    updates: torch.Tensor
    model: torch.Tensor
    arrays: ArrayRecord
    layout: Layout

    def update_of(self, arrays: ArrayRecord) -> torch.Tensor:
        """Return the update ``(n_parameters,)`` of a model that was trained from this round's."""
        return self.model - self.layout.vector(arrays)


@dataclass
class Received:
    """The replies of a round, sorted by whether they can be used.

    Attributes
    ----------
    models
        The vector of each client's model. None stands for a reply that cannot be used.
    counts
        How many samples each client says that it has. It is 0 if the reply cannot be used.
    counters
        The arrays of whole numbers of the replies that can be used.
    reasons
        Why a reply cannot be used, by client.
    failed
        The reason of each client that has answered with an error.
    """

    models: dict[Hashable, torch.Tensor | None] = field(default_factory=dict)
    counts: dict[Hashable, float] = field(default_factory=dict)
    counters: list[dict[str, np.ndarray]] = field(default_factory=list)
    reasons: dict[Hashable, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def receive(
    replies: Iterable[Message],
    layout: Layout,
    client_of: ClientOf,
    weighted_by: str,
    needs_counts: bool,
) -> Received:
    """Read the replies of a round of training. Nothing that a client sends raises an error.

    Parameters
    ----------
    replies
        The replies.
    layout
        The layout of the broadcast model.
    client_of
        Who has sent a reply.
    weighted_by
        The name of the metric that gives the number of samples.
    needs_counts
        Whether a reply without a usable number of samples cannot be used.
    """
    received = Received()
    for reply in replies:
        if reply.has_error():
            received.failed.append(f"node {node_id(reply)}: {reply.error.reason}")
            continue
        try:
            client = client_of(reply)
            hash(client)
        except Exception as error:  # A client may leave out what it is known by.
            received.failed.append(f"node {node_id(reply)} does not say who it is: {error!r}")
            continue
        if client in received.models:
            received.failed.append(f"node {node_id(reply)} says it is {client!r}, which is taken")
            continue
        count = sample_count(reply.content, weighted_by)
        received.models[client], received.counts[client] = None, 0.0
        try:
            records = list(reply.content.array_records.values())
            if len(records) != 1:
                raise MalformedError(f"it holds {len(records)} ArrayRecords, not one")
            if needs_counts and count is None:
                raise MalformedError(f"its metrics hold no usable {weighted_by!r}")
            model, counters = layout.vector(records[0]), layout.counters(records[0])
        except MalformedError as error:
            received.reasons[client] = str(error)
            continue
        received.models[client], received.counts[client] = model, count or 0.0
        received.counters.append(counters)
    return received


def sample_count(content: RecordDict, weighted_by: str) -> float | None:
    """Return the number of samples that a reply gives, or None if it is missing or no such number.

    The number must be finite and positive.
    """
    for record in content.metric_records.values():
        value = record.get(weighted_by)
        if isinstance(value, int | float) and math.isfinite(value) and value > 0:
            return float(value)
    return None


def with_usable_metrics(
    contents: Collection[RecordDict], weighted_by: str
) -> tuple[list[RecordDict], int]:
    """Return the replies whose metrics can be averaged together, and the number of the others.

    Those can that have one record with a usable number of samples, finite values, and the same
    names as most of the others.
    """
    usable = [
        (content, _names(content))
        for content in contents
        if len(content.metric_records) == 1
        and sample_count(content, weighted_by) is not None
        and _finite(content)
    ]
    common = Counter(names for _, names in usable).most_common(1)
    kept = [content for content, names in usable if common and names == common[0][0]]
    return kept, len(contents) - len(kept)


def _names(content: RecordDict) -> tuple[Any, ...]:
    """Return the names of the metrics, each with the length of its list or -1."""
    (record,) = content.metric_records.values()
    return tuple(sorted((k, len(v) if isinstance(v, list) else -1) for k, v in record.items()))


def _finite(content: RecordDict) -> bool:
    (record,) = content.metric_records.values()
    lists = [value if isinstance(value, list) else [value] for value in record.values()]
    return all(math.isfinite(value) for values in lists for value in values)
