"""Batches: what a client sees, and in which order."""

from itertools import pairwise

import numpy as np

from fedlib.data.batches import Batches


def test_a_shuffled_client_sees_each_sample_once_before_any_twice():
    share = np.array([3, 5, 7, 11])
    batches = Batches([share], seed=1)
    drawn = np.concatenate([batches.draw([0], 3, "shuffle")[0] for _ in range(4)])
    for start in (0, 4, 8):
        assert sorted(drawn[start : start + 4]) == [3, 5, 7, 11]


def test_fresh_batches_start_a_new_order_every_round():
    share = np.array([3, 5, 7, 11])
    batches = Batches([share, share[:2]], seed=1)
    drawn = [batches.draw([0], 3, "fresh")[0] for _ in range(200)]
    assert all(len(set(batch)) == 3 for batch in drawn)
    # Each sample is left out of a round at random: three may be drawn again at once.
    left_out = [(set(share) - set(batch)).pop() for batch in drawn]
    assert set(left_out) == set(share)
    assert any(a == b for a, b in pairwise(left_out))
    # Shuffled passes draw what was left out in the very next round.
    passes = Batches([share], seed=1)
    first, second = (passes.draw([0], 3, "shuffle")[0] for _ in range(2))
    assert (set(share) - set(first)).pop() in second
    # Two samples fill a batch of three: one pass, and the start of another.
    assert sorted(batches.draw([1], 3, "fresh")[0][:2]) == [3, 5]


def test_epochs_pad_the_smaller_clients():
    batches = Batches([np.arange(5), np.array([9])], seed=1)
    schedule = batches.draw_epochs([0, 1], 2, 3)
    assert schedule.shape == (2, 9, 2)
    assert sorted(schedule[0, :3][schedule[0, :3] >= 0]) == [0, 1, 2, 3, 4]
    assert (schedule[1] == 9).sum() == 3
    assert (schedule[1] == -1).sum() == 15


def test_every_client_and_every_purpose_has_a_random_stream_of_its_own():
    share = np.arange(100)
    batches = Batches([share, share], seed=1)
    first, second = batches.draw([0, 1], 100, "shuffle")
    assert not np.array_equal(first, second)
    alone = Batches([share, share], seed=1).draw([1], 100, "shuffle")[0]
    assert np.array_equal(alone, second)  # whatever the other client does
    for other in (Batches([share], seed=2), Batches([share], seed=1, purpose="server")):
        assert not np.array_equal(other.draw([0], 100, "shuffle")[0], first)


def test_batches_are_of_the_clients_that_are_asked_for():
    batches = Batches([np.array([3]), np.array([5]), np.array([7])], seed=1)
    for sampling in ("replacement", "fresh", "shuffle"):
        assert batches.draw([2, 0], 2, sampling).tolist() == [[7, 7], [3, 3]]
    assert batches.draw_epochs([2, 1], 1, 2).tolist() == [[[7], [7]], [[5], [5]]]


def test_samples_drawn_with_replacement_are_independent():
    drawn = Batches([np.array([3, 5, 7])], seed=1).draw([0], 3000, "replacement")[0]
    assert np.abs(np.bincount(drawn)[[3, 5, 7]] - 1000).max() < 100
    # Each sample follows itself as often as it follows another one.
    assert abs((drawn[1:] == drawn[:-1]).mean() - 1 / 3) < 0.03


def test_every_pass_has_an_order_of_its_own():
    first, second = Batches([np.arange(50)], seed=1).draw_epochs([0], 50, 2)[0]
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(50))
