"""Optimisers of local epochs, for the parameters of one client or for rows of several clients."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

OptimiserState = tuple[torch.Tensor, ...]


class Optimiser(ABC):
    """A rule that turns the gradients of consecutive steps into changes of the parameters.

    Parameters
    ----------
    learning_rate
        The factor of every change.
    momentum
        The share of the earlier gradients that SGD keeps; Adam does not read it.
    """

    def __init__(self, learning_rate: float, momentum: float) -> None:
        self.learning_rate, self.momentum = learning_rate, momentum

    @abstractmethod
    def init(self, like: torch.Tensor) -> OptimiserState:
        """The state before the first step, for parameters ``(d,)`` or ``(k, d)``."""

    @abstractmethod
    def change(self, grad: torch.Tensor, state: OptimiserState) -> torch.Tensor:
        """The change to subtract from the parameters; ``state`` is updated in place."""


class SGD(Optimiser):
    """Gradient descent with momentum."""

    def init(self, like: torch.Tensor) -> OptimiserState:
        return (torch.zeros_like(like),)

    def change(self, grad: torch.Tensor, state: OptimiserState) -> torch.Tensor:
        (buffer,) = state
        buffer.mul_(self.momentum).add_(grad)
        return buffer * self.learning_rate


class Adam(Optimiser):
    """Adam (Kingma and Ba, 2015, Algorithm 1), with the constants that its authors recommend."""

    first, second, least = 0.9, 0.999, 1e-8

    def init(self, like: torch.Tensor) -> OptimiserState:
        # The last tensor counts each client's steps: those without a sample do not count.
        return torch.zeros_like(like), torch.zeros_like(like), torch.zeros_like(like[..., :1])

    def change(self, grad: torch.Tensor, state: OptimiserState) -> torch.Tensor:
        mean, square, steps = state
        steps += 1
        mean.lerp_(grad, 1 - self.first)
        square.mul_(self.second).addcmul_(grad, grad, value=1 - self.second)
        scale = (square / (1 - self.second**steps)).sqrt_().add_(self.least)
        return mean / scale.mul_((1 - self.first**steps) / self.learning_rate)


OPTIMISERS: dict[str, type[Optimiser]] = {"sgd": SGD, "adam": Adam}
