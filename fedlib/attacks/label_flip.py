"""Label flipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, TrainingAttack
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int, check_name

MAPPINGS = ("complement", "pair", "permutation", "constant", "characters")

_DIGITS, _LETTERS = 10, 26
"""How many of the 62 classes of characters are digits, and how many are upper case letters."""


@ATTACKS.register("label_flip")
@dataclass(frozen=True)
class LabelFlip(TrainingAttack):
    """Train as honest clients do, but on wrong labels.

    Parameters
    ----------
    mapping
        This says what a label becomes. With ``"complement"`` label y of C classes becomes ``C - 1 -
        y`` (centered_clipping, section VI-B). With two classes this flips all labels. With
        ``"pair"`` the class ``source`` becomes ``target`` (residual_reweighting, section 4.2, where
        1 becomes 7 on MNIST). ``"permutation"`` takes one permutation in which every class becomes
        another class. It is drawn from ``seed`` (clustering_with_outliers, appendix D.2, does not
        print its permutation). With ``"constant"`` all labels become ``target``. ``"characters"``
        is for 62 classes, which are digits, upper case and lower case letters. Digit y becomes ``(7
        y + 1) mod 10``, and a letter changes its case (the authors' code of
        clustering_with_outliers).
    source, target
        The classes of ``"pair"`` and ``"constant"``.
    seed
        The seed of the permutation.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> attack = ATTACKS["label_flip"](n_byzantine=1)
    >>> images, labels = torch.zeros(4, 1, 2, 2), torch.tensor([0, 1, 7, 9])
    >>> attack.poison(images, labels, 10)[1]
    tensor([9, 8, 2, 0])
    """

    formula: ClassVar[str] = r"b_j = o_j \text{ on } (x, \pi(y))"

    mapping: str = "complement"
    source: int = 1
    target: int = 7
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.mapping", self.mapping, MAPPINGS)
        check_int("attack.source", self.source, 0)
        check_int("attack.target", self.target, 0)
        check_int("attack.seed", self.seed, 0)

    def poison(
        self, x: torch.Tensor, y: torch.Tensor, n_classes: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.mapping == "complement":
            return x, n_classes - 1 - y
        if self.mapping == "permutation":
            return x, self._permutation(n_classes).to(y.device)[y]
        if self.mapping == "characters":
            return x, _other_characters(n_classes).to(y.device)[y]
        for field in ("source", "target"):
            check_int(f"attack.{field}", getattr(self, field), 0, n_classes - 1)
        if self.mapping == "constant":
            return x, torch.full_like(y, self.target)
        return x, torch.where(y == self.source, self.target, y)

    def triggered(
        self, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        if self.mapping != "pair":
            return None
        hit = y == self.source
        return x[hit], torch.full_like(y[hit], self.target)

    def _permutation(self, n_classes: int) -> torch.Tensor:
        if n_classes < 2:
            raise ConfigError(
                f"attack.mapping='permutation' needs at least two classes, not {n_classes}."
            )
        # Shifted along one random cycle, no class keeps its label.
        cycle = torch.from_numpy(stream(self.seed, "label_flip").permutation(n_classes))
        return torch.empty_like(cycle).scatter_(0, cycle, cycle.roll(-1))


def _other_characters(n_classes: int) -> torch.Tensor:
    """Return the class that each class of characters becomes, ``(n_classes,)``."""
    if n_classes != _DIGITS + 2 * _LETTERS:
        raise ConfigError(
            f"attack.mapping='characters' needs the {_DIGITS + 2 * _LETTERS} classes of digits and "
            f"letters, not {n_classes}."
        )
    digits, letters = torch.arange(_DIGITS), torch.arange(_LETTERS)
    lower, upper = letters + _DIGITS + _LETTERS, letters + _DIGITS
    return torch.cat([(7 * digits + 1) % _DIGITS, lower, upper])
