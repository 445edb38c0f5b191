"""A little is enough (ALIE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import row_mean, row_std
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError, check_real


@ATTACKS.register("alie")
@dataclass(frozen=True)
class ALittleIsEnough(Attack):
    """Send ``mean - z std`` of the benign updates, coordinate by coordinate.

    This is "A little is enough" (ALIE), Algorithm 3 of Baruch et al. (2019), and section III-C of
    centered_clipping. The standard deviation is that of a sample (n - 1). Some libraries add ``z
    std`` instead. The sign here is that of the text and the code of centered_clipping.

    Parameters
    ----------
    z
        The strength of the attack. None takes the largest z with which enough benign updates are
        still farther from the mean than the Byzantine ones: so many that they and the Byzantine
        updates are a majority. The values are taken to be normally distributed. This z is 0.2533 if
        5 of 25 clients are Byzantine.
    alternating
        Whether the perturbation's sign is flipped in every round (centered_clipping, equation 19).
        The first round sends ``mean - z std``. The state is then the number of past rounds.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["alie"](n_byzantine=1, z=1.0)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[0.9200, 1.9200, 0.1600]])
    """

    alike: ClassVar[bool] = True
    # With one Byzantine client of seven, the default sends the benign mean.
    shown_with: ClassVar[Mapping[str, Any]] = {"z": 1.0}
    formula: ClassVar[str] = r"b = \bar x - z \operatorname{std}(x)"

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates"})

    z: float | None = None
    alternating: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.z is not None:
            check_real("attack.z", self.z)

    def init(self, n_clients: int, n_parameters: int) -> int | None:
        super().init(n_clients, n_parameters)
        if self.z is None and self.n_byzantine:
            largest_z(n_clients, self.n_byzantine)
        return 0 if self.alternating else None

    def _attack(
        self, updates: torch.Tensor, state: int | None, facts: Facts
    ) -> tuple[torch.Tensor, int | None]:
        z = self.z
        if z is None:
            z = largest_z(updates.shape[0] + self.n_byzantine, self.n_byzantine)
        rounds = state or 0
        if self.alternating:
            state = rounds + 1
            z = -z if rounds % 2 else z
        mean = row_mean(updates)
        return self._everywhere(torch.sub(mean, row_std(updates, mean), alpha=z)), state


def largest_z(n_clients: int, n_byzantine: int) -> float:
    """Return z of Baruch et al. (2019), Algorithm 3.

    It is the normal quantile of ``(n - f - s) / (n - f)``. Here ``s = n // 2 + 1 - f`` is the
    number of benign updates that, together with the Byzantine ones, are a majority. They have to be
    farther from the mean than the Byzantine updates.

    Raises
    ------
    ConfigError
        If there is no such quantile, because the Byzantine clients are already a majority.
    """
    benign = n_clients - n_byzantine
    needed = n_clients // 2 + 1 - n_byzantine
    share = (benign - needed) / benign
    if not 0 < share < 1:
        raise ConfigError(
            f"attack.z=None has no value for n_clients={n_clients} with n_byzantine={n_byzantine}: "
            "the Byzantine clients must be a minority; otherwise give z a number."
        )
    return NormalDist().inv_cdf(share)
