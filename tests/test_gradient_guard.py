"""The chapter on Gradient Guard: its grid, tables, figures and claims."""

import pytest
from records import put

from fedlib.data import DataConfig
from fedlib.grid import expand, load_grid, run_grid
from fedlib.papers.gradient_guard import (
    N_CLIENTS,
    READINGS,
    RULE_TITLES,
    SHARES,
    make_rule,
    tables,
)
from fedlib.report import Archive
from fedlib.store import Store

GRID = load_grid("gradient_guard")


def real(name):
    return DataConfig(name, "real", "canonical")


CELLS = {cell.key: cell.config for cell in GRID.cells("paper", 1, real)}


def test_every_cell_is_a_run_of_its_own():
    assert len({config.id for config in CELLS.values()}) == len(CELLS)
    for claim in tables.CLAIMS:
        assert set(claim.cells) <= set(CELLS), claim.text


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
                CELLS[tables.reading_key("mnist", "full_trim", "30", r)]
                .aggregator.to_dict()
                .items()
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
    from fedlib.validation import ConfigError

    try:
        AGGREGATORS["mean" if rule == "fedsgd" else rule](n_byzantine=f).check(N_CLIENTS)
    except ConfigError:
        return False
    return True


def test_smoke_cells_run_from_end_to_end(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for only in ("mnist/*/20/gradient_guard", "readings/*/full_trim/*", "cifar10/full_krum/50/f*"):
        cells = expand(GRID, "smoke", data="embedded", only=only)
        outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
        assert not outcome.failed
        assert len(outcome.computed) == len(cells) > 1
    archive = Archive(GRID, store)
    record = archive.best("mnist/full_trim/20/gradient_guard").records[0]
    assert len(record["metrics"]["reputation"][-1]) == N_CLIENTS
    rows = {row[0]: row[1:] for row in tables.readings_table(archive).rows}
    assert all(row[0] != "–" for name, row in rows.items() if name != "default")


def shares(store, rule, accuracies, seed=1, attack="full_trim", **metrics):
    """Store one seed's accuracies of a rule, by share."""
    wanted = {
        tables.key("mnist", attack, s, rule): a for s, a in zip(SHARES, accuracies, strict=True)
    }
    for cell in GRID.cells("paper", seed, real):
        if cell.key in wanted:
            put(store, cell, "paper", wanted[cell.key], **metrics)


def test_where_a_defence_breaks_over_seeds(tmp_path):
    store = Store(GRID.slug, tmp_path)
    shares(store, "median", (0.9, 0.9, 0.8, 0.4, 0.3, 0.1))
    shares(store, "median", (0.9, 0.9, 0.8, 0.5, 0.3, 0.1), seed=2)
    shares(store, "fltrust", (0.9, 0.9, 0.9, 0.9, 0.9, 0.5))
    rows = {row[0]: row[1] for row in tables.break_table(Archive(GRID, store), "mnist").rows}
    assert rows["Median"].startswith("35 % (-29 to 99)\npaper, 2 seeds")
    assert rows["FLTrust"] == "not up to 50 %\npaper, 1 seed"
    assert rows["Krum"] == "not computed"


def test_claims_on_shares_and_on_separation(tmp_path):
    store = Store(GRID.slug, tmp_path)
    more = {"separation": [0.9, 0.7], "reputation": [[0.0] * 20, [1.0] * 20]}
    shares(store, "gradient_guard", (0.9, 0.9, 0.9, 0.8, 0.6, 0.36), **more)
    table = tables.claims_table(Archive(GRID, store))
    rows = {row[1]: row for row in table.rows}
    row = rows["MNIST, full-trim: Gradient Guard withstands 50 % malicious clients"]
    assert row[2] == "at worst 40 % of the clean accuracy left"
    assert row[-1] == "does not hold (one seed)"
    flair = "MNIST, full-trim: FLAIR withstands 45 % malicious clients"
    assert rows[flair][-1] == "undecided: not computed"
    shares(store, "flair", (0.9, 0.9, 0.9, 0.9, 0.9, 0.1), **more)
    for cell in GRID.cells("paper", 1, real):
        if cell.key == "mnist/full_trim/45/flair":
            put(store, cell, "paper", 0.81, **more)
    decided = {row[1]: row for row in tables.claims_table(Archive(GRID, store)).rows}[flair]
    assert decided[2:] == (
        "at worst 90 % of the clean accuracy left", "≥ 50", "paper, MNIST, 1 seed",
        "holds (one seed)",
    )  # fmt: skip
    row = next(row for text, row in rows.items() if text.startswith("MNIST, full-trim, 30 %: mal"))
    assert row[2] == "area under the ROC curve 0.80"
    assert row[-1] == "holds (one seed)"


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
