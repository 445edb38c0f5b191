"""The rules that both libraries have give the same aggregate: what is timed is comparable.

Not compared: Krum and Multi-Krum, which in byzfl 0.0.11 sum over n - f - 1 neighbours where
Blanchard et al. have n - f - 2; and SMEA, whose eigenvalues there are one power iteration from a
random vector.
"""

import byzfl
import pytest
import torch

from fedlib.aggregators import AGGREGATORS

F = 2
PAIRS = {
    "mean": ({}, lambda: byzfl.Average()),
    "median": ({}, lambda: byzfl.Median()),
    "trimmed_mean": ({}, lambda: byzfl.TrMean(f=F)),
    "geometric_median": ({}, lambda: byzfl.GeometricMedian(nu=0.1, T=3)),
    "centered_clipping": ({"tau": 1.0}, lambda: byzfl.CenteredClipping(L=1, tau=1.0)),
    "mda": ({}, lambda: byzfl.MDA(f=F)),
}


def updates(kind):
    generator = torch.Generator().manual_seed(3)
    made = torch.randn(11, 50, generator=generator)
    if kind == "attacked":
        made[-F:] = 100 * made[:F]
    return made


@pytest.mark.parametrize("kind", ["random", "attacked"])
@pytest.mark.parametrize("name", PAIRS)
def test_rules_agree(name, kind):
    parameters, other = PAIRS[name]
    ours, _ = AGGREGATORS[name](n_byzantine=F, **parameters).apply(updates(kind))
    torch.testing.assert_close(ours, other()(updates(kind)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["random", "attacked"])
@pytest.mark.parametrize("name", ["mean", "median", "geometric_median"])
def test_neighbour_mixing_agrees(name, kind):
    parameters, other = PAIRS[name]
    mixing = AGGREGATORS["nearest_neighbour_mixing"](
        n_byzantine=F, rule={"name": name, **parameters}
    )
    ours, _ = mixing.apply(updates(kind))
    theirs = other()(byzfl.NNM(f=F)(updates(kind)))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
