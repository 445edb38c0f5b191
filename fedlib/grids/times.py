"""How long runs take, from the stored runs that are most like them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from itertools import chain
from typing import Any

from fedlib.runs import RunConfig


class StoredTimes:
    """How long stored runs took, by what makes runs alike.

    On a CPU it is the time that the processor worked on a run, where that is known. So a run that
    shared its core with other work counts no longer than one that did not.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``: the device whose times count where there are any.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device.split(":")[0]
        self._devices: set[str] = set()
        self._seconds: dict[tuple[str, ...], list[tuple[str, float, int]]] = {}
        self._newest: dict[tuple[str, str], tuple[str, str]] = {}
        self._rounds: dict[tuple[str, ...], list[tuple[str, float, float]]] = {}

    def add(self, records: Iterable[dict[str, Any]]) -> None:
        """Take the times of some records into account."""
        for record in records:
            made, config = record["provenance"], record["config"]
            if "wall_time_s" not in made:
                continue  # a record that another program wrote says nothing of times
            device, strategy = made.get("device", "cpu"), made.get("strategy", "")
            started = made.get("started", "")
            taken = made["wall_time_s"]
            if device == "cpu":  # Older records do not have the time of the processor.
                taken = made.get("cpu_time_s", taken)
            time = (started, float(taken), config["rounds"])
            self._devices.add(device)
            for level in chain.from_iterable(_likeness(config)):
                for way in (strategy, _ANY):
                    self._seconds.setdefault((device, way, *level), []).append(time)
            network = device, config["model"]
            self._newest[network] = max(self._newest.get(network, ("", "")), (started, strategy))
            of_round = started, time[1] / config["rounds"], _work(config)
            self._rounds.setdefault((device, *_learning(config)), []).append(of_round)

    def minutes(self, config: RunConfig) -> float | None:
        """Return the expected minutes of a run, or None if no run like it is stored.

        It is the median of the five latest runs that are most alike, on the device or, if there
        are none, on any other. Runs of the same rule whose attack has the same fields are most
        alike, then those whose attack has the same fields with text, and then those whose attack
        has the same name. If no run has both the rule and the
        attack, those with the rule and those with the attack are looked at apart, and the longer
        time counts: a learned attack takes minutes under every rule. Runs whose gradients were
        computed as in the newest run of the same network come first, because another way may take
        several times as long. The time of runs with another number of rounds is scaled by it.
        """
        likeness = _likeness(config.to_dict())
        for device in (self._device, *sorted(self._devices - {self._device})):
            _, newest = self._newest.get((device, config.model), ("", ""))
            for way in (newest, _ANY):
                for levels in likeness:
                    found = [self._seconds.get((device, way, *level)) for level in levels]
                    if any(found):
                        return max(_typical(known, config.rounds) for known in found if known) / 60
        return None

    def guess(self, config: RunConfig) -> float | None:
        """Return about how many minutes a run takes, from runs with other clients and batches.

        It is from the rounds of the five latest runs of the same network and kind of client on the
        same data. A round in which clients learn more takes longer by as much, and one in which
        they learn less takes as long. None if there is no such run.
        """
        wanted = config.to_dict()
        for device in (self._device, *sorted(self._devices - {self._device})):
            known = sorted(self._rounds.get((device, *_learning(wanted)), []))[-5:]
            if known:
                seconds = (time * max(1.0, _work(wanted) / work) for _, time, work in known)
                return statistics.median(seconds) * config.rounds / 60
        return None


def _learning(config: dict[str, Any]) -> tuple[str, ...]:
    """Return what networks have in common whose rounds differ only in how much they learn."""
    data, client = config["data"], config["client"]
    sizes = str(data["train_samples"]), str("epochs" in client)
    return data["name"], *sizes, config["model"], client["name"]


def _work(config: dict[str, Any]) -> float:
    """Return how much clients learn in a round: passes through the data, or samples of batches.

    A client that votes on a sample tries two models on it. This takes about two thirds as long as
    to learn from the sample.
    """
    client = config["client"]
    samples = client.get("batch_size", 0) + 2 / 3 * config.get("vote_samples", 0)
    return float(client.get("epochs") or config["n_clients"] * samples)


def _typical(known: list[tuple[str, float, int]], rounds: int) -> float:
    """The median seconds of the five latest runs, scaled to a number of rounds."""
    return statistics.median(seconds * (rounds / of) for _, seconds, of in sorted(known)[-5:])


_ANY = "any way to compute gradients"


def _text(fields: dict[str, Any]) -> str:
    """Return fields as a text that is the same for a record and for a configuration."""
    return json.dumps(fields, sort_keys=True)


def _likeness(config: dict[str, Any]) -> list[list[tuple[str, ...]]]:
    """Return the properties that similar runs share, with the closest similarity first.

    Properties that are as close as each other stand together.
    """
    client = {name: config["client"].get(name) for name in ("name", "batch_size", "epochs")}
    clients: tuple[str, ...] = (str(client), config["model"], str(config["n_clients"]))
    if config.get("vote_samples"):
        clients = (*clients, f"votes on {config['vote_samples']} samples")
    round_of = (config["data"]["name"], *clients)
    work = (*round_of, str(config["rounds"]))
    rule, attack = config["aggregator"]["name"], config["attack"]["name"]
    # The fields of an attack may decide its time: one that learns takes minutes, and one of the
    # same name that does not learn takes seconds. Those with text say which way it goes.
    fields = {name: value for name, value in config["attack"].items() if name != "n_byzantine"}
    ways = {name: value for name, value in fields.items() if isinstance(value, str)}
    return [
        [("fields", *work, rule, _text(fields))], [("ways", *work, rule, _text(ways))],
        [("all", *work, rule, attack)], [("rule", *work, rule), ("attack", *work, attack)],
        [("work", *work)], [("round", *round_of)], [("clients", *clients)],
    ]  # fmt: skip
