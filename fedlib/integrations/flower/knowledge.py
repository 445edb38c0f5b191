"""Which attacks of the catalogue an attacker in Flower can carry out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn

from fedlib.attacks.base import Attack, TrainingAttack, make_attack
from fedlib.integrations.flower.facts import MASKS
from fedlib.validation import ConfigError


def check_attack(
    attack: Attack | dict[str, Any], known: Collection[str], model: nn.Module | None, hint: str
) -> Attack:
    """Return the attack if it works on updates and needs to know no more than there is.

    Parameters
    ----------
    attack
        The attack, as an object or as its dictionary.
    known
        The facts that there are without a model of PyTorch.
    model
        A model of PyTorch that gives the facts about layers, or None.
    hint
        Where the other facts are known, for the message.

    Raises
    ------
    ConfigError
        If the attack cannot be carried out.
    """
    made = make_attack(attack)
    if made.agent:
        raise ConfigError(
            f"attack={made.name!r} is played by an agent, which needs the engine of fedlib: must "
            "be an attack without an agent."
        )
    if type(made)._attack is TrainingAttack._attack:
        raise ConfigError(
            f"attack={made.name!r} acts on data and not on updates: poison the samples where the "
            "app of an attacking client loads them, with attack.poison(x, y, n_classes)."
        )
    for name in sorted(made.knows - set(known)):
        if name in MASKS and model is not None:
            continue
        raise ConfigError(
            f"attack={made.name!r} knows {name!r}: must be told "
            + ("the model's form: give model=..." if name in MASKS else f"it by {hint}.")
        )
    return made
