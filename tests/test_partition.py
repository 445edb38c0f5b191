"""Partitions: what holds of all, and what each promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import recorded_calls

from fedlib.data import PARTITIONS, class_counts, make_partition, matched_samples
from fedlib.data.partition import base
from fedlib.data.partition.base import cut_by_proportions, draw_by_shares
from fedlib.validation import ConfigError

LABELS = np.random.default_rng(0).integers(0, 10, 1000)


@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(PARTITIONS)),
    n_clients=st.integers(5, 60),
    seed=st.integers(0, 1000),
    n=st.integers(60, 400),
)
def test_shares_are_never_empty_and_disjoint_where_promised(name, n_clients, seed, n):
    labels = LABELS[:n]
    parts = PARTITIONS[name]()(labels, n_clients, seed, np.arange(n) % 70)
    assert len(parts) == n_clients
    assert min(map(len, parts)) >= 1
    everything = np.concatenate(parts)
    if PARTITIONS[name].disjoint:
        assert len(np.unique(everything)) == len(everything)
    assert everything.min() >= 0
    assert everything.max() < n
    if PARTITIONS[name].complete:
        assert len(everything) == n
    np.random.rand(2)
    state = np.random.get_state()[1].copy()
    again = PARTITIONS[name]()(labels, n_clients, seed, np.arange(n) % 70)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("name", PARTITIONS)
def test_another_seed_gives_another_partition(name):
    first, second = (PARTITIONS[name]()(LABELS, 10, seed, LABELS) for seed in (1, 2))
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", PARTITIONS)
def test_round_trip_through_its_dictionary(name):
    assert make_partition(PARTITIONS[name]().to_dict()) == PARTITIONS[name]()


def test_iid_balances_sizes_and_classes():
    counts = class_counts(LABELS, PARTITIONS["iid"]()(LABELS, 7, 1))
    assert np.ptp(counts.sum(1)) <= 1
    assert np.ptp(counts, axis=0).max() <= 1


def test_dirichlet_concentrates_as_alpha_falls():
    def largest_share(alpha):
        parts = PARTITIONS["dirichlet"](alpha=alpha)(LABELS, 10, 1)
        counts = class_counts(LABELS, parts)
        return (counts.max(0) / counts.sum(0)).mean()  # of a class, at one client

    assert largest_share(1000) < 0.15
    assert largest_share(0.01) > 0.8


def test_dirichlet_sizes_differ():
    sizes = [len(part) for part in PARTITIONS["dirichlet"](alpha=1.0)(LABELS, 10, 1)]
    assert max(sizes) > 1.3 * min(sizes)


def test_dirichlet_normalised_gives_out_the_whole_set_by_the_clients_own_distributions():
    labels = np.repeat(np.arange(10), 500)
    largest, unequal = [], {"dirichlet": [], "dirichlet_normalised": []}
    for seed in range(20):
        parts = PARTITIONS["dirichlet_normalised"](alpha=1.0)(labels, 25, seed)
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
        counts = class_counts(labels, parts)
        largest.append((counts.max(1) / counts.sum(1)).mean())
        for name, found in unequal.items():
            sizes = class_counts(labels, PARTITIONS[name](alpha=1.0)(labels, 25, seed)).sum(1)
            found.append(sizes.std() / sizes.mean())
    # A little below the largest of ten shares drawn from Dir(1), whose mean is H(10) / 10 = 0.293.
    assert np.mean(largest) == pytest.approx(0.285, abs=0.015)
    assert np.mean(unequal["dirichlet_normalised"]) < 0.1 < 0.2 < np.mean(unequal["dirichlet"])
    # With one class alone every distribution is the same, and every client's share with it.
    alone = PARTITIONS["dirichlet_normalised"]()(np.zeros(100, dtype=int), 4, 1)
    assert [len(part) for part in alone] == [25] * 4


def test_a_class_that_no_client_wants_is_shared_out_evenly():
    # With a tiny alpha each of two clients wants one class, so that at least eight are unwanted.
    labels = np.repeat(np.arange(10), 50)
    for seed in range(5):
        counts = class_counts(labels, PARTITIONS["dirichlet_normalised"](1e-300)(labels, 2, seed))
        even = (counts == 25).all(0)
        assert even.sum() >= 8
        # A class that both want is shared out too, and one that a single client wants is its own.
        assert set(counts[:, ~even].flatten()) <= {0, 50}


def test_dirichlet_sliced_takes_the_pool_of_a_class_at_the_place_of_its_own_size():
    # Sorted by class: 4 of class 0, then 2 and 3. Class 1 gets places 2 and 3, class 2 gets 6 to 8.
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    parts = PARTITIONS["dirichlet_sliced"]()(labels, 3, 1)
    held = np.bincount(np.concatenate(parts), minlength=9)
    assert held[:4].sum() == 6  # two samples of class 0 twice
    assert sorted(held[:4]) == [1, 1, 2, 2]
    assert not held[4:6].any()  # nobody holds class 1
    assert (held[6:] == 1).all()


def test_dirichlet_sliced_on_the_class_sizes_of_mnist_and_on_equal_ones():
    sizes = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    labels = np.repeat(np.arange(10), sizes)
    parts = PARTITIONS["dirichlet_sliced"]()(labels, 25, 1)
    times = np.bincount(np.concatenate(parts), minlength=60_000)
    assert times.sum() == 60_000
    assert (np.sum(times == 2), np.sum(times == 0)) == (8141, 8141)
    equal = np.repeat(np.arange(10), 500)
    parts = PARTITIONS["dirichlet_sliced"]()(equal, 25, 1)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(5000))
    # Equal shares of 10 samples for 4 clients are 2 each; the 2 that are left go to two clients.
    parts = PARTITIONS["dirichlet_sliced"](alpha=1e9)(np.zeros(10, dtype=int), 4, 1)
    assert [len(part) for part in parts] == [3, 3, 2, 2]


def test_dirichlet_per_client_has_equal_sizes_and_skewed_classes():
    parts = PARTITIONS["dirichlet_per_client"](alpha=0.1)(LABELS, 10, 1)
    counts = class_counts(LABELS, parts)
    assert set(counts.sum(1)) == {100}
    assert (counts > 0).sum(1).mean() < 6  # of ten


def test_dirichlet_per_client_gives_every_client_a_draw_of_its_own():
    # 62 classes of which ten have two thirds, as FEMNIST's digits.
    labels = np.repeat(np.arange(62), [660] * 10 + [65] * 52)
    prior = np.bincount(labels) / len(labels)
    shares = []
    for seed in range(60):
        counts = class_counts(labels, PARTITIONS["dirichlet_per_client"]()(labels, 35, seed))
        shares.append(counts / counts.sum(1, keepdims=True))
    found = np.stack(shares)  # (seeds, clients, classes)
    effective = 1 / np.square(found).sum(2)
    first, last = effective[:, :12].mean(), effective[:, -12:].mean()
    assert abs(first - last) < 0.1
    # Moments of Dir(a p) with a = 0.1, then of the drawing: mean p, E sum of squares below.
    size = len(labels) // 35
    squares = (1 + 0.1 * np.square(prior).sum()) / 1.1
    expected = squares + (1 - squares) / size
    assert np.square(found).sum(2).mean() == pytest.approx(expected, abs=0.015)
    digits = found[:, :, :10].sum(2)
    assert digits.mean() == pytest.approx(prior[:10].sum(), abs=0.03)
    # The share of all digits is Beta(0.1 s, 0.1 (1 - s)), s theirs in the whole set.
    s = prior[:10].sum()
    assert digits.var() == pytest.approx(s * (1 - s) / 1.1, rel=0.08)


def test_dirichlet_per_client_repeats_an_image_only_where_its_class_has_too_few():
    labels = np.repeat(np.arange(20), 50)
    make = PARTITIONS["dirichlet_per_client"]
    for part in make(alpha=1e-6)(labels, 10, 1):  # 100 of a class of 50
        assert len(set(labels[part])) == 1
        assert len(np.unique(part)) < len(part) == 100
    parts = make(alpha=1e6)(labels, 10, 1)  # about 5 of each class
    assert all(len(np.unique(part)) == 100 for part in parts)
    assert len(np.unique(np.concatenate(parts))) < 900  # but clients share images


@pytest.mark.parametrize("name", PARTITIONS)
def test_a_client_has_its_samples_in_order(name):
    for part in PARTITIONS[name]()(LABELS, 10, 1, np.arange(1000) % 10):
        assert np.array_equal(part, np.sort(part))
        assert part.dtype == np.int64


@pytest.mark.parametrize("name", PARTITIONS)
def test_every_partition_has_a_random_stream_of_its_own(name, monkeypatch):
    asked = recorded_calls(monkeypatch, base, "stream")
    PARTITIONS[name]()(LABELS, 10, 7, np.arange(1000) % 10)
    assert asked == [(7, f"partition-{name}")]


def test_a_class_of_just_enough_samples_is_drawn_without_repetition():
    drawn = draw_by_shares([np.arange(7)], 7, np.ones(1), np.random.default_rng(0))
    assert sorted(drawn) == list(range(7))


def test_cuts_are_at_the_nearest_whole_number():
    pieces = cut_by_proportions([np.arange(10)], np.array([[0.27, 0.27, 0.46]]))
    assert [list(piece) for piece in pieces] == [[0, 1, 2], [3, 4], [5, 6, 7, 8, 9]]


def test_classes_per_client():
    counts = class_counts(LABELS, PARTITIONS["classes_per_client"](n_classes=2)(LABELS, 30, 1))
    assert ((counts > 0).sum(1) <= 2).all()
    assert (counts.sum(0) == np.bincount(LABELS)).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: PARTITIONS["iid"]()(LABELS[:5], 6, 1),
            "n_clients=6 is more than the 5 samples to share out: must be at most 5",
        ),
        (lambda: PARTITIONS["dirichlet"](alpha=0.0), "partition.alpha=0.0"),
        (lambda: PARTITIONS["dirichlet_per_client"](alpha=-1.0), "partition.alpha=-1.0"),
        (lambda: PARTITIONS["dirichlet_normalised"](alpha=0.0), "partition.alpha=0.0"),
        (lambda: PARTITIONS["dirichlet_sliced"](alpha=-1.0), "partition.alpha=-1.0"),
        (lambda: PARTITIONS["classes_per_client"](n_classes=0), "partition.n_classes=0"),
        (lambda: PARTITIONS["classes_per_client"](11)(LABELS, 20, 1), "from 1 to 10"),
        (lambda: PARTITIONS["classes_per_client"](2)(LABELS, 3, 1), "cannot hold all 10 classes"),
        (lambda: PARTITIONS["dirichlet "], "did you mean 'dirichlet'"),
    ],
)
def test_bad_values_are_named(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


@settings(max_examples=25)
@given(n_clients=st.integers(1, 60), n=st.integers(60, 400), seed=st.integers(0, 99))
def test_iid_and_dirichlet_per_client_keep_their_word_on_sizes(n_clients, n, seed):
    labels = LABELS[:n]
    iid = class_counts(labels, PARTITIONS["iid"]()(labels, n_clients, seed))
    assert np.ptp(iid.sum(1)) <= 1
    assert np.ptp(iid, axis=0).max() <= 1
    skewed = PARTITIONS["dirichlet_per_client"](alpha=0.05)(labels, n_clients, seed)
    assert {len(part) for part in skewed} == {n // n_clients}


@settings(max_examples=25)
@given(n_clients=st.integers(10, 60), k=st.integers(1, 10), seed=st.integers(0, 99))
def test_every_class_is_held_and_no_client_holds_more_than_its_number(n_clients, k, seed):
    parts = PARTITIONS["classes_per_client"](k)(LABELS, n_clients, seed)
    counts = class_counts(LABELS, parts)
    assert (counts > 0).sum(1).max() <= k
    assert (counts.sum(0) == np.bincount(LABELS)).all()
    holders = (counts > 0).sum(0)
    assert np.ptp(holders) <= 1


@pytest.mark.parametrize("alpha", [1e-300, 1e-6, 1e6])
def test_extreme_alphas_still_give_what_is_promised(alpha):
    for name in ("dirichlet", "dirichlet_normalised"):
        parts = PARTITIONS[name](alpha=alpha)(LABELS, 10, 1)
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(LABELS)))
    counts = class_counts(LABELS, PARTITIONS["dirichlet_per_client"](alpha=alpha)(LABELS, 10, 1))
    assert (counts.sum(1) == 100).all()
    # One class alone, or about as many of each.
    assert ((counts > 0).sum(1) == 1).all() if alpha < 1 else counts.max() < 30


def test_a_class_without_samples_is_no_obstacle():
    labels = np.where(LABELS == 4, 5, LABELS)
    for name in PARTITIONS:
        counts = class_counts(labels, PARTITIONS[name]()(labels, 10, 1, np.arange(1000) % 10))
        assert not counts[:, 4].any()
        assert counts.sum() == len(labels) or not PARTITIONS[name].complete


def test_uniform_classes_draws_all_classes_alike_from_a_skewed_set():
    labels = np.repeat([0, 1, 2], [9000, 900, 100])
    parts = PARTITIONS["uniform_classes"]()(labels, 20, 1)
    assert {len(part) for part in parts} == {500}
    shares = class_counts(labels, parts).sum(0) / 10_000
    np.testing.assert_allclose(shares, 1 / 3, atol=0.02)
    few = parts[0][labels[parts[0]] == 2]
    assert len(few) > len(np.unique(few))  # a class of 100 has not 167 of its own


def test_matched_samples_follow_each_clients_classes():
    labels, test_labels = np.repeat([0, 1, 2, 3], 100), np.repeat([0, 1, 2], 40)
    parts = [np.arange(100), np.arange(50, 150), np.arange(300, 400)]
    chosen = matched_samples(parts, labels, test_labels, 1)
    assert [len(drawn) for drawn in chosen] == [40, 40, 40]
    assert set(test_labels[chosen[0]]) == {0}
    assert 0.3 < (test_labels[chosen[1]] == 1).mean() < 0.7
    assert set(test_labels[chosen[2]]) == {0, 1, 2}  # of its only class there is no test sample
    again = matched_samples(parts, labels, test_labels, 1)
    assert all(np.array_equal(a, b) for a, b in zip(chosen, again, strict=True))
    assert not np.array_equal(chosen[1], matched_samples(parts, labels, test_labels, 2)[1])


def test_an_empty_client_gets_one_sample_of_the_largest():
    # With a tiny alpha one client has nearly all samples of the only class.
    labels = np.zeros(50, dtype=int)
    for seed in range(10):
        parts = PARTITIONS["dirichlet"](alpha=1e-3)(labels, 6, seed)
        sizes = sorted(map(len, parts))
        assert sizes[0] == 1 and sum(sizes) == 50
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(50))
        assert all(np.array_equal(part, np.sort(part)) for part in parts)
        assert all(part.dtype == np.int64 for part in parts)


def test_dirichlet_proportions_have_the_moments_of_their_alpha():
    # A class's share at one of n clients is Beta(a, (n - 1) a): variance p (1 - p) / (n a + 1).
    labels = np.repeat(np.arange(10), 400)
    for alpha in (0.3, 5.0):
        shares = []
        for seed in range(30):
            counts = class_counts(labels, PARTITIONS["dirichlet"](alpha=alpha)(labels, 5, seed))
            shares.append(counts / 400)
        assert np.var(np.stack(shares)) == pytest.approx(0.2 * 0.8 / (5 * alpha + 1), rel=0.12)


def test_matched_samples_draw_a_stream_of_their_own_for_each_client():
    labels = np.zeros(90, dtype=int)
    parts = [np.arange(30), np.arange(30, 60), np.arange(60, 90)]
    first, second, third = matched_samples(parts, labels, np.zeros(60, dtype=int), 1)
    assert not np.array_equal(first, second) and not np.array_equal(second, third)
    # Where there are fewer test samples than clients, each still has one.
    assert [len(drawn) for drawn in matched_samples(parts, labels, labels[:2], 1)] == [1, 1, 1]
    # Of the classes 0 and 1 there are test samples of the second alone.
    labels = np.repeat([0, 1], [60, 30])
    (drawn,) = matched_samples([np.arange(90)], labels, np.ones(10, dtype=int), 1)
    assert len(drawn) == 10


def test_clients_by_group_are_the_largest_in_random_order():
    groups = np.repeat([7, 3, 5, 1], [10, 400, 90, 200])
    parts = PARTITIONS["by_group"]()(LABELS[:700], 3, 1, groups)
    assert sorted(len(part) for part in parts) == [90, 200, 400]
    assert all(len(np.unique(groups[part])) == 1 for part in parts)
    orders = {
        tuple(map(len, PARTITIONS["by_group"]()(LABELS[:700], 3, s, groups))) for s in range(9)
    }
    assert len(orders) > 1
    with pytest.raises(
        ConfigError, match="n_clients=5 is more than the 4 groups of the data set: must be"
    ):
        PARTITIONS["by_group"]()(LABELS[:700], 5, 1, groups)
    with pytest.raises(ConfigError, match="'by_group' needs data with groups"):
        PARTITIONS["by_group"]()(LABELS, 5, 1)


def test_holders_of_a_class_come_last():
    counts = class_counts(LABELS, PARTITIONS["classes_per_client"](last=1)(LABELS, 30, 1))
    holds = counts[:, 1] > 0
    assert holds.sum() == 6
    assert holds[-6:].all()


def test_removed_holders_leave_with_their_share():
    whole = PARTITIONS["classes_per_client"]()(LABELS, 30, 1)
    left = PARTITIONS["classes_per_client"](removed=4, removed_class=3)(LABELS, 26, 1)
    kept = {tuple(part) for part in whole}
    assert {tuple(part) for part in left} < kept
    counts = class_counts(LABELS, left)
    assert (counts[:, 3] > 0).sum() == 2
    none = PARTITIONS["classes_per_client"](removed=6, removed_class=3)(LABELS, 24, 1)
    assert not class_counts(LABELS, none)[:, 3].any()
    with pytest.raises(ConfigError, match=r"partition\.removed=7"):
        PARTITIONS["classes_per_client"](removed=7, removed_class=3)(LABELS, 23, 1)


def test_dirichlet_shares_have_the_spread_of_their_distribution():
    labels = np.repeat(np.arange(10), 1000)
    squares = []
    for seed in range(30):
        counts = class_counts(labels, PARTITIONS["dirichlet"](alpha=1.0)(labels, 10, seed))
        squares.append(np.square(counts / counts.sum(0)).sum(0).mean())
    # Of ten shares drawn from Dir(1), the squares sum to (1 + 1) / (10 + 1) on average.
    assert np.mean(squares) == pytest.approx(2 / 11, abs=0.01)


def test_the_smallest_alpha_still_draws_one_class_per_client():
    parts = PARTITIONS["dirichlet_per_client"](alpha=5e-324)(LABELS, 10, 1)
    assert ((class_counts(LABELS, parts) > 0).sum(1) == 1).all()


def test_chance_decides_which_classes_a_client_holds():
    firsts = {
        tuple(np.unique(LABELS[PARTITIONS["classes_per_client"]()(LABELS, 5, seed)[0]]))
        for seed in range(10)
    }
    assert len(firsts) > 5


def test_matched_samples_of_few_test_samples_or_none_of_a_class():
    labels, test_labels = np.repeat([0, 1, 2], 100), np.repeat([0, 1], [900, 100])
    alike = [np.arange(100), np.arange(100), np.arange(200, 300)]
    # There is at least one sample for each client.
    assert [len(drawn) for drawn in matched_samples(alike, labels, test_labels[:2], 1)] == [1] * 3
    first, second, without = matched_samples(alike, labels, test_labels, 1)
    assert not np.array_equal(first, second)
    # The last client trains on a class without test samples: all test samples count alike.
    assert (test_labels[without] == 0).mean() == pytest.approx(0.9, abs=0.06)
