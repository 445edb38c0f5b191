"""Proven constants, checked on their definitions over every subset of honest updates."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlib.aggregators import AGGREGATORS

RULES = ("center_with_outliers", "mean_with_outliers")


def aggregate(name, updates, f, **parameters):
    return AGGREGATORS[name](n_byzantine=f, **parameters).apply(updates)[0]


@st.composite
def clouds(draw):
    """Up to nine points in the plane or in space, of several ill-natured kinds, and f < n / 2."""
    n = draw(st.integers(3, 9))
    f = draw(st.integers(0, (n - 1) // 2))
    d = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["random", "clustered", "collinear", "duplicated", "far"]))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    points = generator.normal(size=(n, d))
    if kind == "clustered":
        points = 0.01 * points + generator.integers(0, 2, (n, 1))
    elif kind == "collinear":
        points = generator.normal(size=(n, 1)) * np.ones(d)
    elif kind == "duplicated":
        points = points[generator.integers(0, max(n // 2, 1), n)]
    elif kind == "far":
        points[:f] += generator.normal() * 10.0 ** draw(st.integers(-3, 5))
    return torch.from_numpy(points), f


def worst_ratios(updates, f, result):
    """Largest violation over all honest subsets: of resilient averaging, and of robustness."""
    resilient = robust = 0.0
    for rows in combinations(range(len(updates)), len(updates) - f):
        honest = updates[list(rows)]
        mean = honest.mean(0)
        error = float((result - mean).norm())
        diameter = float(torch.cdist(honest, honest).max())
        variance = float((honest - mean).square().sum(1).mean())
        noise = 1e-9 * float(updates.abs().max())
        if error <= noise:
            continue
        resilient = max(resilient, error / diameter if diameter else math.inf)
        robust = max(robust, error**2 / variance if variance else math.inf)
    return resilient, robust


@settings(max_examples=150)
@given(clouds())
def test_clustering_keeps_the_constants_of_theorem_2(case):
    """clustering_with_outliers, Theorem 2: resilient averaging, and MeanwO's robustness."""
    updates, f = case
    n = len(updates)
    resilient, _ = worst_ratios(updates, f, aggregate("center_with_outliers", updates, f))
    assert resilient <= (2 * math.sqrt(2) + 1) * f / (n - f) + 1e-6
    resilient, robust = worst_ratios(updates, f, aggregate("mean_with_outliers", updates, f))
    assert resilient <= math.sqrt(3 * f * (n - f)) / (n - 2 * f) + 1e-6
    assert robust <= 6 * f / (n - 2 * f) * (n - f) / (n - 2 * f) + 1e-6


@settings(max_examples=60)
@given(clouds())
def test_clusters_cost_at_most_twice_the_optimum(case):
    """clustering_with_outliers, Lemma 1, for MeanwO: its optimum is a centroid, by enumeration."""
    updates, f = case
    n = len(updates)
    squared = torch.cdist(updates, updates) ** 2
    ours = float(squared.sort(dim=1).values[:, : n - f].sum(1).min())
    optimum = min(
        float((updates[list(rows)] - updates[list(rows)].mean(0)).square().sum())
        for rows in combinations(range(n), n - f)
    )
    assert ours <= 2 * optimum * (1 + 1e-9) + 1e-9


def test_inner_and_outer_by_hand():
    # Ball round 1: 0, 1, 2 with radius 1 and sum of squares 2. The tightest two are 9 and 9.1.
    updates = torch.tensor([[0.0], [1.0], [2.0], [9.0], [9.1]])
    for name in RULES:
        assert aggregate(name, updates, 2).item() == pytest.approx(1)
        assert aggregate(name, updates, 2, side="outer").item() == pytest.approx(1)
        assert aggregate(name, updates, 0, side="outer").item() == pytest.approx(21.1 / 5)
    # Byzantine updates amid the honest ones: outside the tightest pair, 0.95 and 1, are the others.
    sneaking = torch.tensor([[0.0], [1.0], [2.0], [0.95], [1.1]])
    outside = aggregate("mean_with_outliers", sneaking, 2, side="outer").item()
    assert outside == pytest.approx(3.1 / 3)


def test_radius_and_sum_of_squares_choose_different_clusters():
    # Round the origin three points at distance 1; round (2.2, 0) two at 0 and one at 1.2.
    updates = torch.tensor(
        [[0.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [2.2, 0.0], [2.2, 0.0], [2.2, 0.0]]
    )
    center = aggregate("center_with_outliers", updates, 3)
    mean = aggregate("mean_with_outliers", updates, 3)
    torch.testing.assert_close(center, torch.tensor([0.25, 0.0]))
    torch.testing.assert_close(mean, torch.tensor([1.9, 0.0]))
