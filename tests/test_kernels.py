"""The compiled kernels: when they are used, and what they compute beside their definitions."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fedlib import blocks, hardware, kernels
from fedlib.aggregators import AGGREGATORS
from fedlib.aggregators.ssim import structural_similarity
from fedlib.attacks import ATTACKS
from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig, load_dataset
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.federation import Facts
from fedlib.grids import compute_metrics
from fedlib.kernels import networks
from fedlib.runs import RunConfig
from fedlib.validation import ConfigError

DTYPES = (torch.float32, torch.float64)


def updates(n, d, dtype=torch.float32, seed=0):
    """Rows around a common one; two are equal, and one is far away."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n, d, generator=generator, dtype=torch.float64)
    drawn += 3 * torch.randn(d, generator=generator, dtype=torch.float64)
    drawn[-1] *= 20
    drawn[n // 2] = drawn[0]
    return drawn.to(dtype)


def by_both(monkeypatch, function):
    """What a function gives with the kernels, and without them."""
    monkeypatch.setenv(kernels.SWITCH, "on")
    compiled = function()
    monkeypatch.setenv(kernels.SWITCH, "off")
    return compiled, function()


def assert_close(found, expected, scale=1.0):
    tolerance = {torch.float32: 2e-5, torch.float64: 1e-10}[expected.dtype]
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * scale)


def test_kernels_are_used_unless_the_environment_says_off(monkeypatch):
    monkeypatch.delenv(kernels.SWITCH, raising=False)
    assert kernels.available()
    assert kernels.lack() == ""
    assert "numba" in hardware.versions()
    monkeypatch.setenv(kernels.SWITCH, "off")
    assert not kernels.available()
    assert kernels.SWITCH in kernels.lack()
    assert "numba" not in hardware.versions()


def test_another_word_in_the_environment_is_an_error(monkeypatch):
    monkeypatch.setenv(kernels.SWITCH, "no")
    with pytest.raises(ConfigError, match=r"FEDLIB_KERNELS='no' .* Allowed: off, on"):
        kernels.available()


def test_without_numba_the_definitions_serve():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import torch\n"
        "from fedlib import kernels\n"
        "from fedlib.aggregators import AGGREGATORS\n"
        "print(AGGREGATORS['median']().apply(torch.tensor([[1.0], [5.0], [2.0]]))[0].tolist())\n"
        "print(kernels.lack())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[2.0]\nNumba cannot be imported")


def test_importing_the_library_imports_no_numba():
    code = (
        "import fedlib.aggregators, fedlib.attacks, fedlib.engine, fedlib.grids, sys\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 25, 40])
def test_a_selection_network_puts_the_wanted_places_right(n):
    generator = np.random.default_rng(n)
    values = generator.integers(0, 5, (200, n))
    expected = np.sort(values, axis=1)
    for wanted in ([0], [n // 2, (n - 1) // 2], range(n)):
        runs, exchanges = networks.selection_network(n, wanted)
        found = values.copy()
        for run in range(runs):
            found[:, 16 * run : 16 * run + 16].sort(axis=1)
        for i, j in exchanges:
            pair = found[:, [i, j]]
            found[:, i], found[:, j] = pair.min(1), pair.max(1)
        assert (found[:, list(wanted)] == expected[:, list(wanted)]).all()


def test_a_network_for_the_median_leaves_out_what_it_does_not_need():
    everything = networks.selection_network(25, range(25))[1]
    median = networks.selection_network(25, [12])[1]
    assert len(median) < len(everything) < len(networks.sorting_network(25))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d"), [(11, 1), (12, 63), (25, 64), (27, 300), (40, 33_000)])
@pytest.mark.parametrize("name", sorted(AGGREGATORS))
def test_every_rule_is_its_definition_in_torch(name, n, d, dtype, monkeypatch):
    if d > 1000 and name not in ("median", "krum", "nearest_neighbour_mixing", "mean"):
        pytest.skip("one rule of each kind of kernel is enough for many columns")
    rule = AGGREGATORS[name](n_byzantine=1 if name in ("mda", "smea") else 2)
    if rule.needs - {"server_update"}:
        pytest.skip("needs facts of a federation")
    matrix = updates(n, d, dtype)
    facts = Facts(server_update=matrix[2].clone())
    found, expected = by_both(monkeypatch, lambda: rule.apply(matrix, None, facts)[0])
    scale = float(matrix.abs().max())
    # FoolsGold stretches the differences of its cosines: see `_ALIKE` there.
    assert_close(found, expected, scale=100 * scale if name == "foolsgold" else scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 3, 10, 25, 37])
def test_every_way_of_reweighting_is_its_definition(n, dtype, monkeypatch):
    matrix = updates(n, 150, dtype)
    ways = itertools.product(
        ("text", "code"), ("irls", "gaussian"), ("repeated_median", "middle"), (0.01, 0.3)
    )
    for version, weighting, intercept, delta in ways:
        rule = AGGREGATORS["residual_reweighting"](
            version=version, weighting=weighting, intercept=intercept, delta=delta
        )
        found, expected = by_both(monkeypatch, lambda rule=rule: rule.apply(matrix)[0])
        assert_close(found, expected, scale=float(matrix.abs().max()))
        # Of equal values the first client's comes first, with and without the kernels.
        found, expected = by_both(monkeypatch, lambda rule=rule: rule.apply(matrix.round())[0])
        assert_close(found, expected, scale=float(matrix.abs().max()))


@pytest.mark.parametrize("window", [3, 7, 11, None])
@pytest.mark.parametrize(
    ("of_x", "of_y", "of_span"),
    [((), (), ()), ((4,), (), (4,)), ((5, 3), (1, 3), (1, 1)), ((1, 3), (5, 3), (5, 1)),
     ((2, 1, 3), (4, 1), (3,)), ((0, 3), (3,), ())],
)  # fmt: skip
def test_the_likeness_of_images_is_its_definition(of_x, of_y, of_span, window, monkeypatch):
    generator = torch.Generator().manual_seed(8)
    x = torch.randn(*of_x, 12, 17, generator=generator, dtype=torch.float64)
    y = 3 + torch.randn(*of_y, 12, 17, generator=generator, dtype=torch.float64)
    span = 1 + torch.rand(of_span, generator=generator, dtype=torch.float64)
    x, y = (images.transpose(-2, -1) for images in (x, y))  # not contiguous
    x[..., 0, 0] = 40.0
    spoiled = x.ndim == 4 and len(x) > 0
    if spoiled:
        x[0, 1, 2, 2], y[0, 0, 5, 5] = torch.inf, torch.nan
    found, expected = by_both(monkeypatch, lambda: structural_similarity(x, y, span, window))
    assert found.shape == torch.broadcast_shapes(of_x, of_y, of_span)
    assert bool(found.isnan().any()) == spoiled
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10, equal_nan=True)


def test_the_likeness_of_images_keeps_the_graph_of_its_gradients():
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand(2, 9, 9, generator=generator, dtype=torch.float64)
    found = structural_similarity(x.requires_grad_(), y, 1.0)
    assert torch.autograd.grad(found, x)[0].abs().sum() > 0
    assert float(structural_similarity(x.detach(), y, 1.0)) == pytest.approx(float(found))


@pytest.mark.parametrize("name", sorted(AGGREGATORS))
def test_a_non_finite_row_is_the_zero_update_with_and_without_kernels(name, monkeypatch):
    rule = AGGREGATORS[name](n_byzantine=1 if name in ("mda", "smea") else 2)
    if rule.needs - {"server_update"}:
        pytest.skip("needs facts of a federation")
    matrix = updates(12, 70)
    facts = Facts(server_update=matrix[2].clone())
    replaced = matrix.clone()
    replaced[3] = replaced[7] = 0
    matrix[3, 69], matrix[7, 0] = torch.nan, -torch.inf
    found, expected = by_both(monkeypatch, lambda: rule.apply(matrix, None, facts)[0])
    assert_close(found, expected, scale=float(replaced.abs().max()))
    assert_close(found, rule.apply(replaced, None, facts)[0], scale=float(replaced.abs().max()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rule_by_columns_gives_the_same_for_a_column_alone(dtype):
    matrix = updates(11, 40, dtype)
    names = [name for name in AGGREGATORS if AGGREGATORS[name].by_columns]
    assert "median" in names
    for name in names:
        rule = AGGREGATORS[name](n_byzantine=2)
        assert torch.equal(rule.apply(matrix[:, 7:9])[0], rule.apply(matrix)[0][7:9])


def test_fixed_weights_are_those_of_the_aggregate():
    matrix = updates(11, 40, torch.float64)
    names = [n for n in AGGREGATORS if AGGREGATORS[n]().fixed_weights(11) is not None]
    assert names == ["mean"]
    for name in names:
        rule = AGGREGATORS[name]()
        torch.testing.assert_close(rule.fixed_weights(11) @ matrix, rule.apply(matrix)[0])


@pytest.mark.parametrize("rule", ["mean", "median", "krum"])
@pytest.mark.parametrize("name", ["bucketing", "nearest_neighbour_mixing"])
def test_mixing_strip_by_strip_is_mixing_first(name, rule):
    matrix = updates(24, 5000)
    mixing = AGGREGATORS[name](n_byzantine=2, rule={"name": rule})
    mixed = mixing._mixing(matrix, 0).float() @ matrix
    expected = AGGREGATORS[rule](n_byzantine=2).apply(mixed)[0]
    found, (rounds, _) = mixing.apply(matrix)
    assert_close(found, expected, scale=float(matrix.abs().max()))
    assert rounds == 1


def test_rows_that_are_no_whole_matrix_or_have_no_memory_of_their_own():
    whole = updates(9, 400)
    part = whole[2:8, 100:300]
    median = AGGREGATORS["median"]
    assert torch.equal(
        median().apply(part)[0], part.median(dim=0).values / 2 + part.sort(0)[0][3] / 2
    )
    columns = part.t().contiguous().t()
    assert torch.equal(median().apply(columns)[0], median().apply(part)[0])
    alike = whole[:1].expand(5, -1)
    assert torch.equal(median().apply(alike)[0], whole[0])
    assert blocks.rows_for_kernel(part.half()) is None
    assert blocks.rows_for_kernel(columns) is None


@pytest.mark.parametrize(
    "name", ["mean", "median", "krum", "centered_clipping", "residual_reweighting", "foolsgold"]
)
def test_the_number_of_threads_changes_no_digit(name, monkeypatch):
    matrix = updates(12, 400_003)
    rule = AGGREGATORS[name](n_byzantine=2)
    alone = rule.apply(matrix)[0]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(rule.apply(matrix)[0], alone)


@pytest.mark.parametrize("name", ["trimmed_mean", "krum", "residual_reweighting"])
def test_finished_runs_move_no_farther_than_another_seed_moves_them(name, monkeypatch):
    """Kernels add up in another order. What that does to a run is less than what a seed does."""
    data = DataConfig("mnist", "embedded", EMBEDDED_VARIANT, 600, 200)
    dataset = load_dataset(data)

    def accuracies():
        return [
            compute_metrics(
                RunConfig(
                    data=data,
                    n_clients=10,
                    n_byzantine=2,
                    client=MomentumSGD(8, momentum=0.9),
                    aggregator=AGGREGATORS[name](n_byzantine=2),
                    attack=ATTACKS["sign_flip"](n_byzantine=2),
                    rounds=100,
                    eval_every=100,
                    learning_rate=0.3,
                    seed=seed,
                ),
                dataset,
                strategy="merged",  # the kernels of the rules alone: tests/test_tiled.py has others
            )["test_accuracy"][-1]
            for seed in (1, 2, 3)
        ]

    found, expected = by_both(monkeypatch, accuracies)
    assert max(expected) > 0.3  # The runs learn something.
    moved = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    assert moved <= max(expected) - min(expected)


def test_compiled_kernels_are_kept_for_the_texts_of_all_kernels(tmp_path, monkeypatch):
    from fedlib.kernels import compiling

    (tmp_path / "one.py").write_text("a = 1")
    (tmp_path / "other.py").write_text("b = 1")
    monkeypatch.setattr(compiling, "_HERE", tmp_path)
    find = compiling.folder.__wrapped__
    first = find()
    assert first.parent == tmp_path / "__pycache__"
    assert find() == first
    (tmp_path / "other.py").write_text("b = 2")
    assert find() != first


def test_kernels_need_no_folder_that_can_be_written(tmp_path, monkeypatch):
    from fedlib.kernels import compiling

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(compiling.tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(compiling, "_HERE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert compiling.folder.__wrapped__() is None
    monkeypatch.setattr(compiling, "folder", lambda: None)
    twice = compiling.kernel(lambda x: 2 * x)
    assert twice(21) == 42
    assert not list(tmp_path.rglob("*.nbi"))


def test_numba_keeps_its_own_place_for_the_functions_of_others():
    import numba

    from fedlib.kernels import compiling, selection

    assert Path(selection.order_statistics.stats.cache_path).parent == compiling.folder()
    assert os.environ.get("NUMBA_CACHE_DIR", "") == numba.config.CACHE_DIR
