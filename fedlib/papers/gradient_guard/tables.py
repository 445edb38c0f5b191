"""Figures, tables and claims of the chapter on Gradient Guard, from the store."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fedlib import engine
from fedlib.aggregators import make_aggregator
from fedlib.aggregators.ssim import structural_similarity
from fedlib.data import load_dataset, resolve_source
from fedlib.evidence import claims
from fedlib.evidence.claims import Claim, ClaimsTable, above, at_least, below, percent_left
from fedlib.evidence.plots import PALETTE, STYLE
from fedlib.evidence.report import Archive, CellResult, Table, basis_of, plural
from fedlib.evidence.statistics import MARGIN, Estimate, estimate
from fedlib.gradients import saliency_maps
from fedlib.papers.gradient_guard.grid import (
    ABLATED,
    ATTACK_TITLES,
    BLIND,
    CLASSICAL,
    DATA_TITLES,
    FLAIRS_LIMIT,
    HISTORIES,
    N_CLIENTS,
    PROBED,
    PUBLISHED_ATTACKS,
    READINGS,
    RULE_TITLES,
    SHARES,
    config,
    key,
    make_rule,
    reading_key,
    watched,
)

_LINES = {
    rule: (PALETTE[i % len(PALETTE)], "-" if i < len(PALETTE) else "--")
    for i, rule in enumerate(RULE_TITLES)
}
_BREAKS = 50.0
"""A rule breaks where less than this much, in percent, of its clean accuracy is left."""
_LAST = 5
"""Evaluations whose mean is a run's accuracy: under attack it goes up and down to the end."""
_TELLS = 0.75
"""Area under the ROC curve that counts as telling: midway from telling nothing to telling all."""
_HONEST = "last honest mean"
"""What clients are scored against where the server takes it."""


def late(result: CellResult) -> Estimate:
    """Accuracy in percent, the mean of a run's last five evaluations."""
    _, curves = result.curve()
    return estimate([100 * math.fsum(curve[-_LAST:]) / len(curve[-_LAST:]) for curve in curves])


def _late(result: CellResult) -> float:
    return late(result).mean


def _area(result: CellResult) -> Estimate:
    """The area under the ROC curve of low scores, mean over the rounds."""
    return result.mean_of("separation")


def _shown_area(result: CellResult | None) -> str:
    if result is None:
        return "–"
    area = _area(result)
    return f"{area.mean:.2f}" + ("" if area.spread is None else f" ± {area.spread:.2f}")


def limits_table() -> Table:
    """How many malicious clients each rule is set to withstand, by the malicious share."""
    counts = {share: N_CLIENTS * int(share) // 100 for share in SHARES}
    rows = tuple(
        (
            title,
            *(
                "–" if rule in BLIND else str(make_rule(rule, count).n_byzantine)
                for count in counts.values()
            ),
        )
        for rule, title in RULE_TITLES.items()
    )
    return Table(
        ("defence", *(f"{share} %: {count}" for share, count in counts.items())),
        rows,
        f"How many of {N_CLIENTS} clients each defence is set to withstand, by the malicious share "
        "and number (–: the defence has no such setting)",
    )


def figure_1() -> Figure:
    """The pipeline, drawn: what happens to an update between client and model."""
    boxes = (
        (0.0, 1.0, "client updates\n$x_i$"),
        (0.0, 0.0, "last direction $d$\n= sign of the aggregate"),
        (3.0, 1.0, "saliency maps\nafter each update"),
        (3.0, 0.0, "saliency map\nafter a step along $d$"),
        (5.8, 0.5, "similarity $s_i$\nof the two (SSIM)"),
        (8.6, 0.5, "reputation $r_i$: less for\nthe $c$ least alike"),
        (11.5, 0.5, "weights of the average:\nsoftmax of $r_i$"),
    )
    arrows = ((0, 2), (1, 3), (2, 4), (3, 4), (4, 5), (5, 6))
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(10.5, 2.2))
        for x, y, text in boxes:
            axis.text(
                x, y, text, ha="center", va="center", fontsize=7.5,
                bbox={"boxstyle": "round,pad=0.4", "fc": "white", "ec": PALETTE[1]},
            )  # fmt: skip
        for start, end in arrows:
            (x0, y0, _), (x1, y1, _) = boxes[start], boxes[end]
            axis.annotate(
                "", (x1 - 1.15, y1), (x0 + 1.15, y0),
                arrowprops={"arrowstyle": "->", "color": "black"},
            )  # fmt: skip
        axis.annotate(
            "next round", (0.0, -0.28), (11.5, 0.22), ha="center", va="top", fontsize=7.5,
            arrowprops={"arrowstyle": "->", "color": "grey",
                        "connectionstyle": "angle,angleA=-90,angleB=180,rad=8"},
        )  # fmt: skip
        axis.set(xlim=(-1.3, 12.8), ylim=(-0.7, 1.4))
        axis.set_axis_off()
        plt.close(figure)
    return figure


def gallery(data: str = "auto", rounds: int = 60) -> Figure:
    """Saliency maps after honest and after malicious updates, with their similarity.

    A small federation is trained for a few rounds when the figure is drawn; six of its 20 clients
    send full-trim, and the maps of two honest and two malicious clients are shown on three images.
    The server aggregates by the median.
    """
    source = resolve_source("mnist", data)
    rule = make_aggregator({"name": "median", "n_byzantine": 6})
    run = config("mnist", "full_trim", "30", rule, "quick", 1, source)
    run = run.with_(model="mlp_100")
    dataset = load_dataset(run.data)
    federation, state = engine.prepare(run, dataset)
    for _ in range(rounds):
        before = state.parameters.clone()
        direction = (
            torch.zeros_like(before)
            if state.last_aggregate is None
            else state.last_aggregate.sign()
        )
        engine.play_round(federation, state)
    chosen = {"honest 1": 0, "honest 2": 1, "malicious 1": -2, "malicious 2": -1}
    length = state.updates.norm(dim=1).median()
    steps = [direction * (length / direction.norm().clamp(min=1))]
    steps += [state.updates[i] for i in chosen.values()]
    x, y = dataset.x_test[:3], dataset.y_test[:3]
    models = before - run.learning_rate * torch.stack(steps)
    maps = saliency_maps(state.model, models, x, y).double()
    span = maps[0].max() - maps[0].min()
    scores = structural_similarity(maps[1:], maps[:1], span)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(3, 6, figsize=(8.4, 4.6), layout="constrained")
        for row in range(3):
            axes[row, 0].imshow(x[row, 0].numpy(), cmap="gray")
            for column, image in enumerate(maps[:, row], 1):
                axes[row, column].imshow(image.numpy(), cmap="magma")
                if column > 1:
                    axes[row, column].set_xlabel(f"{scores[column - 2, row]:.3f}", fontsize=8)
        for axis, title in zip(axes[0], ("image", "reference", *chosen), strict=True):
            axis.set_title(title)
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            for spine in axis.spines.values():
                spine.set_visible(False)
        figure.suptitle(
            f"{dataset.label}, full-trim against the median, round {rounds}: "
            "similarity to the reference below",
            fontsize=9,
        )
        plt.close(figure)
    return figure


def share_panels(archive: Archive, data: str) -> Figure:
    """Accuracy against the malicious share: a panel an attack, a line a defence.

    A line is of one scale; where the lines of a panel differ in it, the panel says so.
    """
    known: list[CellResult] = []
    attacks = PUBLISHED_ATTACKS[:2] if data == "cifar10" else PUBLISHED_ATTACKS
    rows = len(attacks) // 2
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, 2, figsize=(8.4, 1 + 2.5 * rows), sharex=True, sharey=True, layout="constrained"
        )
        for axis, attack in zip(axes.flat, attacks, strict=True):
            scales: dict[str, str] = {}
            for rule, (colour, style) in _LINES.items():
                at = _shares_of(data, attack, rule)
                found = archive.together([key(data, attack, s, rule) for s in at])
                line = [(float(s), r) for s, r in zip(at, found, strict=True) if r is not None]
                if any(result is not None for result in found[1:]):
                    scales[rule] = line[0][1].scale
                known += [result for _, result in line]
                axis.errorbar(
                    [x for x, _ in line],
                    [late(result).mean for _, result in line],
                    [late(result).spread or 0 for _, result in line],
                    color=colour, ls=style, marker=".", lw=1.2,
                )  # fmt: skip
            axis.set(title=_panel_title(attack, scales), xlim=(-2, 52))
            if not scales:
                axis.text(
                    0.5, 0.5, "not computed", ha="center", va="center", fontsize=9,
                    transform=axis.transAxes,
                )  # fmt: skip
            axis.grid(alpha=0.25)
        highest = max((late(result).mean for result in known), default=100)
        # A network that learns little would have its lines on the floor of a whole axis.
        axes.flat[0].set_ylim(0, 102 if highest > 50 else 1.15 * highest)
        figure.supxlabel("malicious clients, %", fontsize=9)
        figure.supylabel(f"test accuracy, %, mean of the last {_LAST} evaluations", fontsize=9)
        handles = [
            Line2D([], [], color=colour, ls=style, label=RULE_TITLES[rule])
            for rule, (colour, style) in _LINES.items()
        ]
        figure.legend(handles=handles, title=basis_of(known), loc="outside upper center", ncols=5)
        plt.close(figure)
    return figure


def _shares_of(data: str, attack: str, rule: str) -> tuple[str, ...]:
    """The malicious shares that the grid has of a rule."""
    more = (FLAIRS_LIMIT,) if rule == "flair" and data in _GREY and attack in _FULL else ()
    return tuple(sorted((*SHARES, *more), key=int))


def _panel_title(attack: str, scales: dict[str, str]) -> str:
    """The attack, the scale of most of its lines, and the lines of other scales."""
    title = ATTACK_TITLES[attack]
    if not scales:
        return title
    usual = Counter(scales.values()).most_common(1)[0][0]
    others = [
        f"\n{scale}: " + ", ".join(RULE_TITLES[rule] for rule in scales if scales[rule] == scale)
        for scale in sorted(set(scales.values()) - {usual})
    ]
    return f"{title} ({usual})" + "".join(others)


def break_share(results: dict[str, CellResult], seed: int) -> float:
    """The least share in percent with less than half of the clean accuracy; 60 if none has."""
    accuracy = {share: _late(result.of_seed(seed)) for share, result in results.items()}
    return next((float(s) for s in SHARES[1:] if accuracy[s] < _BREAKS / 100 * accuracy["0"]), 60.0)


def break_table(archive: Archive, data: str) -> Table:
    """The malicious share at which each defence breaks, by seed."""
    rows = []
    basis: list[CellResult] = []
    for rule, title in RULE_TITLES.items():
        row = [title]
        for attack in PUBLISHED_ATTACKS:
            cells = [key(data, attack, share, rule) for share in SHARES]
            found = archive.common(cells)
            if found is None:
                row.append("not computed")
                continue
            basis += found
            by_share = dict(zip(SHARES, found, strict=True))
            seeds = sorted(set.intersection(*(set(result.seeds) for result in found)))
            shares = [break_share(by_share, seed) for seed in seeds]
            shown = ", ".join("> 50" if share == 60 else f"{share:.0f}" for share in shares) + " %"
            if set(shares) <= {60.0}:
                shown = "not up to 50 %" if shares else "no seed in common"
            row.append(f"{shown}\n{found[0].scale}, {plural(len(seeds), 'seed')}")
        rows.append(tuple(row))
    return Table(
        ("defence", *(ATTACK_TITLES[attack] for attack in PUBLISHED_ATTACKS)),
        tuple(rows),
        "Malicious share that leaves less than half of the clean accuracy, of each seed (means of "
        f"the last {_LAST} evaluations), on {basis_of(basis)}",
        compact=True,
    )


def reputation_curves(archive: Archive, data: str = "mnist", share: str = "30") -> Figure:
    """Reputations over rounds: honest clients in blue, malicious ones in red."""
    known: list[CellResult] = []
    malicious = N_CLIENTS * int(share) // 100
    panels = [(attack, rule) for attack in PUBLISHED_ATTACKS[:2] for rule in HISTORIES]
    found = archive.together([key(data, attack, share, rule) for attack, rule in panels])
    results = dict(zip(panels, found, strict=True))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, 2, figsize=(8, 4.8), sharex=True, layout="constrained", squeeze=False
        )
        for row, attack in enumerate(PUBLISHED_ATTACKS[:2]):
            for column, rule in enumerate(HISTORIES):
                axis = axes[row, column]
                axis.set_title(f"{RULE_TITLES[rule]}, {ATTACK_TITLES[attack]}")
                axis.grid(alpha=0.25)
                result = results[attack, rule]
                if result is None:
                    continue
                known.append(result)
                metrics = result.records[0]["metrics"]
                values = np.asarray(metrics["reputation"], dtype=float)
                axis.plot(metrics["rounds"], values[:, :-malicious], color=PALETTE[1], lw=0.8)
                axis.plot(metrics["rounds"], values[:, -malicious:], color=PALETTE[0], lw=0.8)
        figure.supxlabel("round", fontsize=9)
        figure.supylabel("reputation", fontsize=9)
        seeds = sorted({result.records[0]["seed"] for result in known})
        shown = ", ".join(f"seed {seed} alone" for seed in seeds) or "no seed"
        figure.legend(
            handles=[
                Line2D([], [], color=PALETTE[1], label="honest"),
                Line2D([], [], color=PALETTE[0], label="malicious"),
            ],
            title=f"{share} % malicious, {shown}, {basis_of(known)}",
            loc="outside upper center",
            ncols=2,
        )
        plt.close(figure)
    return figure


def separation_table(archive: Archive, data: str = "mnist") -> Table:
    """Area under the ROC curve of low scores; a line is of one scale."""
    rows = []
    basis: list[CellResult] = []
    for attack in (*PUBLISHED_ATTACKS, "saliency_matching"):
        lines = [
            (RULE_TITLES[rule], "last aggregate", [key(data, attack, s, rule) for s in SHARES[1:]])
            for rule in HISTORIES
        ]
        if attack in _FULL:
            title, _, cells = lines[-1]
            lines.append((title, _HONEST, [watched(cell) for cell in cells]))
        for title, reference, cells in lines:
            found = archive.together(cells)
            held = [result for result in found if result is not None]
            basis += held
            scale = held[0].scale if held else "–"
            shown = map(_shown_area, found)
            rows.append((ATTACK_TITLES[attack], title, reference, *shown, scale))
    return Table(
        ("attack", "scores of", "against", *(f"{share} %" for share in SHARES[1:]), "scale"),
        tuple(rows),
        "How probably a malicious client's score is below an honest one's (0.5 tells nothing), "
        "mean over all rounds: against the last aggregate, as the rule itself judges, on the model "
        f"that it makes; and against the {_HONEST}, on the model that the honest clients make "
        f"alone. {basis_of(basis)}",
    )


def readings_table(archive: Archive) -> Table:
    """Gradient Guard by its readings: accuracy and separation at 30 %, a scale an attack."""
    columns = [[reading_key(*place, reading) for reading in READINGS] for place in ABLATED]
    results = [archive.together(column) for column in columns]
    honest = [archive.together([watched(cell) for cell in column]) for column in columns]
    rows = []
    for number, reading in enumerate(READINGS):
        row = [reading]
        for column, watch in zip(results, honest, strict=True):
            result = column[number]
            found = None if result is None else late(result)
            spread = "" if found is None or found.spread is None else f" ± {found.spread:.2f}"
            row.append("–" if found is None else f"{found.mean:.2f}{spread}")
            row += [_shown_area(result), _shown_area(watch[number])]
        rows.append(tuple(row))

    def scale_of(column: Sequence[CellResult | None]) -> str:
        scales = {result.scale for result in column if result is not None}
        return f" ({scales.pop()})" if scales else ""

    heads = [
        head
        for (_, attack, share), column, watch in zip(ABLATED, results, honest, strict=True)
        for head in (
            f"{ATTACK_TITLES[attack]}, {share} %{scale_of(column)}\naccuracy, %",
            "\nseparation",
            f"\nwatched{scale_of(watch) if scale_of(watch) != scale_of(column) else ''}",
        )
    ]
    basis = basis_of([r for column in (*results, *honest) for r in column if r is not None])
    return Table(
        ("reading", *heads),
        tuple(rows),
        f"Readings of the text: accuracy (mean of the last {_LAST} evaluations); separation by the "
        "rule's own reference, which is the last aggregate, or the server's update where that is "
        f"trusted; and the same, watched, where the server takes the {_HONEST}. Where the highest "
        f"are penalised, 0 is what would serve. {basis}",
    )


def probe_table(archive: Archive) -> Table:
    """The attack that maps of logits cannot see; a data set's rows are of one scale."""
    rows = []
    basis: list[CellResult] = []
    attack, guard = "saliency_matching", RULE_TITLES["gradient_guard"]
    for data in ("mnist", "fashion_mnist"):
        cells = {
            RULE_TITLES[rule]: [key(data, attack, share, rule) for share in SHARES]
            for rule in ("median", "fltrust", *HISTORIES)
        }
        # Without attackers the readings are one: all clients have equal weights.
        cells[f"{guard}, {PROBED}"] = [
            key(data, attack, "0", "gradient_guard"),
            *(reading_key(data, attack, share, PROBED) for share in SHARES[1:]),
        ]
        found = iter(archive.together([cell for line in cells.values() for cell in line]))
        for title, line in cells.items():
            results = [next(found) for _ in line]
            held = [result for result in results if result is not None]
            basis += held
            shown = ["–" if result is None else f"{_late(result):.2f}" for result in results]
            scale = held[0].scale if held else "–"
            rows.append((DATA_TITLES[data], title, *shown, scale))
    return Table(
        ("data", "defence", *(f"{share} %" for share in SHARES), "scale"),
        tuple(rows),
        f"Accuracy in % (mean of the last {_LAST} evaluations) under saliency matching, by "
        f"malicious share, {basis_of(basis)}",
    )


def cost_table(archive: Archive, data: str = "mnist", share: str = "20") -> Table:
    """Time of a round of each defence under full-trim, of the fastest of the stored runs.

    Without attackers several defences would have nothing to do.
    """
    found = archive.together([key(data, "full_trim", share, rule) for rule in RULE_TITLES])
    results = dict(zip(RULE_TITLES, found, strict=True))
    base, rows = results["fedsgd"], []
    for rule, title in RULE_TITLES.items():
        result = results[rule]
        if result is None:
            rows.append((title, "not computed", "–"))
            continue
        own, usual = _round_ms(result), 0.0 if base is None else _round_ms(base)
        rows.append((title, f"{own:.1f} ms", f"{own / usual:.1f}" if usual else "–"))
    scales = {f", {result.scale} scale" for result in found if result is not None}
    return Table(
        ("defence", "a round", "of FedSGD's"),
        tuple(rows),
        f"Time of a round with {N_CLIENTS} clients, {share} % of them sending full-trim, attack "
        f"and evaluation included, {DATA_TITLES[data]}" + "".join(scales),
    )


def _round_ms(result: CellResult) -> float:
    """Of the fastest run: the machine had other work to do."""
    return min(
        float(1000 * record["provenance"]["wall_time_s"] / record["config"]["rounds"])
        for record in result.records
    )


# --- claims ----------------------------------------------------------------------------------

_GREY = ("mnist", "fashion_mnist")
_FULL, _PARTIAL = PUBLISHED_ATTACKS[:2], PUBLISHED_ATTACKS[2:]


def _separation(result: CellResult) -> float:
    return _area(result).mean


def _kept(values: list[float]) -> float:
    """Percent of the first accuracy that the least of the others is."""
    return percent_left(values[0], min(values[1:]))


def _where(data: str, attack: str) -> str:
    return f"{DATA_TITLES[data]}, {ATTACK_TITLES[attack]}"


def _beyond(attack: str, share: str) -> str:
    """A word of caution where the attack is not defined for so many."""
    return " (beyond the attack's own limit)" if (attack, share) == ("full_krum", "50") else ""


def _holds_up_to(
    rule: str, share: str, names: tuple[str, ...] = _GREY, attacks: tuple[str, ...] = _FULL
) -> tuple[Claim, ...]:
    """That a rule keeps most of its accuracy up to a share, for every data set and attack."""
    upto = [*(s for s in SHARES if 0 < int(s) < int(share)), share]
    return tuple(
        Claim(
            "abstract",
            f"{_where(data, attack)}: {RULE_TITLES[rule]} withstands up to {share} % malicious "
            "clients",
            (key(data, attack, "0", rule), *(key(data, attack, s, rule) for s in upto)),
            _kept,
            at_least(_BREAKS),
            "at worst {:.0f} % of the clean accuracy left",
            measure=_late,
        )
        for data in names
        for attack in attacks
    )


def _each_kept(count: int, values: list[float]) -> list[float]:
    """:func:`_kept` of each rule, with ``count`` values a rule."""
    return [_kept(values[i : i + count]) for i in range(0, len(values), count)]


def _classical_limit() -> tuple[Claim, ...]:
    """That traditional defences have their limit at 20 to 30 %."""
    return tuple(
        claim
        for data in _GREY
        for attack in _FULL
        for claim in (
            Claim(
                "abstract",
                f"{_where(data, attack)}: every classical rule withstands 20 % malicious clients",
                tuple(key(data, attack, s, rule) for rule in CLASSICAL for s in ("0", "10", "20")),
                lambda v: min(_each_kept(3, v)),
                at_least(_BREAKS),
                "the worst of them keeps {:.0f} % of its clean accuracy",
                measure=_late,
            ),
            Claim(
                "abstract",
                f"{_where(data, attack)}: every classical rule has broken at 30 % malicious "
                "clients",
                tuple(key(data, attack, s, rule) for rule in CLASSICAL for s in ("0", "30")),
                lambda v: max(_each_kept(2, v)),
                below(_BREAKS),
                "the best of them keeps {:.0f} % of its clean accuracy",
                measure=_late,
            ),
        )
    )


def _own_limit(rule: str) -> tuple[str, ...]:
    """The malicious shares that a rule is made to withstand."""
    counts = {share: N_CLIENTS * int(share) // 100 for share in SHARES[1:]}
    return tuple(s for s, count in counts.items() if make_rule(rule, count).n_byzantine == count)


def _undermined() -> tuple[Claim, ...]:
    """What section 2 says of the defences before it, as far as these attacks can tell."""
    targets = (
        ("section 2", "trimmed_mean", "full_trim", ""),
        ("section 2", "median", "full_trim", ""),
        ("section 2", "krum", "full_krum", ""),
        ("this book", "bulyan", "full_trim", " by the attack as it is (section 2: adapted)"),
    )
    return (
        *(
            Claim(
                place,
                f"{_where(data, attack)}: {RULE_TITLES[rule]} is undermined{how} by a share that "
                f"it is made for (up to {_own_limit(rule)[-1]} %)",
                tuple(key(data, attack, s, rule) for s in ("0", *_own_limit(rule))),
                _kept,
                below(_BREAKS),
                "at worst {:.0f} % of the clean accuracy left",
                measure=_late,
            )
            for data in _GREY
            for place, rule, attack, how in targets
        ),
        *(
            Claim(
                "this book",
                f"{_where(data, attack)}: FedSGD has broken at 10 % malicious clients (section 2: "
                "by a single one that amplifies; here two, which amplify little or not)",
                tuple(key(data, attack, s, "fedsgd") for s in ("0", "10")),
                _kept,
                below(_BREAKS),
                "{:.0f} % of the clean accuracy left",
                measure=_late,
            )
            for data in _GREY
            for attack in _FULL
        ),
    )


def _beats(values: list[float]) -> float:
    return values[0] - max(values[1:])


def _best_at_half() -> tuple[Claim, ...]:
    """That Gradient Guard is better at 50 % than what the abstract names, and than the others."""
    groups = {
        "abstract": ((*CLASSICAL, "flair"), "the classical rules and FLAIR"),
        "this book": (("fedsgd", "foolsgold", "fltrust"), "FedSGD, FoolsGold and FLTrust"),
    }
    return tuple(
        Claim(
            place,
            f"{_where(data, attack)}, 50 %{_beyond(attack, '50')}: Gradient Guard is better than "
            f"{named}",
            tuple(key(data, attack, "50", rule) for rule in ("gradient_guard", *rules)),
            _beats,
            above(MARGIN),
            "{:+.1f} points to the best of them",
            measure=_late,
        )
        for place, (rules, named) in groups.items()
        for data in _GREY
        for attack in _FULL
    )


def _told_apart() -> tuple[Claim, ...]:
    """That malicious clients' maps are less alike a benign one, and by what the rule judges."""
    references: dict[str, tuple[str, Callable[[str], str]]] = {
        "section 2.2": (
            f"malicious clients' maps are less like a benign one (of the {_HONEST}) than honest "
            "ones', on a model that the honest make alone",
            watched,
        ),
        "this book": (
            "malicious clients' maps are less like that of the last aggregate, as the rule itself "
            "judges",
            lambda place: place,
        ),
    }
    return tuple(
        Claim(
            place,
            f"{_where(data, attack)}, {share} %{_beyond(attack, share)}: {said}",
            (cell(key(data, attack, share, "gradient_guard")),),
            min,
            above(_TELLS),
            "area under the ROC curve {:.2f}",
            measure=_separation,
        )
        for place, (said, cell) in references.items()
        for data in _GREY
        for attack in _FULL
        for share in ("10", "30", "50")
    )


CLAIMS = (
    *_holds_up_to("gradient_guard", "50"),
    *_holds_up_to("gradient_guard", "50", attacks=_PARTIAL),
    *_holds_up_to("gradient_guard", "50", ("cifar10",)),
    *_holds_up_to("flair", FLAIRS_LIMIT),
    *_classical_limit(),
    *_best_at_half(),
    *_undermined(),
    *_told_apart(),
    *(
        Claim(
            "this book",
            f"{DATA_TITLES[data]}: Gradient Guard withstands up to 30 % that match honest saliency",
            tuple(key(data, "saliency_matching", s, "gradient_guard") for s in SHARES[:4]),
            _kept,
            at_least(_BREAKS),
            "at worst {:.0f} % of the clean accuracy left",
            measure=_late,
        )
        for data in _GREY
    ),
)


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    return claims.claims_table(archive, CLAIMS)
