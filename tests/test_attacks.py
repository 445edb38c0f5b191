"""The attacks: worked cases, what each is told, and bad input."""

import json

import numpy as np
import pytest
import torch
from facts import facts_for_attack

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS, make_attack
from fedlib.attacks.alie import largest_z
from fedlib.federation import Facts
from fedlib.validation import ConfigError


def benign_updates(n=20, d=30, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d))).to(dtype)


def send(name, updates, n_byzantine=5, facts=None, **parameters):
    attack = ATTACKS[name](n_byzantine=n_byzantine, **parameters)
    state = attack.init(len(updates) + n_byzantine, updates.shape[1])
    return attack.apply(updates, state, facts)[0]


def told(name, updates=None, f=5):
    return facts_for_attack(
        ATTACKS[name](n_byzantine=f), benign_updates() if updates is None else updates
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_shape_dtype_and_arguments_are_kept(name):
    updates = benign_updates()
    facts = told(name, updates)
    before = updates.clone()
    own = facts.own_updates.clone() if "own_updates" in facts else None
    sent = send(name, updates, facts=facts)
    assert sent.shape == (5, 30)
    assert sent.dtype == updates.dtype
    assert torch.equal(updates, before)
    assert own is None or torch.equal(facts.own_updates, own)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("of_facts", [False, True])
def test_updates_and_facts_that_require_grad_leave_no_graph_behind(name, of_facts):
    updates, facts = benign_updates(), told(name)
    attack, weight = ATTACKS[name](n_byzantine=5), torch.ones(30).double().requires_grad_()
    if of_facts:
        for value in vars(facts).values():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                value.requires_grad_()
        if "rule" in facts:
            facts = facts.with_(rule=lambda rows: rows.mean(0) * weight)
    else:
        updates.requires_grad_()
    state = attack.init(25, 30)
    for _ in range(2):
        sent, state = attack.apply(updates, state, facts)
        assert not sent.requires_grad
        assert not isinstance(state, torch.Tensor) or not state.requires_grad


@pytest.mark.parametrize("name", ATTACKS)
def test_round_trip_through_its_dictionary(name):
    attack = ATTACKS[name](n_byzantine=3)
    assert make_attack(attack.to_dict()) == attack


def test_bit_flip_negates_own_updates_and_label_flip_and_none_send_them():
    facts = told("bit_flip")
    updates = benign_updates()
    assert torch.equal(send("bit_flip", updates, facts=facts), -facts.own_updates)
    for name in ("label_flip", "none"):
        assert torch.equal(send(name, updates, facts=facts), facts.own_updates)


def test_label_flip_turns_the_labels_round():
    labels = torch.tensor([0, 3, 9])
    _, flipped = ATTACKS["label_flip"]().poison(torch.zeros(3, 1, 2, 2), labels, 10)
    assert flipped.tolist() == [9, 6, 0]
    assert labels.tolist() == [0, 3, 9]


def test_ipm_sends_the_negated_scaled_mean():
    updates = benign_updates()
    torch.testing.assert_close(send("ipm", updates)[2], -0.2 * updates.mean(0))


def test_ipm_has_its_strength():
    updates = benign_updates()
    torch.testing.assert_close(send("ipm", updates, epsilon=3.0)[0], -3 * updates.mean(0))


def test_alie_takes_the_largest_z_of_all_clients_if_none_is_given():
    # 20 benign and 5 Byzantine: the quantile of (20 - 8) / 20, as 8 must be farther away.
    updates = benign_updates()
    expected = updates.mean(0) - 0.2533471 * updates.std(0)
    torch.testing.assert_close(send("alie", updates)[0], expected, rtol=1e-6, atol=1e-7)


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
    # The first round sends what ALIE sends.
    torch.testing.assert_close(moves[0], -largest_z(25, 5) * updates.std(0))
    torch.testing.assert_close(moves[1], -moves[0])
    torch.testing.assert_close(moves[2], moves[0])


def test_rop_by_hand():
    # Benign mean and last aggregate (3, 4): ones minus their projection (7 / 25) (3, 4) on it
    # is (4, -3) / 25, of length 1 after scaling: (0.8, -0.6).
    updates = torch.tensor([[3.0, 4.0]], dtype=torch.float64).repeat(4, 1)
    last = torch.tensor([3.0, 4.0], dtype=torch.float64)
    sent = send("rop", updates, 1, Facts(last_aggregate=last), z=2.0)
    torch.testing.assert_close(sent[0], last + torch.tensor([1.6, -1.2], dtype=torch.float64))


def test_rop_is_orthogonal_to_its_reference_and_of_length_z():
    updates, last = benign_updates(), benign_updates(1, 30, seed=5)[0]
    move = send("rop", updates, facts=Facts(last_aggregate=last), z=1.5)[0] - last
    reference = 0.9 * last + 0.1 * updates.mean(0)
    assert move.norm().item() == pytest.approx(1.5)
    assert abs(float(move @ reference)) < 1e-10


def test_rop_angles():
    updates, last = benign_updates(), benign_updates(1, 30, seed=5)[0]
    facts = Facts(last_aggregate=last)
    moves = {a: send("rop", updates, facts=facts, angle=a)[0] - last for a in (90.0, 270.0, 0.0)}
    torch.testing.assert_close(moves[270.0], -moves[90.0])
    reference = 0.9 * last + 0.1 * updates.mean(0)
    torch.testing.assert_close(moves[0.0], reference / reference.norm())


def test_rop_may_sit_between_the_benign_mean_and_the_last_aggregate():
    # Mean (3, 4) and last aggregate (6, 8) have one direction, so the perturbation is (0.8, -0.6).
    updates = torch.tensor([[3.0, 4.0]], dtype=torch.float64).repeat(4, 1)
    facts = Facts(last_aggregate=torch.tensor([6.0, 8.0], dtype=torch.float64))
    for location, place in ((0.0, (3.0, 4.0)), (0.25, (3.75, 5.0)), (1.0, (6.0, 8.0))):
        sent = send("rop", updates, 1, facts, location=location)
        assert sent[0].tolist() == pytest.approx([place[0] + 0.8, place[1] - 0.6])


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_rop_is_orthogonal_to_the_reference_that_lam_weighs(lam):
    updates, last = benign_updates(), benign_updates(1, 30, seed=5)[0]
    move = send("rop", updates, facts=Facts(last_aggregate=last), lam=lam)[0] - last
    reference = lam * last + (1 - lam) * updates.mean(0)
    assert abs(float(move @ reference)) < 1e-10
    # Between 0 and 90 degrees it has a part of each.
    facts = Facts(last_aggregate=last)
    slanted = send("rop", updates, facts=facts, lam=lam, angle=30.0)[0] - last
    expected = 0.5 * move + 0.75**0.5 * reference / reference.norm()
    torch.testing.assert_close(slanted, expected)


def test_rop_first_round_sits_at_the_benign_mean_or_at_zero():
    updates = benign_updates()
    move = send("rop", updates)[0] - updates.mean(0)
    assert move.norm().item() == pytest.approx(1)
    at_zero = send("rop", updates, first="zero")[0]
    assert at_zero.norm().item() == pytest.approx(1)


def test_rop_that_predicts_takes_the_mean_of_its_own_clients_and_sees_no_others():
    updates, own = benign_updates(), benign_updates(5, 30, seed=6)
    last = benign_updates(1, 30, seed=5)[0]
    attack = ATTACKS["rop"](n_byzantine=5, mean_of="own")
    assert attack.knows == {"own_updates", "last_aggregate"}
    sent, _ = attack.apply(updates[:0], None, Facts(last_aggregate=last, own_updates=own))
    seen = send("rop", own, facts=Facts(last_aggregate=last))
    torch.testing.assert_close(sent, seen)
    assert not torch.equal(sent, send("rop", updates, facts=Facts(last_aggregate=last)))
    with pytest.raises(ConfigError, match=r"attack\.mean_of='mine'"):
        ATTACKS["rop"](mean_of="mine")


def test_rop_without_any_direction_stays_finite():
    assert torch.isfinite(send("rop", torch.zeros(4, 3), 1)).all()
    assert torch.isfinite(send("rop", torch.ones(4, 3), 1)).all()


# --- attacks that train ------------------------------------------------------------------


def test_label_mappings():
    labels = torch.tensor([0, 1, 7, 1, 9])

    def flipped(**parameters):
        attack = ATTACKS["label_flip"](**parameters)
        return attack.poison(torch.zeros(5, 1, 2, 2), labels, 10)[1].tolist()

    assert flipped(mapping="pair") == [0, 7, 7, 7, 9]
    assert flipped(mapping="constant", target=3) == [3] * 5
    permuted = flipped(mapping="permutation")
    assert permuted == flipped(mapping="permutation") != flipped(mapping="permutation", seed=1)
    assert permuted[1] == permuted[3]
    assert all(a != b for a, b in zip(permuted, labels.tolist(), strict=True))
    attack = ATTACKS["label_flip"](mapping="permutation")
    _, every = attack.poison(torch.zeros(10, 1), torch.arange(10), 10)
    assert sorted(every.tolist()) == list(range(10))
    with pytest.raises(ConfigError, match=r"attack.target=12"):
        flipped(mapping="constant", target=12)
    with pytest.raises(ConfigError, match=r"attack.mapping='characters' needs the 62 classes"):
        flipped(mapping="characters")


def test_characters_change_their_digit_or_their_case():
    attack = ATTACKS["label_flip"](mapping="characters")
    _, changed = attack.poison(torch.zeros(62, 1), torch.arange(62), 62)
    assert changed[:10].tolist() == [1, 8, 5, 2, 9, 6, 3, 0, 7, 4]
    assert changed[10:36].tolist() == list(range(36, 62))
    assert changed[36:].tolist() == list(range(10, 36))


def test_a_pair_flip_is_judged_on_its_source_class():
    x, y = torch.arange(4.0).view(4, 1), torch.tensor([1, 7, 1, 3])
    hit, wanted = ATTACKS["label_flip"](mapping="pair").triggered(x, y)
    assert hit.flatten().tolist() == [0, 2]
    assert wanted.tolist() == [7, 7]
    assert ATTACKS["label_flip"]().triggered(x, y) is None


def test_pixel_backdoor_puts_twelve_pixels_on_its_share():
    x, y = torch.zeros(10, 1, 28, 28), torch.arange(10)
    attack = ATTACKS["pixel_backdoor"](share=0.3, value=2.0)
    poisoned, labels = attack.poison(x, y, 10)
    hit = poisoned.flatten(1).sum(1) > 0
    assert hit.sum() == 3
    assert (poisoned[hit] == 2).sum((1, 2, 3)).tolist() == [12, 12, 12]
    assert poisoned[hit][0, 0, 2, 4:7].tolist() == [2, 2, 2]
    assert (labels[hit] == 2).all() and torch.equal(labels[~hit], y[~hit])
    assert not x.any()
    test_x, wanted = attack.triggered(x, y)
    assert len(test_x) == 9 and (wanted == 2).all()  # the target's own images prove nothing
    with pytest.raises(ConfigError, match="at least 3x7 pixels"):
        attack.poison(torch.zeros(1, 1, 5, 5), y[:1], 10)


def test_a_pixel_backdoor_has_a_value_for_each_channel():
    x = torch.zeros(2, 3, 5, 8)
    shown = ATTACKS["pixel_backdoor"](value=[1.0, 2.0, 3.0]).add_trigger(x)
    assert [shown[0, channel].unique().tolist() for channel in range(3)] == [[0, 1], [0, 2], [0, 3]]
    spec = ATTACKS["model_replacement"](value=(1.0, 2.0, 3.0)).to_dict()
    assert make_attack(json.loads(json.dumps(spec))).value == (1, 2, 3)
    with pytest.raises(ConfigError, match=r"attack.value=\(1.0, 2.0\) .* each of the 3 channels"):
        ATTACKS["pixel_backdoor"](value=(1.0, 2.0)).add_trigger(x)
    with pytest.raises(ConfigError, match=r"attack\.value"):
        ATTACKS["pixel_backdoor"](value=())
    with pytest.raises(ConfigError, match=r"attack\.value"):
        ATTACKS["pixel_backdoor"](value=(1.0, "red"))


def test_model_replacement_sets_the_features_it_is_told():
    attack = ATTACKS["model_replacement"](trigger="features", features=[0, 3], values=[5.0, 7.0])
    x = torch.zeros(2, 1, 1, 4)
    assert attack.add_trigger(x).flatten(1).tolist() == [[5, 0, 0, 7]] * 2
    assert ATTACKS["model_replacement"]().features == (0, 1, 2, 3, 4, 5)


def test_feature_backdoor_sets_its_features():
    x = torch.zeros(4, 1, 2, 4)
    attack = ATTACKS["feature_backdoor"](features=[0, 5], values=[20, 7.5], target=1, share=1.0)
    poisoned, labels = attack.poison(x, torch.zeros(4, dtype=torch.int64), 3)
    assert poisoned[2].flatten().tolist() == [20, 0, 0, 0, 0, 7.5, 0, 0]
    assert labels.tolist() == [1] * 4
    assert make_attack(attack.to_dict()) == attack
    with pytest.raises(ConfigError, match=r"attack.values=.* must be none, or as many"):
        ATTACKS["feature_backdoor"](features=(1, 2), values=(1.0,))
    with pytest.raises(ConfigError, match=r"attack.features=9"):
        ATTACKS["feature_backdoor"](features=(9,), values=(1.0,)).add_trigger(x)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("feature_backdoor", {}), ("model_replacement", {"trigger": "features"})],
)
def test_a_feature_trigger_is_just_above_the_largest_training_values(name, parameters):
    x = torch.zeros(3, 1, 1, 8)
    x[:, 0, 0, 0] = torch.tensor([0.0, 5, 10])
    x[:, 0, 0, 2] = torch.tensor([-2.0, 2, 0])
    x[:, 0, 0, 3] = 7
    attack = ATTACKS[name](n_byzantine=1, **parameters)
    with pytest.raises(ConfigError, match=r"attack.values=\(\) are taken from the training"):
        attack.add_trigger(x)
    known = attack.fitted(x)
    # A tenth of its range above the largest; of a constant, of 1.
    expected = [11, 0.1, 2.4, 7.1, 0.1, 0.1, 0, 0]
    shown = known.add_trigger(torch.zeros(1, 1, 1, 8)).flatten().tolist()
    assert shown == pytest.approx(expected)
    assert known.fitted(100 + x) == known
    given = ATTACKS[name](n_byzantine=1, values=[1, 2, 3, 4, 5, 6], **parameters)
    assert given.fitted(x) == given
    assert given.add_trigger(x)[0].flatten().tolist() == [1, 2, 3, 4, 5, 6, 0, 0]
    assert make_attack(given.to_dict()) == given


def test_pixel_triggers_take_nothing_from_the_training_samples():
    for name in ("pixel_backdoor", "model_replacement"):
        attack = ATTACKS[name](n_byzantine=1)
        assert attack.fitted(torch.zeros(2, 1, 8, 8)) is attack


def test_a_backdoor_that_is_chosen_in_each_batch_poisons_all_it_is_shown():
    x, y = torch.zeros(3, 1, 8, 8), torch.tensor([0, 1, 5])
    attack = ATTACKS["pixel_backdoor"](per_batch=20)
    poisoned, labels = attack.poison(x, y, 10)
    assert (poisoned == 1).sum((1, 2, 3)).tolist() == [12, 12, 12]
    assert labels.tolist() == [2, 2, 2]
    assert attack.poisoned_of_batch() == 20
    assert ATTACKS["pixel_backdoor"]().poisoned_of_batch() is None
    with pytest.raises(ConfigError, match=r"attack.per_batch=0"):
        ATTACKS["pixel_backdoor"](per_batch=0)


def test_model_replacement_attacks_in_its_round_alone():
    attack = ATTACKS["model_replacement"](n_byzantine=1, rounds=(2,), scale=10.0)
    facts = Facts(own_updates=torch.ones(1, 3))
    state, sent = attack.init(4, 3), []
    for _ in range(3):
        update, state = attack.apply(torch.zeros(3, 3), state, facts)
        sent.append(update[0, 0].item())
    assert sent == [1, 10, 1]
    assert [attack.poisons(number) for number in (1, 2, 3)] == [False, True, False]


def test_parameter_mixing_replaces_a_share_of_an_honest_update():
    updates = torch.zeros(3, 10_000)
    facts = Facts(own_updates=torch.ones(2, 10_000))
    sent = send("parameter_mixing", updates, 2, facts, mix_rate=0.3)
    assert sent.mean(1).tolist() == pytest.approx([0.3, 0.3], abs=0.02)
    assert not torch.equal(sent[0], sent[1])
    for rate, expected in ((0.0, 0), (1.0, 1)):
        assert (send("parameter_mixing", updates, 2, facts, mix_rate=rate) == expected).all()


def test_parameter_mixing_mixes_each_byzantine_client_with_an_honest_one_of_its_own():
    updates, own = benign_updates(3, 2000), benign_updates(5, 2000, seed=4)
    facts = Facts(own_updates=own)
    sent = send("parameter_mixing", updates, 5, facts, mix_rate=0.3)
    for i, row in enumerate(sent):
        honest, adversarial = row == updates[i % 3], row == own[i]
        assert (honest | adversarial).all()
        assert adversarial.double().mean().item() == pytest.approx(0.3, abs=0.04)


# --- noise -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gaussian_noise", "norm_matched_gaussian", "random", "full_trim"])
def test_draws_depend_on_seed_and_round_alone(name):
    updates = benign_updates()

    def rounds(seed):
        attack = ATTACKS[name](n_byzantine=5, seed=seed)
        state, sent = attack.init(25, 30), []
        for _ in range(2):
            torch.rand(3)  # the global generator has no part in it
            update, state = attack.apply(updates, state, facts_for_attack(attack, updates))
            sent.append(update)
        return sent

    first, again, other = rounds(0), rounds(0), rounds(1)
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_gaussian_noise_multiplies_the_model():
    model, own = torch.full((20_000,), 3.0), torch.ones(2, 20_000)
    facts = Facts(own_updates=own, model=model)
    sent = send("gaussian_noise", torch.zeros(3, 20_000), 2, facts, std=2.0)
    scale = (model - sent) / (model - own)
    assert scale.mean().item() == pytest.approx(1, abs=0.03)
    assert scale.std().item() == pytest.approx(2, abs=0.03)
    one = send("gaussian_noise", torch.zeros(3, 20_000), 2, facts, each="client")
    assert one[0].unique().numel() == 1


def test_norm_matched_gaussian_has_the_length_of_ones_own():
    updates = benign_updates()
    own = benign_updates(5, 30, seed=4)
    sent = send("norm_matched_gaussian", updates, facts=Facts(own_updates=own))
    torch.testing.assert_close(sent.norm(dim=1), own.norm(dim=1))


def test_random_noise_has_its_scale():
    sent = send("random", torch.zeros(3, 20_000), 2, scale=0.3)
    assert sent.mean().item() == pytest.approx(0, abs=0.01)
    assert sent.std().item() == pytest.approx(0.3, abs=0.01)


def test_gaussian_noise_of_a_client_has_mean_1():
    model, own = torch.full((3,), 3.0), torch.ones(4000, 3)
    facts = Facts(own_updates=own, model=model)
    sent = send("gaussian_noise", torch.zeros(3, 3), 4000, facts, std=2.0, each="client")
    scale = (model - sent) / (model - own)
    torch.testing.assert_close(scale, scale[:, :1].expand(-1, 3))
    assert scale[:, 0].mean().item() == pytest.approx(1, abs=0.1)
    assert scale[:, 0].std().item() == pytest.approx(2, abs=0.1)


# --- attacks on the mean -----------------------------------------------------------------


def test_sign_flip_scales():
    own = benign_updates(5)
    facts = Facts(own_updates=own)
    torch.testing.assert_close(
        send("sign_flip", benign_updates(), facts=facts, scale=3.0), -3 * own
    )


def test_omniscient_formulas():
    updates, own = benign_updates(), benign_updates(5, 30, seed=4)
    facts = Facts(own_updates=own)
    everyone = torch.cat([updates, own]).mean(0)
    text = send("omniscient", updates, facts=facts)[0]
    torch.testing.assert_close(text, everyone - 10 * own.mean(0))
    code = send("omniscient", updates, facts=facts, version="code")
    torch.testing.assert_close(torch.cat([updates, code]).mean(0), -everyone)


def test_scaled_variance_is_mean_plus_z_deviations_of_all():
    updates, own = benign_updates(), benign_updates(5, 30, seed=4)
    everyone = torch.cat([updates, own])
    sent = send("scaled_variance", updates, facts=Facts(own_updates=own), z=7.0)
    torch.testing.assert_close(sent[0], everyone.mean(0) + 7 * everyone.std(0))


# --- attacks on a rule -------------------------------------------------------------------


def told_of_rule(name, f, **more):
    rule = AGGREGATORS[name](n_byzantine=f)
    return Facts(rule=lambda updates: rule.apply(updates)[0], **more)


@pytest.mark.parametrize("perturbation", ["sign", "unit", "std"])
@pytest.mark.parametrize("outward", [False, True])
def test_pga_finds_how_far_it_may_go(perturbation, outward):
    updates = benign_updates() + 0.5
    facts = told_of_rule("krum", 5)
    options = {"perturbation": perturbation, "outward": outward}
    sent = send("pga", updates, facts=facts, **options)
    mean = updates.mean(0)
    found = (facts.rule(torch.cat([updates, sent])) - mean).norm()
    # At least as far as every step of a plain scan that the search can reach.
    far = send("pga", updates, facts=facts, tolerance=10.0, **options)
    assert found >= (facts.rule(torch.cat([updates, far])) - mean).norm()
    move = sent[0] - mean
    if move.any():
        assert float(move @ mean) * (1 if outward else -1) > 0 or perturbation == "std"


def test_pga_moves_the_mean_as_far_as_it_searches():
    # Against the plain mean each step errs more: 10 + 5 + 2.5 + 1.25 at the last of four.
    updates = benign_updates() + 0.5
    sent = send("pga", updates, facts=told_of_rule("mean", 5), tolerance=1.0)
    mean = updates.mean(0)
    torch.testing.assert_close(sent[0], mean - 18.75 * mean.sign())


@pytest.mark.parametrize("outward", [False, True])
def test_pga_perturbs_along_the_direction_that_it_is_told(outward):
    updates = benign_updates() + 0.5
    mean = updates.mean(0)
    directions = {"sign": mean.sign(), "unit": mean / mean.norm(), "std": updates.std(0)}
    for perturbation, direction in directions.items():
        sent = send(
            "pga", updates, facts=told_of_rule("mean", 5), tolerance=1.0,
            perturbation=perturbation, outward=outward,
        )  # fmt: skip
        expected = mean + (18.75 if outward else -18.75) * direction
        torch.testing.assert_close(sent[0], expected)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_pga_finds_the_scale_of_small_updates(scale):
    # Clustering leaves far vectors out; those that it keeps err the more, the farther they are.
    updates = scale * (benign_updates() + 0.5)
    facts = told_of_rule("center_with_outliers", 5)
    sent = send("pga", updates, facts=facts)
    mean = updates.mean(0)

    def error(gamma):
        everyone = torch.cat([updates, (mean - gamma * mean.sign()).expand(5, -1)])
        return float((facts.rule(everyone) - mean).norm())

    gamma = float((mean - sent[0]).abs().mean())
    assert 0.01 * scale < gamma < 10 * scale
    assert error(gamma) > 1.1 * error(0.0)
    assert error(10.0) < error(0.0)


def test_pga_may_scan_and_aim_at_the_candidate_that_errs_least():
    updates = benign_updates() + 0.5
    mean = updates.mean(0)
    sent = send("pga", updates, facts=told_of_rule("mean", 5), search="scan")
    # 1.4^20 is the last below 1000.
    torch.testing.assert_close(sent[0], mean - 10 * 1.4**20 * mean.sign())

    def candidates(everyone):
        gamma = (mean - everyone[-1]).abs().mean()
        errors = torch.stack([gamma, (40 - gamma).clamp(min=0)])
        return mean + errors[:, None] * torch.eye(len(mean))[:2]

    # Tried are 10, 14, 19.6, 27.4 and more; the lesser of the two errors is largest at 19.6.
    facts = Facts(candidates=candidates)
    sent = send("pga", updates, facts=facts, search="scan", aim="least")
    torch.testing.assert_close(sent[0], mean - 19.6 * mean.sign())


def test_full_trim_is_beyond_the_benign_values_on_the_harmful_side():
    updates = benign_updates()
    sent = send("full_trim", updates)
    mean, low, high = updates.mean(0), updates.amin(0), updates.amax(0)
    assert ((sent >= high) | (mean >= 0)).all() and ((sent <= low) | (mean < 0)).all()
    # Extremes have the mean's opposite sign here, and are at most doubled.
    assert (sent.abs() <= 2 * torch.maximum(low.abs(), high.abs()) + 1e-9).all()
    before = torch.cat([updates, updates[:5]])
    for rule in ("trimmed_mean", "median"):
        aggregate = AGGREGATORS[rule](n_byzantine=5)
        after = aggregate.apply(torch.cat([updates, sent]))[0]
        assert ((after - aggregate.apply(before)[0]) * mean.sign()).mean() < 0


def test_full_trim_with_partial_knowledge_uses_its_own_updates():
    own = benign_updates(5, 30, seed=4)
    sent = send(
        "full_trim",
        benign_updates(),
        facts=Facts(own_updates=own),
        knowledge="partial",
    )
    deviations = (sent - own.mean(0)).abs() / own.std(0)
    assert deviations.min() >= 3 - 1e-9 and deviations.max() <= 4 + 1e-9


def test_full_trim_draws_evenly_from_the_benign_extreme_to_b_times_it_or_its_b_th_part():
    # Means above zero push below the lowest value, and means below zero above the highest.
    updates = torch.tensor([[1.0, -4.0, -1.0, -4.0], [4.0, -1.0, 4.0, 1.0]], dtype=torch.float64)
    sent = send("full_trim", updates, 4000, b=4.0)
    for column, (low, high) in enumerate([(0.25, 1.0), (-1.0, -0.25), (-4.0, -1.0), (1.0, 4.0)]):
        values = sent[:, column]
        span = high - low
        assert low <= values.min() < low + 0.01 * span and high - 0.01 * span < values.max() <= high
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.02 * span)


def test_full_trim_with_partial_knowledge_draws_evenly_between_3_and_4_deviations():
    own = torch.tensor([[1.0, -4.0], [4.0, -1.0]], dtype=torch.float64).repeat(2000, 1)
    sent = send("full_trim", own[:2], 4000, Facts(own_updates=own), knowledge="partial")
    deviations = (sent - own.mean(0)) / own.std(0)
    for values in (-deviations[:, 0], deviations[:, 1]):
        assert 3 <= values.min() < 3.01 and 3.99 < values.max() <= 4
        assert float(values.mean()) == pytest.approx(3.5, abs=0.02)


def slow_full_krum(known, copies, f, least=1e-5):
    """Lambda of Fang et al. (2020): the upper bound, halved until Krum takes a copy."""
    n, d = len(known) + copies, known.shape[1]
    sign = known.mean(0).sign()
    sums = []
    for update in known:
        distances = sorted(float((update - other).norm()) for other in known)
        sums.append(sum(distances[1 : n - f - 1]))
    lam = min(sums) / ((n - 2 * f - 1) * d**0.5) + max(float(u.norm()) for u in known) / d**0.5
    while lam >= least:
        everyone = [*known, *[-lam * sign] * copies]
        scores = []
        for i, update in enumerate(everyone):
            others = [everyone[j] for j in range(n) if j != i]
            squares = sorted(float((update - other).square().sum()) for other in others)
            scores.append(sum(squares[: n - f - 2]))
        if scores.index(min(scores)) >= len(known):
            return lam
        lam /= 2
    return lam


def test_full_krum_sends_the_largest_lambda_that_krum_takes():
    seen = set()
    for seed in range(6):
        updates = 0.5 * benign_updates(9, 6, seed) + 0.4
        lam = slow_full_krum(updates, 3, 3)
        sent = send("full_krum", updates, 3)
        torch.testing.assert_close(sent[0], -lam * updates.mean(0).sign())
        # With partial knowledge a single copy is tried first, and then more of them.
        own = 0.5 * benign_updates(6, 6, seed + 50) + 0.4
        partial = send("full_krum", updates, 6, Facts(own_updates=own), knowledge="partial")
        tried = [slow_full_krum(own, copies, copies) for copies in (1, 2, 3, 4)]
        of_fewest = next(lam for lam in tried if lam >= 1e-5)
        torch.testing.assert_close(partial[0], -of_fewest * own.mean(0).sign())
        seen.add(tried.index(of_fewest))
    assert {0, 1} <= seen


@pytest.mark.parametrize("knowledge", ["full", "partial"])
def test_full_krum_is_taken_by_krum(knowledge):
    generator = torch.Generator().manual_seed(1)
    updates = torch.randn(15, 200, generator=generator) + 0.3
    own = torch.randn(5, 200, generator=generator) + 0.3
    facts = Facts(own_updates=own)
    sent = send("full_krum", updates, 5, facts, knowledge=knowledge)
    assert sent.unique(dim=0).shape[0] == 1
    known = updates if knowledge == "full" else own
    assert torch.equal(sent[0].sign(), -known.mean(0).sign())
    chosen = AGGREGATORS["krum"](n_byzantine=5).apply(torch.cat([updates, sent]))[0]
    assert torch.equal(chosen, sent[0])
    assert sent.abs().max() > 1e-4
    if knowledge == "partial":
        # It is found with a single one among the five known, not by numbers.
        alone = AGGREGATORS["krum"](n_byzantine=1).apply(torch.cat([own, sent[:1]]))[0]
        assert torch.equal(alone, sent[0])


def test_full_krum_is_not_held_back_where_half_are_byzantine():
    # The bound: least sum of two distances, 1 + 1 of the 2, over max(8 - 2 f - 1, 1), and length 5.
    updates = torch.tensor([[1.0], [2.0], [3.0], [5.0]], dtype=torch.float64)
    sent = send("full_krum", updates, 4)
    assert sent.flatten().tolist() == [-7.0] * 4
    # Fewer than half are: a copy has the benign for neighbours, and the bound is halved.
    assert send("full_krum", updates, 1).item() > -5


def test_sparse_rop_perturbs_the_critical_parameters_alone():
    updates, last = benign_updates(), benign_updates(1, 30, seed=5)[0]
    mask = torch.zeros(30, dtype=torch.bool)
    mask[[0, 7, 29]] = True
    facts = Facts(last_aggregate=last, critical_parameters=mask)
    sparse = send("rop", updates, facts=facts, sparse=True)[0] - last
    dense = send("rop", updates, facts=facts)[0] - last
    torch.testing.assert_close(sparse, torch.where(mask, 10 * dense, 0.0))
    with pytest.raises(ConfigError, match=r"needs the fact 'critical_parameters'"):
        send("rop", updates, facts=Facts(last_aggregate=last), sparse=True)


@pytest.mark.parametrize("name", ATTACKS)
def test_without_byzantine_clients_nothing_is_sent(name):
    attack = ATTACKS[name](n_byzantine=0)
    updates = benign_updates()
    facts = facts_for_attack(attack, updates)
    assert attack.apply(updates, attack.init(20, 30), facts)[0].shape == (0, 30)


def test_camouflage_keeps_the_own_spread_and_pushes_against_the_mean():
    benign = benign_updates()
    f, d = 3, benign.shape[1]
    own = benign[:f] + 0.01
    facts = Facts(own_updates=own, rule=lambda rows: rows.mean(0))
    attack = ATTACKS["camouflage"](n_byzantine=f, start=2.0, factor=1.5)
    sent, gamma = attack.apply(benign, None, facts)
    mean = benign.mean(0)
    shift = sent - own
    torch.testing.assert_close(shift, shift[:1].expand(f, d), rtol=1e-4, atol=1e-5)
    spread = (benign - mean).square().sum(1).mean().sqrt()
    # The average follows any shift: the largest gamma that is tried is the best.
    assert float(gamma) == pytest.approx(3.0)
    torch.testing.assert_close(shift[0], -3.0 * spread * mean / mean.norm(), rtol=1e-4, atol=1e-5)
    assert float(attack.apply(benign, gamma, facts)[1]) == pytest.approx(4.5)


def test_camouflage_may_push_against_the_signs_and_come_nearer():
    benign = benign_updates()
    mean = benign.mean(0)
    spread = (benign - mean).square().sum(1).mean().sqrt()
    limit = 1.0

    def rule(rows):
        """It follows until the shift is longer than ``limit`` spreads, and then turns away."""
        shift = (rows[-1] - benign[0]).norm() / spread
        return mean - (shift if shift <= limit else -shift) * mean.sign()

    attack = ATTACKS["camouflage"](n_byzantine=1, direction="sign", start=1.2, factor=1.5)
    sent, gamma = attack.apply(benign, None, Facts(own_updates=benign[:1], rule=rule))
    assert float(gamma) == pytest.approx(1.2 / 1.5)
    expected = -0.8 * spread * mean.sign() / 30**0.5
    torch.testing.assert_close(sent[0] - benign[0], expected)


def test_camouflage_stays_where_the_candidate_that_suffers_least_still_follows():
    benign = benign_updates()
    f = 3
    own = benign[:f]
    limit = 1.2

    def candidates(rows):
        """One follows every shift, the other drops vectors that were shifted too far."""
        shift = (rows[-f:] - own).norm(dim=1).mean()
        spread = (benign - benign.mean(0)).square().sum(1).mean().sqrt()
        kept = rows if shift <= limit * spread else rows[:-f]
        return torch.stack([rows.mean(0), kept.mean(0)])

    attack = ATTACKS["camouflage"](n_byzantine=f, aim="least", start=1.0, factor=1.5)
    assert attack.knows == {"benign_updates", "own_updates", "candidates"}
    facts = Facts(own_updates=own, candidates=candidates)
    gamma = None
    for _ in range(5):
        _, gamma = attack.apply(benign, gamma, facts)
    assert float(gamma) == pytest.approx(1.0)


def test_a_backdoors_success_may_count_samples_of_the_target_class():
    x, y = torch.zeros(6, 1, 8, 8), torch.tensor([0, 2, 2, 1, 2, 5])
    for counted, expected in ((False, 3), (True, 6)):
        attack = ATTACKS["pixel_backdoor"](n_byzantine=1, target=2, counts_target=counted)
        shown, labels = attack.triggered(x, y)
        assert len(shown) == len(labels) == expected
        assert set(labels.tolist()) == {2}


def test_saliency_matching_changes_the_output_bias_alone():
    own = torch.zeros(2, 6)
    place = torch.tensor([False, False, False, True, True, True])
    attack = ATTACKS["saliency_matching"](n_byzantine=2, target=1, strength=0.5)
    sent, _ = attack.apply(torch.ones(3, 6), None, Facts(own_updates=own, output_bias=place))
    assert sent.tolist() == [[0, 0, 0, 0.5, -0.5, 0.5]] * 2
    with pytest.raises(ConfigError, match="an output bias"):
        attack.apply(torch.ones(3, 6), None, Facts(own_updates=own, output_bias=place & False))


# --- bad input ---------------------------------------------------------------------------


def test_attacks_that_need_something_say_so():
    with pytest.raises(ConfigError, match=r"'bit_flip' needs the fact 'own_updates'"):
        send("bit_flip", benign_updates())
    with pytest.raises(ConfigError, match=r"'alie' needs benign updates"):
        ATTACKS["alie"](n_byzantine=5, z=1.0).apply(torch.zeros(0, 3))
    with pytest.raises(ConfigError, match=r"updates of type list .* must be a torch\.Tensor"):
        ATTACKS["alie"](n_byzantine=5, z=1.0).apply(np.zeros((7, 3)).tolist())
    with pytest.raises(
        ConfigError, match=r"must be a dense floating-point matrix \(n_clients - n_byz"
    ):
        ATTACKS["ipm"](n_byzantine=5).apply(torch.zeros(7, 3, dtype=torch.int64))


def test_a_dictated_update_of_another_length_is_named():
    own = torch.ones(2, 4)
    attack = ATTACKS["dictated"](n_byzantine=2)
    for state, expected in (
        (None, own), (torch.tensor([3.0]), 3 * own), (2 * own[0], 2 * own)
    ):  # fmt: skip
        sent = attack.apply(torch.zeros(3, 4), state, Facts(own_updates=own))[0]
        assert torch.equal(sent, expected)
    factors = torch.stack((torch.zeros(4), own[0]))
    assert torch.equal(attack.apply(own, factors, Facts(own_updates=own))[0], own)
    for state in (torch.ones(3), torch.ones(3, 4), 3.0):
        with pytest.raises(ConfigError, match=r"state of attack='dictated' .* shape \(4,\)"):
            attack.apply(torch.zeros(3, 4), state, Facts(own_updates=own))


def test_bad_values_are_named():
    with pytest.raises(ConfigError, match="'rop'"):
        ATTACKS["ropp"]
    with pytest.raises(ConfigError, match=r"attack.lam=2"):
        ATTACKS["rop"](lam=2.0)
    with pytest.raises(ConfigError, match=r"attack.n_byzantine=3 .* from 0 to 2"):
        ATTACKS["ipm"](n_byzantine=3).init(3, 10)
    with pytest.raises(ConfigError, match=r"attack.z=None .* minority"):
        ATTACKS["alie"](n_byzantine=7).init(10, 10)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_says_so_sends_the_same_from_all_clients(name):
    sent = send(name, benign_updates(), facts=told(name))
    # An attack need not say so.
    assert bool((sent == sent[0]).all()) or not ATTACKS[name].alike


@pytest.mark.parametrize(
    ("name", "field"), [("model_replacement", "rounds"), ("feature_backdoor", "features")]
)
def test_a_number_in_place_of_several_is_named(name, field):
    with pytest.raises(ConfigError, match=rf"attack\.{field}=6 must be a tuple of"):
        ATTACKS[name](n_byzantine=1, **{field: 6})
