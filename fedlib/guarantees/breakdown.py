"""How many hostile vectors a rule withstands."""

from __future__ import annotations

from collections.abc import Callable

import torch

from fedlib.aggregators import Aggregator
from fedlib.federation import Facts
from fedlib.seeds import stream
from fedlib.validation import check_int, check_real


def breakdown_point(
    rule: Aggregator,
    n: int,
    d: int = 3,
    *,
    distance: float = 1e6,
    seed: int = 0,
    facts: Callable[[torch.Tensor], Facts] | None = None,
) -> int:
    """Return the smallest number of hostile vectors that carries the aggregate away.

    The hostile vectors are far away. The search tries them all at one place, each at a place of its
    own, at two opposite places, on a line, and at increasing distances. The aggregate is carried
    away if it is farther than a thousandth of ``distance`` from every honest vector, or if it is
    not finite.

    Parameters
    ----------
    rule
        The rule to break.
    n
        The number of all vectors.
    d
        The dimension.
    distance
        How far away the hostile vectors are.
    seed
        The seed of the honest vectors and of the directions of the hostile ones.
    facts
        A function that makes what the rule needs besides the vectors. None if it needs nothing.

    Returns
    -------
    int
        The smallest number of hostile vectors that carries the aggregate away. It is ``n`` if no
        number does.

    Raises
    ------
    ConfigError
        If ``n`` or ``d`` is less than 1, or if ``distance`` is not positive.

    Examples
    --------
    One hostile vector of nine carries the mean away. The median needs five.

    >>> from fedlib import AGGREGATORS
    >>> breakdown_point(AGGREGATORS["mean"](), 9), breakdown_point(AGGREGATORS["median"](), 9)
    (1, 5)
    """
    check_int("n", n, 1)
    check_int("d", d, 1)
    check_real("distance", distance, 0, open_low=True)
    generator = stream(seed, "breakdown_point", n, d)
    for hostile in range(1, n):
        for layout in ("one", "each", "opposite", "line", "growing"):
            honest = torch.from_numpy(generator.normal(size=(n - hostile, d)))
            place = torch.from_numpy(generator.normal(size=(hostile, d)))
            steps = torch.arange(1, hostile + 1, dtype=torch.float64)[:, None]
            direction = place[:1] / place[0].norm()
            far = {
                "one": direction.expand(hostile, d),
                "each": place / place.norm(dim=1, keepdim=True),
                "opposite": torch.where(steps % 2 == 0, -1.0, 1.0) * direction,
                "line": steps * direction,
                "growing": 10.0 ** (steps.clamp(max=20) / 2) * direction,
            }[layout] * distance
            points = torch.cat([honest, far])
            given = facts(points) if facts else None
            found, _ = rule.apply(points, rule.init(n, d), given)
            # A NaN is not near anything, so that it counts as carried away.
            if not float((found - honest).norm(dim=1).min()) <= distance / 1000:
                return hostile
    return n
