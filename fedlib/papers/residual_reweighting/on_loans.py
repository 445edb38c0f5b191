"""What the chapter has found about backdoors on loans, and numbers with links to their runs."""

from __future__ import annotations

from fedlib.evidence.found import resting_on
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult, plural
from fedlib.evidence.statistics import FAR_APART
from fedlib.papers.residual_reweighting.choices import SCALE
from fedlib.papers.residual_reweighting.claims.measures import success
from fedlib.papers.residual_reweighting.keys import COORDINATE_WISE, LoanBackdoor, Unattacked
from fedlib.papers.residual_reweighting.tables.cells import published

_SENT = 6
"""The round in which model replacement sends its update."""


def backdoor_on_loans(archive: Archive) -> str:
    """Say how often the naive backdoor succeeds on loans, by rule."""
    keys = [
        str(LoanBackdoor("naive", "fedavg")),
        str(LoanBackdoor("naive", "ours")),
        str(Unattacked("loan", "ours")),
        *(str(LoanBackdoor("naive", rule)) for rule in COORDINATE_WISE),
    ]
    known = archive.common(keys)
    if known is None:
        return "What a backdoor does on the loans is not computed yet."
    averaging, ours, clean, *others = known
    low, high = min(others, key=success), max(others, key=success)
    protects = success(ours) < success(averaging)
    return joined(
        "One of ten participants trains a backdoor into the model of loans. Under plain averaging "
        "it succeeds on ",
        success_of(archive, averaging),
        " of the loans with its trigger",
        ", but under reweighting only on " if protects else ", and under reweighting on ",
        success_of(archive, ours),
        " (on ",
        success_of(archive, clean),
        " if nobody attacks). Under the medians and the trimmed mean its success is between ",
        success_of(archive, low),
        " and ",
        success_of(archive, high),
        f" ({resting_on(known)}). {_seeds(ours)}The trigger is a choice of this book, because the "
        "loans at hand lack four of the six features that the paper's trigger sets.",
    )


def _when_sent(result: CellResult, quantity: str) -> list[float]:
    """Return a quantity in the round in which a backdoor is sent, in percent by seed.

    It is empty if this round is not evaluated.
    """
    rounds, curves = result.curve(quantity)
    if _SENT not in rounds:
        return []
    return [100 * curve[rounds.index(_SENT)] for curve in curves]


def _right_after(result: CellResult) -> str:
    """Say how often a backdoor works in the round in which it is sent, and what the model does."""
    shares = _when_sent(result, "attack_success")
    accuracies = _when_sent(result, "test_accuracy")
    if not shares:
        return ""
    _, curves = result.curve()
    destroyed = [
        accuracy < 50 * max(curve) for accuracy, curve in zip(accuracies, curves, strict=True)
    ]
    seeds = plural(len(shares), "seed")
    if not any(destroyed):
        return (
            f"In this round the backdoor works on {_from_to(shares)} of the loans with its trigger "
            f"({seeds}). "
        )
    in_some = "" if all(destroyed) else f" in {sum(destroyed)} of {seeds}"
    factor = result.records[0]["config"]["attack"]["scale"]
    return (
        f"The update, scaled by {factor:g}, destroys the model"
        f"{in_some}: its test accuracy in this round is {_from_to(accuracies)}, and a success "
        f"of {_from_to(shares)} with the trigger is no backdoor then. "
    )


def _replaced_exactly(archive: Archive, key: str) -> Linked | str:
    """Say what a factor does that is as large as the number of participants."""
    known = archive.common([SCALE.cell(key)])
    shares = _when_sent(known[0], "attack_success") if known else []
    if known is None or not shares:
        return ""
    (result,) = known
    config = result.records[0]["config"]
    accuracies = _when_sent(result, "test_accuracy")
    return joined(
        f" With a factor of {config['attack']['scale']:g}, which is "
        + ("" if config["attack"]["scale"] == config["n_clients"] else "not ")
        + "the number of participants, the accuracy in this round is ",
        archive.linked(_from_to(accuracies), result.key),
        " and the backdoor works on ",
        archive.linked(_from_to(shares), result.key),
        ". At the end it works on ",
        success_of(archive, result),
        f" ({resting_on(known)}).",
    )


def _from_to(values: list[float]) -> str:
    """Return the range of some percentages in words."""
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def _kept_out(archive: Archive) -> Linked | str:
    """Say how often a backdoor works against the robust rules in the round in which it is sent."""
    keys = [str(LoanBackdoor("replacement", rule)) for rule in ("ours", *COORDINATE_WISE)]
    known = archive.common(keys)
    shares = [_when_sent(result, "attack_success") for result in known or ()]
    if not all(shares) or not shares:
        return ""
    most = max(share for of_rule in shares for share in of_rule)
    return joined(
        " Under reweighting, the medians and the trimmed mean the backdoor works on at most ",
        archive.linked(f"{most:.1f} %", *keys),
        f" in round {_SENT}.",
    )


def _seeds(result: CellResult, of: str = "of reweighting") -> str:
    """Say what each seed gives, if there are several and they are not named yet."""
    if len(result.seeds) < 2 or _far_apart(result):
        return ""
    return f"The {len(result.seeds)} seeds {of} give {_each(result)}. "


def _far_apart(result: CellResult) -> bool:
    """Whether no seed has the mean of the successes of all."""
    each = [success(result.of_seed(seed)) for seed in result.seeds]
    return max(each) - min(each) > FAR_APART


def _each(result: CellResult) -> str:
    """Return the success of each of several seeds: ``3.8, 16.2 and 4.5 %``."""
    *most, last = (f"{success(result.of_seed(seed)):.1f}" for seed in result.seeds)
    return f"{', '.join(most)} and {last} %"


def replaced_model(archive: Archive) -> str:
    """Say how often model replacement succeeds against plain averaging on loans."""
    key = str(LoanBackdoor("replacement", "fedavg"))
    known = archive.common([key])
    if known is None:
        return "What model replacement does on the loans is not computed yet."
    (result,) = known
    in_print = published()[key, "attack_success"].value
    ours = success(result)
    fails = ours < 50 < in_print
    return joined(
        f"Model replacement sends a backdoor once, as a scaled update in round {_SENT}. Take a "
        f"server that averages, on loans. {_right_after(result)}At the end of the training the "
        "backdoor works on ",
        success_of(archive, result),
        f" of the loans with its trigger ({resting_on(known)}). {_seeds(result, 'of this attack')}"
        f"The paper prints {in_print:.1f} % on its own loans"
        + (", which this attack does not reach here at the end." if fails else "."),
        _kept_out(archive),
        _replaced_exactly(archive, key),
    )


def percent(archive: Archive, result: CellResult) -> Linked:
    """Return an accuracy with a link to its runs."""
    return archive.linked(f"{result.accuracy.mean:.1f} %", result.key)


def success_of(archive: Archive, result: CellResult) -> Linked:
    """Return the success of an attack with a link to its runs.

    Seeds that are far apart are named one by one, because none of them has their mean.
    """
    text = _each(result) if _far_apart(result) else f"{success(result):.1f} %"
    return archive.linked(text, result.key)
