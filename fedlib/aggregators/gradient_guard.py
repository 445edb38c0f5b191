"""The rule Gradient Guard, whose reputations come from saliency maps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

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
    """Weigh the updates by reputations that come from the likeness of saliency maps.

    The rule is Algorithm 1 of gradient_guard. A client's score is the structural similarity (SSIM)
    of two saliency maps, averaged over some samples. One map is that of the client's update. The
    other is that of the last direction, which is the sign of the last aggregate. In the formula M
    is the map of a model, theta is the broadcast model, eta is the server's learning rate and d is
    the last direction. The factor before d makes the step as long as the median update.

    The text does not say what the map of an update or of a direction is, or on which samples it is
    taken. It does not say what happens in the first round, which has no direction, or which window
    the similarity has. Each way to read the text is an option here. The text does not give the
    constants of the similarity either. They are those of Wang et al. (2004) here. The text says
    that low similarity is suspect (section 2.2). But it also says that both the lowest and the
    highest scores are penalised (line 5). The threshold of sections 3.3 to 3.5 is left out, because
    the algorithm does not have it.

    Parameters
    ----------
    map_of
        This says what the saliency maps show. ``"model"`` takes the map of the model after the
        update, and that of the model after a step along the direction. This step is as long as the
        median update. ``"update"`` takes the maps of networks whose parameters are the update and
        the direction, and divides each map by its largest value. ``"spectral"`` takes the maps of
        the update and the direction themselves, as arrays, by their spectral residual (reference
        [7] of the text; :func:`~fedlib.aggregators.spectral.spectral_residual_maps`), and divides
        them in the same way. It needs neither samples nor a network, and it gives an update and its
        negative the same map.
    inputs
        This says on which samples the maps are taken. ``"server"`` takes samples of the server.
        ``"clients"`` takes a batch of each client's own samples ("the associated data they trained
        on", section 3.2).
    score
        This says what is differentiated. ``"logit"`` takes the score of the true class before the
        softmax ("the score of the true class", section 3.2). ``"probability"`` takes the
        probability of the true class (p of equation 1).
    first
        This says what happens in the first round. ``"similarity"`` takes the broadcast model's own
        map as the reference, because there is no step yet. ``"reward"`` treats all clients alike.
        With spectral maps all clients are treated alike in the first round, whatever ``first`` is,
        because a direction of zeros has no map.
    reference
        This says with what the maps are compared. ``"aggregate"`` takes the map of the last
        aggregate's signs (line 3). ``"server"`` takes the map of an update that the server itself
        computes in this round. The length of this update is not changed. The text speaks of a
        "trusted or known benign client update" (section 3.3, step 1). The server has such an update
        in the first round too, so ``first`` then has no effect.
    window
        The similarity is computed in square windows of the maps. This is the side of a window in
        values of a map, an odd number of at least 3. None takes the whole map as one window,
        exactly as in equation (2).
    penalised
        This says whose scores are penalised. ``"lowest"`` penalises the ``n_byzantine`` lowest
        scores, ``"highest"`` penalises as many of the highest, and ``"both"`` penalises both. The
        default of this rule is ``"lowest"``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, Facts
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> def maps(rows, **options):  # stands for the saliency maps of a network
    ...     return rows.abs().reshape(-1, 1, 1, 3)
    >>> rule = AGGREGATORS["gradient_guard"](n_byzantine=1)
    >>> facts = Facts(saliency=maps)
    >>> state = None
    >>> for _ in range(5):
    ...     aggregate, state = rule.apply(updates, state, facts)
    >>> state.reputation.round(decimals=2)
    tensor([ 1.9600,  1.9600,  1.9600,  1.9600, -2.9400], dtype=torch.float64)
    >>> aggregate.round(decimals=2)
    tensor([1.0600, 2.0300, 0.3200])
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
                raise ConfigError(f"aggregator.window={self.window} must be odd, or None.")

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
        """Return how alike the map of each update is to the map of ``step``, ``(n,)``.

        The updates are ``(n, d)``, and ``step`` is ``(d,)``.
        """
        if self.inputs == "clients":
            pairs = torch.stack([
                facts.client_saliency(client, torch.stack([update, step]), **self._reading)
                for client, update in enumerate(updates)
            ])  # fmt: skip
            return self._compared(pairs[:, 0], pairs[:, 1])
        # Colluders often send the same update, and an attacker tries the rule many times with the
        # same honest updates. The map of each update is taken once, and compared once.
        memory: dict[Any, Any] = {} if facts.memory is None else facts.memory
        keys = [_key(update) for update in updates]

        def likeness(rows: list[int]) -> torch.Tensor:
            def maps(some: list[int]) -> torch.Tensor:
                return self._maps(updates[[rows[one] for one in some]], facts)

            reference = self._maps(step[None], facts)
            looked_at = _remembered(memory, "maps", [keys[row] for row in rows], maps)
            return self._compared(looked_at, reference)

        if self.map_of == "spectral" and not bool(step.any()):
            return updates.new_zeros(len(updates), dtype=torch.float64)
        return _remembered(memory, _key(step), keys, likeness)

    def _maps(self, rows: torch.Tensor, facts: Facts) -> torch.Tensor:
        """Return the maps of rows ``(m, d)`` on the server's samples, ``(m, samples, H, W)``."""
        if self.map_of == "spectral":
            return spectral_residual_maps(rows)[:, None]
        maps: torch.Tensor = facts.saliency(rows, **self._reading)
        return maps

    @property
    def _reading(self) -> dict[str, Any]:
        """What the fact ``saliency`` is asked for."""
        return {"raw": self.map_of == "update", "score": self.score}

    def _compared(self, maps: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        scaled = self.map_of != "model"
        return _similarity(maps.double(), references.double(), self.window, scaled)


def _remembered(
    memory: dict[Any, Any],
    kind: Any,
    keys: list[bytes],
    compute: Callable[[list[int]], torch.Tensor],
) -> torch.Tensor:
    """Return the results for some rows, of which only those that are new are computed.

    ``memory`` holds a dictionary for each kind of result, from the keys of rows to results.
    ``compute`` takes the positions of rows, and returns their results along the first axis.
    """
    known = memory.setdefault(kind, {})
    fresh = {key: row for row, key in enumerate(keys) if key not in known}
    if fresh:
        known.update(zip(fresh, compute(list(fresh.values())), strict=True))
    return torch.stack([known[key] for key in keys])


def _key(row: torch.Tensor) -> bytes:
    """Return a digest of a row, which two rows have in common only if they are equal."""
    values = row.detach().contiguous().view(torch.uint8).cpu().numpy()
    return hashlib.blake2b(values.data, digest_size=16).digest()


def _similarity(
    maps: torch.Tensor, reference: torch.Tensor, window: int | None, scaled: bool
) -> torch.Tensor:
    """Return the mean similarity of each client's maps to the reference, ``(n,)``.

    The maps are ``(n, samples, H, W)``, and the reference is ``(n or 1, samples, H, W)``. The
    similarity is -1 for a client if any of its maps is not finite. If ``scaled`` is true, every map
    is first divided by its largest value. The constants are those of Wang et al. (2004) for the
    range of the reference's values.
    """
    least = torch.finfo(torch.float32).tiny
    if scaled:
        maps = maps / maps.amax((-2, -1), keepdim=True).clamp(min=least)
        reference = reference / reference.amax((-2, -1), keepdim=True).clamp(min=least)
    span = (reference.amax((1, 2, 3)) - reference.amin((1, 2, 3))).clamp(min=least)
    score = structural_similarity(maps, reference, span[:, None], window).mean(1)
    return score.nan_to_num(nan=-1.0, posinf=-1.0, neginf=-1.0)
