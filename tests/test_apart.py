"""Where stored runs are farthest from printed numbers and what explains it, on small archives."""

import pytest
from conftest import toy_cells
from records import put, real

from fedlib.data import DataConfig
from fedlib.evidence import class_counts
from fedlib.evidence.apart import differences
from fedlib.evidence.apart_tables import farthest_table, recovery
from fedlib.evidence.claims import PrintedNumber
from fedlib.evidence.class_counts import ClassCounts, chance_level, learned_nothing
from fedlib.evidence.compared import Compared
from fedlib.evidence.noise import Noise, NoiseBook
from fedlib.evidence.report import Archive
from fedlib.grids import Grid, Variant, varied, with_changes

MNIST = "0fa6d6565a8c3c625178be6403669c236d152d4b783ec5f4f9cb963fc165420b"
CELLS = ("table/mean", "table/median", "table/trimmed_mean")
MOMENTUM = Variant(
    "momentum", "momentum", "0", "0.9", with_changes("client", momentum=0.9), CELLS[:2]
)
BATCH = Variant("batch", "batch", "4", "8", with_changes("client", batch_size=8), CELLS[:2])
FLOORED = Variant("rate", "rate", "0.1", "0.2", lambda run: run.with_(learning_rate=0.2), CELLS)


@pytest.fixture
def grid():
    def cells(scale, seed, data):
        own = toy_cells(scale, seed, data)
        found = {cell.key: cell.config for cell in own}
        return own + varied((MOMENTUM, BATCH, FLOORED), found)

    return Grid("toy", "A toy paper", cells, {"smoke": 1, "quick": 2, "paper": 3})


@pytest.fixture
def fill(grid, store):
    """Store the percentages that the seeds of some cells give."""

    def fill(values, scale="paper", data=real, quantity="test_accuracy"):
        for key, of_seeds in values.items():
            for seed, value in enumerate(of_seeds, 1):
                cell = next(c for c in grid.cells(scale, seed, data) if c.key == key)
                more = {} if quantity == "test_accuracy" else {quantity: [0.0, value / 100]}
                put(store, cell, scale, value / 100, {"data_checksum": MNIST}, **more)
        return Archive(grid, store)

    return fill


def compared(archive, numbers, **more):
    """What the paper prints: a number for a cell, or a number and its spread."""

    def printed(cell, quantity):
        value = numbers.get(cell)
        return value if value is None or isinstance(value, PrintedNumber) else PrintedNumber(value)

    return Compared(archive, printed, CELLS, **more)


def outcomes(found):
    return {one.result.key: one.outcome for one in found.apart}


# --- the causes ---------------------------------------------------------------------------


def test_a_choice_that_reaches_the_margin_explains_a_difference(fill, quiet):
    archive = fill(
        {
            "table/mean": [70],
            MOMENTUM.cell("table/mean"): [48.1],
            BATCH.cell("table/mean"): [69],
        }
    )
    found = differences(compared(archive, {"table/mean": 50}), (MOMENTUM, BATCH))
    assert outcomes(found) == {"table/mean": "explained by momentum: 0.9"}
    (one,) = found.apart
    assert one.difference == pytest.approx(20)
    assert [str(tried) for tried in one.tried] == ["momentum: 0.9: 48.10 ×1", "batch: 8: 69.00 ×1"]


@pytest.mark.parametrize(
    ("spread", "said"),
    [(2.0, "explained by momentum: 0.9"), (1.9, "moved by momentum: 0.9 (80 %); not explained")],
)
def test_a_printed_spread_widens_the_margin(fill, quiet, spread, said):
    archive = fill({"table/mean": [70], MOMENTUM.cell("table/mean"): [54]})
    number = PrintedNumber(50, spread)
    assert outcomes(differences(compared(archive, {"table/mean": number}), (MOMENTUM,))) == {
        "table/mean": said
    }


def test_a_choice_moves_a_number_by_more_than_the_margin_and_the_noise(fill, monkeypatch):
    archive = fill({"table/mean": [70], MOMENTUM.cell("table/mean"): [65]})
    table = compared(archive, {"table/mean": 50})
    for sd, said in ((1, "moved by momentum: 0.9 (25 %); not explained"),
                     (3, "open: 1 choice tried")):  # fmt: skip
        monkeypatch.setattr(NoiseBook, "of", lambda self, result, sd=sd: Noise(sd, 1000))
        assert outcomes(differences(table, (MOMENTUM,))) == {"table/mean": said}


def test_the_same_seeds_are_compared(fill, quiet):
    # The mean of both seeds is 60, but the variant has seed 1 alone, where the cell has 70.
    archive = fill({"table/mean": [70, 50], MOMENTUM.cell("table/mean"): [70]})
    table = compared(archive, {"table/mean": 40})
    (one,) = differences(table, (MOMENTUM,)).apart
    assert (one.tried[0].kind, one.tried[0].share) == ("no help", 0)


def test_what_nobody_has_tried_or_computed_is_open(fill, quiet):
    archive = fill({"table/mean": [70], BATCH.cell("table/mean"): [90], "table/trimmed_mean": [70]})
    numbers = {"table/mean": 50, "table/trimmed_mean": 60}
    assert outcomes(differences(compared(archive, numbers), (MOMENTUM, BATCH))) == {
        "table/mean": "open: 1 choice tried, 1 not computed",
        "table/trimmed_mean": "open: nothing tried",
    }


def test_a_run_that_collapses_as_printed_is_explained(fill, quiet, monkeypatch):
    archive = fill({"table/mean": [70], MOMENTUM.cell("table/mean"): [10], "table/median": [9]})
    found = differences(compared(archive, {"table/mean": 1, "table/median": 1}), (MOMENTUM,))
    assert outcomes(found) == {"table/mean": "explained by momentum: 0.9"}
    assert str(found.apart[0].tried[0]) == "momentum: 0.9: 10.00 ×1, at chance, as printed"
    # Where one class is much larger than the others, two accuracies at chance may be far apart.
    monkeypatch.setattr("fedlib.evidence.noise.chance_level", lambda record: 95.0)
    unlike = {"table/mean": 91, "table/median": 15}
    assert outcomes(differences(compared(archive, unlike), (MOMENTUM,))) == {
        "table/mean": "open: 1 choice tried"
    }
    # It is said of accuracies alone.
    archive = fill({"table/trimmed_mean": [9]}, quantity="attack_success")
    numbers = {"table/trimmed_mean": 1}
    assert outcomes(differences(compared(archive, numbers, quantity="attack_success"), ())) == {
        "table/trimmed_mean": "open: nothing tried"
    }


# --- cells that do not count --------------------------------------------------------------


def test_numbers_that_are_not_printed_or_not_computed_do_not_count(fill, quiet):
    archive = fill({"table/mean": [70], "table/median": [70]})
    fill({"table/trimmed_mean": [70]}, "quick")
    fill({"table/trimmed_mean": [70]}, data=lambda name: DataConfig(name, "embedded", "glyphs-2"))
    numbers = {"table/median": PrintedNumber(50, least=20), "table/trimmed_mean": 50}
    table = compared(archive, numbers)
    assert differences(table, ()).compared == 0
    assert str(farthest_table(table, (), str, "Table 1")) == (
        "Table 1: no printed number is computed at the paper's scale yet."
    )
    within = compared(archive, {"table/mean": 68.5})
    assert str(farthest_table(within, (), str, "Table 1")) == (
        "Table 1: all of the 1 computed numbers are within the margin."
    )


def test_an_unstable_cell_shows_its_seeds_and_explains_nothing(fill, monkeypatch):
    archive = fill(
        {
            "table/mean": [95, 15],
            MOMENTUM.cell("table/mean"): [50],
            "table/median": [70, 70],
            MOMENTUM.cell("table/median"): [90, 10],
        }
    )
    unstable = ("paper/table/mean", "paper/" + MOMENTUM.cell("table/median"))
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: Noise(0.1, 1000, frozenset(unstable)))
    # The mean of the unstable cell is within the margin, but no run gave it.
    table = compared(archive, {"table/mean": 55, "table/median": 50})
    shown = farthest_table(table, (MOMENTUM,), str, "Table 1")
    assert [row[0] for row in shown.rows] == ["table/median", "table/mean"]
    assert shown.rows[0][5:] == ("momentum: 0.9: 90.00, 10.00", "open: 1 choice tried, 1 unstable")
    assert shown.rows[1][3:5] == ("95.00, 15.00", "–")
    assert shown.rows[1][6] == "unstable: the seeds disagree, and 5 are needed"
    assert "1 of 2 numbers are outside the margin." in shown.caption
    assert "has all of these, and below them 1 unstable cell." in shown.caption
    assert shown.classes == {(0, 6): "differs"}


def put_curve(grid, store, key, curve, device="cpu"):
    """Store a run with ten evaluations, of which only the last ones are given, in percent."""
    cell = next(c for c in grid.cells("paper", 1, real) if c.key == key)
    whole = [0.1] * (10 - len(curve)) + [value / 100 for value in curve]
    made = {"data_checksum": MNIST, "device": device}
    put(store, cell, "paper", None, made, rounds=list(range(1, 11)), test_accuracy=whole)


def test_a_number_that_jumps_at_the_end_is_neither_far_nor_explained(grid, store, quiet):
    jumping, other = [6, 95, 6, 95, 6], MOMENTUM.cell("table/median")
    put_curve(grid, store, "table/mean", jumping)
    put_curve(grid, store, MOMENTUM.cell("table/mean"), [50] * 5)
    put_curve(grid, store, "table/median", [95] * 5)
    put_curve(grid, store, other, jumping)
    put_curve(grid, store, "table/trimmed_mean", [10, 10, 10, 10, 95])
    archive = Archive(grid, store)
    table = compared(archive, {"table/mean": 50, "table/median": 6, "table/trimmed_mean": 60})
    found = differences(table, (MOMENTUM,))
    said = "unstable: the last 5 evaluations of a seed jump between"
    assert outcomes(found) == {
        "table/median": "open: 1 choice tried, 1 unstable",
        "table/mean": f"{said} 6 and 95 %",
        "table/trimmed_mean": f"{said} 10 and 95 %",
    }
    tried = found.apart[0].tried[0]
    assert str(tried) == "momentum: 0.9: 6.00, jumping between 6 and 95 %"
    # It is far from 2 in each of these evaluations, so that a choice may explain it.
    far = compared(archive, {"table/trimmed_mean": 2})
    assert outcomes(differences(far, ())) == {"table/trimmed_mean": "open: nothing tried"}
    # What jumps does not say how much of the printed numbers a choice gives.
    both = recovery(compared(archive, {"table/mean": 50}), MOMENTUM)
    assert str(both) == (
        'No run with "momentum: 0.9" can be compared yet. 1 number more is left out, because the '
        "last round alone decides whether it agrees."
    )
    both = recovery(compared(archive, {"table/mean": 1}), MOMENTUM)
    assert str(both).startswith("1 printed number can be compared")


def test_evaluations_of_the_first_half_are_not_the_last_ones(grid, store):
    put_curve(grid, store, "table/mean", [1, 2, 3, 4, 5, 6])
    result = Archive(grid, store).best("table/mean")
    assert result.last_values() == [[0.02, 0.03, 0.04, 0.05, 0.06]]
    assert result.last_values(most=2) == [[0.05, 0.06]]
    cell = next(c for c in grid.cells("paper", 1, real) if c.key == "table/median")
    put(store, cell, "paper", 0.9)
    assert Archive(grid, store).best("table/median").last_values() == [[0.9]]


def test_a_choice_on_another_device_says_so(grid, store, quiet):
    put_curve(grid, store, "table/mean", [95] * 5, device="cuda:0")
    put_curve(grid, store, MOMENTUM.cell("table/mean"), [50] * 5)
    table = compared(Archive(grid, store), {"table/mean": 50})
    (tried,) = differences(table, (MOMENTUM,)).apart[0].tried
    assert tried.kind == "explains"
    assert str(tried).endswith("computed on a CPU, and the row's own runs on a GPU")


def test_where_one_class_is_large_only_one_answer_to_all_is_chance(monkeypatch):
    counts = ClassCounts("reviews", "reviews", (5, 95))
    monkeypatch.setattr(class_counts, "stored_counts", lambda: {MNIST: counts})
    record = {"config": {"data": {"test_samples": 10_000}}, "provenance": {"data_checksum": MNIST}}
    # Two standard errors are 0.436 points.
    near = (4.5, 4.6, 5.4, 5.5, 50.0, 94.5, 94.6, 95.4, 95.5)
    assert [one for one in near if learned_nothing(record, one)] == [4.6, 5.4, 94.6, 95.4]
    assert learned_nothing(record, 94.6, 95.4) and not learned_nothing(record, 5.0, 95.0)
    assert chance_level(record) > 95


def test_the_seeds_of_attacked_models_count_where_one_class_is_large(fill, monkeypatch):
    counts = ClassCounts("reviews", "reviews", (5, 95))
    monkeypatch.setattr(class_counts, "stored_counts", lambda: {MNIST: counts})
    archive = fill({"table/mean": [30, 50], "table/median": [95, 95]})
    book = NoiseBook(archive.results())
    # The model of the median gives one answer to all samples.
    (noise,) = {pool.sd: pool for pool in book._pools.values() if pool}.values()
    assert noise.sd == pytest.approx(20 / 2**0.5) and noise.freedom == 1


def test_five_seeds_that_disagree_are_averaged(fill, monkeypatch):
    archive = fill({"table/mean": [95, 15, 95, 95, 95]})
    monkeypatch.setattr(
        NoiseBook, "of", lambda self, result: Noise(0.1, 1000, frozenset(["paper/table/mean"]))
    )
    (one,) = differences(compared(archive, {"table/mean": 55}), ()).apart
    assert (one.unstable, one.difference) == (False, pytest.approx(24))


# --- the success of attacks ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("floor", "kind", "said"),
    [
        ([84], "tells nothing", ", but this choice adds 83 points even if nobody attacks"),
        ([11], "explains", ""),
        ([], "not computed", ", without an attack not computed"),
    ],
)  # fmt: skip
def test_a_success_that_nobody_needs_to_attack_for_explains_nothing(fill, quiet, floor, kind, said):
    archive = fill(
        {
            "table/mean": [58],
            FLOORED.cell("table/mean"): [99],
            "table/trimmed_mean": [1],
            FLOORED.cell("table/trimmed_mean"): floor,
        },
        quantity="attack_success",
    )
    table = compared(
        archive,
        {"table/mean": 99.7},
        quantity="attack_success",
        unattacked={"table/mean": "table/trimmed_mean"}.get,
    )
    (one,) = differences(table, (FLOORED,)).apart
    assert (one.tried[0].kind, str(one.tried[0])) == (kind, f"rate: 0.2: 99.00 ×1{said}")


# --- what is shown ------------------------------------------------------------------------


def test_the_farthest_come_first_and_no_more_than_asked_for(fill, quiet):
    archive = fill({"table/mean": [70], "table/median": [20], "table/trimmed_mean": [61]})
    table = compared(archive, dict.fromkeys(CELLS, PrintedNumber(50, 1.5)))
    shown = farthest_table(table, (), str.upper, "Table 1", most=2)
    assert [(row[0], *row[2:5]) for row in shown.rows] == [
        ("TABLE/MEDIAN", "50.00 ± 1.50", "20.00 ×1", "-30.00"),
        ("TABLE/MEAN", "50.00 ± 1.50", "70.00 ×1", "+20.00"),
    ]
    assert shown.rows[0][1] == "paper, MNIST"
    assert (
        "3 of 3 numbers are outside the margin. The table has the 2 farthest of these."
        in shown.caption
    )
    assert "not the paper's own" not in shown.caption


def test_the_caption_says_if_the_data_are_others(fill, quiet):
    archive = fill({"table/mean": [70]}, data=lambda name: DataConfig(name, "real", "jpeg"))
    shown = farthest_table(compared(archive, {"table/mean": 50}), (), str, "Table 1")
    assert shown.caption.endswith(
        "The data are not the paper's own, which may explain a part of the differences."
    )


def test_how_much_of_the_printed_numbers_a_variant_gives(fill, quiet):
    archive = fill(
        {
            "table/mean": [70],
            MOMENTUM.cell("table/mean"): [51],
            "table/median": [50, 80],
            MOMENTUM.cell("table/median"): [57],
            "table/trimmed_mean": [50],
        }
    )
    table = compared(archive, dict.fromkeys(CELLS, 50))
    assert str(recovery(table, MOMENTUM)) == (
        '2 printed numbers can be compared with two kinds of runs. The runs above have "momentum: '
        '0", and 1 of them agrees with the printed number. The other runs have "momentum: 0.9", '
        "and 1 of them agrees. So the change gains 1 number that agrees, and loses 1. If a number "
        "and the printed one are both at chance and at most 10 points apart, they count as "
        "agreeing. The mean distance from the printed number goes from 10.0 to 4.0 points. The "
        "printed numbers lie between 50 "
        "and 50 %. If a change breaks every run, the results agree with low printed numbers by "
        "accident. Only agreement with high numbers shows that the change is the cause. Of the 2 "
        "printed numbers of 50 % or more, 1 agrees with the runs above, and 1 agrees with the "
        "other runs."
    )
    low = compared(archive, dict.fromkeys(CELLS, 49))
    assert str(recovery(low, MOMENTUM)).endswith("No printed number is 50 % or more.")
    assert str(recovery(compared(archive, {}), MOMENTUM, "Table 1")) == (
        'Table 1: no run with "momentum: 0.9" can be compared yet.'
    )
