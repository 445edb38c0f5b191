"""The chapter on clustering with outliers: its grid, published numbers, tables and claims."""

from collections import Counter

import numpy as np
import pytest
from records import put

from fedlib.attacks import ATTACKS
from fedlib.data import DataConfig
from fedlib.evidence.published import load_published
from fedlib.evidence.report import Archive
from fedlib.grids import expand, load_grid, run_grid
from fedlib.papers.clustering_with_outliers import statistics, tables
from fedlib.papers.clustering_with_outliers.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.clustering_with_outliers.by_code import by_concentration
from fedlib.papers.clustering_with_outliers.found import found
from fedlib.papers.clustering_with_outliers.methods import RULES, attacks_of
from fedlib.papers.clustering_with_outliers.settings import N_CLIENTS, RATES
from fedlib.papers.clustering_with_outliers.tables import dilemma
from fedlib.papers.clustering_with_outliers.variants import VARIANTS
from fedlib.runs.store import Store
from fedlib.validation import ConfigError
from tools.transcribe import clustering_with_outliers as transcribe

GRID = load_grid("clustering_with_outliers")


def sample(name):
    return DataConfig(name, "real", "another sample")


# --- grid ----------------------------------------------------------------------------------


def test_the_paper_scale_is_the_papers_protocol():
    for cell in GRID.cells("paper", 1, sample):
        config = cell.config
        assert (config.n_clients, config.rounds) == (35, 1500)
        assert config.client.batch_size == (1 if "variants/code/cifar10" in cell.key else 3)
        assert config.milestones == ()
        assert config.model == "cnn_32_64"
        rate = next(part for part in cell.key.split("/") if part in RATES)
        assert config.aggregator.n_byzantine == RATES[rate]
        assert config.n_byzantine == (0 if "/none/" in cell.key else RATES[rate])
        if not cell.key.startswith("variants"):
            assert (config.client.momentum, config.learning_rate) == (0.99, 0.1)
            assert ("uniform" in cell.key) == (config.partition.name == "iid")


def test_every_cell_is_a_run_of_its_own():
    cells = GRID.cells("paper", 1, sample)
    assert len({cell.config.id for cell in cells}) == len(cells) == len({c.key for c in cells})


def test_everything_shown_is_in_the_grid():
    keys = {cell.key for cell in GRID.cells("paper", 1, sample)}
    theirs = {place for place, value in tables.published().items() if value.attack}
    assert len(theirs) == 3 * 48 + 3 * 56 + 48 + 12
    assert theirs <= keys
    for claim in tables.CLAIMS:
        assert set(claim.cells) <= keys, claim.text
    for variant in (*VARIANTS, *SINGLE_CHOICES, CODE):
        for base in variant.cells:
            assert {base, variant.cell(base)} <= keys


def test_the_codes_choices_are_taken_at_once():
    cells = {cell.key: cell.config for cell in GRID.cells("paper", 1, sample)}
    voted = cells["variants/code/femnist_dirichlet/0.2/sf/cent2p"]
    assert (voted.client.momentum, voted.client.sampling) == (0.0, "fresh")
    assert (voted.vote_samples, voted.learning_rate, voted.data.per_pixel) == (64, 0.08, True)
    clipped = cells["variants/code/femnist_uniform/0.4/omn/cclip"]
    assert (clipped.aggregator.threshold, clipped.attack.version) == (2.15771, "code")
    assert (clipped.vote_samples, clipped.learning_rate) == (0, 0.1)
    assert cells["variants/code/femnist_uniform/0.4/sv/krum"].attack.z == 0.57
    assert cells["variants/code/femnist_uniform/0.4/lf/gm"].attack.mapping == "characters"
    assert cells["variants/code_momentum/femnist_uniform/0.4/sf/avg"].client.momentum == 0.99
    threes = cells["variants/code_batch/cifar10_uniform/0.2/sv/gm"]
    assert (threes.client.batch_size, threes.client.momentum, threes.attack.z) == (3, 0.0, 0.57)
    flipped = cells["variants/code/cifar10_uniform/0.2/lf/gm"]
    assert (flipped.attack, flipped.client.batch_size) == (ATTACKS["none"](n_byzantine=7), 1)
    undamped = cells["variants/undamped/femnist_uniform/0.2/omn/mean1p"]
    assert (undamped.learning_rate, undamped.client.buffer) == (10.0, "shared")


def test_smoke_cells_run_from_end_to_end(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for only in ("*/camouflage/*2p", "variants/votes/*f/*", "femnist_dirichlet/0.1/pga/c*"):
        cells = expand(GRID, "smoke", data="embedded", only=only)
        outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
        assert len(outcome.computed) == len(cells) > 1
    record = next(iter(store.read("smoke").values()))
    assert record["metrics"]["test_accuracy_average"][-1] is not None
    shown = tables.camouflage_table(Archive(GRID, store)).rows
    assert shown[0][1:3] == ("not computed", "not computed")
    # On unequal data the grid has not all six attacks on the rules of one phase.
    assert "–" in shown[-1] and shown[-1][5:7] == ("not computed", "not computed")


# --- published -----------------------------------------------------------------------------


def test_published_counts_units_and_worst():
    values = load_published("clustering_with_outliers")
    assert Counter(value.item for value in values) == transcribe.EXPECTED
    rows = {}
    for value in values:
        assert value.unit == "share"
        assert 0 <= value.value <= 1
        row = rows.setdefault((value.item, value.setting, value.aggregator), {})
        assert value.attack not in row
        row[value.attack] = value.value
    off = {place for place, row in rows.items() if row.pop("") != min(row.values())}
    assert off == set()


@pytest.mark.parametrize(
    ("item", "setting", "attack", "rule", "value", "spread"),
    [
        ("table_1", "femnist_uniform/0.4", "sf", "gm", 0.46, None),
        ("table_2", "femnist_uniform/0.1", "omn", "gm", 0.19, 0.27),
        ("table_2", "femnist_uniform/0.4", "sv", "mean2p", 0.75, 0.02),
        ("table_3", "femnist_dirichlet/0.2", "pga", "krum", 0.18, 0.03),
        ("table_3", "femnist_dirichlet/0.4", "sf", "cent2p", 0.30, 0.26),
        ("table_4", "cifar10_uniform/0.2", "lf", "avg", 0.58, None),
        ("table_5", "femnist_uniform/0.2", "omn", "cent1p", 0.12, 0.14),
    ],
)
def test_published_as_read_by_eye(item, setting, attack, rule, value, spread):
    (found,) = (
        v
        for v in load_published("clustering_with_outliers", item)
        if (v.setting, v.attack, v.aggregator) == (setting, attack, rule)
    )
    assert (found.value, found.spread) == (value, spread)


PAPER = """
Prose.

Aggregation	LF	SV	Worst
Avg	0.5	.25	0.25
Cent2P	0.75	0.7	0.7

Table 1: a caption
"""
APPENDIX = """
Table 2, a heading

| rate | rule | LF | SV | worst |
| --- | --- | --- | --- | --- |
| 0.1 | Avg | 0.77 ± 0.02 | 0.10 ± 0.06 | 0.10 |
| 0.4 | Krum | 0.80 ± 0.01 | 0.79 ± 0.00 | 0.79 |

Table 4, another

| rule | LF | SV | worst |
| --- | --- | --- | --- |
| FedAvg | 0.58 | 0.33 | 0.33 |
"""


def test_parser_reads_both_forms():
    rows = transcribe.table_1(PAPER)
    assert [row[:2] + row[2:4] + row[6:8] for row in rows[:2]] == [
        ("table_1", "femnist_uniform/0.4", "lf", "avg", "0.5", ""),
        ("table_1", "femnist_uniform/0.4", "sv", "avg", ".25", ""),
    ]
    assert (rows[-1].quantity, rows[-1].aggregator) == ("worst_test_accuracy", "cent2p")
    rows = transcribe.appendix_table(APPENDIX, "table_2")
    assert [(row.setting, row.value, row.spread) for row in rows[3:]] == [
        ("femnist_uniform/0.4", "0.80", "0.01"),
        ("femnist_uniform/0.4", "0.79", "0.00"),
        ("femnist_uniform/0.4", "0.79", ""),
    ]
    (row, *_) = transcribe.appendix_table(APPENDIX, "table_4")
    assert (row.setting, row.aggregator) == ("cifar10_uniform/0.2", "avg")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Table 2,", "Table 9,", "0 lines start with 'Table 2,'"),
        ("| --- | --- | --- | --- | --- |\n", "", "no Markdown table"),
        ("LF | SV | worst", "LF | XX | worst", "unknown heading"),
        ("| Krum |", "| Kram |", "unknown line 'Kram'"),
        ("0.80 ± 0.01 | ", "", "unknown line 'Krum' of 2 cells"),
        ("0.80 ± 0.01", "0.80 +- 0.01", "not a number"),
    ],
)
def test_parser_refuses_another_form(old, new, message):
    with pytest.raises(transcribe.TranscriptionError, match=message):
        transcribe.appendix_table(APPENDIX.replace(old, new, 1), "table_2")


def test_command_line_checks_counts(tmp_path, capsys):
    paper, appendix = tmp_path / "paper.txt", tmp_path / "appendix.md"
    paper.write_text(PAPER)
    appendix.write_text(APPENDIX + APPENDIX.replace("Table 2", "Table 3").replace("4,", "5,"))
    assert transcribe.main([str(paper), str(appendix)]) == 2
    assert "table_1: 6 cells found, 56 expected" in capsys.readouterr().err


# --- tables and claims ---------------------------------------------------------------------


def test_a_row_has_ours_the_published_and_the_worst(tmp_path):
    store = Store(GRID.slug, tmp_path)
    accuracies = dict(zip(tables.PUBLISHED_ATTACKS, (0.7, 0.6, 0.7, 0.8, 0.7, 0.75), strict=True))
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, sample):
            _, *place = cell.key.split("/")
            if cell.key.startswith("femnist_uniform/0.4/") and place[-1] == "cent2p":
                accuracy = accuracies.get(place[1])
                if accuracy:
                    put(store, cell, "paper", accuracy + 0.02 * seed)
    table = tables.accuracy_table(Archive(GRID, store), "femnist_uniform", "0.4")
    row = dict(zip(table.header, table.rows[RULES.index("cent2p")], strict=True))
    assert row["SF"] == "0.63 ± 0.01\n2 seeds\n0.62 ± 0.03"
    assert row["worst"] == "0.63\n2 seeds\n0.62"
    assert table.rows[0][1] == "–\n\n0.56 ± 0.03"
    assert "differs" not in table.classes.values()  # another sample: no verdict
    said = tables.nearness(Archive(GRID, store), "femnist_uniform", "femnist_dirichlet").text
    assert said.startswith("For 6 of the 324 accuracies that all tables")
    assert said.endswith("so this is for orientation and is no verdict.")


def test_printed_numbers_are_compared_in_three_groups(tmp_path):
    archive = Archive(GRID, Store(GRID.slug, tmp_path))
    groups = [compared.cells for compared, _ in tables.compared(archive)]
    assert [len(cells) for cells in groups] == [48, 276, 48]
    assert len(set().union(*groups)) == 372
    for title in ("Table 1", "Tables 2, 3 and 5", "Table 4"):
        assert "is computed at" in str(tables.farthest_table(archive, title))
    assert "can be compared yet" in str(tables.recovery(archive, "Table 4", tables.CODE_BATCH))
    with pytest.raises(ConfigError, match="title='Table 2' is unknown"):
        tables.farthest_table(archive, "Table 2")


def test_on_the_papers_own_data_each_accuracy_has_a_verdict(tmp_path):
    store = Store(GRID.slug, tmp_path)
    assert "No published value" in tables.nearness(Archive(GRID, store), "cifar10_uniform").text
    for cell in GRID.cells("paper", 1, lambda name: DataConfig(name, "real", "canonical")):
        *place, rule = cell.key.split("/")
        if place == ["cifar10_uniform", "0.2", "lf"]:
            put(store, cell, "paper", {"avg": 0.49, "krum": 0.195}.get(rule, 0.9))
    put_cells(store, {"femnist_uniform/0.1/lf/avg": 0.7})  # this scenario has no clean cells
    table = tables.accuracy_table(Archive(GRID, store), "femnist_uniform", "0.1")
    assert table.rows[0][1].startswith("0.70\n1 seed")
    table = tables.accuracy_table(Archive(GRID, store), "cifar10_uniform", "0.2")
    assert table.rows[0][1] == "0.49\n1 seed\n0.58 ✗"
    assert table.rows[RULES.index("krum")][1] == "0.20\n1 seed\n0.18 ✓"
    assert table.caption.endswith("and ✗ means that they are further apart")
    verdicts = [table.classes[row, 1] for row in range(len(RULES))]
    assert verdicts == ["agrees" if rule == "krum" else "differs" for rule in RULES]
    said = tables.nearness(Archive(GRID, store), "cifar10_uniform").text
    assert said.startswith("For 8 of the 48 accuracies that all tables")
    assert said.endswith("and 1 of them are within the margin, which is 0.02.")


def test_the_worst_cases_are_ranked_if_all_are_of_one_scale(tmp_path):
    store = Store(GRID.slug, tmp_path)
    said = tables.accuracy_in_words(Archive(GRID, store), "femnist_uniform", "0.4").text
    assert said.endswith("the worst cases of its rules are not compared.")
    worst = dict(zip(RULES, (0.05, 0.04, 0.53, 0.64, 0.62, 0.45, 0.74, 0.73), strict=True))
    for cell in GRID.cells("paper", 1, sample):
        *place, attack, rule = cell.key.split("/")
        if place == ["femnist_uniform", "0.4"] and rule in RULES and attack != "camouflage":
            put(store, cell, "paper", worst[rule] if attack == "sf" else 0.8)
    said = tables.accuracy_in_words(Archive(GRID, store), "femnist_uniform", "0.4").text
    assert "the best first: Cent2P 0.74, Mean2P 0.73, CWM 0.64, CWTM 0.62, CClip 0.53, " in said
    assert said.endswith("(paper scale, EMNIST by-class (another sample), 1 seed).")


def test_claims_on_another_sample_are_decided_and_say_so(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    number, claim = next(
        (i, c) for i, c in enumerate(tables.CLAIMS) if "Cent1P fails under Omn" in c.text
    )
    for cell in GRID.cells("paper", 1, sample):
        if cell.key in claim.cells:
            put(store, cell, "paper", 0.2 if "cent1p" in cell.key else 0.8)
    row = tables.claims_table(Archive(GRID, store)).judged[number]
    assert row.here == "the second phase adds 60.0 points"
    assert row.in_print == "the second phase adds 68.0 points"  # 0.80 and 0.12
    assert row.verdict == "holds, provisional: one seed; other data than the paper's"


def test_a_claim_is_tested_again_with_the_choices_of_the_code(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    for cell in GRID.cells("paper", 1, sample):
        if "femnist_uniform/0.2/omn/" in cell.key:
            fails = cell.key.startswith("variants/code/") and "cent1p" in cell.key
            put(store, cell, "paper", 0.2 if fails else 0.8)
    rows = tables.claims_table(Archive(GRID, store)).judged
    text, code = (row for row in rows if "Cent1P fails under Omn" in row.text)
    assert (text.kind, text.claim.reading) == ("does not hold", "")
    assert (code.kind, code.here) == ("holds", "the second phase adds 60.0 points")
    assert code.text.endswith("[all choices of the authors' code]")
    # The paper prints its numbers under the grid's own cells.
    assert code.in_print == text.in_print == "the second phase adds 68.0 points"
    assert code.claim.anchor(GRID.slug) != text.claim.anchor(GRID.slug)


@pytest.mark.parametrize(
    ("average", "kind"), [(0.85, "holds"), (0.024, "does not hold"), (0.95, "does not hold")]
)
def test_much_better_is_not_slightly_better(tmp_path, quiet, average, kind):
    """Two phases have 0.9 here. The paper's are 5 points better than Avg, and ours once 87.6."""
    store = Store(GRID.slug, tmp_path)
    number, claim = next(
        (i, c) for i, c in enumerate(tables.CLAIMS) if "slightly better than Avg" in c.text
    )
    for cell in GRID.cells("paper", 1, sample):
        if cell.key in claim.cells:
            put(store, cell, "paper", average if cell.key.endswith("/avg") else 0.9)
    assert tables.claims_table(Archive(GRID, store)).judged[number].kind == kind


def test_statistics_of_the_claims_by_hand():
    # Rules with two attacks each: worst cases 3 and 5 of the first two, 1 and 4 of the others.
    assert statistics.worst_lead(2, 2)([3, 9, 5, 6, 1, 8, 4, 7]) == 3 - 4
    assert statistics.lead(2)([7, 9, 3, 6.5]) == 0.5
    # Their means are 6 and 5.5, and those of the others 4.5 and 5.5.
    assert statistics.mean_lead(2, 2)([3, 9, 5, 6, 1, 8, 4, 7]) == 5.5 - 5.5
    # The best worst case is 5 in the first half and 4 in the second.
    assert statistics.best_worst_case_falls(2)([3, 9, 5, 6, 1, 8, 4, 7]) == 5 - 4
    assert statistics.second_lowest_below([8, 9, 1, 3]) == 8 - 3
    # A rule that is far above Avg is not comparable to it, no more than one that is far below.
    comparable, *others = (c for c in tables.CLAIMS if "are comparable to Avg" in c.text)
    readings = [
        "average of all models, which Algorithm 1 returns",
        "Dir(0.1) with 0.1 for a class on average",
        "all choices of the authors' code",
    ]
    assert [comparable.reading, *(c.reading for c in others)] == ["", *readings]
    assert comparable.value([80, 78, 81, 79]) in comparable.needed
    assert comparable.value([80, 80, 90, 80]) not in comparable.needed
    assert comparable.value([80, 80, 70, 80]) not in comparable.needed


def test_the_papers_own_numbers_are_as_it_claims(tmp_path):
    table = tables.claims_table(Archive(GRID, Store(GRID.slug, tmp_path)))
    printed = {row.claim.text: row.in_print for row in table.judged if not row.claim.reading}
    assert [
        text.partition(" (")[0]
        for text, value in printed.items()
        if value.endswith("not as claimed")
    ] == [
        "CIFAR-10, uniform, rate 0.2: Cent2P and Mean2P have the highest mean over the attacks, by "
        "a large margin",
    ]
    shown = {
        "CClip is the third method": "18.0 points above",  # 0.20, and 0.02 of CWM and CWTM
        "Empire: certain resilient rules": "the second lowest is 81.0 points",  # 0.87, 0.04, 0.06
        "Mean2P is better than Mean1P under SV": "the second phase adds 18.0 points",
        "SV: Cent2P and Mean2P are slightly better than Avg": "5.0 points above",
        "SV: Cent2P and Mean2P are much better": "34.0 points above",  # 0.78 and CClip's 0.44
        "FEMNIST, uniform, rate 0.1: Cent2P and Mean2P have the highest worst case, by": "16.0",
    }
    for start, value in shown.items():
        (text,) = (text for text in printed if start in text)
        assert value in printed[text], text


def test_the_thought_experiment_leaves_no_rule_better_than_the_average_twice():
    rows = {row[0]: tuple(map(float, row[1:])) for row in tables.dilemma_table().rows}
    # The chapter names a point that is nearer to both honest means than the average is.
    vectors = dilemma._plane().numpy()
    for honest in dilemma._HONEST.values():
        apart = [
            np.linalg.norm(point - vectors[honest].mean(0))
            for point in ((0.33, 0.24), vectors.mean(0))
        ]
        assert apart[0] < apart[1]
    sneak, siege = rows.pop("average")
    assert len(rows) > 10
    assert not any(a < sneak and b < siege for a, b in rows.values())
    assert rows["Outer (MeanwO)"][0] < sneak < rows["Inner (MeanwO)"][0]
    assert rows["Inner (MeanwO)"][1] < siege < rows["Outer (MeanwO)"][1]
    assert tables.figure_1().axes


def test_constants_of_theorem_2_for_the_experiments():
    rows = {row[:2]: row[3:] for row in tables.constants_table().rows}
    f, n = 7, N_CLIENTS
    kappa = 6 * f / (n - 2 * f) * (n - f) / (n - 2 * f)
    assert rows["MeanwO", "(f, κ)-robustness"][1] == f"{kappa:.3g}"
    assert len(rows) == 8


# --- what was found ------------------------------------------------------------------------


def put_cells(store, accuracies):
    """Store one seed at paper scale of the cells with these keys."""
    for cell in GRID.cells("paper", 1, sample):
        if cell.key in accuracies:
            put(store, cell, "paper", accuracies[cell.key])


def test_what_was_found_has_the_numbers_of_the_store(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    usual = {f"femnist_uniform/0.4/{attack}/cent2p": 0.8 for attack in tables.PUBLISHED_ATTACKS}
    put_cells(
        store,
        usual
        | {
            "femnist_uniform/0.4/sv/cent2p": 0.71,
            "femnist_uniform/0.4/camouflage/cent2p": 0.12,
            "femnist_uniform/0.4/camouflage/cent1p": 0.66,
            "femnist_uniform/0.2/camouflage/cent2p": 0.62,
            "femnist_dirichlet/0.2/camouflage/cent2p": 0.61,
            "femnist_uniform/0.2/omn/cent1p": 0.31,
            "femnist_uniform/0.2/omn/cent2p": 0.79,
            "femnist_uniform/0.4/omn/krum": 0.5,  # 0.10 is printed
            "variants/code/femnist_uniform/0.4/omn/krum": 0.08,
            "cifar10_uniform/0.2/gauss/cwm": 0.57,  # 0.46 is printed
            "variants/code/cifar10_uniform/0.2/gauss/cwm": 0.35,
        },
    )
    attack, phases, fewer, worst, code, alpha, cifar = found(Archive(GRID, store))
    assert cifar.endswith("whose images are the paper's, is not computed yet.")
    assert alpha.endswith("What another reading of α changes is not computed yet.")
    put_cells(store, {"variants/code_batch/cifar10_uniform/0.2/gauss/cwm": 0.47})
    cifar = found(Archive(GRID, store))[6]
    assert "For 1 printed accuracy of the 48 in Table 4 (rules: CWM; attacks: Gauss) we" in cifar
    assert cifar.endswith(
        " is 11.0 points by the text, 11.0 points with all choices of the code, and 1.0 points "
        "with all of them except for the batches, which have three images (one seed, at the "
        "paper's scale)."
    )
    for cell in GRID.cells("paper", 2, sample):  # a seed that only one kind of runs has
        if cell.key == "cifar10_uniform/0.2/gauss/cwm":
            put(store, cell, "paper", 0.9)
    assert found(Archive(GRID, store))[6] == cifar
    assert attack.head == (
        "With 14 attackers among 35 clients, an attacker that knows the defence Cent2P brings it "
        "to an accuracy of 12 %. In Cent2P the clients vote between two models. "
        "The paper's attacks leave it 71 % or more."
    )
    assert "14 attackers among 35 clients, it keeps a test accuracy of 0.71" in attack
    assert "brings it down to 0.12 (one seed, at the paper's scale; another sample" in attack
    assert ", and runs with larger votes are not" in attack
    assert "Here each client votes on 3 images, because Algorithm 3 takes" in attack
    assert attack.endswith("without a vote, keeps 0.66 under the same attack.")
    assert [link.shown for link in attack.links] == ["0.71", "0.12", "0.66"]
    assert attack.links[0].target.endswith("#cell-femnist_uniform/0.4/sv/cent2p")
    assert "leaves about as much accuracy if the clients hold unequal data as if" in fewer
    assert "leaves an accuracy of 0.62 if all" in fewer and "and 0.61 if each" in fewer
    assert worst.endswith("None of the 7 settings is decided yet.")
    assert "of 0.12 for the first phase of Cent2P alone and 0.80 for both phases. " in phases
    assert (
        "the second phase, which is the vote, helps: 0.31 with one phase and 0.79 with two"
        in phases
    )
    assert phases.endswith("with two (one seed, at the paper's scale).")
    assert "For 1 printed accuracy on FEMNIST we have runs by the text and runs with all" in code
    assert "40.0 points by the text and 2.0 points with the choices of the code (one seed" in code
    put_cells(
        store,
        {
            "variants/code/femnist_uniform/0.2/omn/cent1p": 0.07,
            "variants/code/femnist_uniform/0.2/omn/cent2p": 0.77,
        },
    )
    phases = found(Archive(GRID, store))[1]
    assert phases.endswith(
        " In runs with all choices of the authors' code it helps: 0.07 with one phase and 0.77 "
        "with two (one seed, at the paper's scale)."
    )
    put_cells(store, {"variants/pixels_attack_no_momentum/femnist_uniform/0.2/omn/cent1p": 0.08})
    phases = found(Archive(GRID, store))[1]
    assert " Three of these choices are enough to do this to one phase: without " in phases
    assert phases.endswith(" it has 0.08. With these three, two phases are not computed.")


def test_the_words_of_what_was_found_follow_the_numbers(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    rules = ("cent2p", "mean2p", *(rule for rule in RULES if not rule.endswith("2p")))
    keys = {
        f"femnist_uniform/0.4/{attack}/{rule}": 0.5 if rule == "gm" else 0.2 + 0.01 * number
        for attack in tables.PUBLISHED_ATTACKS
        for number, rule in enumerate(rules)
    }
    put_cells(store, keys | {"femnist_uniform/0.4/camouflage/cent2p": 0.21})
    for cell in GRID.cells("paper", 2, sample):
        if cell.key in keys:
            put(store, cell, "paper", keys[cell.key] + 0.001)
    attack, _, _, worst, *_ = found(Archive(GRID, store))
    assert attack.head.startswith("An attacker that knows the defence Cent2P does not harm it more")
    assert "sees the honest updates and can try out votes leaves it 0.21" in attack
    assert "down" not in attack and "first phase" not in attack
    assert "in the only setting that is decided so far. The other 6 settings are not" in worst
    assert "lower of these two rules is 30.0 points below the best of the other rules here" in worst
    assert "and 41.0 points above it in the paper." in worst


def test_larger_votes_and_the_worst_of_one_phase_are_told(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    base = "femnist_uniform/0.4/camouflage"
    attacked = {f"femnist_uniform/0.4/{a}/cent2p": 0.7 for a in tables.PUBLISHED_ATTACKS}
    alone = {f"femnist_uniform/0.4/{a}/cent1p": 0.6 for a in tables.PUBLISHED_ATTACKS}
    put_cells(store, {**attacked, f"{base}/cent2p": 0.1, f"{base}/cent1p": 0.8, **alone,
                      "femnist_uniform/0.4/sf/cent1p": 0.5,
                      f"variants/votes/{base}/cent2p": 0.69})  # fmt: skip
    attack = found(Archive(GRID, store))[0]
    assert attack.head == (
        "With 14 attackers among 35 clients, an attacker that knows the defence Cent2P brings it "
        "to an accuracy of 10 %. In Cent2P the clients vote between two models. If each client "
        "votes on 64 images in place of 3, it keeps 69 %. "
        "(In the authors' code a client votes on all of its images.)"
    )
    assert (
        " as many. With votes on 64 it has 0.69 (one seed, at the paper's scale). A rule" in attack
    )
    assert attack.endswith(
        "keeps 0.80 under the same attack, and 0.50 under the worst of the paper's attacks."
    )
    put_cells(store, {f"variants/code/{base}/cent2p": 0.2})
    attack = found(Archive(GRID, store))[0]
    assert (
        "paper's scale) and with all choices of the authors' code it has 0.20 (one seed, at the "
        "paper's scale)." in attack
    )


def test_without_runs_what_was_found_is_not_computed_yet(tmp_path, quiet):
    sentences = found(Archive(GRID, Store(GRID.slug, tmp_path)))
    assert len(sentences) == 7
    assert all(sentence.endswith((" yet.",)) for sentence in sentences)


def test_an_attack_that_knows_nothing_but_harms_as_much_is_named(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    equal, unequal = "femnist_uniform/0.2/camouflage/cent2p", "femnist_dirichlet/0.2"
    put_cells(store, {equal: 0.62, f"{unequal}/camouflage/cent2p": 0.12})
    assert "no knowledge is needed" not in found(Archive(GRID, store))[2]
    put_cells(store, {f"{unequal}/sf/cent2p": 0.06, f"{unequal}/omn/cent2p": 0.5})
    said = found(Archive(GRID, store))[2]
    assert said.endswith(
        "But with unequal data no knowledge is needed: the attack SF, which does not know the "
        "rule, leaves it 0.06."
    )
    put_cells(store, {f"variants/concentration/{unequal}/sf/cent2p": 0.66})
    said = found(Archive(GRID, store))[2]
    assert said.endswith(
        "leaves it 0.06. If Dir(0.1) means 0.1 for a class on average, Cent2P has 0.66 under this "
        "attack (one seed, at the paper's scale)."
    )
    put_cells(store, {f"variants/no_momentum/{unequal}/sf/cent2p": 0.76})
    said = found(Archive(GRID, store))[2]
    assert said.endswith(
        "If Dir(0.1) is taken literally and clients have no momentum, as in the code, it has 0.76 "
        "(one seed, at the paper's scale)."
    )
    # Under another attack no run without momentum is planned.
    put_cells(store, {f"{unequal}/lf/cent2p": 0.02})
    assert found(Archive(GRID, store))[2].endswith("does not know the rule, leaves it 0.02.")


def test_two_readings_of_the_unequal_data_are_compared_with_print(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    place = "femnist_dirichlet/0.2"
    # The paper prints 0.69 and 0.84. The third cell has no run that follows the text.
    put_cells(store, {
        f"{place}/sf/cent2p": 0.09, f"{place}/empire/cent2p": 0.64,
        f"variants/concentration/{place}/sf/cent2p": 0.65,
        f"variants/concentration/{place}/empire/cent2p": 0.84,
        f"variants/concentration/{place}/lf/cent2p": 0.70,
    })  # fmt: skip
    archive = Archive(GRID, store)
    assert (
        "For 2 printed accuracies at a rate of 0.2 we have runs of both readings. The mean "
        "distance from what is printed is 40.0 points if α is taken literally, and 2.0 points "
        "otherwise (one seed, at the paper's scale)." in by_concentration(archive)
    )
    table = tables.accuracy_table(archive, "femnist_dirichlet", "0.2", variant=tables.CONCENTRATION)
    assert table.header == ("rule", "LF", "SF", "Gauss", "Omn", "Empire", "SV")
    assert "another way (what the α of Dir(αp) multiplies: 62 times as much" in table.caption
    (row,) = (row for row in table.rows if row[0] == "Cent2P")
    assert row[1].startswith("0.70\n1 seed\n0.75") and row[2].startswith("0.65\n1 seed\n0.69")
    assert row[3].startswith("–\n\n0.86")


def test_numbers_of_one_scale_stand_side_by_side_and_larger_scales_below(tmp_path):
    store = Store(GRID.slug, tmp_path)
    place = "femnist_dirichlet/0.2"
    usual = ("none", *attacks_of("femnist_dirichlet"))
    for scale, values in (
        ("quick", dict.fromkeys(usual, 0.6) | {"camouflage": 0.23}),
        ("paper", {"camouflage": 0.12, "sf": 0.06}),
    ):
        for cell in GRID.cells(scale, 1, sample):
            *where, attack, rule = cell.key.split("/")
            if "/".join(where) == place and attack in values:
                put(store, cell, scale, values[attack] if rule == "cent2p" else 0.7)
    archive = Archive(GRID, store)
    row = tables.camouflage_table(archive).rows[RULES.index("cent2p")]
    assert row[-3:] == (
        "0.60\nquick, 1 seed",
        "0.60\nquick, 1 seed",
        "0.23\nquick, 1 seed\n0.12\n1 seed",
    )
    said = tables.accuracy_in_words(archive, "femnist_dirichlet", "0.2").text
    assert said.startswith(
        "At the larger scale of the table above not all attacks are computed. There these rules "
        "already have less than in the smaller runs: Cent2P 0.06. Only the smaller runs have all "
    )
