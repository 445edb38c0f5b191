"""The label-flipping attack trains on wrong labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, TrainingAttack
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int, check_name

MAPPINGS = ("complement", "pair", "permutation", "constant")


@ATTACKS.register("label_flip")
@dataclass(frozen=True)
class LabelFlip(TrainingAttack):
    """Train honestly on wrong labels.

    Parameters
    ----------
    mapping
        The rule by which labels change. With ``"complement"``, the default, label y becomes
        ``C - 1 - y``, where C is the number of classes (centered_clipping, section VI-B). With two
        classes this flips all labels. With ``"pair"``, ``source`` becomes ``target``
        (residual_reweighting, section 4.2, where 1 becomes 7 on MNIST). With ``"permutation"`` a
        permutation of the classes is drawn from ``seed``, in which no class keeps its label
        (clustering_with_outliers, appendix D.2, which does not print its own permutation). With
        ``"constant"`` all labels become ``target``.
    source
        The class whose labels ``"pair"`` changes. The default, 1, comes from residual_reweighting,
        section 4.2.
    target
        The class that ``"pair"`` and ``"constant"`` change labels to. The default, 7, comes from
        residual_reweighting, section 4.2.
    seed
        The seed of the permutation.
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
        """Return the new label of each class, ``(n_classes,)``."""
        if n_classes < 2:
            raise ConfigError(
                f"attack.mapping='permutation' needs at least two classes, not {n_classes}."
            )
        # Each class moves to the next place of one random cycle, so that none keeps its label.
        cycle = torch.from_numpy(stream(self.seed, "label_flip").permutation(n_classes))
        return torch.empty_like(cycle).scatter_(0, cycle, cycle.roll(-1))
