"""The attacks: worked cases, what each is told, and bad input."""

import numpy as np
import pytest
import torch

from fedlib.attacks import ATTACKS, AttackContext, make_attack
from fedlib.attacks.alie import largest_z
from fedlib.validation import ConfigError


def benign_updates(n=20, d=30, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d))).to(dtype)


def send(name, updates, n_byzantine=5, context=None, **parameters):
    attack = ATTACKS[name](n_byzantine=n_byzantine, **parameters)
    state = attack.init(len(updates) + n_byzantine, updates.shape[1])
    return attack.apply(updates, state, context)[0]


def context_for(name, d=30, f=5):
    own = benign_updates(f, d, seed=9) if "own_updates" in ATTACKS[name].knows else None
    return AttackContext(own_updates=own)


@pytest.mark.parametrize("name", ATTACKS)
def test_shape_dtype_and_arguments_are_kept(name):
    updates, context = benign_updates(), context_for(name)
    before = updates.clone()
    own = None if context.own_updates is None else context.own_updates.clone()
    sent = send(name, updates, context=context)
    assert sent.shape == (5, 30)
    assert sent.dtype == updates.dtype
    assert torch.equal(updates, before)
    assert own is None or torch.equal(context.own_updates, own)


@pytest.mark.parametrize("name", ATTACKS)
def test_round_trip_through_its_dictionary(name):
    attack = ATTACKS[name](n_byzantine=3)
    assert make_attack(attack.to_dict()) == attack


def test_bit_flip_negates_own_updates_and_label_flip_and_none_send_them():
    context = context_for("bit_flip")
    updates = benign_updates()
    assert torch.equal(send("bit_flip", updates, context=context), -context.own_updates)
    for name in ("label_flip", "none"):
        assert torch.equal(send(name, updates, context=context), context.own_updates)


def test_label_flip_turns_the_labels_round():
    labels = torch.tensor([0, 3, 9])
    _, flipped = ATTACKS["label_flip"]().poison(torch.zeros(3, 1, 2, 2), labels, 10)
    assert flipped.tolist() == [9, 6, 0]
    assert labels.tolist() == [0, 3, 9]


def test_ipm_sends_the_negated_scaled_mean():
    updates = benign_updates()
    torch.testing.assert_close(send("ipm", updates)[2], -0.2 * updates.mean(0))


def test_alie_is_mean_minus_z_standard_deviations():
    updates = benign_updates()
    expected = updates.mean(0) - 0.5 * updates.std(0)
    torch.testing.assert_close(send("alie", updates, z=0.5)[0], expected)


def test_alie_z_of_25_clients_with_5_byzantine_is_that_of_the_authors_code():
    assert largest_z(25, 5) == pytest.approx(0.2533, abs=5e-5)


def test_alternating_alie_flips_its_sign_every_round():
    updates = benign_updates()
    attack = ATTACKS["alie"](n_byzantine=5, alternating=True)
    state = attack.init(25, 30)
    moves = []
    for _ in range(3):
        sent, state = attack.apply(updates, state)
        moves.append(sent[0] - updates.mean(0))
    torch.testing.assert_close(moves[1], -moves[0])
    torch.testing.assert_close(moves[2], moves[0])


def test_rop_by_hand():
    # Benign mean and last aggregate (3, 4): ones minus their projection (7 / 25) (3, 4) on it
    # is (4, -3) / 25, of length 1 after scaling: (0.8, -0.6).
    updates = torch.tensor([[3.0, 4.0]], dtype=torch.float64).repeat(4, 1)
    last = torch.tensor([3.0, 4.0], dtype=torch.float64)
    sent = send("rop", updates, 1, AttackContext(last_aggregate=last), z=2.0)
    torch.testing.assert_close(sent[0], last + torch.tensor([1.6, -1.2], dtype=torch.float64))


def test_rop_is_orthogonal_to_its_reference_and_of_length_z():
    updates, last = benign_updates(), benign_updates(1, 30, seed=5)[0]
    move = send("rop", updates, context=AttackContext(last_aggregate=last), z=1.5)[0] - last
    reference = 0.9 * last + 0.1 * updates.mean(0)
    assert move.norm().item() == pytest.approx(1.5)
    assert abs(float(move @ reference)) < 1e-10


def test_rop_angles():
    updates, last = benign_updates(), benign_updates(1, 30, seed=5)[0]
    context = AttackContext(last_aggregate=last)
    moves = {
        a: send("rop", updates, context=context, angle=a)[0] - last for a in (90.0, 270.0, 0.0)
    }
    torch.testing.assert_close(moves[270.0], -moves[90.0])
    reference = 0.9 * last + 0.1 * updates.mean(0)
    torch.testing.assert_close(moves[0.0], reference / reference.norm())


def test_rop_first_round_sits_at_the_benign_mean_or_at_zero():
    updates = benign_updates()
    move = send("rop", updates)[0] - updates.mean(0)
    assert move.norm().item() == pytest.approx(1)
    at_zero = send("rop", updates, first="zero")[0]
    assert at_zero.norm().item() == pytest.approx(1)


def test_rop_without_any_direction_stays_finite():
    assert torch.isfinite(send("rop", torch.zeros(4, 3), 1)).all()
    assert torch.isfinite(send("rop", torch.ones(4, 3), 1)).all()


def test_attacks_that_need_something_say_so():
    with pytest.raises(ConfigError, match=r"'bit_flip' needs context.own_updates"):
        send("bit_flip", benign_updates())
    with pytest.raises(ConfigError, match=r"'alie' needs benign updates"):
        ATTACKS["alie"](n_byzantine=5, z=1.0).apply(torch.zeros(0, 3))


def test_bad_values_are_named():
    with pytest.raises(ConfigError, match="'rop'"):
        ATTACKS["ropp"]
    with pytest.raises(ConfigError, match=r"attack.lam=2"):
        ATTACKS["rop"](lam=2.0)
    with pytest.raises(ConfigError, match=r"attack.n_byzantine=3 .* from 0 to 2"):
        ATTACKS["ipm"](n_byzantine=3).init(3, 10)
    with pytest.raises(ConfigError, match=r"attack.z=None .* minority"):
        ATTACKS["alie"](n_byzantine=7).init(10, 10)
