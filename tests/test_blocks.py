"""Blocked kernels against their plain definitions."""

import pytest
import torch

from fedlib import blocks

SHAPES = [(1, 1), (1, 7), (5, 1), (7, 33), (25, blocks.CPU_BLOCK + 3), (4, 2 * blocks.CPU_BLOCK)]


def matrix(shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
class TestAgainstTorch:
    def test_sort_rows(self, shape, dtype):
        m = matrix(shape, dtype)
        parts = [ordered for _, ordered in blocks.sort_rows(m)]
        assert torch.equal(torch.cat(parts).t(), m.sort(dim=0).values)
        assert torch.equal(m, matrix(shape, dtype))

    def test_blocks_cover_every_column_once(self, shape, dtype):
        covered = [
            i
            for s in blocks.column_blocks(matrix(shape, dtype))
            for i in range(*s.indices(shape[1]))
        ]
        assert covered == list(range(shape[1]))

    def test_distances(self, shape, dtype):
        m = matrix(shape, dtype)
        point = matrix(shape[1:], dtype, 1)
        torch.testing.assert_close(blocks.distances_to(m, point), (m - point).norm(dim=1))
        torch.testing.assert_close(
            blocks.pairwise_squared_distances(m),
            torch.cdist(m.double(), m.double(), compute_mode="donot_use_mm_for_euclid_dist") ** 2,
            rtol=1e-6,
            atol=1e-6,
        )

    def test_mean_and_deviation(self, shape, dtype):
        m = matrix(shape, dtype)
        mean = blocks.row_mean(m)
        torch.testing.assert_close(mean, m.mean(0))
        expected = m.std(0) if shape[0] > 1 else torch.zeros(shape[1], dtype=dtype)
        torch.testing.assert_close(blocks.row_std(m, mean), expected)


def test_huge_values_never_become_nan():
    m = torch.full((3, 10), 3e38)
    m[1] = -3e38
    assert torch.isfinite(blocks.row_mean(m)).all()
    assert not blocks.distances_to(m, torch.zeros(10)).isnan().any()
    squared = blocks.pairwise_squared_distances(m)
    assert torch.isfinite(squared).all()
    assert squared[0, 2] == 0


def test_close_rows_far_from_the_origin_do_not_cancel():
    m = torch.full((3, 100), 1e4)
    m[1] += 0.01
    squared = blocks.pairwise_squared_distances(m)
    expected = float((m[1].double() - m[0].double()).square().sum())
    assert float(squared[0, 1]) == pytest.approx(expected, rel=1e-6)
