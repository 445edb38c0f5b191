"""The constants of Theorem 2."""

from __future__ import annotations

from fedlib.evidence.report import Table
from fedlib.guarantees import BOUNDS, DEFINITIONS, PRINTED
from fedlib.papers.clustering_with_outliers.settings import N_CLIENTS, RATES

_RULE_TITLES = {"center_with_outliers": "CenterwO", "mean_with_outliers": "MeanwO"}
_DIMENSION = 115_646


def constants_table() -> Table:
    """Theorem 2 for the experiments' 35 clients."""
    rows = []
    for bound in BOUNDS:
        if bound.source != PRINTED:
            continue
        values = [f"{bound.constant(N_CLIENTS, f, _DIMENSION):.3g}" for f in RATES.values()]
        definition = DEFINITIONS[bound.definition]
        rows.append((_RULE_TITLES[bound.rule], definition, bound.formula, *values))
    heads = (f"f = {f}" for f in RATES.values())
    return Table(
        ("rule", "definition", "constant", *heads),
        tuple(rows),
        f"The constants of Theorem 2 as printed. There are n = {N_CLIENTS} clients, and f of them "
        "are Byzantine. In the formulas δ = f / n and ν = 1/2 − δ. The constant of CenterwO for "
        "agnostic robustness is f / 2 times what the appendix of the paper proves, which is "
        "probably a misprint",
    )
