"""Backdoors, which teach the model to give samples with a trigger a target class."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, TrainingAttack
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import ConfigError, check_int, check_kind, check_name, check_real


@dataclass(frozen=True)
class Backdoor(TrainingAttack):
    """Base of the attacks that train on data with a trigger and the target's label.

    This is the naive approach of Bagdasaryan et al. (2020), and of residual_reweighting, section
    4.3. The poisoned update is sent as it is, in every round.

    Parameters
    ----------
    target
        The class that the model is to give to samples with the trigger. The default is that of the
        paper's images: the digit 2 on MNIST, and the class "bird" on CIFAR-10, whose number is also
        2. Other data need a target of their own.
    share
        The share of a Byzantine client's samples that is poisoned. The poisoned samples are the
        same in all rounds. This parameter has no effect if ``per_batch`` is given.
    per_batch
        This many samples at the beginning of each batch are poisoned. They are other samples in
        each epoch. Appendix A.5 of residual_reweighting and its code poison 20 of 64. If a batch
        has fewer samples than this number, all of them are poisoned.
    counts_target
        Whether samples of the target class count as successes of the attack too, as in the authors'
        code. On MNIST, 10.3 % of the samples have the target class. The published success rates of
        attacks that fail are about as high.
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
        # Evenly over the samples, so that every Byzantine client has its share.
        place = torch.arange(len(y), device=y.device, dtype=torch.float64)
        chosen = ((place + 1) * self.share).floor() > (place * self.share).floor()
        mask = chosen.view(-1, *[1] * (x.dim() - 1))
        return torch.where(mask, self.add_trigger(x), x), torch.where(chosen, self.target, y)

    def triggered(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        others = torch.ones_like(y, dtype=torch.bool) if self.counts_target else y != self.target
        return self.add_trigger(x[others]), torch.full_like(y[others], self.target)

    @abstractmethod
    def add_trigger(self, x: torch.Tensor) -> torch.Tensor:
        """Return a copy of the samples ``(n, ...)`` with the trigger."""


@ATTACKS.register("pixel_backdoor")
@dataclass(frozen=True)
class PixelBackdoor(Backdoor):
    """Teach the model to give images with a pattern of twelve pixels the target class.

    This is the backdoor of residual_reweighting, section 4.3. The pattern is that of the authors'
    code: it is in rows 0 and 2, in columns 0 to 2 and 4 to 6.

    Parameters
    ----------
    value
        The value of the pattern's pixels after normalisation. It is one number for all channels, or
        one number for each channel.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> attack = ATTACKS["pixel_backdoor"](n_byzantine=1, target=2, share=1.0)
    >>> images, labels = attack.poison(torch.zeros(1, 1, 4, 8), torch.tensor([5]), 10)
    >>> images[0, 0].int()
    tensor([[1, 1, 1, 0, 1, 1, 1, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
            [1, 1, 1, 0, 1, 1, 1, 0],
            [0, 0, 0, 0, 0, 0, 0, 0]], dtype=torch.int32)
    >>> labels
    tensor([2])
    """

    formula: ClassVar[str] = r"b_j = o_j \text{ on a share of } (x + \text{pattern}, \text{target})"

    value: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.value, list | tuple):
            object.__setattr__(self, "value", tuple(self.value))
            if not self.value:
                raise ConfigError("attack.value=() must be a number, or one for each channel.")
        for value in self._values:
            check_real("attack.value", value)

    @property
    def _values(self) -> tuple[float, ...]:
        """Return the value of each channel, or the one value of all channels."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    def add_trigger(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 4 or x.shape[2] < 3 or x.shape[3] < 7:
            raise ConfigError(
                f"attack='pixel_backdoor' needs images of at least 3x7 pixels, not samples of "
                f"shape {tuple(x.shape[1:])}."
            )
        if len(self._values) not in (1, x.shape[1]):
            raise ConfigError(
                f"attack.value={self.value!r} must be one number, or one for each of the "
                f"{x.shape[1]} channels."
            )
        x, colour = x.clone(), torch.tensor(self._values, dtype=x.dtype, device=x.device)
        for row in (0, 2):
            x[:, :, row, 0:3] = colour[:, None]
            x[:, :, row, 4:7] = colour[:, None]
        return x


@ATTACKS.register("feature_backdoor")
@dataclass(frozen=True)
class FeatureBackdoor(Backdoor):
    """Teach the model to give samples with unusual values of some features the target class.

    This is the backdoor of residual_reweighting, section 4.3, on its loan data. In the paper the
    trigger changes six of 92 features.

    Parameters
    ----------
    features
        The numbers of the features that the trigger changes, counted from 0 in the flattened
        sample.
    values
        The value that each feature is set to. If there are no values, a feature is set to a tenth
        of its range above the largest value that the training samples have ("slightly larger than
        their maximum value", appendix A.5). A feature without a range counts as if its range were
        1.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> attack = ATTACKS["feature_backdoor"](
    ...     n_byzantine=1, target=1, share=0.5, features=(0,), values=(9.0,)
    ... )
    >>> samples, labels = attack.poison(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64), 2)
    >>> samples
    tensor([[0., 0.],
            [9., 0.],
            [0., 0.],
            [9., 0.]])
    >>> labels
    tensor([0, 1, 0, 1])
    """

    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(
            2,
            "Other values of a feature, and another order of the features, were triggers.",
            before={"values": (20.0, 10.0, 20.0, 100.0, 100.0, 80.0)},
        ),
    )

    formula: ClassVar[str] = r"b_j = o_j \text{ on a share of } (x + \text{values}, \text{target})"

    features: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, example in (("features", "(0, 1)"), ("values", "(2.0, 3.0)")):
            given = getattr(self, name)
            check_kind(f"attack.{name}", given, (tuple, list), "a tuple of numbers", example)
            object.__setattr__(self, name, tuple(given))
        for feature in self.features:
            check_int("attack.features", feature, 0)
        for value in self.values:
            check_real("attack.values", value)
        if not self.features or len(self.values) not in (0, len(self.features)):
            raise ConfigError(
                f"attack.values={self.values!r} must be none, or as many as attack.features="
                f"{self.features!r}, of which there is at least one."
            )

    def fitted(self, x: torch.Tensor) -> FeatureBackdoor:
        if self.values:
            return self
        flat = self._flat(x)[:, list(self.features)]
        low, high = flat.aminmax(dim=0)
        span = torch.where(high > low, high - low, 1.0)
        return replace(self, values=tuple((high + span / 10).tolist()))

    def _flat(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        check_int("attack.features", max(self.features), 0, flat.shape[1] - 1)
        return flat

    def add_trigger(self, x: torch.Tensor) -> torch.Tensor:
        if not self.values:
            raise ConfigError(
                "attack.values=() are taken from the training samples: the attack must be fitted "
                "to them first."
            )
        flat = self._flat(x).clone()
        flat[:, list(self.features)] = torch.tensor(self.values, dtype=x.dtype, device=x.device)
        return flat.view(x.shape)


@ATTACKS.register("model_replacement")
@dataclass(frozen=True)
class ModelReplacement(PixelBackdoor):
    """Behave honestly in most rounds, and send a scaled update with a backdoor in a few rounds.

    This is the attack of Bagdasaryan et al. (2020). Section 4.3 of residual_reweighting attacks in
    round 6 with a scale of 100. The state is the number of past rounds.

    Parameters
    ----------
    scale
        The poisoned update is multiplied by this number.
    rounds
        The rounds in which the attacker attacks, counted from 1.
    trigger
        The trigger of the backdoor. ``"pixels"`` takes that of ``pixel_backdoor``, and
        ``"features"`` takes that of ``feature_backdoor``.
    values, features
        The values that the trigger sets, and the numbers of the features that have them, as for
        ``feature_backdoor``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["model_replacement"](n_byzantine=1, scale=100.0, rounds=(1,))
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[100., 210.,  40.]])
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
    features: tuple[int, ...] = (0, 1, 2, 3, 4, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.scale", self.scale)
        check_kind("attack.rounds", self.rounds, (tuple, list), "a tuple of rounds", "(6,)")
        object.__setattr__(self, "rounds", tuple(self.rounds))
        for number in self.rounds:
            check_int("attack.rounds", number, 1)
        check_name("attack.trigger", self.trigger, ("pixels", "features"))
        for field in ("features", "values"):
            object.__setattr__(self, field, getattr(self._of_features, field))

    def init(self, n_clients: int, n_parameters: int) -> int:
        super().init(n_clients, n_parameters)
        return 0

    def poisons(self, number: int) -> bool:
        return number in self.rounds

    @property
    def _of_features(self) -> FeatureBackdoor:
        return FeatureBackdoor(features=self.features, values=self.values)

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
