"""The program that lists the verdicts that differ between two working trees."""

from dataclasses import replace
from pathlib import Path

import pytest

from fedlib.papers.two_stage_attack.tables import CLAIMS
from tools.verdict_changes import Verdict, as_markdown, changes, main, verdicts_in, why

ROOT = Path(__file__).resolve().parent.parent
HOLDS = Verdict(
    "gradient_guard", "Fig. 1", "A*: it costs 5 points (at most)", "one reading", "holds", "holds",
    "5.1 points", "paper, MNIST, 3 seeds, noise 1 (9 df of other scales)",
)  # fmt: skip
UNKNOWN = replace(
    HOLDS,
    verdict="undecided: the spread between seeds is not known",
    kind="undecided",
    runs="paper, MNIST, 3 seeds",
)


def found(*pairs):
    """Return the changes between two trees, by the pairs of the same place in both."""
    before, after = ([one for one in side if one] for side in zip(*pairs, strict=True))
    return changes({one.anchor: one for one in before}, {one.anchor: one for one in after})


def test_a_claim_is_listed_if_the_kind_of_its_verdict_changed():
    provisional = replace(HOLDS, verdict="holds, provisional: one seed")
    assert found((HOLDS, provisional)) == []
    reason = "The noise of another data set does not serve any more, and this one has none."
    assert found((HOLDS, UNKNOWN)) == [(HOLDS, UNKNOWN, reason)]
    # A claim that is new has no verdict that changed.
    assert found((HOLDS, HOLDS), (None, replace(UNKNOWN, text="new"))) == []


def test_a_reworded_claim_is_found_and_one_that_went_is_named():
    reworded = replace(UNKNOWN, text="A*: it costs 5 points (at least)")
    ((_, now, reason),) = found((HOLDS, reworded))
    assert (now, reason.startswith("The claim is reworded. ")) == (reworded, True)
    another = replace(UNKNOWN, text="A*: it costs 7 points (at most)")
    assert found((HOLDS, another)) == [(HOLDS, None, "There is no such claim any more.")]
    assert found((UNKNOWN, another)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"verdict": "undecided: it holds by the last evaluation alone; those before it: 9 %"},
            "Earlier evaluations of the run do not agree",
        ),
        ({"kind": "contradicted in print"}, "The printed means contradict"),
        ({"verdict": "undecided: unstable, 3 of 5 seeds"}, "The seeds disagree far beyond"),
        ({"verdict": "undecided: all at chance"}, "The runs that decide it are at chance"),
        ({"here": "5.2 points"}, "There are new runs."),
        ({"here": "it costs 5.1 points"}, "The same runs are judged by another"),
        ({"here": "it adds 5.1 points (-5.1)"}, "There are new runs."),
        ({"verdict": "undecided: nothing to measure", "here": "–"}, "The statistic finds nothing"),
        ({"runs": "paper, MNIST, 4 seeds, noise 1 (9 df)"}, "There are new runs."),
        (
            {"verdict": "undecided: print is beyond a limit that this book has set", "runs": "–"},
            "The sentence names no limit",
        ),
        ({"runs": "–"}, "The runs that it rested on are of a former revision"),
        ({"runs": "paper, MNIST, 3 seeds, noise 2 (9 df)"}, "The same runs are judged by another"),
    ],
)
def test_the_reason_is_what_both_verdicts_tell(change, said):
    assert why(HOLDS, replace(HOLDS, **change)).startswith(said)


def test_what_was_a_tie_says_why_it_is_none():
    tie = replace(HOLDS, verdict="tie", kind="tie")
    undecided = replace(tie, verdict="undecided: one seed, too near the limit", kind="undecided")
    assert why(tie, undecided).startswith("The noise of other protocols")
    assert why(tie, replace(tie, kind="does not hold")).startswith("Equal sides refute")


def test_a_sign_that_became_a_word_is_no_new_number():
    """The words may tell the direction, with the signed number behind them."""
    signed = replace(HOLDS, here="it costs -3.2 points (seeds: -4.0, -2.4)")
    worded = replace(HOLDS, here="it adds 3.2 points (-3.2; seeds: -4.0, -2.4)")
    assert why(signed, worded).startswith("The same runs are judged by another")
    none = replace(HOLDS, here="–")
    assert why(none, none).startswith("The same runs are judged by another")


def test_a_claim_with_its_former_text_is_the_same_claim():
    reworded = replace(UNKNOWN, text="quite another wording", former_text=HOLDS.text)
    ((old, now, reason),) = found((HOLDS, reworded))
    assert (old, now) == (HOLDS, reworded) and reason.startswith("The claim is reworded. ")


def test_the_table_is_markdown():
    assert as_markdown([(HOLDS, None, "Gone.")]) == (
        "### Gradient Guard\n\n| claim | before | now | why |\n| --- | --- | --- | --- |\n"
        "| A\\*: it costs 5 points (at most) [one reading] | holds | no such claim | Gone. |"
    )


def test_the_verdicts_of_a_working_tree_have_the_anchors_of_its_claims():
    listed = verdicts_in(ROOT, ("two_stage_attack",))
    assert list(listed) == [claim.anchor("two_stage_attack") for claim in CLAIMS]


def test_it_needs_two_trees(capsys):
    assert main(["one"]) == 2
    assert "BEFORE AFTER" in capsys.readouterr().out
