"""The arena: its protocol, its ranks, and the command that ranks a newcomer."""

import json
import math
import textwrap
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from records import put, real

from fedlib.__main__ import main
from fedlib.aggregators import AGGREGATORS
from fedlib.arenas import answers, board, findings, ranking
from fedlib.arenas.arena_1 import grid as arena_1
from fedlib.arenas.arena_1.grid import GRID, config, is_adaptive, is_backdoor, most_byzantine
from fedlib.arenas.arena_1.keys import Bout
from fedlib.arenas.arena_1.settings import ATTACKS_LEFT_OUT, CLEAN, RULES_LEFT_OUT, SETTINGS
from fedlib.arenas.arena_1.standings import columns, names, standing_in
from fedlib.arenas.pictures import heat_map
from fedlib.attacks import ATTACKS
from fedlib.commands import rank
from fedlib.data import DataConfig
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.evidence.pages import arena as pages
from fedlib.evidence.pictures import POINTS_SUFFIX
from fedlib.evidence.report import Archive
from fedlib.grids import grid_slugs, load_grid, paper_slugs
from fedlib.grids.protocol import Protocol
from fedlib.runs.store import Store

CELLS = {cell.key: cell for cell in GRID.cells("paper", 1, real)}


def run_of(setting, rule, attack, scale="paper", seed=1):
    return config(Bout(setting, rule, attack), scale, seed, real)


def test_the_arena_is_a_grid_but_no_paper():
    assert "arena_1" in grid_slugs()
    assert "arena_1" not in paper_slugs()
    assert load_grid("arena_1") is GRID


def test_every_rule_meets_every_attack_where_it_can_stand_the_attackers():
    rules = [*(name for name in AGGREGATORS if name not in RULES_LEFT_OUT), *arena_1.ROW_VARIANTS]
    attacks = [CLEAN, *(name for name in ATTACKS if name not in ATTACKS_LEFT_OUT)]
    for setting, of in SETTINGS.items():
        expected = {
            str(Bout(setting, rule, attack))
            for rule in rules
            if most_byzantine(rule) >= of.n_byzantine
            for attack in attacks
        }
        assert {key for key in CELLS if key.startswith(f"{setting}/")} == expected
    # 12 of 25 is the most that any rule but those without a limit stands; some stand 6.
    assert most_byzantine("mda") == 6
    assert "iid_f5/mda/alie" in CELLS
    assert "iid_f10/mda/alie" not in CELLS


def test_what_is_left_out_has_a_reason():
    for reasons, registry in ((RULES_LEFT_OUT, AGGREGATORS), (ATTACKS_LEFT_OUT, ATTACKS)):
        for name, reason in reasons.items():
            assert name in registry
            assert reason.endswith(".")


def test_a_clean_run_has_no_attacker_but_shows_the_trigger():
    run = run_of("iid_f5", "krum", CLEAN)
    assert run.n_byzantine == 0
    assert run.aggregator.n_byzantine == 5
    assert run.attack.name == "pixel_backdoor"


def test_model_replacement_comes_last_and_outweighs_the_others():
    run = run_of("iid_f5", "mean", "model_replacement")
    assert run.attack.scale == 25 / 5
    assert run.attack.rounds == tuple(range(951, 1001))
    assert run_of("iid_f10", "mean", "model_replacement", "smoke").attack.rounds == (3,)


def test_random_numbers_differ_between_seeds_and_clients_data_do_not_depend_on_the_rule():
    one, two = (run_of("iid_f5", "dnc", "gaussian_noise", seed=seed) for seed in (1, 2))
    assert (one.attack.seed, two.attack.seed) == (0, 1)
    assert (one.aggregator.seed, two.aggregator.seed) == (0, 1)


def test_only_rules_that_need_samples_get_a_server_that_has_some():
    assert run_of("iid_f5", "fltrust", "alie").server_samples == 100
    assert run_of("iid_f5", "median", "alie").server_samples == 0


def test_adaptive_attacks_and_backdoors_are_told_from_what_the_attacks_say():
    assert is_adaptive("pga")
    # It is made against one rule, and does not know the others.
    assert not is_adaptive("saliency_matching")
    assert columns().knows("saliency_matching", "gradient_guard")
    assert not columns().knows("saliency_matching", "krum")
    assert not is_adaptive("alie")
    assert not is_adaptive(CLEAN)
    assert {name for name in ATTACKS if name not in ATTACKS_LEFT_OUT and is_backdoor(name)} == {
        "model_replacement",
        "pixel_backdoor",
    }


RULES = ("krum", "mean", "median", "trimmed_mean")


@pytest.fixture
def few(monkeypatch, tmp_path):
    """An arena of four rules and four attacks, with runs of a few rounds."""
    kept = ("alie", "ipm", "pga", "pixel_backdoor")
    attacks = {name: "Left out." for name in ATTACKS if name not in kept}
    rules = {name: "Left out." for name in AGGREGATORS if name not in RULES}
    monkeypatch.setattr(arena_1, "ATTACKS_LEFT_OUT", attacks)
    monkeypatch.setattr(arena_1, "RULES_LEFT_OUT", rules)
    monkeypatch.setattr(arena_1, "ROW_VARIANTS", {})
    short = Protocol(rounds=2, eval_every=1, embedded=(500, 100))
    monkeypatch.setattr(arena_1, "SCALES", dict.fromkeys(("smoke", "quick", "paper"), short))
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    # What a test registers is forgotten after it.
    for registry in (AGGREGATORS, ATTACKS):
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    return tmp_path


def store_bouts(
    left, seeds=(1, 2, 3), skip=(), setting="iid_f5", further=None, scale="paper", data=real
):
    """Store runs with given accuracies in percent, and alternating noise of 0.1 points.

    The accuracies are given by rule. Several of a rule are those of its seeds. Under an attack they
    are larger by what ``further`` says.
    """
    further = {"ipm": 5.0, "pga": 1.0} if further is None else further
    store = Store("arena_1")
    for seed in seeds:
        for cell in GRID.cells(scale, seed, data):
            key = Bout.parse(cell.key)
            if key.setting != setting or (key.rule, key.attack) in skip:
                continue
            given = left[key.rule]
            of_seed = given[seed - 1] if isinstance(given, tuple) else given
            accuracy = 80.0 if key.attack in (CLEAN, "pixel_backdoor") else of_seed
            accuracy += further.get(key.attack, 0.0)
            success = 60.0 if key.attack == "pixel_backdoor" else 4.0
            put(store, cell, scale, (accuracy + 0.1 * (-1) ** seed) / 100,
                attack_success=[0.0, success / 100])  # fmt: skip


def test_rules_are_ranked_by_their_worst_case_and_share_a_rank_within_the_noise(few):
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 70.05})
    found = standing_in("iid_f5")
    assert [row.name for row in found.rows] == ["trimmed_mean", "median", "krum", "mean"]
    assert [row.rank for row in found.rows] == [1, 1, 3, 4]
    assert [row.shared for row in found.rows] == [True, True, False, False]
    attack, worst = found.row("krum").worst
    assert attack == "alie"
    assert worst.mean == pytest.approx(60.0 - 0.1 / 3)
    assert worst.n == 3
    assert found.row("krum").adaptive[0] == "pga"
    assert found.row("krum").adaptive[1].mean == pytest.approx(61.0 - 0.1 / 3)


def test_a_backdoor_counts_above_what_it_does_without_an_attack_and_not_for_the_worst_case(few):
    store_bouts(dict.fromkeys(RULES, 85.0))
    row = standing_in("iid_f5").row("mean")
    name, excess = row.backdoor
    assert name == "pixel_backdoor"
    assert excess.mean == pytest.approx(56.0)
    assert row.worst[0] == "alie"
    assert row.worst[1].mean > 80.5


def test_a_rule_without_all_its_runs_has_no_rank_and_says_what_is_missing(few, monkeypatch):
    monkeypatch.setattr(ranking, "_MOST", 0.7)
    store_bouts(dict.fromkeys(RULES, 50.0), skip=[("krum", "pga")])
    found = standing_in("iid_f5")
    assert found.rows[-1].name == "krum"
    assert found.row("krum").rank is None
    assert found.row("krum").missing == ("pga",)
    said = answers.of_rule(found, "krum", names("iid_f5"))
    assert said == "Krum has no rank yet, because these runs are missing: PGA."


def test_an_attack_that_few_rules_have_met_does_not_count_yet(few):
    skip = [(rule, "alie") for rule in RULES[:2]]
    left = {"krum": 60.0, "mean": 50.0, "median": 70.0, "trimmed_mean": 30.0}
    store_bouts(left, skip=skip, further={"ipm": 5.0, "alie": 9.0})
    found = standing_in("iid_f5")
    assert found.columns.waiting == {"alie"}
    assert found.columns.counted == ("ipm", "pga")
    assert [row.name for row in found.ranked] == ["median", "krum", "mean", "trimmed_mean"]
    assert found.row("median").worst[0] == "pga"


def test_no_rule_is_ranked_by_more_than_its_stored_runs_leave_it(few):
    skip = [(rule, "alie") for rule in RULES[:2]]
    store_bouts({"krum": 60.0, "mean": 50.0, "median": 70.0, "trimmed_mean": 30.0}, skip=skip)
    found = standing_in("iid_f5")
    # The median is clearly better even under more attacks.
    assert [(row.name, row.rank) for row in found.ranked] == [("krum", 2), ("mean", 3)]
    assert findings.findings(found, names("iid_f5"))[0].startswith(
        "**Krum** has the best worst case of the ranked rules."
    )
    attack, worst = found.row("median").worst
    assert attack == "alie"
    assert worst.mean == pytest.approx(70.0 - 0.1 / 3)
    said = answers.of_rule(found, "median", names("iid_f5"))
    assert said == (
        "median has no rank yet, because ALIE brings it to 70.0 ± 0.1 %, and too few rules have "
        "met ALIE."
    )
    shown = pages.basis(None, "iid_f5")
    assert "1 of the attacks does not count yet" in shown
    assert (
        "2 of the 4 rules have no rank yet, because an attack that does not count yet leaves less "
        "accuracy than all others: median, trimmed mean." in shown
    )


def test_no_rule_has_a_rank_before_an_attack_counts(few):
    skip = [(rule, attack) for rule in RULES[:2] for attack in ("alie", "ipm", "pga")]
    store_bouts(dict.fromkeys(RULES, 50.0), skip=skip)
    found = standing_in("iid_f5")
    assert found.columns.counted == () and found.ranked == []
    assert pages.ranks(None, "iid_f5") == ""
    assert pages.basis(None, "iid_f5").endswith(
        "No rule has a rank yet, because no attack has met enough rules."
    )


def test_one_seed_does_not_rank_what_it_cannot_tell_apart(few):
    # 3 points are within five standard errors of two test sets of 10,000 samples.
    store_bouts({"krum": 60.0, "mean": 63.0, "median": 80.0, "trimmed_mean": 20.0}, seeds=(1,))
    found = standing_in("iid_f5")
    assert {row.name: row.rank for row in found.rows} == {
        "median": 1, "mean": 2, "krum": 2, "trimmed_mean": 4,
    }  # fmt: skip


def ranks(setting="iid_f5"):
    return {row.name: row.rank for row in standing_in(setting).rows}


def test_a_rank_is_one_more_than_the_number_of_rules_that_are_clearly_better(few):
    # Each is within the noise of the next, but the first is better than the third.
    store_bouts({"krum": 62.0, "mean": 60.0, "median": 64.0, "trimmed_mean": 30.0}, seeds=(1,))
    found = standing_in("iid_f5")
    assert [(row.name, row.rank, row.shared) for row in found.rows] == [
        ("median", 1, True), ("krum", 1, True), ("mean", 2, False), ("trimmed_mean", 4, False),
    ]  # fmt: skip


def test_seeds_that_disagree_do_not_lift_a_rule(few):
    unsteady = (70.0, 10.0, 66.0)
    store_bouts({"krum": unsteady, "mean": 40.0, "median": 70.0, "trimmed_mean": 60.0})
    assert ranks() == {"median": 1, "trimmed_mean": 2, "krum": 2, "mean": 3}


def test_the_worst_cases_that_are_shown_are_those_that_are_compared(few):
    # The worst attack of a single seed differs from seed to seed, and is not what a page shows.
    store_bouts({"krum": 70.0, "mean": 10.0, "median": 71.0, "trimmed_mean": 50.0}, further={})
    found = standing_in("iid_f5")
    median, krum = (found.row(name) for name in ("median", "krum"))
    assert ranking.better(median, krum, found.noise)
    assert not ranking.better(krum, median, found.noise)
    assert not ranking.better(median, median, found.noise)


def test_rules_that_leave_a_model_at_chance_share_a_rank(few):
    store_bouts({"krum": 9.9, "mean": 4.0, "median": 70.0, "trimmed_mean": 9.0})
    assert ranks() == {"median": 1, "krum": 2, "trimmed_mean": 2, "mean": 2}


def test_the_seeds_of_other_settings_tell_the_noise_of_one_seed(few):
    one_seed = {"krum": 70.0, "mean": 10.0, "median": 76.0, "trimmed_mean": 10.0}
    store_bouts(one_seed, seeds=(1,), setting="dirichlet_f5")
    assert ranks("dirichlet_f5")["krum"] == 2
    # Where three seeds are 4 points apart, 6 points in one seed may be chance.
    store_bouts(dict.fromkeys(RULES, (60.0, 64.0, 68.0)))
    assert ranks("dirichlet_f5")["krum"] == 1


def test_a_cell_of_the_heat_map_tells_its_rule_attack_accuracy_and_seeds(few, tmp_path):
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 70.05})
    called = names("iid_f5")
    figure = heat_map(standing_in("iid_f5"), called.rule, called.attack)
    path = tmp_path / "map.svg"
    figure.save(path)
    assert path.read_text(encoding="utf-8").startswith("<?xml")
    text = path.with_suffix(POINTS_SUFFIX).read_text(encoding="utf-8")
    (panel,) = json.loads(text)["panels"]
    rows = [line["name"] for line in panel["lines"]]
    assert rows == ["trimmed mean", "median", "Krum", "plain average"]
    krum = panel["lines"][2]
    assert dict(zip(krum["x"], krum["y"], strict=True)) == {
        "ALIE (worst case)": "60.0 ± 0.1 %, 3 seeds",
        "none": "80.0 ± 0.1 %, 3 seeds",
        "ALIE": "60.0 ± 0.1 %, 3 seeds",
        "IPM": "65.0 ± 0.1 %, 3 seeds",
        "PGA": "61.0 ± 0.1 %, 3 seeds",
    }
    # The cells stand side by side, and the third column is a gap.
    across, down = panel["cell"]
    np.testing.assert_allclose(np.diff(krum["at"][::2]) / across, [1, 2, 1, 1], atol=0.01)
    tops = [line["at"][1] for line in panel["lines"]]
    np.testing.assert_allclose(np.diff(tops) / down, 1, atol=0.01)


def test_what_the_arena_found_is_said_with_the_stored_numbers(few):
    assert findings.findings(standing_in("iid_f5"), names("iid_f5")) == [
        "Not enough runs are stored yet to rank any rule."
    ]
    assert findings.headline(standing_in("iid_f5"), names("iid_f5"), "equal data") == ""
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 70.05})
    found, called = standing_in("iid_f5"), names("iid_f5", lambda key: f"#{key}")
    first, broken, *_, clean = findings.findings(found, called)
    assert first == (
        "**trimmed mean** and **median** are the best rules, because no rule is clearly better "
        "than either. Under the attack that harms it most, trimmed mean keeps 70.0 ± 0.1 % "
        "and median keeps 70.0 ± 0.1 % accuracy."
    )
    assert findings.headline(found, called, "equal data") == (
        "Of 4 rules, trimmed mean and median survive 3 attacks best (equal data)."
    )
    assert broken.startswith("Of 4 ranked rules, 1 is broken")
    assert "the best rule has 80.0 % accuracy, and 4 of 4 rules have at most 2 points less" in clean
    shown = board.ranks_table(found, called, {"needs": {"krum": "f"}})
    assert shown.count("<tr>") == 5
    assert "<a href='#iid_f5/krum/alie'>60.0 ± 0.1</a>" in shown
    assert board.bouts_table(found, called).count("<tr>") == 5


def test_a_rule_that_is_among_the_best_in_all_settings_is_named(few):
    settings = ["iid_f5", "iid_f10", "dirichlet_f5"]

    def said(count=3):
        found = [standing_in(setting) for setting in settings[:count]]
        return findings.best_everywhere(found, names("iid_f5"))

    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 70.05})
    first = {"krum": 60.0, "mean": 10.0, "median": 75.0, "trimmed_mean": 65.0}
    store_bouts(first, setting="iid_f10")
    assert said(1) == ""
    assert said(2) == "median is among the best in the other setting too."
    assert said(3) == ""  # The third setting has no ranks.
    store_bouts(first, seeds=(1,), setting="dirichlet_f5")
    ends = "in each of the 2 other settings too, which rests on one seed."
    assert said(3) == f"median is among the best {ends}"


def test_no_rule_is_among_the_best_in_all_settings_if_they_differ(few):
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 75.0, "trimmed_mean": 65.0})
    store_bouts(
        {"krum": 60.0, "mean": 10.0, "median": 65.0, "trimmed_mean": 75.0}, setting="iid_f10"
    )
    both = [standing_in(setting) for setting in ("iid_f5", "iid_f10")]
    assert findings.best_everywhere(both, names("iid_f5")) == ""


def test_the_front_page_says_what_the_other_settings_rest_on(few, monkeypatch):
    for setting in ("iid_f5", "dirichlet_f5", "iid_f10"):
        store_bouts(
            {"krum": 60.0, "mean": 10.0, "median": 75.0, "trimmed_mean": 75.0}, setting=setting
        )
    text = pages.first(None)
    assert (
        "Of 4 rules, median and trimmed mean survive 3 attacks best (equal data, 5 of 25 attack). "
        "median and trimmed mean are among the best in each of the 2 other settings too." in text
    )
    assert "The other settings are: unequal data, 5 of 25 attack (paper scale, " in text


def test_a_rule_is_broken_if_it_is_in_most_seeds(few):
    most, few_seeds = (10.0, 10.0, 75.0), (14.0, 75.0, 75.0)
    store_bouts({"krum": most, "mean": 10.0, "median": 70.0, "trimmed_mean": few_seeds})
    _, broken, *_ = findings.findings(standing_in("iid_f5"), names("iid_f5"))
    assert broken.startswith("Of 4 ranked rules, 2 are broken")


@pytest.mark.parametrize(("further", "knows", "other"), [
    ({"ipm": 5.0, "pga": 1.0}, 0, 4), ({"alie": 5.0, "ipm": 5.0}, 4, 0), ({"ipm": 5.0}, 0, 0),
])  # fmt: skip
def test_an_attack_harms_most_only_if_no_other_harms_as_much(few, further, knows, other):
    store_bouts(dict.fromkeys(RULES, 50.0), further=further)
    said = findings.findings(standing_in("iid_f5"), names("iid_f5"))[3]
    assert said.startswith(
        f"For {knows} of 4 rules the most harmful attack is clearly one that knows the rule or "
        f"is made against it, and for {other} it is clearly another one."
    )
    assert f"For the other {4 - knows - other} rules the difference may be chance." in said


def test_an_answer_for_a_rule_and_for_an_attack(few):
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 70.05})
    found, called = standing_in("iid_f5"), names("iid_f5")
    assert answers.of_rule(found, "krum", called).startswith(
        "Krum is 3rd of 4 by worst case. ALIE brings it to 60.0 ± 0.1 %. The first, trimmed mean, "
        "keeps 70.0 ± 0.1 %. Of the 3 other rules 2 are clearly better and 1 is clearly worse. Its "
        "rank is 3. Without an attack it has "
    )
    assert (
        "median is 2nd of 4 by worst case. ALIE brings it to 70.0 ± 0.1 %. The first, trimmed "
        "mean, keeps 70.0 ± 0.1 %. Of the 3 other rules 0 are clearly better and 2 are clearly "
        "worse. Chance could explain how the other one differs from it. Its rank is 1, which 1 "
        "other rule shares."
    ) in answers.of_rule(found, "median", called)
    said = answers.of_attack(found, "ipm", called)
    assert said.startswith(
        "IPM leaves 57.5 % accuracy on average over 4 rules. Of 2 other attacks 2 leave clearly "
        "less and 0 clearly more. For 0 rules IPM leaves the least of all attacks. "
    )
    assert "is a backdoor" in answers.of_attack(found, "pixel_backdoor", called)
    assert [answers.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip


RULE = textwrap.dedent(
    """
    from dataclasses import dataclass

    from fedlib.aggregators.base import AGGREGATORS, Aggregator

    @AGGREGATORS.register("{name}")
    @dataclass(frozen=True)
    class {cls}(Aggregator):
        def _aggregate(self, updates, state, facts):
            return {result}
    """
)


def written(folder, text, name="mine.py"):
    (folder / name).write_text(text)
    return name


def test_rank_plays_a_rule_from_a_file_beside_the_stored_rules(few, capsys):
    assert main(["run", "arena_1", "--scale", "quick", "--data", "embedded", "--jobs", "1",
                 "--only", "iid_f5/*"]) == 0  # fmt: skip
    file = written(few, RULE.format(name="mine", cls="Mine", result="updates.mean(0), state"))
    assert main(["rank", file, "--quick", "--data", "embedded"]) == 0
    out = capsys.readouterr().out
    assert "mine plays 5 bouts of 2 rounds on embedded data" in out
    assert " of 5 by worst case" in out
    # One seed does not tell how far seeds are apart.
    assert "No stored runs tell how far seeds are apart here" in out
    assert "Only 4 other rules have runs to be compared with" in out
    assert "put mine.py into fedlib/aggregators/" in out
    (folder,) = (few / "ranked").iterdir()
    ranks = (folder / "ranks_iid_f5_quick_embedded.md").read_text()
    assert "| mine |" in ranks
    assert ranks.startswith("arena-1, equal data, 5 of 25 attack, fedlib ")
    assert (folder / "heat_map_iid_f5_quick_embedded.png").stat().st_size > 1000
    # The runs of a file are not stored beside those of the catalogue.
    assert not [r for r in Store("arena_1").read("quick").values() if "/mine/" in r["cell"]]
    # By default it meets the others where they have runs, even if the real data are on disk.
    capsys.readouterr()
    assert main(["rank", file, "--quick"]) == 0
    assert "mine plays 5 bouts of 2 rounds on embedded data" in capsys.readouterr().out
    found = standing_in("iid_f5", at=(False, "quick"))
    assert math.isfinite(found.row("mean").worst[1].mean)


def test_rank_needs_a_folder_that_can_be_written_before_it_plays(few, capsys):
    (few / "file").write_text("")
    command = ["rank", "median", "--quick", "--data", "embedded", "--out", str(few / "file" / "x")]
    assert main(command) == 2
    assert "must be a folder that can be written" in capsys.readouterr().err
    assert not (few / "results").exists()


def test_rank_takes_the_data_on_which_more_rules_have_runs(few):
    assert rank._where_others_are("iid_f5", "quick") == "auto"
    assert main(["run", "arena_1", "--scale", "quick", "--data", "embedded", "--jobs", "1",
                 "--only", "iid_f5/*"]) == 0  # fmt: skip
    assert rank._where_others_are("iid_f5", "quick") == "embedded"
    # There are no runs in this setting.
    assert rank._where_others_are("iid_f10", "quick") == "auto"


def test_rank_takes_a_rule_whose_annotations_are_texts(few, capsys):
    text = RULE.format(name="texts", cls="Texts", result="self.factor * updates.mean(0), state")
    text = "from __future__ import annotations\nfrom typing import ClassVar\n" + text.replace(
        "    def _aggregate",
        '    cost: ClassVar[str] = "n d"\n    factor: float = 1.0\n\n    def _aggregate',
    )
    for _ in range(2):  # The second time the file has been read already.
        assert main(["rank", written(few, text), "--quick", "--data", "embedded"]) == 0
        assert "put mine.py into fedlib/aggregators/" in capsys.readouterr().out


def test_rank_plays_an_attack_against_all_rules(few, capsys):
    text = """
from dataclasses import dataclass
from fedlib.attacks.base import ATTACKS, Attack

@ATTACKS.register("against")
@dataclass(frozen=True)
class Against(Attack):
    knows = frozenset({"benign_updates"})

    def _attack(self, updates, state, facts):
        return self._everywhere(-updates.mean(0)), state
"""
    file = written(few, text)
    assert main(["rank", file, "--attack", "--quick", "--data", "embedded"]) == 0
    out = capsys.readouterr().out
    assert "against plays 4 bouts" in out
    assert "accuracy on average over 4 rules" in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def oops(:\n", "cannot be imported: SyntaxError"),
        ("import nothing_like_this\n", "cannot be imported: ModuleNotFoundError"),
        ("raise SystemExit(4)\n", "cannot be imported: SystemExit: 4"),
        ("x = 1\n", "registers no rule: must register exactly one rule"),
        ("x = 1\n", "If it is an attack, give --attack too."),
        (
            RULE.format(name="one", cls="One", result="updates.mean(0), state")
            + RULE.format(name="two", cls="Two", result="updates.mean(0), state"),
            "registers one, two: must register exactly one rule",
        ),
        (
            RULE.format(name="median", cls="Again", result="updates.mean(0), state"),
            "'median' is already registered",
        ),
        (
            RULE.format(name="wide", cls="Wide", result="updates.mean(1), state"),
            "returns shape (25,) for 25 clients and 40 parameters: must return a tensor of shape",
        ),
        (
            RULE.format(name="nan", cls="Nan", result="updates.mean(0) / 0 * 0, state"),
            "returns a NaN or an Inf for finite updates",
        ),
        (
            RULE.format(name="changes", cls="Changes", result="updates.zero_().mean(0), state"),
            "changes the updates: must leave them as they are",
        ),
        (
            RULE.format(name="double", cls="Double", result="updates.mean(0).double(), state"),
            "returns numbers of type torch.float64 for updates of type torch.float32",
        ),
        (
            RULE.format(name="misspelt", cls="Misspelt", result="updates.mean(0), state").replace(
                "def _aggregate", "def aggregate"
            ),
            "its class Misspelt has no method _aggregate, and must have one",
        ),
        (
            RULE.format(name="stranger", cls="Stranger", result="updates.mean(0), state").replace(
                "(Aggregator)", ""
            ),
            "Stranger must be a subclass of Aggregator",
        ),
        (
            'from fedlib import AGGREGATORS\n@AGGREGATORS.register("function")\n'
            "def function(updates):\n    return updates.mean(0)\n",
            "function must be a subclass of Aggregator",
        ),
        (
            RULE.format(name="bare", cls="Bare", result="updates.mean(0)"),
            "must return (aggregate, state)",
        ),
        (
            RULE.format(name="crash", cls="Crash", result="updates[99], state"),
            "fails on a matrix of 25 updates with 40 parameters: IndexError",
        ),
        (
            RULE.format(name="keeps", cls="Keeps", result="updates.mean(0), updates"),
            "in the second round: ConfigError: the state of aggregator='keeps' is of type Tensor: "
            "must be None",
        ),
        (
            "rounds = []\n" + RULE.format(
                name="hides", cls="Hides",
                result="rounds.append(1) or updates.mean(0) / len(rounds), state",
            ),
            "returns two aggregates for the same updates and the same state",
        ),
        (
            RULE.format(name="same", cls="Same", result="(mean := updates.mean(0)), mean").replace(
                "    def _aggregate", "    def _state_like(self, updates, facts):\n"
                "        return Kept((updates.shape[1],), updates.dtype)\n"
                "    def _aggregate"
            ).replace("\n@AGG", "\nfrom fedlib.aggregators.states import Kept\n@AGG"),
            "keeps the aggregate itself in its state: must keep a copy",
        ),
        (
            RULE.format(name="field", cls="Field", result="updates.mean(0), state").replace(
                "    def _aggregate", "    n_byzantine: int = 0\n    tau: float = None\n"
                "    def _max_byzantine(self, n):\n        return 3\n    def _aggregate"
            ),
            "does not accept n_byzantine=5 of 25 clients",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_ranked_is_refused_in_one_line(few, capsys, text, message):
    assert main(["rank", written(few, text), "--quick", "--data", "embedded"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (few / "results").exists()
    assert not (few / "ranked").exists()


def test_an_attack_must_leave_the_honest_updates_as_they_are(few, capsys):
    text = (
        "from dataclasses import dataclass\nfrom fedlib import ATTACKS\n"
        "from fedlib.attacks import Attack\n"
        '@ATTACKS.register("zeroes")\n@dataclass(frozen=True)\nclass Zeroes(Attack):\n'
        '    knows = frozenset({"benign_updates"})\n'
        "    def _attack(self, updates, state, facts):\n"
        "        return self._everywhere(updates.zero_()[0]), state\n"
    )
    command = ["rank", written(few, text), "--attack", "--quick", "--data", "embedded"]
    assert main(command) == 2
    assert "changes the updates: must leave them as they are" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.py"], "rule='nothing.py' does not exist"),
        (["medain"], "did you mean 'median'"),
        (["a/b"], "rule='a/b' is no file"),
        (["median", "--setting", "iid"], "setting='iid'"),
        (["median", "--seeds", "0"], "seeds=0"),
        (["smea"], "rule='smea' does not play in arena-1"),
        (["two_stage", "--attack"], "attack='two_stage' does not play in arena-1"),
    ],
)
def test_bad_input_to_rank_is_one_clear_line(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    assert main(["rank", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_columns_are_the_attacks_of_the_catalogue():
    found = columns()
    assert found.clean == CLEAN
    assert set(found.attacks) == set(ATTACKS) - set(ATTACKS_LEFT_OUT)
    assert not set(found.untargeted) & found.backdoors


def test_ranks_of_the_stored_runs_can_be_told(few):
    assert standing_in("iid_f10", Archive(GRID)).ranked == []


def test_the_page_says_how_far_short_runs_tell_the_order_of_full_ones(few):
    assert pages.quick(None) == "Too few rules have short and full runs to compare their order."
    assert pages.minutes(None) == "No rule has all its bouts stored."
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 40.0})
    embedded = partial(DataConfig, source="embedded", variant=EMBEDDED_VARIANT)
    short = {"krum": 80.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 50.0}
    store_bouts(short, seeds=(1,), scale="quick", data=embedded)
    # Without a second seed of short runs, nothing is said of their noise. Two neighbours change
    # their places: 1 - 6 * 2 / (4 * 15) = 0.8.
    assert pages.quick(None) == (
        "By the worst cases of the 4 rules that have both, the order of the short runs and that of "
        "the full ones have a rank correlation of 0.80 (1 is the same order). The rule that moves "
        "farthest is Krum: it is 1st by short runs and 2nd by full ones."
    )
    assert "Krum is 1st of 4 by worst case." in pages.answer(None, "krum")
    assert answers.NOISE_UNKNOWN in pages.answer(None, "krum")
    # Other seeds tell the noise alone: the places stay those of the first seed.
    store_bouts({**short, "krum": 20.0}, seeds=(2, 3), scale="quick", data=embedded)
    assert "The standard deviation between seeds is " in pages.quick(None)
    assert "Krum is 1st of 4 by worst case." in pages.answer(None, "krum")
    assert answers.NOISE_UNKNOWN not in pages.answer(None, "krum")
    # Each stored run took 36 s, and a rule has five bouts.
    assert pages.minutes(None) == (
        "Its bouts took between 3 and 3 minutes for each seed, and at most 3 minutes for half of "
        "the rules"
    )


def test_the_other_settings_say_which_rule_is_best_there(few):
    assert pages.elsewhere(None) == "- No rule has a rank in another setting yet."
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 40.0},
                setting="dirichlet_f5")  # fmt: skip
    (line,) = pages.elsewhere(None).splitlines()
    assert "keeps 70.0\u00a0±\u00a00.1\u00a0% accuracy" in line
    assert line.startswith("- Unequal data, 5 of 25 attack (paper scale, Fashion-MNIST, 3 seeds): ")
    assert "**median** has the best worst case." in line
    assert "Of 4 ranked rules, 1 is broken." in line


def test_a_worst_case_of_few_attacks_gives_no_rank(few):
    skip = [(rule, attack) for rule in ("krum", "mean") for attack in ("ipm", "pga")]
    store_bouts(dict.fromkeys(RULES, 50.0), skip=skip, setting="iid_f10")
    found = standing_in("iid_f10")
    assert (found.columns.counted, found.ranked) == (("alie",), [])
    few_attacks = "half of the 3 attacks must have met nearly all rules, and so far these are 1."
    assert few_attacks in pages.elsewhere(None)
    assert few_attacks in pages.basis(None, "iid_f10")


def test_an_attack_that_is_made_against_a_rule_knows_it(few):
    store_bouts({"krum": 60.0, "mean": 65.0, "median": 70.0, "trimmed_mean": 70.05})
    found = standing_in("iid_f5")
    assert found.row("krum").adaptive[0] == "pga"
    against = replace(found.columns, against={"alie": ("krum",)})
    assert replace(found.row("krum"), columns=against).adaptive[0] == "alie"
    assert replace(found.row("mean"), columns=against).adaptive[0] == "pga"
    assert columns().knows("full_krum", "krum") and not columns().knows("full_krum", "median")


def test_the_strongest_attack_is_that_on_rules_that_no_attack_breaks(few):
    store_bouts({"krum": 60.0, "mean": 10.0, "median": 70.0, "trimmed_mean": 70.05})
    said = findings.findings(standing_in("iid_f5"), names("iid_f5"))[2]
    begin = "On average over the seeds, ALIE leaves the least accuracy to 3 of the 3 rules"
    assert said == f"{begin} that no attack breaks."
    store_bouts(dict.fromkeys(RULES, 10.0), setting="dirichlet_f5", seeds=(1,))
    _, _, said, *_ = findings.findings(standing_in("dirichlet_f5"), names("dirichlet_f5"))
    assert said == "Every rule is broken by some attack."


def test_attacks_that_leave_as_little_are_counted(few):
    store_bouts(dict.fromkeys(RULES, 50.0), further={"ipm": 0.05, "pga": 9.0})
    said = findings.findings(standing_in("iid_f5"), names("iid_f5"))[2]
    assert said.endswith(". For 4 of the 4, another attack may leave as little.")


def test_a_rule_without_a_rank_that_an_attack_breaks_is_named(few, monkeypatch):
    monkeypatch.setattr(ranking, "_MOST", 0.7)
    store_bouts(dict.fromkeys(RULES, 15.0), skip=[("krum", "alie")])
    broken = findings.findings(standing_in("iid_f5"), names("iid_f5"))[1]
    store_bouts(dict.fromkeys(RULES, 50.0), skip=[("krum", "alie")], setting="dirichlet_f5")
    stands = findings.findings(standing_in("dirichlet_f5"), names("dirichlet_f5"))[1]
    said = " Krum has no rank yet, but some attack breaks it too."
    assert broken.endswith(said) and not stands.endswith(said)


def test_a_best_rank_says_that_its_noise_is_of_another_setting(few):
    left = {"krum": 60.0, "mean": 10.0, "median": 50.0, "trimmed_mean": 40.0}
    store_bouts(left)
    store_bouts(left, setting="dirichlet_f5", seeds=(1,))
    of = {name: findings.findings(standing_in(name), names(name))[0] for name in SETTINGS}
    assert "Krum" in of["iid_f5"] and "noise between seeds" not in of["iid_f5"]
    assert "The noise between seeds is known from other settings only." in of["dirichlet_f5"]


def test_a_mean_that_no_seed_has_is_marked_in_the_ranks(few):
    store_bouts({"krum": (20.0, 70.0, 70.0), "mean": 10.0, "median": 50.0, "trimmed_mean": 40.0})
    shown = board.ranks_table(standing_in("iid_f5"), names("iid_f5"), {})
    assert "53.3 ± 28.9†<" in shown and "50.0 ± 0.1<" in shown


def test_one_of_two_seeds_does_not_make_a_rule_broken(few):
    store_bouts(dict.fromkeys(RULES, (14.0, 25.0)), seeds=(1, 2))
    _, broken, *_ = findings.findings(standing_in("iid_f5"), names("iid_f5"))
    assert broken.startswith("Of 4 ranked rules, 0 are broken")


def test_attacks_are_compared_over_the_rules_that_have_met_both(few, monkeypatch):
    monkeypatch.setattr(ranking, "_MOST", 0.7)
    store_bouts(dict.fromkeys(RULES, 50.0), skip=[("krum", "alie")])
    said = answers.of_attack(standing_in("iid_f5"), "ipm", names("iid_f5"))
    assert "Of 2 other attacks 2 leave clearly less and 0 clearly more." in said
