"""Blocked kernels against their plain definitions."""

import pytest
import torch

from fedlib import blocks, kernels
from fedlib.validation import ConfigError

SHAPES = [(1, 1), (1, 7), (5, 1), (7, 33), (25, blocks.CPU_BLOCK + 3), (4, 2 * blocks.CPU_BLOCK)]


@pytest.fixture(autouse=True, params=["on", "off"], ids=["kernels", "torch"])
def switch(request, monkeypatch):
    """Every test has the compiled kernels once, and their definitions in torch once."""
    monkeypatch.setenv(kernels.SWITCH, request.param)
    return request.param


def matrix(shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
class TestAgainstTorch:
    @pytest.mark.parametrize("threads", [1, 2])
    def test_of_sorted(self, shape, dtype, threads, monkeypatch):
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        m = matrix(shape, dtype)
        for k in range(len(m)):
            kth = blocks.of_sorted(m, lambda ordered, k=k: ordered[:, k])
            assert torch.equal(kth, m.sort(dim=0).values[k])
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


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_mean_does_not_overflow_where_the_sum_would(dtype, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    largest = torch.finfo(dtype).max
    m = torch.full((4, 10), 0.9 * largest, dtype=dtype)
    torch.testing.assert_close(blocks.row_mean(m), m[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_of_1e30(dtype):
    m = torch.full((3, blocks.CPU_BLOCK + 1), 1e30, dtype=dtype)
    m[1] *= -1
    assert not blocks.distances_to(m, m[0].clone()).isnan().any()
    assert blocks.distances_to(m, m[0].clone())[2] == 0
    squared = blocks.pairwise_squared_distances(m)
    expected = 4e60 * m.shape[1]
    assert float(squared[0, 1]) == pytest.approx(expected, rel=1e-6)
    assert not blocks.row_std(m, blocks.row_mean(m)).isnan().any()
    assert blocks.of_sorted(m, lambda ordered: ordered.amax(1)).isfinite().all()


def test_close_rows_far_from_the_origin_keep_every_digit():
    generator = torch.Generator().manual_seed(0)
    origin = 1e6 * torch.randn(1, 300, generator=generator, dtype=torch.float64)
    m = origin + 1e-3 * torch.randn(5, 300, generator=generator, dtype=torch.float64)
    expected = (m[:, None] - m[None]).square().sum(-1)
    torch.testing.assert_close(blocks.pairwise_squared_distances(m), expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e4, 1e10, 1e15])
def test_a_far_first_row_does_not_cost_the_others_their_distances(dtype, scale):
    m = matrix((6, 300), dtype)
    m[[0, 3]] *= scale
    near = m[[1, 2, 4, 5]].double()
    expected = (near[:, None] - near[None]).square().sum(-1)
    found = blocks.pairwise_squared_distances(m)[[1, 2, 4, 5]][:, [1, 2, 4, 5]]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_distances_are_centred_on_the_first_row_unless_it_is_far_out(monkeypatch):
    centres = []
    gram = blocks.distances._gram
    monkeypatch.setattr(
        blocks.distances, "_gram", lambda m, c, t: centres.append(c) or gram(m, c, t)
    )
    m = matrix((5, 20), torch.float64)
    usual = blocks.pairwise_squared_distances(m)
    blocks.pairwise_squared_distances(m.repeat(2, 1))
    m[4] = m[3] + 1e-9  # too close for the digits of rows of length 1, and no centre helps
    blocks.pairwise_squared_distances(m)
    assert centres == [slice(0, 1)] * 3
    assert torch.equal(usual[:4, :4], blocks.pairwise_squared_distances(m)[:4, :4])
    m[0], m[2] = 1e10, 0.1
    blocks.pairwise_squared_distances(m)
    assert centres[-1].tolist() == [2]


@pytest.mark.parametrize(("close", "products"), [(0, 1), (3, 1), (9, 2)])
def test_a_few_close_pairs_are_summed_from_differences_and_many_in_float64(
    close, products, monkeypatch
):
    kinds = []
    gram = blocks.distances._gram
    monkeypatch.setattr(blocks.distances, "_gram", lambda m, c, t: kinds.append(t) or gram(m, c, t))
    m = matrix((10, 3000), torch.float32)
    for row in range(1, close + 1):
        m[row] = m[0] + 1e-3 * m[row]
    if close:
        m[0] += 3 * m[9]  # rows that are close to each other and not to the centre
    expected = (m.double()[:, None] - m.double()[None]).square().sum(-1)
    found = blocks.pairwise_squared_distances(m)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert torch.equal(found, found.t())
    assert kinds == [torch.float32, torch.float64][:products]


def test_the_largest_floats_are_at_finite_distances_and_cost_the_others_none():
    m = matrix((6, 30), torch.float64)
    expected = blocks.pairwise_squared_distances(m[2:])
    for extreme in (torch.finfo(torch.float64).max, 1e200):
        m[0], m[1] = extreme, -extreme
        found = blocks.pairwise_squared_distances(m)
        torch.testing.assert_close(found[2:, 2:], expected)
        assert (found[:2, 2:] == 1e300).all()
        assert found[0, 1] == found[1, 0] == 1e300
        assert not found.diagonal().any()
        assert blocks.row_norms(m)[:2].isinf().all()
        rows, divisors = blocks.shortened(m)
        assert divisors.tolist() == [extreme, extreme, 1, 1, 1, 1]
        torch.testing.assert_close(rows[:2], torch.tensor([[1.0], [-1.0]]).double().expand(2, 30))
        assert torch.equal(rows[2:], m[2:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cosines_are_those_of_torch(dtype):
    m = matrix((7, 5003), dtype)
    vector = m[0] + 0.5 * m[1]
    m[2] = 0
    m[3, 5], m[4, 7] = float("nan"), float("inf")
    m[5] *= 1e-3
    found = blocks.cosines(m, vector)
    assert found.dtype == dtype
    expected = torch.nn.functional.cosine_similarity(m.double(), vector.double()[None])
    rows = [0, 1, 2, 5, 6]
    torch.testing.assert_close(found[rows].double(), expected[rows], rtol=1e-5, atol=1e-6)
    assert found[3:5].isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weighted_and_selected_means(dtype):
    m = matrix((6, 33), dtype)
    weights = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0, 4.0], dtype=torch.float64)
    expected = (m.double() * weights[:, None]).sum(0) / 10
    torch.testing.assert_close(blocks.weighted_mean(m, weights), expected.to(dtype))
    rows = torch.tensor([4, 1, 2])
    torch.testing.assert_close(blocks.selected_mean(m, rows), m[rows].mean(0))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("d", [1, 4095, 8 * 4096, 12 * 4096 + 5, 70_011])
@pytest.mark.parametrize("layout", ["rows", "columns", "part"])
def test_weighted_sum_shared_out_over_threads(threads, d, layout, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    m = matrix((7, d), torch.float32)
    if layout == "columns":
        m = m.t().contiguous().t()
    elif layout == "part":
        m = matrix((9, d + 6), torch.float32)[1:8, 3 : d + 3]
    weights = torch.tensor([0.0, 0.5, -2.0, 3.0, 0.25, 4.0, 1.0], dtype=torch.float64)
    expected = (m.double() * weights[:, None]).sum(0)
    torch.testing.assert_close(
        blocks.weighted_sum(m, weights).double(), expected, rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("n", [2, 5, 11, 25])
def test_distances_are_symmetric_to_the_last_digit(n):
    for d in (1, 9, 1000):
        squared = blocks.pairwise_squared_distances(matrix((n, d), torch.float64))
        assert torch.equal(squared, squared.t())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rows_are_at_distance_zero_and_change_no_other(dtype):
    rows = torch.randn(6, 500, dtype=dtype, generator=torch.Generator().manual_seed(3))
    rows[1] = rows[0]
    rows[1, 400] += 0.5  # alike in all but one value
    order = [0, 1, 2, 0, 3, 2, 2, 4, 5]
    found = blocks.pairwise_squared_distances(rows[order])
    expected = torch.cdist(rows[order].double(), rows[order].double()).square()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)
    assert found[0, 3] == 0
    assert found[2, 6] == 0
    assert torch.equal(found, blocks.pairwise_squared_distances(rows)[order][:, order])


def test_an_error_in_a_block_of_a_thread_is_raised(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        blocks.of_sorted(torch.zeros(2, 3 * blocks.CPU_BLOCK), lambda ordered: 1 // 0)


def test_threads_of_blocks_leave_the_main_thread_its_own(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    blocks.of_sorted(torch.zeros(2, 3 * blocks.CPU_BLOCK), lambda ordered: ordered[:, 0])
    monkeypatch.undo()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_nearest_values_are_those_of_a_sort_by_distance(dtype):
    # Rounded values have many equals, on one side of the centre and on both.
    for seed in range(20):
        values = matrix((9, 40), dtype, seed)
        values = values.round() if seed % 2 else values
        ordered = values.sort(0).values.t()
        centre = ordered[:, 4] + (0.3 if seed % 3 else 0)
        for kept in (1, 4, 9):
            distances = (ordered - centre[:, None]).abs()
            nearest = distances.argsort(dim=1, stable=True)[:, :kept]
            expected = ordered.gather(1, nearest).mean(1)
            found = blocks.mean_of_nearest(ordered, centre, kept)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_nearest_of_extreme_values():
    largest = torch.finfo(torch.float32).max
    ordered = torch.tensor([[-largest, -largest, 1.0, 2.0, largest]])
    assert blocks.mean_of_nearest(ordered, torch.tensor([1.0]), 2).item() == 1.5
    assert blocks.mean_of_nearest(ordered, torch.tensor([-largest]), 2).item() == -largest


def test_a_matrix_is_finite_by_its_values_and_not_by_the_sums_of_its_rows():
    largest = torch.finfo(torch.float32).max
    huge = torch.full((4, 9), largest)
    blocks.require_finite(huge)  # The sums overflow, and every value is finite.
    for value in (float("nan"), float("inf"), -float("inf")):
        one = huge.clone()
        one[2, 8] = value
        with pytest.raises(blocks.NonFiniteError):
            blocks.require_finite(one)


@pytest.mark.parametrize("function", [blocks.distances_to, blocks.inner_products, blocks.cosines])
def test_a_vector_must_be_as_long_as_a_row(function):
    # A kernel would read on behind a shorter vector.
    for shape in [(2,), (5,), (1, 3)]:
        with pytest.raises(ConfigError, match=r"must have the shape \(3,\) of a row"):
            function(torch.zeros(4, 3), torch.zeros(shape))
