"""Which cells of a grid the records ask for."""

from __future__ import annotations

from fedlib.evidence.origins import origins_of


def record(seed, name, source="real", variant="canonical"):
    return {"seed": seed, "config": {"data": {"name": name, "source": source, "variant": variant}}}


def test_all_data_sets_of_a_seed_are_asked_for_at_once():
    records = [record(2, "mnist"), record(1, "mnist"), record(1, "loans", variant="2007-2011")]
    assert origins_of(records) == [
        (1, {"mnist": ("real", "canonical"), "loans": ("real", "2007-2011")}),
        (2, {"mnist": ("real", "canonical")}),
    ]


def test_a_second_copy_of_a_data_set_is_asked_for_by_itself():
    records = [
        record(1, "cifar10", variant="subset"),
        record(1, "mnist"),
        record(1, "cifar10"),
        record(1, "mnist"),
    ]
    assert origins_of(records) == [
        (1, {"cifar10": ("real", "canonical"), "mnist": ("real", "canonical")}),
        (1, {"cifar10": ("real", "subset")}),
    ]


def test_sources_stand_in_the_order_of_the_records():
    records = [record(1, "mnist"), record(1, "mnist", "embedded", "glyphs-1")]
    places = [origins["mnist"][0] for _, origins in origins_of(records)]
    assert places == ["real", "embedded"]
    assert [origins["mnist"][0] for _, origins in origins_of(records[::-1])] == places[::-1]
    assert origins_of([]) == []
