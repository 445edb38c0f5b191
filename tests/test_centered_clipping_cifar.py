"""CIFAR in the chapter on centered clipping: what is drawn, what is judged, and what is not."""

import math

import pytest
from matplotlib.figure import Figure
from records import put, real

from fedlib.evidence.agreement import verdict
from fedlib.evidence.noise import Noise, NoiseBook
from fedlib.evidence.plan import make_plan
from fedlib.evidence.report import Archive, Note
from fedlib.grids import expand, load_grid, run_grid
from fedlib.grids.times import StoredTimes
from fedlib.papers.centered_clipping import tables, ten_epochs
from fedlib.papers.centered_clipping.claims import statistics as statistic
from fedlib.papers.centered_clipping.claims.short_runs import PAIRS
from fedlib.papers.centered_clipping.keys import Key, table_iv
from fedlib.papers.centered_clipping.published import printed
from fedlib.runs.store import Store

GRID = load_grid("centered_clipping")
COMMAND = "python -m fedlib run centered_clipping --scale paper --only"


@pytest.fixture
def store(tmp_path):
    return Store(GRID.slug, tmp_path)


@pytest.fixture
def steady(monkeypatch):
    """Seeds are known to differ by little, so that one of them decides."""
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: Noise(0.01, 1000))


def put_short(store, accuracies, rule="cc_tau1", momenta=ten_epochs.MOMENTA, **metrics):
    """Store short runs with these accuracies by attack."""
    wanted = {
        str(ten_epochs.key(rule, momentum, attack)): accuracy
        for momentum in momenta
        for attack, accuracy in accuracies.items()
    }
    for cell in GRID.cells("paper", 1, real):
        if cell.key in wanted:
            put(store, cell, "paper", wanted[cell.key], **metrics)


def put_quick(store, part, accuracy=0.4):
    """Store the quick runs whose keys have this part."""
    for cell in GRID.cells("quick", 1, real):
        if part in cell.key:
            put(store, cell, "quick", accuracy)


def judged(store, text, said="after 10 of 100 epochs"):
    """Return the verdict on the short runs, or on the long ones, for the claim with this text."""
    rows = tables.claims_table(Archive(GRID, store)).judged
    (row,) = (
        row
        for row in rows
        if row.claim.text == text and ("10 of 100" in row.claim.reading) == bool(said)
    )
    return row


def legend(figure):
    return [text.get_text() for text in figure.legends[0].texts], figure.legends[0].get_title()


def test_a_short_run_is_the_papers_in_a_tenth_of_the_rounds():
    cells = {cell.key: cell for cell in GRID.cells("paper", 1, real)}
    assert len(ten_epochs.KEYS) == 32
    for key in ten_epochs.KEYS:
        short = cells[str(key)]
        long = cells[str(table_iv(key.setting, key.attack, key.rule, key.momentum))].config
        assert (short.config.rounds, short.config.milestones) == (625, (469,))
        assert (short.config.model, short.config.client.augment) == ("resnet20", "crop_flip")
        assert (short.reduced, short.config.eval_every) == ("10 of 100 epochs", 50)
        back = short.config.with_(
            rounds=long.rounds, milestones=long.milestones, eval_every=long.eval_every,
            track=long.track,
        )  # fmt: skip
        assert back.id == long.id
    # The runs whose cosines the paper prints record them.
    tracked = {key for key in ten_epochs.KEYS if "cosines" in cells[str(key)].config.track}
    assert {(key.attack, key.rule) for key in tracked} == {
        ("alie", "tm"), ("rop", "cc_tau1"), ("rop", "cc_tau0.1"),
    }  # fmt: skip
    assert not any(cell.key.startswith("ten_epochs/") for cell in GRID.cells("quick", 1, real))


def test_short_runs_are_played_at_smoke_scale(store):
    cells = expand(GRID, "smoke", data="embedded", only="ten_epochs/*/rop/cc_tau1/*")
    outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
    assert sorted(outcome.computed) == [
        f"ten_epochs/cifar10_iid/rop/cc_tau1/{m}" for m in (0.9, 0.99)
    ]
    result = Archive(GRID, store).best(cells[0].key)
    assert result.protocol == "smoke, 10 of 100 epochs"


def test_a_short_run_is_never_taken_for_the_papers(store):
    put_short(store, {"none": 0.6, "rop": 0.4891})
    archive = Archive(GRID, store)
    result = archive.best("ten_epochs/cifar10_iid/rop/cc_tau1/0.99")
    # The paper prints 48.91 after 100 epochs.
    assert result.real and result.canonical and not result.comparable
    assert verdict(result, 48.91, 0.13) == "no verdict (paper, 10 of 100 epochs)"
    assert "CIFAR-10 0 of 60" in tables.summary(archive).text
    assert isinstance(tables.table_iv_or_note(archive, "cifar10_iid"), Note)
    assert (
        ", 4 at scale paper, 10 of 100 epochs (1 seed)" in f", {archive.coverage().split(': ')[1]}"
    )
    assert (
        judged(store, "CIFAR-10, CC, τ = 1, β = 0.99: ROP costs nearly 35 points", "").here == "–"
    )


def test_the_small_network_on_cifar_is_neither_drawn_nor_judged(store):
    put_quick(store, "/cifar")
    put_quick(store, "table_iv/fmnist_iid/none/tm/0.99")
    archive = Archive(GRID, store)
    assert {result.key for result in archive.results()} == {"table_iv/fmnist_iid/none/tm/0.99"}
    rows = tables.claims_table(archive).judged
    about = [row for row in rows if any("cifar" in cell for cell in row.claim.cells)]
    assert len(about) > 80
    assert {row.here for row in about} == {"–"}
    limit = "undecided: print is beyond a limit that this book has set; no run can decide this row"
    known = {"undecided: not computed", "contradicted in print", limit}
    assert {row.verdict for row in about} <= known
    # They are stored all the same, under their names.
    assert len(store.read("quick")) > 200
    shown = [
        tables.figure_1(archive), tables.figure_3(archive),
        *(tables.curves(archive, setting) for setting in ("cifar10_noniid", "cifar100_iid")),
        *(tables.search(archive, f"figure_{number}") for number in (12, 13, 14)),
        tables.table_iv_or_note(archive, "cifar100_iid"),
    ]  # fmt: skip
    assert all(isinstance(one, Note) and COMMAND in one.command for one in shown)
    said = tables.figure_1_in_words(archive, "fmnist_iid").text
    assert "Without an attack they are not computed, not computed, " in said
    assert said.endswith("not computed (quick scale, Fashion-MNIST, 1 seed).")
    # Neither does the plan ask for such runs.
    quick = make_plan("quick", slugs=[GRID.slug], archives=lambda slug: Archive(GRID, store))
    assert not any("cifar" in run.cell.key for run in quick.runs)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (
            lambda archive: tables.curves(archive, "cifar10_iid"),
            "CIFAR-10 with the paper's network is stored yet. This command computes them (32 "
            f"runs of 10 of 100 epochs each): {COMMAND} 'ten_epochs/*'",
        ),
        (
            lambda archive: tables.curves(archive, "cifar100_iid"),
            "CIFAR-100 with the paper's network is stored yet. This command computes them (long "
            f"runs, best on a GPU): {COMMAND} 'table_iv/cifar100_iid/*'",
        ),
        (
            lambda archive: tables.search(archive, "figure_14"),
            "other values of ROP's z on CIFAR-10* with the paper's network is stored yet. This "
            f"command computes them (long runs, best on a GPU): {COMMAND} 'figure_14/*'",
        ),
        (tables.short_runs_table, f"{COMMAND} 'ten_epochs/*'"),
    ],
)
def test_one_sentence_says_what_computes_what_is_not_stored(store, shown, words):
    note = shown(Archive(GRID, store))
    assert isinstance(note, Note)
    assert note.text.startswith("No run of ")
    assert f"{note.text} {note.command}".endswith(words)
    pattern = note.command.rpartition("'")[0].rpartition("'")[2]
    assert expand(GRID, "paper", 1, "embedded", only=pattern)


def test_short_runs_are_drawn_as_what_they_are(store):
    put_short(store, {"none": 0.6, "rop": 0.2}, momenta=(0.99,))
    archive = Archive(GRID, store)
    figure = tables.curves(archive, "cifar10_iid")
    assert isinstance(figure, Figure)
    texts, title = legend(figure)
    assert "10 of 100 epochs" in texts
    assert "paper scale" not in texts
    assert title.get_text() == "data: CIFAR-10, 1 seed; ResNet-20"
    # Of the three momenta one has runs.
    assert [axis.get_title() for axis in figure.axes if axis.lines] == ["CC, τ = 1, β = 0.99"]
    assert len(figure.axes) == 4
    loss = tables.curves(archive, "cifar10_iid", "train_loss")
    assert isinstance(loss, Figure)
    # Figures about what short runs are not about wait for it.
    assert isinstance(tables.figure_3(archive), Note)
    table = tables.short_runs_table(archive)
    assert "CIFAR-10 after 10 of 100 epochs, ResNet-20, 1 seed" in table.caption
    row = next(row for row in table.rows if row[:2] == ("CC, τ = 1", "0.99"))
    assert row[2:4] == ("60.00\nnot published", "20.00\n48.91 ± 0.13")
    assert table.classes == {}


def test_a_long_run_comes_before_a_short_one(store):
    put_short(store, {"alie": 0.6, "rop": 0.2}, momenta=(0.99,))
    for cell in GRID.cells("paper", 1, real):
        if cell.key == "table_iv/cifar10_iid/rop/cc_tau1/0.99":
            put(store, cell, "paper", 0.5)
    figure = tables.curves(Archive(GRID, store), "cifar10_iid")
    texts, title = legend(figure)
    assert texts[-2:] == ["paper scale", "10 of 100 epochs"]
    assert "compare lines of one style only" in title.get_text()
    (axis,) = (axis for axis in figure.axes if axis.lines)
    ends = {round(line.get_ydata()[-1]): line.get_alpha() for line in axis.lines}
    assert ends == {50: 1.0, 60: 0.35}


def test_every_claim_about_short_runs_has_the_text_and_a_part_of_the_cells_of_one_about_long_ones():
    assert len(PAIRS) == 23
    keys = set(map(str, ten_epochs.KEYS))
    for long, short in PAIRS:
        assert (short.text, short.place, short.needed) == (long.text, long.place, long.needed)
        assert short.reading.endswith("after 10 of 100 epochs")
        assert set(short.cells) <= keys
        short_of = {str(ten_epochs.short_key(Key.parse(cell))) for cell in long.cells}
        assert set(short.cells) <= short_of
        if set(short.cells) < short_of:
            # What has been left out is said.
            assert short.reading.partition("; ")[0] not in ("", long.reading)
        place = tables.CLAIMS.index(long)
        assert tables.CLAIMS[place + 1] == short
        assert "points" not in long.text


def test_short_runs_decide_what_they_can(store, steady):
    put_short(store, {"none": 0.6, "rop": 0.3, "alie": 0.5, "ipm": 0.55})
    at = "CIFAR-10, CC, τ = 1, β = "
    first = judged(store, f"{at}0.99: ROP is the strongest of the attacks")
    assert first.here == "the strongest other attack leaves 20.0 points more"
    assert first.verdict == "holds, provisional: one seed; 10 of 100 epochs"
    assert first.runs.startswith("paper, 10 of 100 epochs, CIFAR-10, 1 seed")
    # 50 of 60 are 83 % of the clean accuracy.
    both = judged(store, f"{at}0.9 and 0.99: CC converges under every attack but ROP")
    assert (both.here, both.kind) == ("83 % of the clean accuracy is left", "holds")
    alone = judged(store, f"{at}0.9 and 0.99: ROP alone prevents a healthy convergence")
    assert (alone.here, alone.kind) == (
        "the condition that is nearest to failing is met by 20.0",
        "holds",
    )
    # The claims about long runs wait.
    for row in (first, both, alone):
        long = judged(store, row.claim.text, "")
        assert (long.here, long.verdict) == ("–", "undecided: not computed")
    put_short(store, {"none": 0.6, "rop": 0.59, "alie": 0.5}, "cc_tau0.1")
    cost = judged(store, "CIFAR-10: ROP overcomes the robustness of CC regardless of τ and β")
    assert (cost.here, cost.kind) == ("it costs at least 1.0 points", "does not hold")
    put_short(store, {"none": 0.6, "rop": 0.3, "alie": 0.5}, "tm")
    put_short(store, {"none": 0.6, "rop": 0.5, "alie": 0.4}, "rfa")
    elsewhere = judged(store, "CIFAR-10: ROP is also effective against TM and RFA")
    assert (elsewhere.here, elsewhere.kind) == ("it costs at least 10.0 points", "holds")


def test_accuracies_near_chance_decide_nothing_on_cifar(store, steady):
    text = "CIFAR-10, CC, τ = 1, β = 0.99: ROP is the strongest of the attacks"
    put_short(store, {"none": 0.6, "rop": 0.11, "alie": 0.19, "ipm": 0.6}, momenta=(0.99,))
    near = judged(store, text)
    assert (near.here, near.verdict) == (
        "the strongest other attack leaves 8.0 points more", "undecided: a tie near chance",
    )  # fmt: skip
    # A rule that has hardly learned without attack has nothing to lose.
    put_short(store, {"none": 0.18, "rop": 0.11, "alie": 0.15, "ipm": 0.15}, "cc_tau0.1")
    put_short(store, {"none": 0.6, "rop": 0.2}, momenta=(0.9,))
    cost = judged(store, "CIFAR-10: ROP overcomes the robustness of CC regardless of τ and β")
    assert (cost.here, cost.kind) == ("it costs at least 7.0 points", "undecided")


def test_a_clear_lead_over_chance_decides_on_cifar(store, steady):
    text = "CIFAR-10, CC, τ = 1, β = 0.99: ROP is the strongest of the attacks"
    put_short(store, {"none": 0.6, "rop": 0.11, "alie": 0.3, "ipm": 0.6}, momenta=(0.99,))
    assert judged(store, text).kind == "holds"


def test_losses_of_models_that_have_learned_nothing_say_nothing():
    # The logarithm of 10 is 2.303.
    assert math.isnan(statistic.least_drop([2.31, 2.29, 2.0, 1.0]))
    assert statistic.least_drop([2.31, 2.2, 2.0, 1.0]) == pytest.approx(0.11)


def test_what_is_printed_of_a_short_runs_claim_is_that_of_the_long_run():
    short = "ten_epochs/cifar10_iid/rop/cc_tau1/0.99"
    assert printed(short, "test_accuracy") == printed(short.replace("ten_epochs", "table_iv"),
                                                      "test_accuracy")  # fmt: skip
    quantity = "cosine_byzantine_to_last_aggregate"
    assert printed(short, quantity).value == 0.27
    clean = "ten_epochs/cifar10_iid/none/tm/0.9"
    assert printed(clean, "test_accuracy").least == pytest.approx(83.42)


def test_the_plan_has_the_short_runs_with_their_minutes_and_claims(store, monkeypatch):
    monkeypatch.setattr("fedlib.evidence.plan.resolve_source", lambda name, source: real(name))
    monkeypatch.setattr(NoiseBook, "freedom", lambda self, data_set: 1000)
    plan = make_plan(slugs=[GRID.slug], archives=lambda slug: Archive(GRID, store))
    short = [run for run in plan.runs if run.cell.reduced and run.cell.config.seed == 1]
    assert {run.cell.key for run in short} == set(map(str, ten_epochs.KEYS))
    assert {(run.minutes, run.measured) for run in short} == {(ten_epochs.MINUTES, False)}
    decides = " ".join(claim for run in short for claim in run.decides)
    for _, claim in PAIRS:
        assert f"{claim.text} [{claim.reading}]" in decides


def test_the_time_of_a_long_run_is_known_from_a_short_one(store):
    put_short(store, {"rop": 0.5}, momenta=(0.9,))
    times = StoredTimes("cpu")
    times.add(store.read("paper").values())
    cells = {cell.key: cell.config for cell in GRID.cells("paper", 1, real)}
    # 36 seconds are stored.
    assert times.minutes(cells["ten_epochs/cifar10_iid/rop/cc_tau1/0.9"]) == 0.6
    assert times.minutes(cells["table_iv/cifar10_iid/rop/cc_tau1/0.9"]) == pytest.approx(6)
    assert times.minutes(cells["table_iv/cifar100_iid/rop/cc_tau1/0.9"]) is None
