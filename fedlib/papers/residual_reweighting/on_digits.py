"""What the chapter has found on MNIST: label flips, and a backdoor."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from fedlib.evidence.found import Headed, resting_on
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult, plural
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.residual_reweighting.keys import RULE_TITLES, Comparison
from fedlib.papers.residual_reweighting.on_loans import percent, success_of
from fedlib.papers.residual_reweighting.tables.cells import published

FASTER = "attacker_rate"
"""The variant in which attackers learn at a higher rate."""


def flipped_digits(archive: Archive) -> list[str]:
    """Say what label flips on MNIST leave reweighting and plain averaging, if that is known."""
    keys = [
        str(Comparison("figure_3", attackers, rule))
        for rule in ("ours", "fedavg")
        for attackers in ("0", "10")
    ]
    known = archive.common(keys)
    if known is None or known[0].scale != "paper":
        return []
    clean, attacked, averaging, averaging_attacked = known
    below = sum(
        attacked.of_seed(seed).accuracy.mean < averaging_attacked.of_seed(seed).accuracy.mean
        for seed in attacked.seeds
    )
    # Whether the difference is more than chance is for the claims to say.
    less = (
        f" In {below or 'none'} of the {len(attacked.seeds)} seeds, reweighting is then less "
        "accurate than plain averaging."
        if len(attacked.seeds) > 1
        else ""
    )
    each = [
        f"from {before.accuracy.mean:.1f} to {after.accuracy.mean:.1f} %"
        for seed in attacked.seeds
        for before, after in [(clean.of_seed(seed), attacked.of_seed(seed))]
    ]
    by_seed = f" By seed, reweighting goes {'; '.join(each)}." if len(each) > 1 else ""
    return [
        Headed(
            _in_one_line(archive, attacked, averaging_attacked),
            "On MNIST, ten of 100 participants call each 1 a 7 and train longer than the others. "
            "The test accuracy of reweighting goes from ",
            percent(archive, clean),
            " to ",
            percent(archive, attacked),
            ", and that of plain averaging from ",
            percent(archive, averaging),
            " to ",
            percent(archive, averaging_attacked),
            ". Reweighting takes ",
            success_of(archive, attacked),
            " of the ones for sevens",
            " in its seeds" if len(attacked.seeds) > 1 else "",
            ", and plain averaging ",
            success_of(archive, averaging_attacked),
            f" ({resting_on(known)}).{less}{by_seed} The claims of the chapter say "
            "whether these seeds are enough for a verdict.",
            _faster_flippers(archive),
            " The paper prints no numbers here. It says that reweighting "
            '"outperforms all other methods and is robust when the number of attackers increases".',
        )
    ]


def _count(seeds: Sequence[int]) -> str:
    """Say how many seeds there are, as all findings do."""
    return "one seed" if len(seeds) == 1 else plural(len(seeds), "seed")


def _in_one_line(archive: Archive, attacked: CellResult, averaging: CellResult) -> str:
    """Say what ten label flippers leave two rules and the best of the others, at both rates."""
    slower = (
        f"reweighting has {attacked.accuracy.mean:.1f} % and plain averaging "
        f"{averaging.accuracy.mean:.1f} % ({_count(attacked.seeds)})."
    )
    known = archive.common(_faster_keys())
    if known is None or known[0].scale != attacked.scale:
        return f"On MNIST, with ten label flippers of 100, {slower}"
    ours, faster_averaging = known
    others = _others_with_faster_flippers(archive, ours)
    best = max(others, key=lambda other: other[1].accuracy.mean, default=None)
    beside = ""
    if best:
        rule, result = best
        same = [ours.of_seed(seed).accuracy.mean for seed in result.seeds if seed in ours.seeds]
        # A mean over other seeds would tell of the seeds too.
        mean = f", where reweighting has {statistics.mean(same):.1f} %" if same else ""
        beside = (
            f" The best of the other rules, {RULE_TITLES[rule]}, has "
            f"{result.accuracy.mean:.1f} % then ({_count(result.seeds)}"
            f"{mean if set(result.seeds) != set(ours.seeds) else ''})."
        )
    return (
        f"On MNIST with ten label flippers of 100, reweighting has {ours.accuracy.mean:.1f} % and "
        f"plain averaging {faster_averaging.accuracy.mean:.1f} % if the flippers learn at ten "
        f"times the rate of the others, as in the authors' code ({_count(ours.seeds)}).{beside} If "
        f"they learn at the rate of the others, {slower}"
    )


def _faster_keys() -> list[str]:
    """The cells of reweighting and of plain averaging whose attackers learn faster."""
    return [_faster_key(rule) for rule in ("ours", "fedavg")]


def _faster_key(rule: str) -> str:
    return f"variants/{FASTER}/{Comparison('figure_3', '10', rule)}"


def _faster_flippers(archive: Archive) -> Linked | str:
    """Say what the same attackers do at the learning rate of the authors' code."""
    start = (
        " The text gives no learning rate for these attackers, and here it is that of the others. "
        "In the authors' code it is ten times as high"
    )
    known = archive.common(_faster_keys())
    if known is None:
        return f"{start}, which is not computed yet."
    ours, averaging = known
    return joined(
        f"{start}. With this rate reweighting has ",
        percent(archive, ours),
        " and takes ",
        success_of(archive, ours),
        " of the ones for sevens, and plain averaging has ",
        percent(archive, averaging),
        " and takes ",
        success_of(archive, averaging),
        f" ({resting_on(known)}).",
        _of_the_same_seeds(archive, ours),
        _other_rules(archive, ours),
    )


def _other_rules(archive: Archive, ours: CellResult) -> Linked | str:
    """Say what the faster attackers leave the other rules, as far as that is computed."""
    known = _others_with_faster_flippers(archive, ours)
    if not known:
        return ""
    parts: list[Linked | str] = []
    for place, (rule, result) in enumerate(known):
        between = ", and " if place == len(known) - 1 else ", "
        parts += [between if place else "", f"{RULE_TITLES[rule]} has ", percent(archive, result)]
    return joined(
        " Of the other rules, ",
        *parts,
        f" ({resting_on([result for _, result in known])}).",
        *_without_attackers(archive, [rule for rule, _ in known], ours.scale),
    )


def _without_attackers(
    archive: Archive, rules: Sequence[str], scale: str
) -> Iterator[Linked | str]:
    """Say what the other rules have without attackers, so that the harm can be seen."""
    stored = {rule: archive.at(str(Comparison("figure_3", "0", rule)), scale) for rule in rules}
    known = {rule: result for rule, result in stored.items() if result is not None}
    for place, (rule, result) in enumerate(known.items()):
        last = place == len(known) - 1
        yield " Without attackers " if not place else " and " if last else ", "
        yield f"{RULE_TITLES[rule]} has "
        yield percent(archive, result)
    if known:
        yield f" ({resting_on(list(known.values()))})."


def _others_with_faster_flippers(
    archive: Archive, ours: CellResult
) -> list[tuple[str, CellResult]]:
    """The results of the other rules with faster attackers, at the scale of reweighting's."""
    left = [rule for rule in RULE_TITLES if rule not in ("ours", "fedavg")]
    found = [(rule, archive.best(_faster_key(rule))) for rule in left]
    return [(rule, one) for rule, one in found if one is not None and one.scale == ours.scale]


def _of_the_same_seeds(archive: Archive, faster: CellResult) -> str:
    """Say what the seeds with faster attackers have without them, and with slower ones."""
    keys = [str(Comparison("figure_3", attackers, "ours")) for attackers in ("0", "10")]
    known = archive.common([*keys, faster.key])
    if known is None or known[0].scale != faster.scale:
        return ""
    seeds = known[2].seeds
    clean, slower, same = (
        [result.of_seed(seed).accuracy.mean for seed in seeds] for result in known
    )
    said = (
        f" In {'this seed' if len(seeds) == 1 else 'these seeds'} reweighting has "
        f"{statistics.mean(clean):.1f} % without attackers, and {statistics.mean(slower):.1f} % if "
        "the attackers learn at the rate of the others."
    )
    if not _above(same, slower):
        return said
    said += " So faster flippers seem to stand out more, and reweighting leaves them out."
    if not _above(same, clean):
        return said
    return (
        f"{said} It then has even more than without attackers. The chapter shows how this can be."
    )


def _above(values: Sequence[float], others: Sequence[float]) -> bool:
    """Whether each value is above its partner by more than the margin."""
    return all(value > other + MARGIN for value, other in zip(values, others, strict=True))


def backdoor_in_digits(archive: Archive) -> list[str]:
    """Say which rules let a backdoor in that is sent in every round, beside what is printed."""
    keys = {rule: f"table_3/mnist/naive/{rule}" for rule in ("ours", "fedavg", "foolsgold")}
    known = archive.common(list(keys.values()))
    if known is None or known[0].scale != "paper":
        return []
    found = dict(zip(keys, known, strict=True))
    in_print = {
        rule: f"{published()[key, 'attack_success'].value:g} %" for rule, key in keys.items()
    }
    return [
        joined(
            "On MNIST, a backdoor that an attacker sends in every round works on ",
            success_of(archive, found["ours"]),
            " of the images with its trigger under reweighting, and on ",
            success_of(archive, found["fedavg"]),
            f" under plain averaging. The paper prints {in_print['ours']} and "
            f"{in_print['fedavg']}. (About a tenth of the images has the target class without any "
            "attack.) Under FoolsGold it works on ",
            success_of(archive, found["foolsgold"]),
            f", and the paper prints {in_print['foolsgold']} ({resting_on(known)}).",
        )
    ]
