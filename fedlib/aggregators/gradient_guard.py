"""Gradient Guard: reputation from saliency maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, replace_non_finite
from fedlib.aggregators.reputation import ReputationRule
from fedlib.aggregators.spectral import spectral_residual_maps
from fedlib.aggregators.ssim import structural_similarity
from fedlib.blocks import row_norms
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError, check_int, check_name


@AGGREGATORS.register("gradient_guard")
@dataclass(frozen=True)
class GradientGuard(ReputationRule):
    """Reputations by the likeness of saliency maps (gradient_guard, Algorithm 1).

    A client's score is the structural similarity of two saliency maps, averaged over some samples:
    of what it sent, and of the last direction. What a map of an update and of a direction is,
    on which samples it is taken, what is done in the first round, which has no direction, and the
    similarity's window are left open; each reading is an option. So are its constants, which are
    those of Wang et al. (2004) here. The text says both that low similarity is suspect (section
    2.2) and that either end is penalised (line 5). The threshold of sections 3.3 to
    3.5, which the algorithm does not have, is left out.

    Parameters
    ----------
    map_of
        ``"model"``: of the model after the update, and after a step along the direction that is
        as long as the median update; ``"update"``: of networks that have the update and the
        direction for parameters, each map divided by its largest value; ``"spectral"``: of the
        update and the direction themselves, as arrays, by their spectral residual (reference [7] of
        the text; :func:`~fedlib.aggregators.spectral.spectral_residual_maps`), divided likewise.
        The last needs neither samples nor a network, and an update and its negative have one map.
    inputs
        ``"server"``: samples of the server's; ``"clients"``: a batch of each client's own ("the
        associated data they trained on", section 3.2).
    score
        What is differentiated: ``"logit"``, the true class's score before the softmax ("the score
        of the true class", section 3.2), or its ``"probability"`` (p of equation 1).
    first
        ``"similarity"``: in the first round there is no step, and the broadcast model's own map is
        the reference; ``"reward"``: all are treated alike in it. So they are with spectral maps,
        whatever this says: a direction of zeros has none.
    reference
        What the maps are compared with: ``"aggregate"``, the map of the last aggregate's signs
        (line 3); ``"server"``, that of an update of the server's own in this round, as it is: a
        "trusted or known benign client update" (section 3.3, step 1). There is one in the first
        round too, for which ``first`` then has no say.
    window
        Side of the windows of the similarity, odd. None takes the whole map as one, which is
        equation (2) to the letter.
    penalised
        As in :class:`ReputationRule`; here ``"lowest"`` by default.
    """

    accepts_half: ClassVar[bool] = True
    bounds_far_rows: ClassVar[bool] = False
    moves_with_updates: ClassVar[bool] = False
    scales_with_updates: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\sum_i \operatorname{softmax}(r)_i \, x_i, \quad r_i \text{ as in FLAIR}, \quad s_i "
        r"= \operatorname{SSIM}(M(\theta - \eta x_i), M(\theta - \eta \ell d))"
    )
    cost: ClassVar[str] = r"n \cdot \text{a gradient on the samples}"

    needs: ClassVar[frozenset[str]] = frozenset({"saliency"})

    penalised: str = "lowest"
    window: int | None = 7
    map_of: str = "model"
    inputs: str = "server"
    first: str = "similarity"
    score: str = "logit"
    reference: str = "aggregate"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.map_of", self.map_of, ("model", "update", "spectral"))
        check_name("aggregator.inputs", self.inputs, ("server", "clients"))
        check_name("aggregator.first", self.first, ("similarity", "reward"))
        check_name("aggregator.score", self.score, ("logit", "probability"))
        check_name("aggregator.reference", self.reference, ("aggregate", "server"))
        if self.map_of == "spectral":
            for name, only in (("inputs", "server"), ("score", "logit")):
                if getattr(self, name) != only:
                    raise ConfigError(
                        f"aggregator.{name}={getattr(self, name)!r} has no meaning with "
                        f"map_of='spectral', which looks at no network: must be {only!r}."
                    )
        looks = {"server": "saliency", "clients": "client_saliency"}[self.inputs]
        self._set_needs(
            *((looks,) if self.map_of != "spectral" else ()),
            *(("server_update",) if self.reference == "server" else ()),
        )
        if self.window is not None:
            check_int("aggregator.window", self.window, 3)
            if self.window % 2 == 0:
                raise ConfigError(f"aggregator.window={self.window} must be odd.")

    def _judged(self, updates: torch.Tensor, direction: torch.Tensor, facts: Facts) -> torch.Tensor:
        if self.reference == "aggregate":
            return self.scores(updates, direction, facts)
        trusted = replace_non_finite(facts.server_update[None])[0].to(updates.dtype)
        return self._likeness(updates, trusted, facts)

    def scores(self, updates: torch.Tensor, direction: torch.Tensor, facts: Facts) -> torch.Tensor:
        if self.first == "reward" and not bool(direction.any()):
            return updates.new_zeros(len(updates), dtype=torch.float64)
        step = direction
        if self.map_of == "model":
            length = row_norms(updates).median().to(updates.dtype)
            step = direction * (length / direction.norm().clamp(min=1))
        return self._likeness(updates, step, facts)

    def _likeness(self, updates: torch.Tensor, step: torch.Tensor, facts: Facts) -> torch.Tensor:
        """How alike the maps of the updates are to the map of ``step`` ``(d,)``."""
        if self.map_of == "spectral":
            if not bool(step.any()):
                return updates.new_zeros(len(updates), dtype=torch.float64)
            reference = spectral_residual_maps(step[None])[:, None]
            maps = spectral_residual_maps(updates)[:, None]
            return _similarity(maps, reference, self.window, True)
        reading = {"raw": self.map_of == "update", "score": self.score}
        if self.inputs == "clients":
            pairs = torch.stack([
                facts.client_saliency(client, torch.stack([update, step]), **reading)
                for client, update in enumerate(updates)
            ])  # fmt: skip
            maps, references = pairs[:, 0], pairs[:, 1]
        else:
            references = facts.saliency(step[None], **reading)
            maps = facts.saliency(updates, **reading)
        scaled = self.map_of == "update"
        return _similarity(maps.double(), references.double(), self.window, scaled)


def _similarity(
    maps: torch.Tensor, reference: torch.Tensor, window: int | None, scaled: bool
) -> torch.Tensor:
    """Mean similarity of each client's maps ``(n, samples, H, W)`` to ``(n or 1, samples, H, W)``.

    -1 where any map is not finite; shape ``(n,)``. ``scaled``: every map is divided by its largest
    value first. Constants as in Wang et al. (2004) for the range of the reference's values.
    """
    least = torch.finfo(torch.float32).tiny
    if scaled:
        maps = maps / maps.amax((-2, -1), keepdim=True).clamp(min=least)
        reference = reference / reference.amax((-2, -1), keepdim=True).clamp(min=least)
    span = (reference.amax((1, 2, 3)) - reference.amin((1, 2, 3))).clamp(min=least)
    score = structural_similarity(maps, reference, span[:, None], window).mean(1)
    return score.nan_to_num(nan=-1.0, posinf=-1.0, neginf=-1.0)
