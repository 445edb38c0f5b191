"""Relocated orthogonal perturbation (ROP) pushes orthogonally to the last aggregate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import row_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_name, check_real


@ATTACKS.register("rop")
@dataclass(frozen=True)
class RelocatedOrthogonalPerturbation(Attack):
    """Hide at the last aggregate and push orthogonally to it.

    The attack is Algorithm 3 of centered_clipping. Let m~ be the last aggregate and m- the benign
    mean. The reference direction is ``m = lam m~ + (1 - lam) m-``. The perturbation p is the vector
    of ones without its projection on m, scaled to length 1. Every Byzantine client sends
    ``m~ + z p``. Line 4 of the algorithm prints this round's m~ in place of m-. Among the inputs
    only the benign mean can be meant there.

    Parameters
    ----------
    z
        The length of the perturbation. The default, 1, comes from the text. The authors' code has
        ALIE's 0.2533.
    lam
        The weight of the last aggregate in the reference, which the text calls lambda.
    angle
        The angle between the reference and the perturbation in degrees. The default, 90, comes from
        the text. The authors' present code has 270, which negates the perturbation.
    location
        The share of the last aggregate in the point that is perturbed, which the authors' code
        calls pi. The rest is the benign mean. The default, 1, comes from the text. An earlier
        version of the code has 0.
    first
        What takes the place of the last aggregate in the first round. ``"benign_mean"``, the
        default, comes from the text, and ``"zero"`` comes from the code.
    sparse
        Whether the attack is ROP-S (equation 20). Then only the first and the last layer,
        normalisation layers and biases are perturbed. Their perturbation is multiplied by ``d``
        over the number of these parameters. The equation can also be read so that nothing but the
        perturbation is sent there. Here the perturbation is added to the last aggregate in every
        case. The default is False.
    """

    formula: ClassVar[str] = (
        r"b = \tilde m + z p, \quad p \propto \mathbf 1 - \langle \mathbf 1, u \rangle u, "
        r"\quad u \propto \lambda \tilde m + (1 - \lambda) \bar x"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "last_aggregate"})

    z: float = 1.0
    lam: float = 0.9
    angle: float = 90.0
    location: float = 1.0
    first: str = "benign_mean"
    sparse: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.z", self.z, 0)
        check_real("attack.lam", self.lam, 0, 1)
        check_real("attack.angle", self.angle, 0, 360)
        check_real("attack.location", self.location, 0, 1)
        check_name("attack.first", self.first, ("benign_mean", "zero"))
        if self.sparse:
            self._set_knows(*type(self).knows, "critical_parameters")

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        mean = row_mean(updates)
        last = facts.last_aggregate
        if last is None:
            last = mean if self.first == "benign_mean" else torch.zeros_like(mean)
        reference = torch.lerp(mean, last, self.lam)
        place = torch.lerp(mean, last, self.location)
        length = reference.norm()
        unit = reference / length.clamp(min=torch.finfo(reference.dtype).tiny)
        # This is the vector of ones minus its projection on the reference. If the reference is
        # zero, it is the vector of ones.
        orthogonal = 1 - unit.sum() * unit
        orthogonal /= orthogonal.norm().clamp(min=torch.finfo(reference.dtype).tiny)
        turn = math.radians(self.angle)
        perturbation = math.sin(turn) * orthogonal
        if self.angle not in (90.0, 270.0):
            perturbation = perturbation + math.cos(turn) * unit
        if self.sparse:
            mask = facts.critical_parameters
            perturbation = perturbation * mask * (mask.numel() / mask.sum())
        return self._everywhere(place + self.z * perturbation), state
