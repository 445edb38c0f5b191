"""Figures, tables and claims of the chapter on Gradient Guard, from the store."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fedlib import claims, engine
from fedlib.aggregators import make_aggregator
from fedlib.claims import Claim, above, at_least, below
from fedlib.clients import saliency_maps
from fedlib.data import load_dataset, resolve_source
from fedlib.papers.gradient_guard import (
    ABLATED,
    ATTACK_TITLES,
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
    reading_key,
)
from fedlib.plots import PALETTE, STYLE
from fedlib.report import Archive, CellResult, Table, basis_of, plural
from fedlib.ssim import structural_similarity
from fedlib.statistics import MARGIN, estimate

_LINES = {
    rule: (PALETTE[i % len(PALETTE)], "-" if i < len(PALETTE) else "--")
    for i, rule in enumerate(RULE_TITLES)
}
_BREAKS = 50.0
"""A rule breaks where less than this much, in percent, of its clean accuracy is left."""


def figure_1() -> Figure:
    """The pipeline, drawn: what happens to an update between client and model."""
    boxes = (
        (0.0, 1.0, "client updates\n$x_i$"),
        (0.0, 0.0, "last direction $d$\n= sign of the aggregate"),
        (3.0, 1.0, "saliency maps\nafter each update"),
        (3.0, 0.0, "saliency map\nafter a step along $d$"),
        (5.8, 0.5, "similarity $s_i$\nof the two (SSIM)"),
        (8.6, 0.5, "reputation $r_i$: less for\nthe $f$ least alike"),
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
            f"{dataset.label}, full-trim, round {rounds}: similarity to the reference below",
            fontsize=9,
        )
        plt.close(figure)
    return figure


def share_panels(archive: Archive, data: str) -> Figure:
    """Accuracy against the malicious share: a panel an attack, a line a defence."""
    known: list[CellResult] = []
    attacks = PUBLISHED_ATTACKS[:2] if data == "cifar10" else PUBLISHED_ATTACKS
    rows = len(attacks) // 2
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, 2, figsize=(8.4, 1 + 2.5 * rows), sharex=True, sharey=True, layout="constrained"
        )
        for axis, attack in zip(axes.flat, attacks, strict=True):
            for rule, (colour, style) in _LINES.items():
                found = [(float(s), archive.best(key(data, attack, s, rule))) for s in SHARES]
                line = [(x, result) for x, result in found if result is not None]
                known += [result for _, result in line]
                axis.errorbar(
                    [x for x, _ in line],
                    [result.accuracy.mean for _, result in line],
                    [result.accuracy.spread or 0 for _, result in line],
                    color=colour, ls=style, marker=".", lw=1.2,
                )  # fmt: skip
            if all(
                archive.best(key(data, attack, s, r)) is None for s in SHARES[1:] for r in _LINES
            ):
                axis.text(25, 50, "not computed", ha="center", va="center", fontsize=9)
            axis.set(title=ATTACK_TITLES[attack], ylim=(0, 102), xlim=(-2, 52))
            axis.grid(alpha=0.25)
        figure.supxlabel("malicious clients, %", fontsize=9)
        figure.supylabel("test accuracy, %", fontsize=9)
        handles = [
            Line2D([], [], color=colour, ls=style, label=RULE_TITLES[rule])
            for rule, (colour, style) in _LINES.items()
        ]
        figure.legend(handles=handles, title=basis_of(known), loc="outside upper center", ncols=5)
        plt.close(figure)
    return figure


def break_share(results: dict[str, CellResult], seed: int) -> float:
    """The least share in percent with less than half of the clean accuracy; 60 if none has."""
    accuracy = {share: result.of_seed(seed).accuracy.mean for share, result in results.items()}
    return next((float(s) for s in SHARES[1:] if accuracy[s] < _BREAKS / 100 * accuracy["0"]), 60.0)


def break_table(archive: Archive, data: str) -> Table:
    """The malicious share at which each defence breaks, mean over seeds with its interval."""
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
            share = estimate([break_share(by_share, seed) for seed in seeds])
            shown = f"{share.mean:.0f} %" if share.mean < 60 else "not up to 50 %"
            if share.interval and share.interval[0] != share.interval[1]:
                shown += f" ({share.interval[0]:.0f} to {share.interval[1]:.0f})"
            row.append(f"{shown}\n{found[0].scale}, {plural(len(seeds), 'seed')}")
        rows.append(tuple(row))
    return Table(
        ("defence", *(ATTACK_TITLES[attack] for attack in PUBLISHED_ATTACKS)),
        tuple(rows),
        f"Malicious share that leaves less than half of the clean accuracy, on {basis_of(basis)}",
        compact=True,
    )


def reputation_curves(archive: Archive, data: str = "mnist", share: str = "30") -> Figure:
    """Reputations over rounds: honest clients in blue, malicious ones in red."""
    known: list[CellResult] = []
    malicious = N_CLIENTS * int(share) // 100
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, 2, figsize=(8, 4.8), sharex=True, layout="constrained", squeeze=False
        )
        for row, attack in enumerate(PUBLISHED_ATTACKS[:2]):
            for column, rule in enumerate(HISTORIES):
                axis = axes[row, column]
                axis.set_title(f"{RULE_TITLES[rule]}, {ATTACK_TITLES[attack]}")
                axis.grid(alpha=0.25)
                result = archive.best(key(data, attack, share, rule))
                if result is None:
                    continue
                known.append(result)
                metrics = result.records[0]["metrics"]
                values = np.asarray(metrics["reputation"], dtype=float)
                axis.plot(metrics["rounds"], values[:, :-malicious], color=PALETTE[1], lw=0.8)
                axis.plot(metrics["rounds"], values[:, -malicious:], color=PALETTE[0], lw=0.8)
        figure.supxlabel("round", fontsize=9)
        figure.supylabel("reputation", fontsize=9)
        figure.legend(
            handles=[
                Line2D([], [], color=PALETTE[1], label="honest"),
                Line2D([], [], color=PALETTE[0], label="malicious"),
            ],
            title=f"{share} % malicious, {basis_of(known)}",
            loc="outside upper center",
            ncols=2,
        )
        plt.close(figure)
    return figure


def separation_table(archive: Archive, data: str = "mnist") -> Table:
    """Area under the ROC curve of low scores, mean over all rounds."""
    rows = []
    basis: list[CellResult] = []
    for attack in (*PUBLISHED_ATTACKS, "saliency_matching"):
        for rule in HISTORIES:
            row = [ATTACK_TITLES[attack], RULE_TITLES[rule]]
            for share in SHARES[1:]:
                result = archive.best(key(data, attack, share, rule))
                if result is None:
                    row.append("–")
                    continue
                basis.append(result)
                area = result.mean_of("separation")
                spread = "" if area.spread is None else f" ± {area.spread:.2f}"
                row.append(f"{area.mean:.2f}{spread}")
            rows.append(tuple(row))
    return Table(
        ("attack", "scores of", *(f"{share} %" for share in SHARES[1:])),
        tuple(rows),
        "How probably a malicious client's score is below an honest one's (0.5 tells nothing), "
        f"{DATA_TITLES[data]}, {basis_of(basis)}",
    )


def readings_table(archive: Archive) -> Table:
    """Gradient Guard by its readings: accuracy and separation at 30 %."""
    rows = []
    basis: list[CellResult] = []
    for reading in READINGS:
        row = [reading]
        for place in ABLATED:
            result = archive.best(reading_key(*place, reading))
            if result is None:
                row += ["–", "–"]
                continue
            basis.append(result)
            found = result.accuracy
            spread = "" if found.spread is None else f" ± {found.spread:.2f}"
            row += [f"{found.mean:.2f}{spread}", f"{result.mean_of('separation').mean:.2f}"]
        rows.append(tuple(row))
    heads = [
        head
        for _, attack, share in ABLATED
        for head in (f"{ATTACK_TITLES[attack]}, {share} %\naccuracy, %", "\nseparation")
    ]
    return Table(("reading", *heads), tuple(rows), f"Readings of the text, {basis_of(basis)}")


def probe_table(archive: Archive) -> Table:
    """The attack that maps of logits cannot see."""
    rows = []
    basis: list[CellResult] = []
    for data in ("mnist", "fashion_mnist"):
        for rule in ("median", "fltrust", *HISTORIES):
            row = [DATA_TITLES[data], RULE_TITLES[rule]]
            for share in SHARES:
                result = archive.best(key(data, "saliency_matching", share, rule))
                row.append("–" if result is None else f"{result.accuracy.mean:.2f}")
                basis += [] if result is None else [result]
            rows.append(tuple(row))
        row = [DATA_TITLES[data], f"{RULE_TITLES['gradient_guard']}, {PROBED}", "–"]
        for share in SHARES[1:]:
            result = archive.best(reading_key(data, "saliency_matching", share, PROBED))
            row.append("–" if result is None else f"{result.accuracy.mean:.2f}")
            basis += [] if result is None else [result]
        rows.append(tuple(row))
    return Table(
        ("data", "defence", *(f"{share} %" for share in SHARES)),
        tuple(rows),
        f"Accuracy in % under saliency matching, by malicious share, {basis_of(basis)}",
    )


def cost_table(archive: Archive, data: str = "mnist") -> Table:
    """Time of a round of each defence without attackers, from the stored runs."""
    rows = []
    usual = archive.best(key(data, "none", "0", "fedsgd"))
    for rule, title in RULE_TITLES.items():
        found = archive.common([key(data, "none", "0", "fedsgd"), key(data, "none", "0", rule)])
        if usual is None or found is None:
            rows.append((title, "not computed", "–"))
            continue
        base, own = (_round_ms(result) for result in found)
        rows.append((title, f"{own:.1f} ms", f"{own / base:.1f}" if base else "–"))
    return Table(
        ("defence", "a round", "of FedSGD's"),
        tuple(rows),
        f"Time of a round with {N_CLIENTS} clients, evaluation included, {DATA_TITLES[data]}"
        + ("" if usual is None else f", {usual.scale} scale"),
    )


def _round_ms(result: CellResult) -> float:
    times = [
        1000 * record["provenance"]["wall_time_s"] / record["config"]["rounds"]
        for record in result.records
    ]
    return float(np.median(times))


# --- claims ----------------------------------------------------------------------------------


def _separation(result: CellResult) -> float:
    return result.mean_of("separation").mean


def _kept(values: list[float]) -> float:
    """Percent of the first accuracy that the least of the others is."""
    return 100 * min(values[1:]) / values[0]


def _holds_up_to(rule: str, share: str) -> tuple[Claim, ...]:
    """That a rule keeps most of its accuracy up to a share, for every attack and grey data set."""
    upto = [*(s for s in SHARES if 0 < int(s) < int(share)), share]
    return tuple(
        Claim(
            "abstract",
            f"{DATA_TITLES[data]}, {ATTACK_TITLES[attack]}: {RULE_TITLES[rule]} withstands "
            f"{share} % malicious clients",
            (key(data, attack, "0", rule), *(key(data, attack, s, rule) for s in upto)),
            _kept,
            at_least(_BREAKS),
            "at worst {:.0f} % of the clean accuracy left",
        )
        for data in ("mnist", "fashion_mnist")
        for attack in PUBLISHED_ATTACKS[:2]
    )


def _classical_fall() -> tuple[Claim, ...]:
    classical = ("trimmed_mean", "median", "krum", "bulyan", "faba")
    return tuple(
        Claim(
            "abstract",
            f"{DATA_TITLES[data]}, {ATTACK_TITLES[attack]}: every classical rule has broken at 40 "
            "% malicious clients",
            tuple(key(data, attack, share, rule) for rule in classical for share in ("0", "40")),
            lambda v: max(100 * b / a for a, b in zip(v[::2], v[1::2], strict=True)),
            below(_BREAKS),
            "the best of them keeps {:.0f} % of its clean accuracy",
        )
        for data in ("mnist", "fashion_mnist")
        for attack in PUBLISHED_ATTACKS[:2]
    )


def _beats(values: list[float]) -> float:
    return values[0] - max(values[1:])


def _at_half(data: str, attack: str) -> tuple[str, ...]:
    """Cells of all rules at 50 %, Gradient Guard's first."""
    rules = ("gradient_guard", *(rule for rule in RULE_TITLES if rule != "gradient_guard"))
    return tuple(key(data, attack, "50", rule) for rule in rules)


CLAIMS = (
    *_holds_up_to("gradient_guard", "50"),
    *_holds_up_to("flair", FLAIRS_LIMIT),
    *_classical_fall(),
    *(
        Claim(
            "abstract",
            f"{DATA_TITLES[data]}, {ATTACK_TITLES[attack]}, 50 %: Gradient Guard is the best",
            _at_half(data, attack),
            _beats,
            above(MARGIN),
            "{:+.1f} points to the best other defence",
        )
        for data in ("mnist", "fashion_mnist")
        for attack in PUBLISHED_ATTACKS[:2]
    ),
    *(
        Claim(
            "section 2.2",
            f"{DATA_TITLES[data]}, {ATTACK_TITLES[attack]}, {share} %: malicious clients' saliency "
            "maps are less alike the reference than honest ones'",
            (key(data, attack, share, "gradient_guard"),),
            min,
            above(0.75),
            "area under the ROC curve {:.2f}",
            measure=_separation,
        )
        for data in ("mnist", "fashion_mnist")
        for attack in PUBLISHED_ATTACKS[:2]
        for share in ("10", "30", "50")
    ),
    *(
        Claim(
            "this book",
            f"{DATA_TITLES[data]}: Gradient Guard withstands 30 % that match honest saliency",
            tuple(key(data, "saliency_matching", share, "gradient_guard") for share in ("0", "30")),
            _kept,
            at_least(_BREAKS),
            "{:.0f} % of the clean accuracy left",
        )
        for data in ("mnist", "fashion_mnist")
    ),
)


def claims_table(archive: Archive) -> Table:
    """Each claim with its statistic, scale and verdict."""
    return claims.claims_table(archive, CLAIMS)
