"""Rules from their definitions, step by step and without any trick, to compare others with."""

import math

import torch


def slow_caf(points, f, of_all=False):
    """The filter of Allouah et al. (2025), with the covariance matrix itself.

    ``of_all`` says whether updates that have lost all weight count for the largest distance.
    """
    exact = points.double()
    weights, best = torch.ones(len(exact)).double(), (math.inf, exact.mean(0))
    while weights.sum() > len(exact) - 2 * f:
        mean = (weights @ exact) / weights.sum()
        moved = exact - mean
        values, vectors = torch.linalg.eigh(moved.t() @ (weights[:, None] * moved) / weights.sum())
        if values[-1] < best[0]:
            best = (values[-1], mean)
        along = (moved @ vectors[:, -1]).square()
        largest = along.max() if of_all else along[weights > 0].max()
        if largest == 0:
            break
        weights = weights * (1 - along / largest)
    return best[1].to(points.dtype)
