"""A mod for the app of a Flower client that attacks by what this client knows itself."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import fields, replace
from logging import WARNING, getLogger
from typing import Any

import torch
from flwr.app import ConfigRecord, Context, Message
from flwr.clientapp.typing import ClientAppCallable
from torch import nn

from fedlib.attacks.base import Attack
from fedlib.federation.facts import Facts
from fedlib.integrations.flower.facts import MASKS
from fedlib.integrations.flower.knowledge import check_attack
from fedlib.integrations.flower.layout import Layout, MalformedError
from fedlib.seeds import derived_seed

_log = getLogger("flwr").log
_KNOWN = frozenset({"own_updates", "model", "last_aggregate"})
_RECORD = "fedlib-attack"


class AttackMod:
    """Send what an attack of the catalogue makes of the client's own update.

    ``ClientApp(mods=[AttackMod({"name": "sign_flip"}, attackers={0, 1})])`` lets two clients of a
    simulation attack. The mod calls the app, so that the client trains as usual, and replaces the
    model in its reply. It knows the broadcast models, and the update that the client would send if
    it were honest. The client's context holds what the attack keeps from round to round.

    A client does not see what others send. An attack that knows ``benign_updates``, such as ALIE,
    or tries the server's rule, therefore needs :class:`UnderAttack`. Each attacking client acts
    alone, as if there were no other.

    Parameters
    ----------
    attack
        The attack, as an object or as its dictionary. Its ``n_byzantine`` is set to 1. If it has a
        ``seed``, each client draws its own random numbers.
    attackers
        The ``partition-id`` of each client that attacks, as a simulation gives them to clients.
        None lets every client attack whose app has the mod.
    model
        A model of PyTorch with the layers of the model that is trained. Attacks on certain layers
        need it.

    Raises
    ------
    ConfigError
        If the attack changes data, or needs to know something that one client cannot know.

    Examples
    --------
    >>> from flwr.clientapp import ClientApp
    >>> mod = AttackMod({"name": "sign_flip"}, attackers={0, 1})
    >>> app = ClientApp(mods=[mod])
    >>> mod.attack.name, sorted(mod.attackers)
    ('sign_flip', [0, 1])

    An attack that has to see what others send says so at once:

    >>> AttackMod({"name": "alie"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    fedlib.validation.ConfigError: ...
    """

    def __init__(
        self,
        attack: Attack | dict[str, Any],
        attackers: Collection[int] | None = None,
        model: nn.Module | None = None,
    ) -> None:
        hint = "more than one client: wrap the strategy in UnderAttack"
        self.attack = replace(check_attack(attack, _KNOWN, model, hint), n_byzantine=1)
        self.attackers = None if attackers is None else frozenset(attackers)
        masks = {} if model is None else {name: make(model) for name, make in MASKS.items()}
        self._masks = {name: mask for name, mask in masks.items() if name in self.attack.knows}

    def __call__(self, message: Message, context: Context, app: ClientAppCallable) -> Message:
        """Train by the app, and replace the model that it replies with.

        Parameters
        ----------
        message
            What the server has sent.
        context
            The client's context.
        app
            The next mod, or the app itself.

        Returns
        -------
        Message
            The reply. Other messages than those of training, those of clients that do not attack,
            and errors pass as they are.
        """
        trains = message.metadata.message_type.split(".")[0] == "train"
        if not trains or not self._attacks(context):
            return app(message, context)
        (arrays,) = message.content.array_records.values()
        kept = self._kept(context)
        layout = Layout.of(arrays, kept.get("layout"))
        model = layout.vector(arrays)
        reply = app(message, context)
        if reply.has_error():
            return reply
        try:
            ((name, sent),) = reply.content.array_records.items()
            own, counters = model - layout.vector(sent), layout.counters(sent)
        except (MalformedError, ValueError) as error:
            _log(WARNING, "AttackMod: the reply stays as it is: %s", error)
            return reply
        update, state = self._made(own, model, kept, context)
        content = io.BytesIO()
        torch.save({"state": state, "model": model, "layout": layout}, content)
        context.state[_RECORD] = ConfigRecord({"kept": content.getvalue()})
        reply.content[name] = layout.arrays(model - update, counters)
        return reply

    def _attacks(self, context: Context) -> bool:
        return self.attackers is None or context.node_config.get("partition-id") in self.attackers

    def _kept(self, context: Context) -> dict[str, Any]:
        """Return what the client kept in its last round: nothing before the first."""
        if _RECORD not in context.state:
            return {}
        # The bytes are those that this client itself has kept.
        content = io.BytesIO(context.state[_RECORD]["kept"])
        return torch.load(content, weights_only=False)  # type: ignore[no-any-return]

    def _made(
        self, own: torch.Tensor, model: torch.Tensor, kept: dict[str, Any], context: Context
    ) -> tuple[torch.Tensor, Any]:
        """Return the update that is sent, ``(n_parameters,)``, and the attack's state after it."""
        attack = self._of(context)
        # A client knows of no other client, but an attack must have somebody to attack.
        state = kept["state"] if kept else attack.init(2, len(own))
        made = {
            "own_updates": own[None],
            "model": model,
            "last_aggregate": kept["model"] - model if kept else None,
            **self._masks,
        }
        facts = Facts(**{name: value for name, value in made.items() if name in attack.knows})
        sent, state = attack.apply(own.new_zeros(0, len(own)), state, facts)
        return sent[0], state

    def _of(self, context: Context) -> Attack:
        """Return the attack with a seed of this client's own if it draws."""
        if "seed" not in {field.name for field in fields(self.attack)}:
            return self.attack
        client = context.node_config.get("partition-id", context.node_id)
        seed: int = self.attack.seed  # type: ignore[attr-defined]
        return replace(self.attack, seed=derived_seed(seed, "client", int(client)))  # type: ignore[call-arg]
