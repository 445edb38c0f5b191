"""Updates that other libraries made: read by protocol, answered in kind."""

import json
import sys
import types

import numpy as np
import pandas
import pytest
import torch
from facts import facts_for_attack, facts_for_rule

import fedlib
from fedlib.aggregators import AGGREGATORS, aggregate
from fedlib.arrays import as_tensor, in_kind
from fedlib.attacks import ATTACKS
from fedlib.federation import Facts
from fedlib.validation import ConfigError

UPDATES = np.array(
    [[1.0, 2.0, 0.0], [1.5, 2.5, 1.0], [1.0, 2.5, 0.5], [2.0, 2.0, 0.0], [90, -90, 9]]
)


class Foreign:
    """An array of a made-up library, which gives and takes memory by DLPack alone."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, **options):
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()

    def __array_namespace__(self, api_version=None):
        return types.SimpleNamespace(from_dlpack=lambda other: Foreign(torch.from_dlpack(other)))


@pytest.mark.parametrize("name", sorted(AGGREGATORS))
def test_every_rule_answers_numpy_by_numpy_and_goes_on_with_its_state(name):
    rule = AGGREGATORS[name](n_byzantine=0)
    rows = np.random.default_rng(0).normal(size=(9, 6))
    tensor = torch.from_numpy(rows)
    facts = facts_for_rule(rule, tensor)
    mine = theirs = rule.init(9, 6)
    for _ in range(2):
        given, mine = rule.apply(rows, mine, facts)
        expected, theirs = rule.apply(tensor, theirs, facts)
        assert isinstance(given, np.ndarray) and given.dtype == np.float64
        np.testing.assert_array_equal(given, expected.numpy())


@pytest.mark.parametrize("name", sorted(set(ATTACKS) - {"feature_backdoor"}))
def test_every_attack_answers_numpy_by_numpy(name):
    attack = ATTACKS[name](n_byzantine=2)
    rows = np.random.default_rng(0).normal(size=(7, 6))
    told = facts_for_attack(attack, torch.from_numpy(rows))
    sent, _ = attack.apply(rows, attack.init(9, 6), told)
    assert isinstance(sent, np.ndarray) and sent.shape == (2, 6)
    expected, _ = attack.apply(torch.from_numpy(rows), attack.init(9, 6), told)
    np.testing.assert_array_equal(sent, expected.numpy())


def test_arrays_are_answered_by_arrays_of_their_library():
    for kind in (torch.float32, torch.float64):
        foreign = Foreign(torch.from_numpy(UPDATES).to(kind))
        answer = aggregate("krum", foreign, n_byzantine=1)
        assert isinstance(answer, Foreign) and answer.tensor.dtype == kind
        assert answer.tensor.tolist() == [1.0, 2.5, 0.5]
    table = pandas.DataFrame(UPDATES.astype(np.float32))
    answer = aggregate("median", table)
    assert isinstance(answer, np.ndarray) and answer.dtype == np.float32
    assert answer.tolist() == [1.5, 2.0, 0.5]
    assert isinstance(aggregate("median", torch.from_numpy(UPDATES)), torch.Tensor)


def test_memory_is_shared_and_never_written_to():
    rows = UPDATES.copy()
    assert as_tensor("updates", rows).data_ptr() == rows.ctypes.data
    rows.flags.writeable = False
    backwards = UPDATES[::-1, ::-1]
    for given in (rows, backwards):
        copied = as_tensor("updates", given)
        np.testing.assert_array_equal(copied.numpy(), given)
        copied.zero_()
        assert given.any()
    for name in sorted(AGGREGATORS):
        rule = AGGREGATORS[name](n_byzantine=0)
        rule.apply(UPDATES, None, facts_for_rule(rule, torch.from_numpy(UPDATES)))
    assert UPDATES[4].tolist() == [90, -90, 9]


def test_facts_may_be_arrays_too():
    counts = Facts(sample_counts=np.array([1.0, 1.0, 1.0, 1.0, 0.0]))
    assert isinstance(counts.sample_counts, torch.Tensor)
    weighted = AGGREGATORS["mean"](weights="samples").apply(UPDATES, None, counts)[0]
    np.testing.assert_allclose(weighted, UPDATES[:4].mean(0))


def test_what_is_no_array_or_of_another_type_is_named():
    rule = AGGREGATORS["mean"]()
    with pytest.raises(ConfigError, match=r"updates of type list cannot be used: it must be a"):
        rule.apply([[1.0, 2.0]])
    with pytest.raises(ConfigError, match=r"updates of shape \(5, 3\) and type torch.int64"):
        rule.apply(UPDATES.astype(int))
    with pytest.raises(ConfigError, match=r"updates of type ndarray cannot be read as a tensor"):
        rule.apply(UPDATES.astype(str))
    with pytest.raises(ConfigError, match=r"updates of shape \(3,\)"):
        rule.apply(UPDATES[0])


def test_one_call_is_for_rules_that_remember_nothing():
    assert aggregate("nearest_neighbour_mixing", UPDATES, n_byzantine=1).shape == (3,)
    rule = AGGREGATORS["trimmed_mean"](n_byzantine=1)
    expected = rule.apply(UPDATES)[0]
    for spec in (rule, rule.to_dict()):
        np.testing.assert_array_equal(fedlib.aggregate(spec, UPDATES), expected)
    for name in ("centered_clipping", "foolsgold", "flair"):
        with pytest.raises(ConfigError, match=f"aggregator='{name}' remembers the rounds before"):
            aggregate(name, UPDATES)
    inner = {"name": "centered_clipping"}
    with pytest.raises(ConfigError, match=r"remembers the rounds before: keep its state"):
        aggregate("arc", UPDATES, rule=inner)
    with pytest.raises(
        ConfigError, match=r"the parameters n_byzantine can only be given if rule is"
    ):
        aggregate(rule, UPDATES, n_byzantine=1)
    with pytest.raises(ConfigError, match=r"aggregator='krm' is unknown; did you mean 'krum'"):
        aggregate("krm", UPDATES)


def test_the_answer_in_kind_keeps_the_place_of_a_tensor():
    tensor = torch.ones(3)
    assert in_kind(tensor, tensor) is tensor
    assert "jax" not in sys.modules  # no library is imported to answer in its kind


def test_a_rule_that_keeps_nothing_is_called_once_though_it_knows_a_client():
    updates = np.array([[1.0, 2.0], [1.5, 2.5], [1.0, 2.5], [9.0, -9.0]])
    found = aggregate("monna", updates, trusted="client", client=0, n_byzantine=1)
    np.testing.assert_allclose(found, updates[:3].mean(0))


def test_many_samples_weigh_in_half_precision_too():
    facts = Facts(sample_counts=torch.tensor([70000.0, 80000.0, 10.0]))
    updates = torch.tensor([[1.0], [2.0], [60.0]]).half()
    mean = AGGREGATORS["mean"](weights="samples").apply(updates, None, facts)[0]
    torch.testing.assert_close(mean, torch.tensor([230600 / 150010]).half())


def test_hyperparameters_of_numpy_become_json():
    for part in (AGGREGATORS["krum"](np.int64(1)), ATTACKS["ipm"](np.int64(1), np.float32(0.5))):
        assert json.loads(json.dumps(part.to_dict()))["n_byzantine"] == 1


@pytest.mark.parametrize("name", sorted(AGGREGATORS))
def test_updates_without_parameters_are_refused(name):
    with pytest.raises(ConfigError, match=r"updates\.shape\[1\]=0 .* at least 1"):
        AGGREGATORS[name]().apply(torch.zeros(5, 0))
