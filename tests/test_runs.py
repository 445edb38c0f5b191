"""A run's configuration and its identity."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from fedlib import parts
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import LocalSGD, MomentumSGD
from fedlib.data import PARTITIONS, DataConfig
from fedlib.parts import Revision, revisions_of
from fedlib.runs import RunConfig
from fedlib.runs.identity import identities_of
from fedlib.validation import ConfigError


def attacked(**changes):
    values = {
        "n_byzantine": 5,
        "aggregator": AGGREGATORS["krum"](n_byzantine=5),
        "attack": ATTACKS["ipm"](n_byzantine=5),
        "partition": PARTITIONS["dirichlet"](alpha=0.5),
        "client": MomentumSGD(momentum=0.9),
        "milestones": (5, 7),
    }
    return RunConfig(**{**values, **changes})


@pytest.mark.parametrize(
    "config", [RunConfig(), attacked(), RunConfig(client=LocalSGD(epochs=3), track=("cosines",))]
)
def test_round_trip_through_json(config):
    again = RunConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.id == config.id


def test_identities_are_those_of_stored_runs():
    # If this fails, stored results lose their runs: a default or the form of identities changed.
    assert RunConfig().id == "b6f33b0179ba1dc0"
    assert attacked().id == "2ed2cfd9c7fba3ca"


def test_the_same_configuration_has_the_same_identity_however_it_is_written():
    plain = attacked(
        learning_rate=1.0,
        decay=0.5,
        seed=3,
        attack=ATTACKS["model_replacement"](
            n_byzantine=5, scale=10.0, value=0.0, rounds=(1, 2), values=(2.0,) * 6
        ),
        data=DataConfig(train_samples=100, normalise=True),
        client=MomentumSGD(momentum=0.0, batch_size=8),
    )
    other = attacked(
        learning_rate=np.float32(1),
        decay=np.float64(0.5),
        seed=np.int64(3),
        n_clients=np.int32(25),
        n_byzantine=np.int8(5),
        milestones=np.array([5, 7]).tolist(),
        attack=ATTACKS["model_replacement"](
            n_byzantine=np.int64(5),
            scale=10,
            value=-0.0,
            rounds=(np.int64(1), np.int64(2)),
            values=(2,) * 6,
        ),
        aggregator=AGGREGATORS["krum"](n_byzantine=np.int64(5)),
        partition=PARTITIONS["dirichlet"](alpha=np.float64(0.5)),
        data=DataConfig(train_samples=np.int64(100), normalise=np.bool_(True)),
        client=MomentumSGD(momentum=0, batch_size=np.int64(8)),
    )
    assert other == plain
    assert other.id == plain.id
    assert json.dumps(other.to_dict()) == json.dumps(plain.to_dict())
    assert attacked(learning_rate=1).id == attacked(learning_rate=1.0).id
    assert type(attacked(learning_rate=1).learning_rate) is float


def test_a_part_that_another_part_holds_has_one_form_too():
    made = [
        attacked(aggregator=AGGREGATORS["bucketing"](n_byzantine=5, rule=rule))
        for tau in (1, 1.0)
        for rule in [AGGREGATORS["centered_clipping"](n_byzantine=5, tau=tau)]
    ]
    assert made[0].id == made[1].id


@pytest.mark.parametrize("field", ["rounds", "seed", "learning_rate", "decay"])
def test_a_truth_value_is_no_number(field):
    with pytest.raises(ConfigError, match=f"{field}=True must be a"):
        RunConfig(**{field: True})


def test_a_part_that_another_part_holds_has_earlier_identities_too():
    held = AGGREGATORS["bucketing"](n_byzantine=5, rule=VOTE)
    rule = AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=5, rule=held)
    run = attacked(aggregator=rule, attack=ATTACKS["pga"](n_byzantine=5))
    earlier = [
        run.identity(lambda part, _, first=first: {} if part in first else revisions_of(part, run))
        for first in ([held], [run.attack], [held, run.attack])
    ]
    assert len({run.id, *earlier}) == 4
    assert {*earlier} < {*identities_of(run)}
    assert next(iter(identities_of(attacked()))) == attacked().id


@pytest.mark.parametrize("value", ["no", 0, 1, None, "False"])
def test_a_truth_value_must_be_one(value):
    with pytest.raises(ConfigError, match=rf"data\.normalise={value!r} must be True or False"):
        RunConfig(data=DataConfig(normalise=value))
    with pytest.raises(ConfigError, match=rf"attack\.sparse={value!r} must be True or False"):
        attacked(attack=ATTACKS["rop"](n_byzantine=5, sparse=value))


VOTE = AGGREGATORS["mean_with_outliers"](n_byzantine=5, side="vote")
MIXED = AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=5, rule=VOTE)
PROBED = AGGREGATORS["gradient_guard"](n_byzantine=5, inputs="clients")
LEAST, ELECTED = (ATTACKS["camouflage"](n_byzantine=5, aim=aim) for aim in ("least", "elected"))


@pytest.mark.parametrize(
    ("changes", "identity"),
    [
        ({"aggregator": VOTE}, "4213a669db914b1d"),
        ({"aggregator": PROBED}, "09c4dc4aebd4fd87"),
        ({"aggregator": VOTE, "attack": LEAST}, "2375c7062cb0c4c0"),
        ({"attack": ATTACKS["pga"](n_byzantine=5)}, "193635abf0662a4d"),
    ],
)
def test_runs_whose_clients_are_not_asked_in_trials_keep_their_identity(changes, identity):
    assert attacked(**changes).id == identity


def revised(run):
    return revisions_of(run.attack, run)


@pytest.mark.parametrize("rule", [VOTE, MIXED, PROBED])
@pytest.mark.parametrize("attack", [LEAST, ELECTED])
def test_runs_whose_clients_are_asked_in_trials_have_a_new_identity(rule, attack):
    run = attacked(aggregator=rule, attack=attack)
    # The candidates of a vote are named without one.
    assert revised(run) == ({} if rule is VOTE and attack is LEAST else {"trials": 2})
    alone = attacked(n_byzantine=0, aggregator=rule, attack=replace(attack, n_byzantine=0))
    assert revised(alone) == {}


def test_a_learning_attacker_and_milestones_have_a_new_identity():
    from fedlib.attacks.dictated import TwoStage

    assert revised(attacked(attack=TwoStage(n_byzantine=5))) == {"": 2, "rates": 2}
    assert revised(attacked(attack=TwoStage(n_byzantine=5), milestones=())) == {"": 2}


def test_every_field_tells_runs_apart():
    changed = [
        attacked(),
        attacked(seed=2),
        attacked(rounds=99),
        attacked(decay=0.5),
        attacked(milestones=(5,)),
        attacked(track=("cosines",)),
        attacked(client=MomentumSGD(momentum=0.99)),
        attacked(client=LocalSGD()),
        attacked(data=DataConfig("fashion_mnist")),
        attacked(data=DataConfig("mnist", "embedded", "glyphs-1")),
        attacked(data=DataConfig(train_samples=10)),
        attacked(partition=PARTITIONS["dirichlet"](alpha=0.6)),
        attacked(aggregator=AGGREGATORS["krum"](n_byzantine=4)),
        attacked(attack=ATTACKS["ipm"](n_byzantine=5, epsilon=0.3)),
    ]
    assert len({config.id for config in changed}) == len(changed)


def test_a_field_with_its_default_stays_out_of_the_identity():
    assert attacked(learning_rate=0.1).id == attacked().id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "cnn_20_5"}, "did you mean 'cnn_20_50'"),
        ({"n_clients": 0}, "n_clients=0"),
        ({"rounds": 0}, "rounds=0"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"seed": -1}, "seed=-1"),
        ({"eval_every": 0}, "eval_every=0"),
        ({"milestones": (0,)}, "milestones=0"),
        ({"milestones": (4, 2)}, r"milestones=\(4, 2\) must increase"),
        ({"milestones": (2, 2)}, r"milestones=\(2, 2\) must increase"),
        ({"track": ("cosines", "cosines")}, "must name each quantity once"),
        ({"projection_radius": -1}, r"projection_radius=-1\.0 is out of range"),
        ({"milestones": 5}, r"milestones=5 must be a tuple of whole numbers, such as \(30, 60\)"),
        ({"track": "cosines"}, r"track='cosines' must be a tuple of names"),
        ({"data": "mnist"}, r"data='mnist' must be a DataConfig, such as DataConfig\('mnist'\)"),
        ({"partition": "iid"}, r"partition='iid' must be a Partition, such as PARTITIONS\['iid'\]"),
        ({"client": "momentum_sgd"}, r"client='momentum_sgd' must be .* such as CLIENTS"),
        (
            {"aggregator": "krum"},
            r"^aggregator='krum' must be an Aggregator, such as "
            r"AGGREGATORS\['krum'\]\(n_byzantine=1\)\.$",
        ),
        ({"attack": ATTACKS["ipm"]}, r"attack=<class .* must be an Attack, such as ATTACKS\["),
        ({"track": ("cosine",)}, "did you mean 'cosines'"),
        ({"n_byzantine": 3}, r"attack.n_byzantine=0 must be the run's n_byzantine=3"),
        ({"n_byzantine": 25}, "n_byzantine=25"),
        ({"aggregator": AGGREGATORS["median"](n_byzantine=13)}, "allowed are 0 to 12"),
    ],
)
def test_bad_values_are_named_before_any_compute(changes, message):
    with pytest.raises(ConfigError, match=message):
        RunConfig(**changes)


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_momentum_is_a_share(momentum):
    with pytest.raises(ConfigError, match=r"client\.momentum"):
        MomentumSGD(momentum=momentum)


def test_a_list_of_milestones_is_a_tuple_of_them():
    config = RunConfig(milestones=[])
    assert (config, config.id) == (RunConfig(), RunConfig().id)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "has no 'data': must have data, partition, client, aggregator, attack"),
        ([], r"run configuration=\[\] must be a dictionary"),
        ({"client": "momentum_sgd"}, "client='momentum_sgd' must be a dictionary with a 'name'"),
        ({"client": {"name": "momentum"}}, "client='momentum' is unknown; did you mean"),
        (
            {"client": {"name": "momentum_sgd", "beta": 0.9}},
            "momentum_sgd has no parameter 'beta'; it has: batch_size, momentum",
        ),
        ({"data": {"title": "mnist"}}, "data has no parameter 'title'; it has: name"),
        ({"data": "mnist"}, "data='mnist' must be a dictionary of parameters"),
        ({"milestones": 5}, "milestones=5 must be a tuple"),
    ],
)
def test_a_stored_configuration_that_cannot_be_used_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        RunConfig.from_dict({**RunConfig().to_dict(), **values} if values else values)


def test_an_unknown_field_of_a_stored_configuration_is_named():
    with pytest.raises(ConfigError, match="did you mean 'rounds'"):
        RunConfig.from_dict({**RunConfig().to_dict(), "round": 3})


def test_a_revision_is_part_of_the_identity_and_the_first_is_not(monkeypatch):
    # A class does not change while it is used, so that its revisions are kept.
    monkeypatch.setattr(parts, "_revisions_listed_by", parts._revisions_listed_by.__wrapped__)
    before, kind = attacked().id, type(attacked().attack)
    monkeypatch.setattr(
        kind, "revisions", (Revision(1, "There was nothing before."),), raising=False
    )
    assert attacked().id == before
    monkeypatch.setattr(kind, "revisions", (Revision(2, "It was done otherwise."),))
    assert attacked().id != before
    others = Revision(2, "It was done otherwise.", concerns=lambda attack, run: run.rounds > 100)
    monkeypatch.setattr(kind, "revisions", (others,))
    assert attacked().id == before
    assert attacked(rounds=101).id != before


def test_parts_that_were_made_before_serve_again_and_are_told_apart_by_their_types():
    made = {}
    first = RunConfig.from_dict(attacked().to_dict(), check=False, made=made)
    values = {**attacked().to_dict(), "seed": 7}
    second = RunConfig.from_dict(values, check=False, made=made)
    assert second.attack is first.attack
    assert second.aggregator is first.aggregator
    assert (first.id, second.id) == (attacked().id, attacked(seed=7).id)
    values["data"] = {**values["data"], "normalise": 1}
    third = RunConfig.from_dict(values, check=False, made=made)
    assert third.data is not first.data
    assert len(made) == 6


def test_a_part_that_can_change_keeps_no_identity():
    @dataclass
    class Changing:
        name: ClassVar[str] = "changing"
        strength: float = 1.0

    part = Changing(2.0)
    assert parts.identity_of(part, None) == {"name": "changing", "strength": 2.0}
    part.strength = 3.0
    assert parts.identity_of(part, None) == {"name": "changing", "strength": 3.0}
    attack = attacked().attack
    assert parts.identity_of(attack, attacked()) is parts.identity_of(attack, attacked())
