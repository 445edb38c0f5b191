"""The chapter on residual-based reweighting: its grid, published numbers, tables and claims."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from records import put

from fedlib.data import DataConfig, load_dataset
from fedlib.data.catalogue import DATASETS
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.data.tables import LOAN_TRIGGER
from fedlib.evidence.claims import above, below, drop
from fedlib.evidence.class_counts import stored_counts
from fedlib.evidence.found import found_in
from fedlib.evidence.published import load_published
from fedlib.evidence.report import Archive
from fedlib.grids import expand, load_grid, run_grid
from fedlib.papers.residual_reweighting import tables
from fedlib.papers.residual_reweighting.choices import VARIANTS
from fedlib.papers.residual_reweighting.claims import measures, statistics
from fedlib.papers.residual_reweighting.domains import LOAN_TARGET
from fedlib.papers.residual_reweighting.keys import RULE_TITLES, ImageBackdoor, parse
from fedlib.runs.store import Store
from fedlib.validation import ConfigError
from tools.transcribe import residual_reweighting as transcribe

GRID = load_grid("residual_reweighting")


def real(name):
    return DataConfig(name, "real", "canonical")


CELLS = {cell.key: cell.config for cell in GRID.cells("paper", 1, real)}

# --- grid ----------------------------------------------------------------------------------


def test_the_paper_scale_is_the_papers_protocol():
    flip = CELLS["figure_3/10/ours"]
    assert (flip.n_clients, flip.n_byzantine, flip.rounds) == (100, 10, 200)
    assert (flip.client.epochs, flip.client.batch_size, flip.client.learning_rate) == (5, 128, 0.01)
    assert (flip.aggregator.delta, flip.aggregator.lam, flip.model) == (0.01, 2, "cnn_4_8")
    assert (flip.attack.source, flip.attack.target, flip.attack.extra_epochs) == (1, 7, 5)
    backdoor = CELLS["table_3/cifar10/replacement/median"]
    assert (backdoor.n_clients, backdoor.n_byzantine, backdoor.rounds) == (10, 1, 100)
    assert (backdoor.attack.scale, backdoor.attack.rounds, backdoor.attack.target) == (100, (6,), 2)
    assert (backdoor.model, backdoor.partition.alpha) == ("resnet18", 0.9)
    reviews = CELLS["table_2/4/ours"]
    assert (reviews.client.optimizer, reviews.client.learning_rate) == ("adam", 0.05)
    assert (reviews.model, reviews.rounds) == ("fasttext", 10)
    loans = CELLS["loan/naive/ours"]
    assert (loans.model, loans.attack.target, LOAN_TARGET) == ("mlp_46_23", 4, 4)
    assert loans.attack.rate_factor * loans.client.learning_rate == pytest.approx(0.002)
    for scale in ("smoke", "quick", "paper"):
        found = {cell.key: cell.config for cell in GRID.cells(scale, 1, real)}
        for place in ("table_3/mnist/naive/ours", "table_1/4/ours", "figure_7/ours"):
            run = found[place]
            assert run.attack.rate_factor * run.client.learning_rate == pytest.approx(0.1)
    assert backdoor.attack.per_batch == loans.attack.per_batch == 20
    assert (backdoor.attack.counts_target, loans.attack.counts_target) == (True, False)
    mixing, clean = CELLS["table_8/0.03"], CELLS["table_8/none"]
    assert (mixing.attack.mix_rate, mixing.client.learning_rate) == (0.03, 0.01)
    assert (clean.n_byzantine, clean.client) == (0, mixing.client)
    drawn = [c.config.attack.seed for s in (1, 2) for c in GRID.cells("paper", s, real)
             if c.key in ("table_8/0.03", "table_4/1/ours")]  # fmt: skip
    assert drawn == [1, 1, 2, 2]
    assert (flip.partition.last, CELLS["table_4/3/ours"].partition.last) == (1, None)
    left = CELLS["figure_5/18/fedavg"]
    assert (left.n_clients, left.partition.removed) == (82, 18)


def test_the_codes_ways_are_variants():
    assert CELLS["variants/fifth/figure_3/0/trimmed_mean"].aggregator.n_byzantine == 20
    assert CELLS["variants/middle/figure_3/10/repeated_median"].aggregator.intercept == "middle"
    for approach in ("naive", "replacement"):
        assert CELLS[f"loan/{approach}/fedavg"].attack.values == ()
        attack = CELLS[f"variants/trigger/loan/{approach}/fedavg"].attack
        assert attack.features == (0, 1, 2, 3, 4, 5)
        named = dict(zip(LOAN_TRIGGER, attack.values, strict=True))
        assert (named["tax_liens"], named["acc_now_delinq"], named["num_tl_120dpd_2m"]) == (
            100, 20, 10,
        )  # fmt: skip
    assert CELLS["variants/grey/table_3/mnist/naive/ours"].attack.value == 1


def test_the_trigger_is_white_as_the_text_says():
    for place in ("table_3/mnist/naive/ours", "figure_7/median", "unattacked/resnet/ours"):
        assert CELLS[place].attack.value * 0.3081 + 0.1307 == pytest.approx(1)
    colour = CELLS["table_3/cifar10/replacement/ours"].attack.value
    info = DATASETS["cifar10"]
    shown = [v * s + m for v, s, m in zip(colour, info.std, info.mean, strict=True)]
    assert shown == pytest.approx([1, 1, 1])


def test_foolsgold_is_that_of_the_authors_code():
    for place in ("table_1/4", "table_2/4", "table_3/mnist/naive", "figure_3/10", "loan/naive"):
        run = CELLS[f"{place}/foolsgold"]
        assert (run.aggregator.features, run.aggregator.divide_by) == ("last_layer", "clients")
        assert run.client.gradient_rate == run.client.learning_rate
        assert CELLS[f"{place}/ours"].client.gradient_rate is None
    first = CELLS["variants/foolsgold/table_2/4/foolsgold"]
    assert (first.aggregator.features, first.aggregator.divide_by) == ("all", "weights")
    assert first.client.gradient_rate is None
    models = CELLS["variants/models/table_2/4/foolsgold"]
    assert (models.aggregator.features, models.client.gradient_rate) == ("last_layer", None)


def test_runs_without_attackers_are_judged_on_the_samples_of_the_attack():
    for place, attacked in (
        ("mnist", "table_3/mnist/naive"),
        ("cifar10", "table_3/cifar10/naive"),
        ("resnet", "figure_7"),
        ("loan", "loan/naive"),
        ("flips", "figure_3/10"),
    ):
        for rule in RULE_TITLES:
            run, other = CELLS[f"unattacked/{place}/{rule}"], CELLS[f"{attacked}/{rule}"]
            assert run.n_byzantine == run.attack.n_byzantine == 0
            attack = replace(run.attack, n_byzantine=other.n_byzantine)
            assert run.with_(n_byzantine=other.n_byzantine, attack=attack) == other


def test_everything_shown_is_in_the_grid():
    assert {cell for cell, _ in tables.published()} <= set(CELLS)
    for claim in tables.CLAIMS:
        assert set(claim.cells) <= set(CELLS), claim.text
    for variant in VARIANTS:
        for base in variant.cells:
            assert {base, variant.cell(base)} <= set(CELLS)
            assert CELLS[base].id != CELLS[variant.cell(base)].id


def test_a_run_that_is_two_cells_is_computed_once(tmp_path):
    assert CELLS["figure_3/0/ours"].id == CELLS["table_6/noniid/2/0.01/0"].id
    store = Store(GRID.slug, tmp_path)
    cells = expand(GRID, "smoke", data="embedded", only="*_[45]/0/ours")
    assert [cell.key for cell in cells] == ["table_4/0/ours", "figure_5/0/ours"]
    outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
    assert outcome.computed == ["table_4/0/ours"]
    assert outcome.stored_before == ["figure_5/0/ours"]
    archive = Archive(GRID, store)
    assert archive.best("table_4/0/ours").records == archive.best("figure_5/0/ours").records


def test_smoke_cells_of_every_domain_run(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for only in (
        "loan/*/ours",
        "table_2/4/ours",
        "table_8/0.5",
        "table_8/none",
        "variants/foolsgold/table_2/4/*",
        "variants/trigger/loan/replacement/*",
        "unattacked/*/ours",
        "table_3/*/foolsgold",
        "figure_7/*",
    ):
        cells = expand(GRID, "smoke", data="embedded", only=only)
        outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
        assert not outcome.failed
        assert len(outcome.computed) + len(outcome.stored_before) == len(cells)


def test_keys_are_read_as_they_are_written():
    for cell in CELLS:
        if not cell.startswith(("variants/", "earlier/")):
            assert str(parse(cell)) == cell
    assert parse("table_3/mnist/naive/ours") == ImageBackdoor("mnist", "naive", "ours")
    for text in ("table_9/0/ours", "table_1/0", "variants/grey/table_3/mnist/naive/ours"):
        with pytest.raises(ConfigError):
            parse(text)


# --- published -----------------------------------------------------------------------------


def test_published_counts_and_averages():
    values = load_published("residual_reweighting")
    assert Counter(value.item for value in values) == transcribe.EXPECTED
    rows = {}
    for value in values:
        assert value.unit == "percent"
        assert 0 <= value.value <= 100
        if value.item in ("table_1", "table_2", "table_4"):
            rows.setdefault((value.item, value.aggregator), {})[value.setting] = value.value
    off = {
        place: (row.pop("average"), sum(row.values()) / (len(row))) for place, row in rows.items()
    }
    wrong = {place for place, (printed, mean) in off.items() if abs(printed - mean) > 0.011}
    assert wrong == set()


@pytest.mark.parametrize(
    ("cell", "quantity", "value"),
    [
        ("table_1/3/ours", "test_accuracy", 86.09),
        ("table_2/2/repeated_median", "test_accuracy", 23.22),
        ("table_3/cifar10/naive/trimmed_mean", "attack_success", 84.56),
        ("table_3/mnist/replacement/fedavg", "attack_success", 17.85),
        ("table_4/3/fedavg", "test_accuracy", 9.26),
        ("table_6/iid/2/0.1/5", "test_accuracy", 97.97),
        ("table_6/noniid/0.5/0.2/0", "test_accuracy", 79.87),
        ("table_7/theil_sen/2/0.01/9", "test_accuracy", 49.28),
        ("table_8/0.0001", "test_accuracy", 92.56),
        ("loan/naive/foolsgold", "attack_success", 99.96),
        ("loan/replacement/ours", "test_accuracy", 95.06),
    ],
)
def test_published_as_read_by_eye(cell, quantity, value):
    assert tables.published()[cell, quantity].value == value


TABLE = """
# of attackers	0	1	2	3	4	Average
FedAvg (Somebody et al., 2017)	88.96%	85%	82.49%	82.35%	82.11%	84.33%
Ours	<b>89.17%</b>	88.60%	86.66%	86.09%	85.81%	<b>87.27%</b>

Table 1: a caption

a	b

Table 2: another
"""


def test_parser_reads_the_table_above_its_caption():
    rows = list(transcribe._by_rule(TABLE, "table_1", "Table 1:", ("0", "1", "2", "3", "4")))
    assert [row.value for row in rows[:2]] == ["88.96", "85"]
    assert (rows[6].aggregator, rows[6].value, rows[-1].setting) == ("ours", "89.17", "average")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Average", "Mean", "unknown heading"),
        ("FedAvg", "FedSum", "not a rule"),
        ("88.60%	", "", "'Ours' has 5 cells"),
        ("85%", "85", "not a percentage"),
    ],
)
def test_parser_refuses_another_form(old, new, message):
    with pytest.raises(transcribe.TranscriptionError, match=message):
        list(
            transcribe._by_rule(
                TABLE.replace(old, new), "table_1", "Table 1:", ("0", "1", "2", "3", "4")
            )
        )


# --- tables and claims ---------------------------------------------------------------------


def test_tables_show_ours_above_the_published(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for cell in GRID.cells("paper", 1, real):
        if cell.key in ("table_1/0/ours", "table_3/mnist/naive/ours"):
            put(store, cell, "paper", 0.89, attack_success=[0.2, 0.1])
    archive = Archive(GRID, store)
    table = tables.table_1(archive)
    ours = list(RULE_TITLES).index("ours")
    assert table.rows[ours][1] == "89.00\n1 seed\n89.17"
    assert table.classes[ours, 1] == "agrees"
    assert table.rows[0][1] == "–\n\n88.96"
    assert table.rows[ours][-1] == "–\n87.27"
    for cell in GRID.cells("paper", 1, real):
        if cell.key.startswith("table_1/") and cell.key.endswith("/ours"):
            put(store, cell, "paper", 0.79)  # but one, which is stored with 0.89
    averaged = tables.table_1(Archive(GRID, store)).rows[ours]
    assert averaged[-1] == "81.00\n87.27"
    assert tables.backdoor_table(archive, "table_3/mnist", "t").rows[ours][1:] == (
        "89.00\n1 seed\n98.97",
        "10.00\n1 seed\n10.35",
        "–\n\n98.88",
        "–\n\n10.31",
        "–\n\nnot published",
        "–\n\nnot published",
    )
    summary = tables.summary(archive).text
    assert summary.startswith("Besides averages, the paper states 371 values.")
    assert "2 of its accuracies and 1 of its rates of success are computed so far." in summary
    assert "1 of these accuracies agrees with the printed one." in summary
    assert summary.endswith(f"paper's, and {371 - 3} are not computed at paper scale.")


def test_a_claim_on_attack_success(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    number, claim = next(
        (i, c) for i, c in enumerate(tables.CLAIMS) if "FoolsGold reach a success" in c.text
    )

    def judged(floor):
        for seed in (1, 2):
            for cell in GRID.cells("paper", seed, real):
                if cell.key in claim.cells:
                    success = 0.75 + seed / 1000 if "/median" in cell.key else 0.9 - seed / 1000
                    success = floor if cell.key.startswith("unattacked/") else success
                    put(store, cell, "paper", 0.5, attack_success=[0.1, success])
        return tables.claims_table(Archive(GRID, store)).judged[number]

    row = judged(0.1)
    assert row.here.startswith("the success is at least 65.2 points above that without")
    assert row.in_print == (
        "the success is at least 63.1 points above that without attackers"  # 73.06 and 10.00
    )
    assert row.verdict == "holds"


VOID = "undecided: nothing to measure: the success is already high without an attacker"
NOT_WITHSTOOD = (
    "undecided: nothing to measure: the attack does not succeed without a defence, or what it aims "
    "at is frequent without an attacker"
)


def test_an_attack_does_not_succeed_by_what_happens_without_it(tmp_path, quiet):
    # As with the earlier trigger of the loans: 84 % have the target's status without an attack.
    store = Store(GRID.slug, tmp_path)
    texts = ("Loans, naive: the backdoor succeeds against FedAvg",
             "Loans, naive: the backdoor has no success against reweighting")  # fmt: skip
    numbers = [i for i, c in enumerate(tables.CLAIMS) if c.text in texts and not c.reading]
    for seed in (1, 2, 3):
        for cell in GRID.cells("paper", seed, real):
            if cell.key.startswith(("loan/naive/", "unattacked/loan/")):
                success = 0.86 if cell.key.startswith("loan/") else 0.84
                put(store, cell, "paper", 0.9, attack_success=[0.1, success + seed / 1000])
    judged = tables.claims_table(Archive(GRID, store)).judged
    # No attack can add 50 points to 84 %. If it adds fewer than 5, this says nothing of a rule,
    # because nearly all loans with the trigger have the target's status anyhow.
    said = [judged[number].verdict for number in numbers]
    assert said == [VOID, NOT_WITHSTOOD]


@pytest.mark.parametrize(("undefended", "verdict"), [(0.03, NOT_WITHSTOOD), (0.6, "holds")])
def test_an_attack_that_fails_without_a_defence_is_not_withstood(
    tmp_path, quiet, undefended, verdict
):
    store = Store(GRID.slug, tmp_path)
    text = "Loans, naive: the backdoor has no success against reweighting"
    number = next(i for i, c in enumerate(tables.CLAIMS) if c.text == text and not c.reading)
    success = {"loan/naive/fedavg": undefended, "loan/naive/ours": 0.02}
    for seed in (1, 2, 3):
        for cell in GRID.cells("paper", seed, real):
            if cell.key in success or cell.key.startswith("unattacked/loan/"):
                share = success.get(cell.key, 0.01) + seed / 1000
                put(store, cell, "paper", 0.9, attack_success=[0.1, share])
    assert tables.claims_table(Archive(GRID, store)).judged[number].verdict == verdict


def test_reviews_do_not_judge_reweighting_if_the_attack_breaks_the_other_robust_rules_too():
    (claim,) = (c for c in tables.CLAIMS if c.text.startswith("Reviews: reweighting does not deg"))
    assert claim.value([92, 91, 90, 88, 91, 90.5]) == 1
    assert math.isnan(claim.value([92, 50, 90, 70, 91, 88]))


@pytest.mark.parametrize(
    ("attacked", "floors", "needed", "value"),
    [
        ((90, 60), (40, 10), above(50), 50),
        ((90, 60), (50, 10), above(50), None),  # at most 50 points can be added
        ((90, 60), (40, 60), above(50), None),
        ((60,), (45,), below(5), 15),
        ((52,), (51,), below(5), None),  # more than half have the target's status anyhow
        ((60, 52), (45, 51), below(5), None),
    ],
)
def test_a_success_that_is_high_without_an_attack_decides_nothing(attacked, floors, needed, value):
    cells = tuple(f"loan/naive/{rule}" for rule in ("ours", "median"))[: len(attacked)]
    statistic = min if needed.high == math.inf else max
    claim = measures.excess_claim("Table 3", "Loans: it works", cells, statistic, needed, "{:.1f}")
    found = claim.statistic([*attacked, *floors])
    assert math.isnan(found) if value is None else found == value


@pytest.mark.parametrize(("floors", "value"), [((40, 10), 30), ((60, 10), None)])
def test_rules_are_not_compared_where_the_trigger_works_without_an_attack(floors, value):
    cells = ("loan/naive/fedavg", "loan/naive/ours")
    claim = measures.excess_claim("T", "Loans: less", cells, drop, above(2), "{:.1f}", equal=0)
    found = claim.statistic([90, 30, *floors])
    assert math.isnan(found) if value is None else found == value


@pytest.mark.parametrize(
    ("in_round_six", "said"),
    [
        ((0.2, 1.0), " destroys the model: its test accuracy in this round is 20 %, and a success "
         "of 100 % with the trigger is no backdoor then."),
        ((0.9, 0.97), "In this round the backdoor works on 97 % of the loans with its trigger (1 "
         "seed)."),
    ],
)  # fmt: skip
def test_a_scaled_update_may_destroy_the_model_or_implant_a_backdoor(tmp_path, in_round_six, said):
    store = Store(GRID.slug, tmp_path)
    for cell in GRID.cells("paper", 1, real):
        if cell.key in ("loan/replacement/fedavg", "variants/scale/loan/replacement/fedavg"):
            now = in_round_six if cell.key.startswith("loan") else (0.9, 0.95)
            put(store, cell, "paper", 0, rounds=[2, 6, 8], test_accuracy=[0.9, now[0], 0.9],
                attack_success=[0.0, now[1], 0.1])  # fmt: skip
    replaced = found_in(GRID.slug, Archive(GRID, store)).sentences[5]
    assert said in replaced
    assert replaced.endswith(
        " With a factor of 10, which is the number of participants, the accuracy in this round is "
        "90 % and the backdoor works on 95 %. At the end it works on 10.0 % (one seed, at the "
        "paper's scale)."
    )


def test_success_without_an_attack_is_that_of_the_same_rule_and_samples():
    assert measures.floor_of("table_3/cifar10/replacement/median") == "unattacked/cifar10/median"
    assert measures.floor_of("loan/naive/ours") == "unattacked/loan/ours"
    assert measures.floor_of("figure_7/fedavg") == "unattacked/resnet/fedavg"
    assert measures.floor_of("figure_3/4/foolsgold") == "unattacked/flips/foolsgold"
    with pytest.raises(ConfigError, match="table_2/4/ours"):
        measures.floor_of("table_2/4/ours")
    for claim in tables.CLAIMS:
        attacked = [cell for cell in claim.cells if not cell.startswith("unattacked/")]
        if len(attacked) < len(claim.cells):
            floors = [measures.floor_of(cell.removeprefix("variants/scale/")) for cell in attacked]
            assert [*claim.cells[len(attacked) :]] == floors


def test_statistics_of_the_claims_by_hand(tmp_path):
    assert statistics.least_lead(3)([5, 4, 1, 7, 6, 9]) == -2
    assert statistics.mean_lead(3)([5, 4, 1, 7, 6, 9]) == 1
    store = Store(GRID.slug, tmp_path)
    cell = next(c for c in GRID.cells("paper", 1, real) if c.key == "table_3/cifar10/naive/median")
    put(store, cell, "paper", 0.5, rounds=[25, 50, 75, 100], test_accuracy=[0.3, 0.5, 0.5, 0.5],
        attack_success=[0.1, 0.1, 0.2, 0.8])  # fmt: skip
    result = Archive(GRID, store).best(cell.key)
    assert measures.success_lag(result) == 100 - 50
    assert measures.highest_success(result) == 80
    cell = next(c for c in GRID.cells("paper", 1, real) if c.key == "loan/replacement/fedavg")
    put(store, cell, "paper", 0.5, rounds=[2, 4, 6, 8], test_accuracy=[0.8, 0.2, 0.4, 0.6],
        attack_success=[0.1, 1.0, 0.3, 0.2])  # fmt: skip
    destroyed = Archive(GRID, store).best(cell.key)
    assert measures.highest_success(destroyed) == 100
    assert measures.highest_of_working_model(destroyed) == 30  # half of 80 % is enough
    assert (measures.round_of_rise(result), measures.round_of_half(result)) == (100, 100)
    failed = next(c for c in GRID.cells("paper", 2, real) if c.key == cell.key)
    put(store, failed, "paper", 0.5, attack_success=[0.1, 0.5])
    low = Archive(GRID, store).best(cell.key).of_seed(2)
    assert math.isnan(measures.success_lag(low))
    assert math.isnan(measures.round_of_rise(low))
    assert measures.round_of_half(low) == low.curve()[0][-1]
    assert statistics.lead([9, 4, 7]) == 2
    assert statistics.largest_drop([9, 8, 5, 2, 1, 4]) == 3
    assert statistics.least_share_left([80, 60, 50, 25]) == 50
    assert statistics.largest_share_left([80, 60, 50, 25]) == 75
    assert statistics.typical_difference([1, 5, 9, 3, 5, 2]) == 2  # of 2, 0 and 7
    assert statistics.lead_in_steadiness([5, 7, 6, 1, 9, 3]) == 8 - 2
    assert statistics.typical_shortfall(2)([1, 3, 9, 9, 4, 6]) == 9 - 5
    assert statistics.mean_drop([9, 8, 5, 2, 1, 4]) == pytest.approx(1 / 3)
    assert statistics.mean_lead_of_second_half([1, 4, 9, 1, 8, 9]) == pytest.approx(4 / 3)
    # The first half loses 1 and 3, the second one 5 and -1.
    assert statistics.drop_beyond_that_of_second_half([9, 8, 5, 2, 7, 2, 3, 4]) == 2 - 2
    assert statistics.drop_beyond_that_of_second_half([9, 8, 5, 1, 7, 2, 3, 4]) == 2.5 - 2
    # The first loses 1, and the others lose 3 and -3.
    assert statistics.least_loss_beyond_the_first([9, 8, 5, 2, 1, 4]) == -3 - 1
    # Groups of four thresholds span 6 and 2, then 1 and 3.
    spans = [1, 7, 2, 3, 5, 5, 5, 7, 0, 1, 1, 1, 4, 4, 1, 4]
    assert statistics.span_reduction(spans) == 4 - 2


def test_print_says_which_prior_rules_withstand_a_backdoor_too(tmp_path):
    rows = tables.claims_table(Archive(GRID, Store(GRID.slug, tmp_path))).judged
    of = {
        row.text.partition(":")[0]: row.in_print
        for row in rows
        if "succeeds more against every other rule" in row.text
    }
    against = {setting: said for setting, said in of.items() if "not as claimed" in said}
    assert of.keys() - against.keys() == {
        "CIFAR-10, naive backdoor",
        "ResNet-18 on MNIST, naive backdoor",
    }
    # Loans, in the text: the other rules have 0.00 %, as reweighting has.
    assert against["Loans, naive backdoor"].startswith("the rule with the least success has 0.0")
    assert len(against) == 5


def test_accuracy_is_compared_with_that_of_the_largest_class(tmp_path):
    def embedded(name):
        return DataConfig(name, "embedded", EMBEDDED_VARIANT)

    store = Store(GRID.slug, tmp_path)
    key = "table_2/4/fedavg"
    for data in (embedded, real):
        cell = next(c for c in GRID.cells("quick", 1, data) if c.key == key)
        put(store, cell, "quick", 0.5)
        if data is embedded:
            positive = float(load_dataset(cell.config.data).y_test.float().mean())
            found = measures.over_majority(Archive(GRID, store).best(key))
            assert found == pytest.approx(50 - 100 * positive, abs=1e-4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDLIB_DATA", str(tmp_path))
        # Without the data at hand nobody knows the share, but of those that results are stored on.
        result = Archive(GRID, store).best(key)
        assert math.isnan(measures.over_majority(result))
        (stored,) = (k for k, c in stored_counts().items() if c.name == "amazon_reviews")
        result.records[0]["provenance"]["data_checksum"] = stored
        assert measures.over_majority(result) == pytest.approx(50 - 100 * 833 / 888)


def test_a_model_that_calls_all_reviews_positive_is_at_chance(tmp_path, quiet):
    """FoolsGold ends there. It is no more against the paper's 50 %, its chance, than 50 % are."""
    (stored,) = (k for k, c in stored_counts().items() if c.name == "amazon_reviews")
    (claim,) = (c for c in tables.CLAIMS if "FoolsGold has about 50 %" in c.text)
    number = tables.CLAIMS.index(claim)
    for accuracy in (833 / 888, 0.5):
        store = Store(GRID.slug, tmp_path / str(accuracy))
        for key in claim.cells:
            cell = next(c for c in GRID.cells("paper", 1, real) if c.key == key)
            put(store, cell, "paper", accuracy, {"data_checksum": stored})
        row = tables.claims_table(Archive(GRID, store)).judged[number]
        assert row.verdict == "undecided: all at chance"


def test_about_half_is_what_the_table_prints_within_the_margin_on_both_sides():
    """Table 2 has 47.44 to 50.79, and the margin of a stated number is 2 points."""
    (claim,) = (c for c in tables.CLAIMS if "FoolsGold has about 50 %" in c.text)
    assert str(claim.needed) == "45.44 to 52.79"
    for accuracies, meant in (
        ([50.79, 49.45, 47.44, 49.71, 49.95], True),
        ([50, 50, 50, 50, 52.7], True),
        ([50, 50, 50, 50, 53], False),
        ([50, 45.2, 50, 50, 50], False),
        # The one that is farther away decides.
        ([50, 45.6, 60, 50, 50], False),
    ):
        assert (claim.value(accuracies) in claim.needed) == meant


def test_the_shares_of_classes_are_of_the_test_samples():
    shares = {row[1]: row[2] for row in tables.class_shares("embedded").rows}
    labels = load_dataset(DataConfig("amazon_reviews", "embedded", EMBEDDED_VARIANT)).y_test
    assert shares["positive reviews"] == f"{100 * float(labels.float().mean()):.1f} %"
    assert shares["digit 2, the backdoor's target"] == "10.0 %"
    (mnist,) = (row for row in tables.class_shares().rows if row[0] == "MNIST")
    assert mnist[2] == "10.3 %"


def test_the_success_of_aimed_attacks_is_compared_too(tmp_path):
    store = Store(GRID.slug, tmp_path)
    base = "table_3/mnist/naive/fedavg"
    for cell in GRID.cells("paper", 1, real):
        if cell.key in (base, f"variants/grey/{base}"):
            success = 0.9 if cell.key == base else 0.8
            put(store, cell, "paper", 0.5, attack_success=[0.1, success])
    table = tables.success_variants_table(Archive(GRID, store))
    assert table.header[4] == "success, %"
    places = {place for row in table.rows for place in row[1].split("\n")}
    assert "MNIST, label flips (Figure 3), 10 attackers, FedAvg" in places
    assert not [place for place in places if " 0 attackers" in place or "Table 2" in place]
    (row,) = (row for row in table.rows if row[1] == tables.where(base) and "grey" in row[0])
    assert row[4] == "90.00 → 80.00 (-10.00)"


def test_figures_are_drawn_from_what_there_is(tmp_path):
    store = Store(GRID.slug, tmp_path)
    archive = Archive(GRID, store)
    for draw in (tables.figure_3, tables.figure_5):
        assert draw(archive).axes
    for empty in (
        tables.figure_8(archive),
        tables.success_over_rounds(archive, "table_3/cifar10/naive", "cifar10"),
    ):
        assert empty.text.startswith("Nothing of this figure is computed yet.")
        assert empty.command.endswith("--scale paper --only 'table_3/cifar10/naive/*'")
    for cell in GRID.cells("paper", 1, real):
        if cell.key in ("figure_3/0/ours", "figure_3/4/ours"):
            more = {} if "/0/" in cell.key else {"attack_success": [0.0, 0.3]}
            put(store, cell, "paper", 0.9, **more)
        if cell.key == "table_3/cifar10/naive/median":
            put(store, cell, "paper", 0.8, attack_success=[0.0, 0.5])
    panels = tables.figure_8(Archive(GRID, store)).axes
    assert [[text.get_text() for text in axis.texts] for axis in panels].count([]) == 1
    left, right = tables.figure_3(Archive(GRID, store)).axes
    accuracy = [line for line in left.lines if len(line.get_xdata())]
    success = [line for line in right.lines if len(line.get_xdata())]
    assert list(accuracy[0].get_xdata()) == [0, 4]
    assert list(success[0].get_ydata()) == [30]
    # What is known without attackers enters the figure if it is of the same scale.
    for scale, begins in (("quick", [30]), ("paper", [5, 30])):
        for cell in GRID.cells(scale, 1, real):
            if cell.key == "unattacked/flips/ours":
                put(store, cell, scale, 0.9, attack_success=[0.0, 0.05])
        left, right = tables.figure_3(Archive(GRID, store)).axes
        (success,) = (line for line in right.lines if len(line.get_xdata()))
        assert list(success.get_ydata()) == begins
    assert tables.figure_2().axes


# --- what is found -------------------------------------------------------------------------


def test_what_is_found_says_the_stored_numbers(tmp_path):
    store = Store(GRID.slug, tmp_path)
    reviews = {"ours": 0.51, "fedavg": 0.6, "foolsgold": 0.3, "median": 0.72}
    loans = {"ours": 0.08, "fedavg": 0.7, "median": 0.05, "trimmed_mean": 0.11}
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            item, *_, rule = cell.key.split("/")
            if cell.key.startswith("table_2/4/") and seed == 1:
                put(store, cell, "paper", reviews.get(rule, 0.4))
            elif cell.key == "table_2/0/ours" and seed == 1:
                put(store, cell, "paper", 0.97)
            elif item == "loan" or cell.key == "unattacked/loan/ours":
                share = 0.01 if item == "unattacked" else loans.get(rule, 0.06)
                put(store, cell, "paper", 0.9, attack_success=[0.0, share + seed / 100])
    sentences = found_in(GRID.slug, Archive(GRID, store)).sentences
    first, others, words, faster, backdoor, replaced, numbers = sentences
    assert words.endswith("A model that knows only the 1,000 most frequent words in place of "
                          "25,000 is not computed yet.")  # fmt: skip
    assert faster.startswith("On the reviews the paper prints 25.0 % for plain averaging with 2 of")
    assert faster.endswith("learning rate does to this is not computed yet.")
    assert first.head == (
        "On the reviews, four of ten participants that flip their labels bring residual-based "
        "reweighting from 97.0 % to 51.0 %."
    )
    assert "four of ten participants flip all their labels" in first
    assert "to 51.0 % (one seed, at the paper's scale). Under this attack the paper prints" in first
    assert first.links[1].target.endswith("#cell-table_2/4/ours")
    assert "2 of the 5 other rules keep more" in others
    assert "Median has 72.0 %, plain averaging has 60.0 %, and FoolsGold has 30.0 %" in others
    assert "calls all reviews positive" not in others
    assert "succeeds on 71.5 % of the loans" in backdoor
    assert "but under reweighting only on 9.5 % (on 2.5 % if nobody attacks)" in backdoor
    assert "between 6.5 % and 12.5 % (2 seeds, at the paper's scale)" in backdoor
    assert "The 2 seeds of reweighting give 9.0 and 10.0 %." in backdoor
    assert "At the end of the training the backdoor works on 71.5 % of the loans" in replaced
    assert numbers.startswith("Besides averages, the paper states 371 values.")


def test_a_model_of_few_words_is_told_over_the_last_rounds(tmp_path):
    store = Store(GRID.slug, tmp_path)
    left = {"table_2/4/ours": 0.5, "table_2/4/fedavg": 0.6}
    few = {"table_2/4/ours": [0.3, 0.4, 0.9], "table_2/4/fedavg": [0.3, 0.7, 0.8]}
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            _, _, base = cell.key.partition("variants/words/")
            if cell.key in left:
                put(store, cell, "paper", 0.9, test_accuracy=[left[cell.key]] * 2)
            elif base in few and seed == 1:
                put(store, cell, "paper", 0.9, rounds=[1, 2, 3], test_accuracy=few[base])
    words = found_in(GRID.slug, Archive(GRID, store)).sentences[2]
    assert words.endswith(
        "in place of 25,000 loses less to four label flippers: over the last 5 rounds reweighting "
        "has a mean accuracy of 65.0 % in place of 50.0 %, and plain averaging 75.0 % in place of "
        "60.0 %. So fewer words help both rules by about as much. In single rounds reweighting "
        "has between 40 % and 90 % (one seed, at the paper's "
        "scale)."
    )
    assert [link.shown for link in words.links] == ["65.0 %", "50.0 %", "75.0 %", "60.0 %"]


def test_the_rate_of_the_attackers_is_told_beside_what_is_printed(tmp_path):
    store = Store(GRID.slug, tmp_path)
    base = "table_2/2/fedavg"
    for cell in GRID.cells("paper", 1, real):
        if cell.key in (base, f"variants/attacker_rate/{base}"):
            put(store, cell, "paper", 0.07 if "variants" in cell.key else 0.88)
        if cell.key == "variants/attacker_rate/table_2/4/ours":
            put(store, cell, "paper", 0.06)
    faster = found_in(GRID.slug, Archive(GRID, store)).sentences[3]
    assert (
        "Here it has 88.0 % if the attackers train at the rate of the others, and 7.0 % if they "
        "train at ten times this rate (one seed, at the paper's scale; all numbers are means over "
        "the last 5 rounds)."
    ) in faster
    assert faster.links[1].target.endswith(f"#cell-variants/attacker_rate/{base}")
    # An accuracy that jumps from round to round explains nothing by the last round alone.
    jumping = Store(GRID.slug, tmp_path / "jumping")
    for cell in GRID.cells("paper", 1, real):
        if cell.key == base:
            put(jumping, cell, "paper", 0.88)
        if cell.key in (f"variants/attacker_rate/{base}", "variants/attacker_rate/table_2/4/ours"):
            jumps = [0.9, 0.06, 0.9, 0.06]
            put(jumping, cell, "paper", None, rounds=[1, 2, 3, 4], test_accuracy=jumps)
    both = found_in(GRID.slug, Archive(GRID, jumping)).sentences[3]
    assert " and 48.0 % (it jumps between 6 and 90 %) if they train at ten times" in both
    assert " reweighting has 48.0 % (it jumps between 6 and 90 %) with four attackers (one" in both
    assert both.endswith("depends on the round after which one stops.")
    assert faster.endswith(
        "At this rate reweighting has 6.0 % with four attackers (one seed, at the paper's scale), "
        "and the paper prints 91.4 %."
    )


def test_where_nothing_is_stored_nothing_is_found(tmp_path):
    sentences = found_in(GRID.slug, Archive(GRID, Store(GRID.slug, tmp_path))).sentences
    assert len(sentences) == 7
    assert all(sentence.endswith("yet.") for sentence in sentences)
    assert "0 numbers can be compared so far, and 0 of them agree" in sentences[-1]


def test_label_flips_on_digits_are_told_first_if_they_are_known(tmp_path):
    store = Store(GRID.slug, tmp_path)
    left = {"0/ours": 0.93, "10/ours": 0.83, "0/fedavg": 0.95}
    for cell in GRID.cells("paper", 1, real):
        place = cell.key.removeprefix("figure_3/")
        if place in left:
            put(store, cell, "paper", left[place], attack_success=[0.0, 0.8])
    archive = Archive(GRID, store)
    assert "MNIST" not in found_in(GRID.slug, archive).sentences[0]
    cell = next(c for c in GRID.cells("paper", 1, real) if c.key == "figure_3/10/fedavg")
    put(store, cell, "paper", 0.88, attack_success=[0.0, 0.6])
    first = found_in(GRID.slug, Archive(GRID, store)).sentences[0]
    assert first.head == (
        "On MNIST, with ten label flippers of 100, reweighting has 83.0 % and plain averaging "
        "88.0 % (one seed)."
    )
    assert "of the 1 seeds" not in first
    assert "Reweighting takes 80.0 % of the ones for sevens, and plain averaging 60.0 %" in first
    # Seeds that are far apart are told one by one.
    for cell in GRID.cells("paper", 2, real):
        place = cell.key.removeprefix("figure_3/")
        if place in {**left, "10/fedavg": 0.88}:
            accuracy = {"10/fedavg": 0.88}.get(place, left.get(place))
            put(store, cell, "paper", accuracy, attack_success=[0.0, 0.5])
    first = found_in(GRID.slug, Archive(GRID, store)).sentences[0]
    assert first.head.endswith("(2 seeds).")
    assert (
        "In 2 of the 2 seeds, reweighting is then less accurate than plain averaging. By seed, "
        "reweighting goes from 93.0 to 83.0 %; from 93.0 to 83.0 %. The claims" in first
    )
    assert "Reweighting takes 80.0 and 50.0 % of the ones for sevens in its seeds, and" in first
    # Attackers that learn faster are compared with the same seed.
    faster = "variants/attacker_rate/figure_3/10"
    for cell in GRID.cells("paper", 2, real):
        if cell.key in (f"{faster}/ours", f"{faster}/fedavg"):
            put(store, cell, "paper", 0.94, attack_success=[0.0, 0.01])
    first = found_in(GRID.slug, Archive(GRID, store)).sentences[0]
    assert first.head == (
        "On MNIST with ten label flippers of 100, reweighting has 94.0 % and plain averaging "
        "94.0 % if the flippers learn at ten times the rate of the others, as in the authors' code "
        "(one seed). If they learn at the rate of the others, reweighting has 83.0 % and plain "
        "averaging 88.0 % (2 seeds)."
    )
    assert (
        " In this seed reweighting has 93.0 % without attackers, and 83.0 % if the attackers "
        "learn at the rate of the others. So faster flippers seem to stand out more" in first
    )
    assert "even more than without" not in first
    assert "Of the other rules" not in first
    for cell in GRID.cells("paper", 2, real):
        if cell.key in (f"{faster}/median", f"{faster}/foolsgold"):
            put(store, cell, "paper", 0.5, attack_success=[0.0, 0.01])
    first = found_in(GRID.slug, Archive(GRID, store)).sentences[0]
    assert "Of the other rules, Median has 50.0 %, and FoolsGold has 50.0 % (one seed" in first
    assert " The best of the other rules, Median, has 50.0 % then (one seed). If" in first.head
    assert "Without attackers" not in first
    for cell in GRID.cells("paper", 1, real):
        if cell.key in ("figure_3/0/median", "figure_3/0/foolsgold"):
            put(store, cell, "paper", 0.6 if "median" in cell.key else 0.4)
    first = found_in(GRID.slug, Archive(GRID, store)).sentences[0]
    assert "Without attackers Median has 60.0 % and FoolsGold has 40.0 % (one seed, at" in first


@pytest.mark.parametrize(("faster", "outs", "more"), [
    ((0.84, 0.84), False, False), ((0.90, 0.84), False, False), ((0.90, 0.90), True, False),
    ((0.96, 0.94), True, False), ((0.96, 0.96), True, True),
])  # fmt: skip
def test_faster_flippers_stand_out_only_if_they_do_in_each_seed(tmp_path, faster, outs, more):
    store = Store(GRID.slug, tmp_path)
    left = {"0/ours": 0.93, "10/ours": 0.83, "0/fedavg": 0.95, "10/fedavg": 0.88}
    for seed, accuracy in enumerate(faster, 1):
        places = {f"figure_3/{place}": value for place, value in left.items()}
        places |= dict.fromkeys(
            (f"variants/attacker_rate/figure_3/10/{rule}" for rule in ("ours", "fedavg")), accuracy
        )
        for cell in GRID.cells("paper", seed, real):
            if cell.key in places:
                put(store, cell, "paper", places[cell.key], attack_success=[0.0, 0.1])
    first = found_in(GRID.slug, Archive(GRID, store)).sentences[0]
    assert "In these seeds reweighting has 93.0 % without attackers" in first
    assert ("faster flippers seem to stand out more" in first) == outs
    assert ("even more than without attackers" in first) == more


def test_a_backdoor_in_digits_stands_beside_what_is_printed(tmp_path):
    store = Store(GRID.slug, tmp_path)
    success = {"ours": 0.104, "fedavg": 1.0, "foolsgold": 0.8}
    for cell in GRID.cells("paper", 1, real):
        place, _, rule = cell.key.rpartition("/")
        if place == "table_3/mnist/naive" and rule in success:
            put(store, cell, "paper", 0.98, attack_success=[0.0, success[rule]])
    first = found_in(GRID.slug, Archive(GRID, store)).sentences[0]
    assert "works on 10.4 % of the images with its trigger under reweighting" in first
    assert "The paper prints 10.35 % and 99.71 %." in first
    assert "Under FoolsGold it works on 80.0 %, and the paper prints 12.51 % (one seed" in first
