"""The chapter on Gradient Guard: its grid, tables, figures and claims."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from records import put

from fedlib.data import DataConfig
from fedlib.evidence.claims import OWN
from fedlib.evidence.report import Archive
from fedlib.evidence.verdicts import FAILS, HOLDS
from fedlib.grids import expand, load_grid, run_grid
from fedlib.papers.gradient_guard import tables
from fedlib.papers.gradient_guard.found import found
from fedlib.papers.gradient_guard.keys import Comparison, Reading, Watched, parse, reading_cell
from fedlib.papers.gradient_guard.measures import malicious_weight, penalties_told
from fedlib.papers.gradient_guard.players import make_rule
from fedlib.papers.gradient_guard.settings import (
    BLIND,
    CLASSICAL,
    LINE_TITLES,
    N_CLIENTS,
    ON_AXIS,
    READINGS,
    RULE_TITLES,
    SHARES,
)
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

GRID = load_grid("gradient_guard")


def real(name):
    return DataConfig(name, "real", "canonical")


CELLS = {cell.key: cell.config for cell in GRID.cells("paper", 1, real)}


def test_every_cell_is_a_run_of_its_own():
    assert len({config.id for config in CELLS.values()}) == len(CELLS)
    for claim in tables.CLAIMS:
        assert set(claim.cells) <= set(CELLS), claim.text


def test_keys_are_parsed_as_they_are_written():
    for text in CELLS:
        assert str(parse(text)) == text
    assert parse("mnist/none/0/krum") == Comparison.of("mnist", "full_krum", "0", "krum")
    reading = Reading("maps of updates, highest", "mnist", "full_trim", "30")
    assert parse("readings/maps-of-updates,-highest/mnist/full_trim/30") == reading
    assert parse(f"watched/{reading}") == Watched(str(reading))
    for text in ("mnist/full_trim/30", "readings/default", "watched"):
        with pytest.raises(ConfigError, match="must have the form"):
            parse(text)


def test_the_grid_has_every_share_and_reading():
    run = CELLS["mnist/full_krum/30/gradient_guard"]
    assert (run.n_clients, run.n_byzantine, run.aggregator.n_byzantine) == (20, 6, 6)
    assert run.track == ("reputation",)
    clean = CELLS["mnist/none/0/krum"]
    assert (clean.n_byzantine, clean.attack.name) == (0, "none")
    partial = CELLS["fashion_mnist/full_trim_partial/50/flair"]
    assert (partial.attack.knowledge, partial.n_byzantine) == ("partial", 10)
    guards = {
        str(
            sorted(
                CELLS[str(reading_cell("mnist", "full_trim", "30", r))].aggregator.to_dict().items()
            )
        )
        for r in READINGS
    }
    assert len(guards) == len(READINGS)


@pytest.mark.parametrize("rule", RULE_TITLES)
def test_a_rule_withstands_as_many_as_there_are_or_as_it_accepts(rule):
    most = max(f for f in range(11) if _accepts(rule, f))
    for share in SHARES:
        malicious = N_CLIENTS * int(share) // 100
        assert make_rule(rule, malicious).n_byzantine == min(malicious, most)


def _accepts(rule, f):
    from fedlib.aggregators import AGGREGATORS

    try:
        AGGREGATORS["mean" if rule == "fedsgd" else rule](n_byzantine=f).check(N_CLIENTS)
    except ConfigError:
        return False
    return True


def test_smoke_cells_run_from_end_to_end(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for only in ("mnist/*/20/gradient_guard", "readings/*/full_trim/30", "cifar10/full_krum/50/f*"):
        cells = expand(GRID, "smoke", data="embedded", only=only)
        outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
        assert not outcome.failed
        assert len(outcome.computed) == len(cells) > 1
    archive = Archive(GRID, store)
    record = archive.best("mnist/full_trim/20/gradient_guard").records[0]
    assert len(record["metrics"]["reputation"][-1]) == N_CLIENTS
    rows = {row[0]: row[1:] for row in tables.readings_table(archive).rows}
    assert all(row[0] != "–" for name, row in rows.items() if name != "default")


def test_full_trim_has_draws_of_its_own_in_every_seed():
    for seed in (1, 3):
        cells = {cell.key: cell.config for cell in GRID.cells("paper", seed, real)}
        for attack in ("full_trim", "full_trim_partial"):
            assert cells[f"mnist/{attack}/30/median"].attack.seed == seed - 1
    assert "seed" not in cells["mnist/full_krum/30/median"].attack.to_dict()


def test_what_the_defences_are_set_to():
    table = tables.limits_table()
    rows = {row[0]: row[1:] for row in table.rows}
    assert table.header[-1] == "50 %: 10"
    assert rows["Krum"] == ("0", "2", "4", "6", "8", "8")
    assert rows["Bulyan"] == ("0", "2", "4", "4", "4", "4")
    assert rows["Gradient Guard"][-1] == "10" and rows["FLAIR"][-1] == "9"
    updates = torch.randn(N_CLIENTS, 9, generator=torch.Generator().manual_seed(1))
    assert rows["Median"] == ("–",) * 6
    told = {"median", "foolsgold"}
    for rule in told:
        few, many = (make_rule(rule, f).apply(updates)[0] for f in (0, 6))
        assert torch.equal(few, many)
    assert told < set(BLIND)
    # What the chapter says of the setting without attackers.
    for rule in ("trimmed_mean", "bulyan", "faba", "flair"):
        torch.testing.assert_close(make_rule(rule, 0).apply(updates)[0], updates.mean(0))


def shares(
    store, rule, accuracies, seed=1, attack="full_trim", scale="paper", data="mnist", **metrics
):
    """Store one seed's accuracies of a rule, by share: the mean of the last five evaluations."""
    wanted = {
        str(Comparison.of(data, attack, s, rule)): a
        for s, a in zip(SHARES, accuracies, strict=True)
        if a is not None
    }
    for cell in GRID.cells(scale, seed, real):
        if cell.key in wanted:
            put_series(store, cell, scale, wanted[cell.key], **metrics)


def put_series(store, cell, scale, accuracy, **metrics):
    series = [0.0, accuracy - 0.1, accuracy + 0.1, accuracy, accuracy + 0.05, accuracy - 0.05]
    tracked = {"separation": [0.5, 0.5], "reputation": [[0.0] * N_CLIENTS] * 6}
    known = {"test_accuracy": series, "rounds": list(range(1, 7))}
    put(store, cell, scale, 0, **known, **((tracked if cell.config.track else {}) | metrics))


def test_where_a_defence_breaks_over_seeds(tmp_path):
    store = Store(GRID.slug, tmp_path)
    shares(store, "median", (0.9, 0.9, 0.8, 0.4, 0.3, 0.1))
    shares(store, "median", (0.9, 0.9, 0.8, 0.5, 0.3, 0.1), seed=2)
    shares(store, "median", (0.9, 0.9, 0.8, 0.5, 0.6, 0.5), seed=3)
    shares(store, "fltrust", (0.9, 0.9, 0.9, 0.9, 0.9, 0.5))
    rows = {row[0]: row[1] for row in tables.break_table(Archive(GRID, store), "mnist").rows}
    assert rows["Median"] == "30, 40, > 50 %\n3 seeds"
    assert rows["FLTrust"] == "not up to 50 %\n1 seed"
    assert rows["Krum"] == "not computed"


def test_a_comparison_is_of_one_scale(tmp_path):
    store = Store(GRID.slug, tmp_path)
    more = {"separation": [0.25, 0.75]}
    shares(store, "flair", (0.9, 0.9, None, None, None, None), **more)
    shares(store, "flair", (0.8, 0.7, 0.6, 0.5, 0.4, 0.3), scale="quick", separation=[0.4, 0.2])
    shares(store, "gradient_guard", (0.9, 0.9, 0.9, 0.9, 0.9, 0.9), **more)
    for cell in GRID.cells("paper", 1, real):
        if cell.key == "watched/mnist/full_trim/20/gradient_guard":
            put_series(store, cell, "paper", 0.9, separation=[1.0, 0.98])
    archive = Archive(GRID, store)
    figure = tables.share_panels(archive, "mnist")
    assert figure.axes[0].get_title() == "full-trim (quick scale)\npaper scale: Gradient Guard"
    flair = figure.axes[0].lines[list(RULE_TITLES).index("flair")]
    # The line breaks at 45 %, which is not computed.
    shown = np.array(flair.get_ydata(), dtype=float)
    assert shown == pytest.approx([80, 70, 60, 50, 40, np.nan, 30], nan_ok=True)
    table = tables.separation_table(archive)
    rows = {row[:3]: row[3:] for row in table.rows}
    assert rows["full-trim", "FLAIR", "last aggregate"] == ("0.30",) * 5 + ("quick",)
    assert rows["full-trim", "Gradient Guard", "last aggregate"] == ("0.50",) * 5 + ("paper",)
    watched = rows["full-trim", "Gradient Guard", "last honest mean"]
    assert watched == ("–", "0.99", "–", "–", "–", "paper")
    assert rows["full-Krum", "FLAIR", "last aggregate"] == ("–",) * 6


def test_readings_stand_beside_the_default_of_their_scale(tmp_path):
    store = Store(GRID.slug, tmp_path)
    more = {"separation": [0.5, 0.7]}
    shares(store, "gradient_guard", (None, None, None, 0.9, None, None), **more)
    shares(store, "gradient_guard", (None, None, None, 0.6, None, None), scale="quick", **more)
    place = str(reading_cell("mnist", "full_trim", "30", "trusted reference"))
    for cell in GRID.cells("quick", 1, real):
        if cell.key == place:
            put_series(store, cell, "quick", 0.7, **more)
        if cell.key == f"watched/{place}":
            put_series(store, cell, "quick", 0.9, separation=[0.9, 0.8])
    table = tables.readings_table(Archive(GRID, store))
    assert table.header[1] == "full-trim, 30 %\naccuracy, %"
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["default"] == ("60.00", "0.60", "–", "–", "–", "–", "–", "–")
    assert rows["trusted reference"] == ("70.00", "0.60", "0.85", "–", "–", "–", "–", "–")
    assert rows["spectral residual"] == ("–",) * 8


def test_times_are_of_attacked_rounds_and_the_fastest_run(tmp_path):
    store = Store(GRID.slug, tmp_path)
    times = {("fedsgd", 1): (15.0, "1"), ("faba", 1): (45.0, "2"), ("faba", 2): (60.0, "1")}
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            rule = cell.key.removeprefix("mnist/full_trim/20/")
            if (rule, seed) in times:
                wall, started = times[rule, seed]
                put(store, cell, "paper", 0.5, {"wall_time_s": wall, "started": started})
    rows = {row[0]: row[1:] for row in tables.cost_table(Archive(GRID, store)).rows}
    assert rows["FedSGD"] == ("10.0 ms", "1.0")
    assert rows["FABA"] == ("30.0 ms", "3.0")
    assert rows["Krum"] == ("not computed", "–")


def claimed(store):
    """Rows of the table of claims by their text."""
    table = tables.claims_table(Archive(GRID, store))
    rows = {row.text: row for row in table.judged}
    assert len(rows) == len(table.judged)
    return rows


def test_a_rule_may_be_undermined_without_being_broken(tmp_path, quiet):
    """The text says neither how much a rule loses that falters, nor one that is undermined."""
    store = Store(GRID.slug, tmp_path)
    shares(store, "median", (0.9, 0.9, 0.8, 0.7, 0.5, 0.1))
    rows = claimed(store)
    said = "MNIST, full-trim: Median is undermined by a share that it is made for (up to 40 %), "
    broken = rows[f"{said}with less than half of its clean accuracy left"]
    harmed = rows[f"{said}with more than 2 points lost"]
    assert (broken.here, broken.kind) == ("at worst 56 % of the clean accuracy left", FAILS)
    assert (harmed.here, harmed.kind) == ("at worst 40.0 points lost", HOLDS)
    assert broken.claim.says == harmed.claim.says
    least = next(c for c in tables.CLAIMS if c.text.startswith("MNIST, full-trim and full-Krum: "
                 "every classical rule loses more than 2 points at 30 %"))  # fmt: skip
    # Of two rules under two attacks: the first loses 1 and 8 points, the second 3 and 2.
    assert least.statistic([90, 89, 90, 82, 90, 87, 90, 88]) == 3


def test_claims_on_shares_and_on_separation(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    more = {"separation": [0.9, 0.7]}
    shares(store, "gradient_guard", (0.9, 0.9, 0.9, 0.8, 0.6, 0.36), **more)
    rows = claimed(store)
    row = rows[
        "MNIST, full-trim: Gradient Guard withstands up to 50 % malicious clients [default reading]"
    ]
    assert row.here == "at worst 40 % of the clean accuracy left"
    assert row.verdict == "does not hold, provisional: one seed"
    flair = "MNIST, full-trim: FLAIR withstands up to 45 % malicious clients"
    assert rows[flair].verdict == "undecided: not computed"
    shares(store, "flair", (0.9, 0.9, 0.9, 0.9, 0.9, 0.1), **more)
    for cell in GRID.cells("paper", 1, real):
        if cell.key == "mnist/full_trim/45/flair":
            put_series(store, cell, "paper", 0.81, **more)
    assert claimed(store)[flair].here == "at worst 90 % of the clean accuracy left"
    assert claimed(store)[flair].verdict == "holds, provisional: one seed"
    for cell in GRID.cells("paper", 1, real):
        if cell.key == "watched/mnist/full_trim/30/gradient_guard":
            put_series(store, cell, "paper", 0.9, separation=[0.2, 0.4])
    found = {
        row.place: (row.here, row.verdict)
        for text, row in claimed(store).items()
        if text.startswith("MNIST, full-trim, 30 %: ") and text.endswith("[default reading]")
    }
    assert found["section 2.2"][0] == "area under the ROC curve 0.30"
    assert found["section 2.2"][-1] == "does not hold, provisional: one seed"
    assert found["this book"][0] == "area under the ROC curve 0.80"
    assert found["this book"][-1] == "holds, provisional: one seed"


def reading_cells(store, reading, accuracies, **metrics):
    """Store one seed's accuracies of a reading, by its places: data set, attack and share."""
    wanted = {str(reading_cell(*place, reading)): value for place, value in accuracies.items()}
    for cell in GRID.cells("paper", 1, real):
        if cell.key in wanted:
            put_series(store, cell, "paper", wanted[cell.key], **metrics)


def test_a_reading_shares_the_clean_cell_and_has_a_line_of_its_own(tmp_path):
    clean = Comparison("mnist", "none", "0", "gradient_guard")
    assert reading_cell("mnist", "full_krum", "0", ON_AXIS[0]) == clean
    store = Store(GRID.slug, tmp_path)
    shares(store, "gradient_guard", (0.9, 0.9, 0.1, 0.1, 0.1, 0.1))
    values = {("mnist", "full_trim", s): 0.9 if s < "40" else 0.3 for s in SHARES[1:]}
    reading_cells(store, ON_AXIS[0], values)
    archive = Archive(GRID, store)
    figure = tables.share_panels(archive, "mnist")
    number = list(LINE_TITLES).index(ON_AXIS[0])
    assert figure.axes[0].lines[number].get_ydata() == pytest.approx([90, 90, 90, 90, 30, 30])
    # With partial knowledge, and under full-Krum, which has the clean run alone, it has no line.
    assert [len(axis.lines[number].get_ydata()) for axis in figure.axes[1:]] == [0, 0, 0]
    rows = {row[0]: row[1:] for row in tables.break_table(archive, "mnist").rows}
    assert rows[LINE_TITLES[ON_AXIS[0]]] == (
        "40 %\n1 seed", "not computed", "not tried", "not tried",
    )  # fmt: skip
    labels = [text.get_text() for text in tables.share_panels(archive, "cifar10").legends[0].texts]
    assert labels == list(RULE_TITLES.values())


def test_the_headline_is_judged_in_each_reading(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    shares(store, "gradient_guard", (0.9, 0.9, 0.1, 0.1, 0.1, 0.1))
    shares(store, "median", (0.9, 0.9, 0.9, 0.9, 0.9, 0.9))
    places = [("mnist", attack, share) for attack in ("full_trim", "full_krum") for share in "35"]
    at = {(data, attack, f"{share}0"): 0.9 for data, attack, share in places}
    for reading in ("no decay", "one window", ON_AXIS[1]):
        reading_cells(store, reading, at)
    # One share under one attack is enough not to withstand 50 %.
    reading_cells(store, "decay 0.5", at | {("mnist", "full_krum", "50"): 0.1})
    # What is not known cannot hold, but what has failed has failed.
    reading_cells(store, "trusted reference", {p: 0.9 for p in at if p[2] == "30"})
    reading_cells(store, "probabilities", {p: 0.1 for p in at if p[2] == "30"})
    text = tables.headline(Archive(GRID, store)).text
    tried, every = text.split(" At every share ")
    held = f"no decay*; one window*; {ON_AXIS[1]}*"
    for reading in (*held.split("; "), "holds in 3 of 16 readings"):
        assert reading in tried.partition("does not hold")[0]
    failed, undecided = tried.partition("does not hold")[2].split("is undecided in")
    assert "in 2 of 16 readings (" in failed and "decay 0.5" in failed and "probab" in failed
    assert "11 of 16 readings" in undecided and "trusted reference" in undecided
    assert "does not hold in 1 of 3 readings (default reading*)" in every
    assert "is undecided in 2 of 3 readings" in every


def test_what_the_malicious_weigh_is_the_softmax_of_their_reputations(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    # 2 of 20 clients: the others' reputations are log(18) and theirs are 0, so 2 of 18 * 18 + 2.
    late = [math.log(18.0)] * 18 + [0.0] * 2
    early = [0.0] * 18 + [9.0] * 2
    shares(
        store,
        "gradient_guard",
        (None, 0.9, None, None, None, None),
        reputation=[early] + [late] * 5,
    )
    result = Archive(GRID, store).best("mnist/full_trim/10/gradient_guard")
    assert malicious_weight(result) == pytest.approx(100 * 2 / (18 * 18 + 2), abs=0.01)
    (row,) = (
        row for text, row in claimed(store).items()
        if text.startswith("MNIST, full-trim: malicious clients' contributions are isolated")
        and text.endswith("[default reading]")
    )  # fmt: skip
    assert (row.needed, row.verdict) == ("< 5", "undecided: not computed")


def test_equal_accuracies_are_a_tie_and_chance_decides_nothing(tmp_path, quiet):
    text = "MNIST, full-trim, 50 %: Gradient Guard is better than {} [default reading]"
    store = Store(GRID.slug, tmp_path)
    for seed in (1, 2, 3):
        wobble = seed / 500
        shares(store, "gradient_guard", (None,) * 5 + (0.9 + wobble,), seed)
        for rule in ("fedsgd", "foolsgold", "fltrust"):
            shares(store, rule, (None,) * 5 + (0.9 + wobble,), seed)
        for rule in (*CLASSICAL, "flair"):
            shares(store, rule, (None,) * 5 + (0.1,), seed)
    rows = claimed(store)
    assert rows[text.format("FedSGD, FoolsGold and FLTrust")].verdict == "tie"
    assert rows[text.format("the classical rules and FLAIR")].verdict == "holds"
    store = Store(GRID.slug, tmp_path / "chance")
    for rule in ("gradient_guard", *CLASSICAL, "flair"):
        shares(store, rule, (None,) * 5 + (0.1,))
    row = claimed(store)[text.format("the classical rules and FLAIR")]
    assert row.verdict == "undecided: a tie at chance"


def test_one_client_that_amplifies_turns_the_mean_round():
    run = CELLS["mnist/amplified/5/fedsgd"]
    assert (run.n_byzantine, run.attack.name) == (1, "ipm")
    honest = torch.ones(N_CLIENTS - 1, 3)
    sent, _ = run.attack.apply(honest)
    mean = torch.cat([honest, sent]).mean(0)
    torch.testing.assert_close(mean, torch.full((3,), (19 - 40) / 20))


def test_claims_on_the_limits_of_the_rules_before(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    for rule, kept in (("trimmed_mean", 0.3), ("median", 0.5), ("krum", 0.2), ("faba", 0.3)):
        shares(store, rule, (0.9, 0.9, 0.8, kept, 0.1, 0.1))
    shares(store, "bulyan", (0.8, 0.8, 0.6, 0.1, 0.1, 0.1))
    rows = claimed(store)
    # FABA breaks under full-Krum alone, and the median under neither attack at 30 %.
    for rule, kept in (("trimmed_mean", 0.9), ("median", 0.6), ("krum", 0.9), ("bulyan", 0.9)):
        shares(store, rule, (0.9, 0.9, 0.8, kept, 0.3, 0.3), attack="full_krum")
    shares(store, "faba", (0.9, 0.9, 0.6, 0.1, 0.1, 0.1), attack="full_krum")
    both = {
        text.removeprefix("MNIST, full-trim and full-Krum: "): row
        for text, row in claimed(store).items()
        if "classical rule" in text and text.startswith("MNIST, full-trim and")
        if not row.claim.reading
    }
    row = both["every classical rule withstands 20 % malicious clients"]
    assert (row.here, row.verdict) == (
        "the worst of them keeps 67 % of its clean accuracy", "holds, provisional: one seed",
    )  # fmt: skip
    (row,) = (row for text, row in both.items() if "has broken at 30 %" in text)
    assert (row.here, row.verdict) == (
        "the best of them keeps 56 % of its clean accuracy", "does not hold, provisional: one seed",
    )  # fmt: skip
    (row,) = (row for text, row in both.items() if "has broken at 40 %" in text)
    assert (row.here, row.verdict) == (
        "the best of them keeps 12 % of its clean accuracy", "holds, provisional: one seed",
    )  # fmt: skip
    found = {
        text: row for text, row in rows.items() if "undermined" in text and "MNIST, full-t" in text
    }
    text = "MNIST, full-trim: Bulyan is undermined by the attack as it is (section 2: adapted) "
    left = "with less than half of its clean accuracy left"
    bulyan = found[text + f"by a share that it is made for (up to 20 %), {left}"]
    assert (bulyan.here, bulyan.verdict) == (
        "at worst 75 % of the clean accuracy left", "does not hold, provisional: one seed",
    )  # fmt: skip
    median = found[
        "MNIST, full-trim: Median is undermined by a share that it is made for (up to 40 %), "
        + left
    ]
    assert (median.place, median.verdict) == ("section 2", "holds, provisional: one seed")
    assert sum("(beyond the attack's own limit)" in text for text in rows) == sum(
        "full-Krum" in text and ", 50 %" in text and "partial" not in text for text in rows
    )


def test_figures_are_drawn():
    archive = Archive(GRID, Store(GRID.slug, "nowhere"))
    for figure in (
        tables.figure_1(),
        tables.share_panels(archive, "cifar10"),
        tables.reputation_curves(archive),
    ):
        assert figure.axes
    figure = tables.gallery("embedded", rounds=2)
    labels = [axis.get_xlabel() for axis in figure.axes]
    scores = [float(label) for label in labels if label]
    assert len(scores) == 12
    assert all(-1 <= score <= 1 for score in scores)


def test_what_was_found_has_the_numbers_of_the_store(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    guard = "gradient_guard"
    shares(store, guard, (0.9, 0.4, 0.3, 0.2, 0.2, 0.2), attack="full_krum")
    shares(store, guard, (0.9, 0.6, 0.3, 0.2, 0.2, 0.2), seed=2, attack="full_krum")
    for seed in (1, 2):
        shares(store, "fedsgd", (0.9, 0.85, 0.8, 0.7, 0.2, 0.1), seed, attack="full_krum")
    shares(store, guard, (None, None, None, 0.85, None, None), attack="saliency_matching")
    for cell in GRID.cells("paper", 1, real):
        for attack, area in (("full_krum", 0.1), ("full_trim", 0.6)):
            if cell.key == f"watched/mnist/{attack}/10/{guard}":
                put_series(store, cell, "paper", 0.9, separation=[area, area])
        for data, area in (("mnist", 0.5), ("fashion_mnist", 0.3)):
            if cell.key == f"watched/{data}/full_trim/50/{guard}":
                put_series(store, cell, "paper", 0.9, separation=[area, area])
    places = [("mnist", attack, share) for attack in ("full_trim", "full_krum") for share in "35"]
    at = {(data, attack, f"{share}0"): 0.9 for data, attack, share in places}
    reading_cells(store, "no decay", at)
    shares(store, guard, (None, None, None, 0.9, None, 0.9))
    krum, readings, maps, _, matching = found(Archive(GRID, store))
    assert (
        "2 of 20 clients that send the attack full-Krum (made against the defence Krum, by " in krum
    )
    assert krum.head == (
        "If 2 of 20 clients send the attack full-Krum, Gradient Guard has 40 to 60 % on MNIST, in "
        "the reading of the paper that this book takes first. A server without any defence keeps "
        "85 %. The paper can be read in 16 ways. In 1 of them Gradient Guard withstands full-Krum "
        "and a second attack, full-trim, with 30 and 50 % malicious clients."
    )
    # The seeds are 20 points apart, and so they are still one number.
    assert (
        "down from 90.0 % to 50.0 %. In 1 of 2 seeds less than half of its accuracy is left" in krum
    )
    assert ". Under the same attack, the plain average without any defence keeps 85.0 % (2" in krum
    assert krum.links[1].target.endswith("#cell-mnist/full_krum/10/gradient_guard")
    assert "(2 seeds, at the largest scale of this book; each number is the " in krum
    assert "mean of the last 5 evaluations)" in krum
    assert krum.endswith(
        " In 1 of 16 readings of the text, the defence withstands this attack and full-trim at "
        "30 % and 50 % (some verdicts rest on one seed). 14 readings are undecided."
    )
    assert "in 1 of 16 readings (no decay), and it does not in 1. 14 readings are" in readings
    assert readings.endswith(" 2 of these 2 verdicts rest on one seed.")
    assert "0.10 under full-Krum, so that mostly honest clients are penalised" in maps
    assert "0.60 under full-trim, which is nearer to chance than to certainty" in maps
    assert "At 50 % malicious clients under full-trim it is 0.50 on MNIST and 0.30 on" in maps
    assert "still has 85.0 %, which is 5.0 points less than without an attack" in matching
    shares(store, guard, (0.9, 0.8, 0.3, 0.2, 0.2, 0.2), seed=3, attack="full_krum")
    shares(store, "fedsgd", (0.9, 0.85, 0.8, 0.7, 0.2, 0.1), 3, attack="full_krum")
    krum, *_ = found(Archive(GRID, store))
    assert "down from 90.0 % to 40.0, 60.0 and 80.0 %. In 1 of 3 seeds" in krum


@pytest.mark.parametrize(
    ("guarded", "undefended", "head"),
    [
        (0.89, 0.3, "Gradient Guard withstands a few clients that send full-Krum."),
        (0.60, 0.3, "In its default reading, Gradient Guard does not withstand full-Krum."),
    ],
)
def test_the_headline_follows_the_numbers(tmp_path, guarded, undefended, head):
    store = Store(GRID.slug, tmp_path)
    rest = (None,) * 4
    shares(store, "gradient_guard", (0.9, guarded, *rest), attack="full_krum")
    shares(store, "fedsgd", (0.9, undefended, *rest), attack="full_krum")
    assert found(Archive(GRID, store))[0].head == head


def test_a_defence_is_named_if_it_never_breaks(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    kept, lost = (0.9, 0.8, 0.8, 0.8, 0.8, 0.5), (0.9, 0.8, 0.8, 0.8, 0.8, 0.4)
    for data in ("mnist", "fashion_mnist"):
        for attack in ("full_trim", "full_krum", "full_trim_partial", "full_krum_partial"):
            shares(store, "fltrust", kept, attack=attack, data=data)
            if attack != "full_krum":
                shares(store, "krum", kept, attack=attack, data=data)
    said = found(Archive(GRID, store))[3]
    assert "Of the 1 defences that are computed, FLTrust does so up to 50 %" in said
    assert said.endswith("Neither of the two attacks is made against them.")
    for data, values in (("mnist", kept), ("fashion_mnist", lost)):
        shares(store, "krum", values, attack="full_krum", data=data)
    said = found(Archive(GRID, store))[3]
    assert "Of the 2 defences that are computed, FLTrust does so" in said


def test_without_runs_what_was_found_is_not_computed_yet(tmp_path, quiet):
    sentences = found(Archive(GRID, Store(GRID.slug, tmp_path)))
    assert len(sentences) == 5
    assert all(sentence.endswith(" yet.") for sentence in sentences)


def test_every_claim_on_full_krum_at_half_of_the_clients_alone_says_that_it_is_beyond_its_limit():
    """A claim on all shares up to 50 % cannot hold by the last one alone."""
    on_half_alone = [
        claim
        for claim in tables.CLAIMS
        if any("full_krum/50" in cell for cell in claim.cells)
        and not any(f"/{share}" in cell for cell in claim.cells for share in ("20", "30", "40"))
    ]
    assert len(on_half_alone) > 10
    assert all("limit" in claim.text for claim in on_half_alone)
    # They are about a weak attack, so that they are no part of what the paper says.
    assert all(claim.place == OWN and not claim.of_abstract for claim in on_half_alone)
    up_to = [
        c for c in tables.CLAIMS if "full-Krum: Gradient Guard withstands up to 50 %" in c.text
    ]
    assert up_to
    assert all(sum("/full_krum/" in cell for cell in claim.cells) >= 5 for claim in up_to)


def test_larger_batches_are_told_beside_the_usual_ones(tmp_path):
    store = Store(GRID.slug, tmp_path)
    assert tables.batch_note(Archive(GRID, store)).text.endswith("nothing is computed yet.")
    base, average = "mnist/full_krum/10/gradient_guard", "mnist/full_krum/10/fedsgd"
    left = {base: 0.3, average: 0.96}
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            _, _, usual = cell.key.partition("variants/batch/")
            if cell.key in left:
                put(store, cell, "paper", left[cell.key] + 0.1 * (seed - 1))
            elif usual in left and seed == 1:
                put(store, cell, "paper", 0.9)
            elif cell.key.endswith(f"watched/{base}") and seed == 1:
                area = 0.6 if usual else 0.1
                put_series(store, cell, "paper", 0.9, separation=[area, area])
    text = tables.batch_note(Archive(GRID, store)).text
    assert text == (
        "With batches of 256 samples in place of 32, 2 of 20 clients that send full-Krum leave "
        "Gradient Guard an accuracy of 50.0 % (20.0 % with 32). They leave the plain average "
        "50.0 % (53.0 % with 32) (MNIST, default reading, 1 seed). The probability that a "
        "malicious client's map is less like the reference than an honest client's is 0.60 in "
        "place of 0.10."
    )
    assert text.links[0].target.endswith(f"#cell-variants/batch/{base}")


def test_the_first_finding_tells_what_larger_batches_leave(tmp_path):
    store = Store(GRID.slug, tmp_path)
    rest = (None,) * 4
    shares(store, "gradient_guard", (0.9, 0.3, *rest), attack="full_krum")
    shares(store, "fedsgd", (0.9, 0.8, *rest), attack="full_krum")
    assert "batches" not in found(Archive(GRID, store))[0]
    for cell in GRID.cells("paper", 1, real):
        if cell.key == "variants/batch/mnist/full_krum/10/gradient_guard":
            put_series(store, cell, "paper", 0.7)
    said = found(Archive(GRID, store))[0]
    assert said.endswith(
        " With batches of 256 samples in place of 32, Gradient Guard has 70.0 % under this attack "
        "(1 seed)."
    )


def test_penalties_are_told_from_reputations():
    decay, rounds, n, malicious = 0.9, [10, 20], 10, 2
    weights = [(1 - decay**number) / (1 - decay) for number in rounds]

    def told(of_malicious, of_honest):
        """The measure, if clients are penalised in these shares of the rounds."""
        rates = [of_honest] * (n - malicious) + [of_malicious] * malicious
        record = {
            "config": {"n_clients": n, "n_byzantine": malicious, "aggregator": {"decay": decay}},
            "metrics": {
                "rounds": rounds,
                "reputation": [[w * (2 * malicious / n - rate) for rate in rates] for w in weights],
            },
        }
        return penalties_told(SimpleNamespace(records=(record,)))

    # Four of ten clients are penalised: all malicious ones, and two of the eight honest ones.
    assert told(1.0, 0.25) == pytest.approx(100)
    assert told(0.4, 0.4) == pytest.approx(0)
    assert told(0.0, 0.5) == pytest.approx(-100 * 0.5 / 0.75)
