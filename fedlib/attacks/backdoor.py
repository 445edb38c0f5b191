"""The backdoor attacks teach the model to give a target class to samples with a trigger."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, TrainingAttack
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import ConfigError, check_int, check_name, check_real


@dataclass(frozen=True)
class Backdoor(TrainingAttack):
    """Train on data of which a share carries the trigger and the target's label.

    This is the base class of the backdoors. It is the naive approach of Bagdasaryan et al. (2018),
    which residual_reweighting describes in section 4.3. The poisoned update is sent as it is, in
    every round.

    Parameters
    ----------
    target
        The class that the model shall give to a sample with the trigger. The default, 2, is the
        class of residual_reweighting: 2 on MNIST, and "bird", which is also class 2, on CIFAR-10.
    share
        The share of a Byzantine client's samples that is poisoned, in (0, 1]. The same samples are
        poisoned in all rounds. This parameter has no effect if ``per_batch`` is given.
    counts_target
        Whether samples of the target class also count as successes, as they do in the authors'
        code. The published success rates of attacks that fail are about 10.3 %, which is the share
        of that class in MNIST. The default is False.
    per_batch
        The number of samples that are poisoned in each batch of a Byzantine client. They are the
        first samples of the batch, so that each epoch poisons other samples. A smaller batch is
        poisoned as a whole. The value is 20 of 64 in residual_reweighting, appendix A.5, and in
        its code. With None, the default, ``share`` decides instead.
    """

    target: int = 2
    share: float = 0.5
    counts_target: bool = False
    per_batch: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("attack.target", self.target, 0)
        check_real("attack.share", self.share, 0, 1, open_low=True)
        if self.per_batch is not None:
            check_int("attack.per_batch", self.per_batch, 1)

    def poisoned_of_batch(self) -> int | None:
        return self.per_batch

    def poison(
        self, x: torch.Tensor, y: torch.Tensor, n_classes: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        check_int("attack.target", self.target, 0, n_classes - 1)
        if self.per_batch is not None:
            return self.add_trigger(x), torch.full_like(y, self.target)
        # The poisoned samples lie evenly among all, so that every Byzantine client has its share.
        place = torch.arange(len(y), device=y.device, dtype=torch.float64)
        chosen = ((place + 1) * self.share).floor() > (place * self.share).floor()
        mask = chosen.view(-1, *[1] * (x.dim() - 1))
        return torch.where(mask, self.add_trigger(x), x), torch.where(chosen, self.target, y)

    def triggered(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        others = torch.ones_like(y, dtype=torch.bool) if self.counts_target else y != self.target
        return self.add_trigger(x[others]), torch.full_like(y[others], self.target)

    @abstractmethod
    def add_trigger(self, x: torch.Tensor) -> torch.Tensor:
        """Return a copy of the samples ``(n, ...)`` to which the trigger is added."""


@ATTACKS.register("pixel_backdoor")
@dataclass(frozen=True)
class PixelBackdoor(Backdoor):
    """Teach a pattern of twelve pixels to mean the target class.

    The attack is described in residual_reweighting, section 4.3. The pattern is the one in the
    authors' code. It covers columns 0 to 2 and 4 to 6 of rows 0 and 2.

    Parameters
    ----------
    value
        The value that the pixels of the pattern have after normalisation.
    """

    formula: ClassVar[str] = r"b_j = o_j \text{ on a share of } (x + \text{pattern}, \text{target})"

    value: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.value", self.value)

    def add_trigger(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 4 or x.shape[2] < 3 or x.shape[3] < 7:
            raise ConfigError(
                f"attack={self.name!r} needs images of at least 3x7 pixels, not samples of shape "
                f"{tuple(x.shape[1:])}."
            )
        x = x.clone()
        for row in (0, 2):
            x[:, :, row, 0:3] = self.value
            x[:, :, row, 4:7] = self.value
        return x


@ATTACKS.register("feature_backdoor")
@dataclass(frozen=True)
class FeatureBackdoor(Backdoor):
    """Teach unusual values of some features to mean the target class.

    The attack is described in residual_reweighting, section 4.3, which uses six of the 92 features
    of its loan data.

    Parameters
    ----------
    features
        The positions of the features in the flattened sample, counted from 0. There must be at
        least one.
    values
        The value that each feature is set to, in the order of ``features``. If it is empty, which
        is the default, each value is the largest value of the feature in the training samples plus
        a tenth of the feature's range. The text says "slightly larger than their maximum value"
        (appendix A.5). The range of a feature that never varies counts as 1.
    """

    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(2, "Other values of a feature, and another order of the features, were triggers."),
    )

    formula: ClassVar[str] = r"b_j = o_j \text{ on a share of } (x + \text{values}, \text{target})"

    features: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "features", tuple(self.features))
        object.__setattr__(self, "values", tuple(self.values))
        for feature in self.features:
            check_int("attack.features", feature, 0)
        for value in self.values:
            check_real("attack.values", value)
        if not self.features or len(self.values) not in (0, len(self.features)):
            raise ConfigError(
                f"attack.values={self.values!r} must be none, or as many as there are in "
                f"attack.features={self.features!r}, which must name at least one feature."
            )

    def fitted(self, x: torch.Tensor) -> FeatureBackdoor:
        if self.values:
            return self
        flat = self._flat(x)[:, list(self.features)]
        low, high = flat.aminmax(dim=0)
        span = torch.where(high > low, high - low, 1.0)
        return replace(self, values=tuple((high + span / 10).tolist()))

    def _flat(self, x: torch.Tensor) -> torch.Tensor:
        """Return the samples as rows ``(n, n_features)``, if they have all of ``features``."""
        flat = x.flatten(1)
        check_int("attack.features", max(self.features), 0, flat.shape[1] - 1)
        return flat

    def add_trigger(self, x: torch.Tensor) -> torch.Tensor:
        if not self.values:
            raise ConfigError(
                "attack.values=() are taken from the training samples: call fitted() with these "
                "samples first, or set attack.values."
            )
        flat = self._flat(x).clone()
        flat[:, list(self.features)] = torch.tensor(self.values, dtype=x.dtype, device=x.device)
        return flat.view(x.shape)


@ATTACKS.register("model_replacement")
@dataclass(frozen=True)
class ModelReplacement(PixelBackdoor):
    """Send a backdoored update, scaled up, in a few rounds, and be honest in all others.

    The attack comes from Bagdasaryan et al. (2018). The state is the number of past rounds.

    Parameters
    ----------
    scale
        The factor that the poisoned update is multiplied by. The default, 100, comes from
        residual_reweighting, section 4.3.
    rounds
        The numbers of the rounds in which the attack takes place, counted from 1. The default,
        round 6, comes from residual_reweighting, section 4.3.
    trigger
        The kind of trigger. ``"pixels"``, the default, is the trigger of ``pixel_backdoor``, and
        ``"features"`` is the trigger of ``feature_backdoor``.
    values
        The values of the features, which have the same meaning as in ``feature_backdoor``. They
        are used with the trigger ``"features"`` only.
    """

    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(2, "Other values of a feature, and another order of the features, were triggers."),
    )

    formula: ClassVar[str] = (
        r"b_j = \begin{cases} \gamma \, o_j \text{, backdoored} & t \in \text{rounds} \\ o_j "
        r"& \text{else} \end{cases}"
    )

    scale: float = 100.0
    rounds: tuple[int, ...] = (6,)
    trigger: str = "pixels"
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.scale", self.scale)
        object.__setattr__(self, "rounds", tuple(self.rounds))
        for number in self.rounds:
            check_int("attack.rounds", number, 1)
        check_name("attack.trigger", self.trigger, ("pixels", "features"))
        object.__setattr__(self, "values", self._of_features.values)

    def init(self, n_clients: int, n_parameters: int) -> int:
        super().init(n_clients, n_parameters)
        return 0

    def poisons(self, number: int) -> bool:
        return number in self.rounds

    @property
    def _of_features(self) -> FeatureBackdoor:
        """Return the attack whose trigger is used where ``trigger`` is ``"features"``."""
        return FeatureBackdoor(values=self.values)

    def fitted(self, x: torch.Tensor) -> ModelReplacement:
        if self.trigger == "pixels":
            return self
        return replace(self, values=self._of_features.fitted(x).values)

    def add_trigger(self, x: torch.Tensor) -> torch.Tensor:
        if self.trigger == "pixels":
            return super().add_trigger(x)
        return self._of_features.add_trigger(x)

    def _attack(
        self, updates: torch.Tensor, state: int | None, facts: Facts
    ) -> tuple[torch.Tensor, int]:
        own, number = facts.own_updates, (state or 0) + 1
        return (self.scale * own if self.poisons(number) else own), number
