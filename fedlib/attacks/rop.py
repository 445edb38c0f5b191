"""Relocated orthogonal perturbation (ROP)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.attacks.lengths import unit
from fedlib.blocks import row_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_name, check_real


@ATTACKS.register("rop")
@dataclass(frozen=True)
class RelocatedOrthogonalPerturbation(Attack):
    """Hide at the last aggregate and push orthogonally to it (centered_clipping, Algorithm 3).

    This is relocated orthogonal perturbation (ROP). Let a be the last aggregate and m the benign
    mean. The reference direction is ``lam a + (1 - lam) m``, and u is this vector, scaled to length
    1. The perturbation p is the all-ones vector without its projection on u, scaled to length 1.
    Every Byzantine client sends ``a + z p``. Line 4 of the algorithm prints this round's aggregate
    in place of m. The attacker does not know this aggregate. Among the inputs of the algorithm,
    only the benign mean can take its place.

    Parameters
    ----------
    z
        The length of the perturbation. It is 1 in the text. In the authors' code it is 0.2533,
        which is the z of ``alie`` in their setting.
    lam
        The weight of the last aggregate in the reference, lambda in the text.
    angle
        The angle between reference and perturbation in degrees. It is 90 in the text. The authors'
        present code has 270, which gives the negated perturbation.
    location
        The weight of the last aggregate in the point that is perturbed, pi in the authors' code.
        The benign mean has the rest of the weight. It is 1 in the text, and 0 in an earlier version
        of the code.
    first
        What takes the place of the last aggregate in the first round. ``"benign_mean"`` takes the
        benign mean, as in the text. ``"zero"`` takes zero, as in the code.
    sparse
        If true, this is ROP-S (equation 20). Then only the first and the last layer, the
        normalisation and the biases are perturbed. Their perturbation is multiplied by ``d``, the
        number of all parameters, and divided by the number of these parameters. By another reading
        of the equation, the attacker sends nothing but the perturbation for these parameters. Here
        the perturbation is added to the last aggregate, as for all other parameters.
    mean_of
        The momenta whose mean is the benign mean. (In this paper the updates are momenta.)
        ``"benign"`` takes the momenta that the benign clients send. ``"own"`` takes the momenta
        that the attacker's own clients would send if they were honest. With them the attacker
        predicts the other momenta without seeing them (section III-B).

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(last_aggregate=torch.tensor([1.0, 1.9, 0.2]))
    >>> attack = ATTACKS["rop"](n_byzantine=1, z=1.0)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[1.3500, 1.6200, 1.1000]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"b = a + z p, \quad p \propto \mathbf 1 - \langle \mathbf 1, u \rangle u, "
        r"\quad u \propto \lambda a + (1 - \lambda) m, \quad m = \bar x"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "last_aggregate"})

    z: float = 1.0
    lam: float = 0.9
    angle: float = 90.0
    location: float = 1.0
    first: str = "benign_mean"
    sparse: bool = False
    mean_of: str = "benign"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.z", self.z, 0)
        check_real("attack.lam", self.lam, 0, 1)
        check_real("attack.angle", self.angle, 0, 360)
        check_real("attack.location", self.location, 0, 1)
        check_name("attack.first", self.first, ("benign_mean", "zero"))
        check_name("attack.mean_of", self.mean_of, ("benign", "own"))
        self._set_knows(
            "last_aggregate",
            "own_updates" if self.mean_of == "own" else "benign_updates",
            *(["critical_parameters"] if self.sparse else []),
        )

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        mean = row_mean(facts.own_updates if self.mean_of == "own" else updates)
        last = facts.last_aggregate
        if last is None:
            last = mean if self.first == "benign_mean" else torch.zeros_like(mean)
        reference = torch.lerp(mean, last, self.lam)
        place = torch.lerp(mean, last, self.location)
        towards = unit(reference)
        # Ones minus their projection on the reference; without a reference, ones.
        orthogonal = 1 - towards.sum() * towards
        orthogonal /= orthogonal.norm().clamp(min=torch.finfo(reference.dtype).tiny)
        turn = math.radians(self.angle)
        perturbation = math.sin(turn) * orthogonal
        if self.angle not in (90.0, 270.0):
            perturbation = perturbation + math.cos(turn) * towards
        if self.sparse:
            mask = facts.critical_parameters
            perturbation = perturbation * mask * (mask.numel() / mask.sum())
        return self._everywhere(place + self.z * perturbation), state
