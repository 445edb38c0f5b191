"""Figures, tables and claims of the chapter on the two-stage attack, from the store."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fedlib.agents.inversion import load_samples
from fedlib.data import DataConfig, load_dataset
from fedlib.data.tables import make_circle
from fedlib.evidence import claims
from fedlib.evidence.claims import Claim, ClaimsTable, above, at_most, below, drop
from fedlib.evidence.plots import PALETTE, STYLE
from fedlib.evidence.report import Archive, CellResult, Table, basis_of
from fedlib.evidence.statistics import MARGIN, estimate
from fedlib.papers.two_stage_attack.grid import (
    ATTACK_TITLES,
    DATA_TITLES,
    RULE_TITLES,
    VARIANTS,
    key,
)

_COLOURS = dict(zip(ATTACK_TITLES, PALETTE, strict=False))
_EXTENT = 4.0


def figure_1() -> Figure:
    """The two stages, drawn."""
    boxes = (
        (0.0, 1.0, "server's models\n$\\theta_0, \\theta_1, \\dots$"),
        (0.0, 0.0, "attacker's own data"),
        (3.1, 0.5, "gradient matching:\nlearned data $\\tilde P$"),
        (6.3, 0.5, "simulated federation,\nDDPG"),
        (9.4, 0.5, "policy $\\mu$"),
        (9.4, -0.6, "update sent to the server:\n$\\mu(\\theta_t)$, rescaled"),
    )
    arrows = ((0, 2), (1, 2), (2, 3), (3, 4), (4, 5))
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(9.5, 2.6))
        axis.axvspan(-1.3, 4.7, color=PALETTE[1], alpha=0.08, lw=0)
        axis.axvspan(4.7, 11.0, color=PALETTE[0], alpha=0.08, lw=0)
        axis.text(1.7, 1.55, "stage one: the data", ha="center", fontsize=9)
        axis.text(7.9, 1.55, "stage two: the policy, then the attack", ha="center", fontsize=9)
        for x, y, text in boxes:
            axis.text(
                x, y, text, ha="center", va="center", fontsize=8,
                bbox={"boxstyle": "round,pad=0.4", "fc": "white", "ec": "black"},
            )  # fmt: skip
        for start, end in arrows:
            (x0, y0, _), (x1, y1, _) = boxes[start], boxes[end]
            side = 1.2 if x1 > x0 else 0.0
            up = 0.0 if x1 > x0 else 0.27
            axis.annotate(
                "", (x1 - side, y1 + up), (x0 + side, y0 - up), arrowprops={"arrowstyle": "->"}
            )
        axis.set(xlim=(-1.3, 11.0), ylim=(-1.0, 1.9))
        axis.set_axis_off()
        plt.close(figure)
    return figure


def _decision(record: dict[str, object]) -> np.ndarray:
    """Classes on the grid, ``(61, 61)``, the lowest ordinate first."""
    metrics = record["metrics"]
    assert isinstance(metrics, dict)
    return np.array([[int(digit) for digit in row] for row in metrics["decision"]])


def figure_2(archive: Archive) -> Figure:
    """Decision boundaries, synthetic data: a row a rule, a column an attack, a line a seed."""
    x, labels, _ = make_circle(400, 3)
    points = x[:, 0, 0]
    known: list[CellResult] = []
    place = np.linspace(-_EXTENT, _EXTENT, 61)
    turn = np.linspace(0, 2 * np.pi, 200)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(RULE_TITLES), len(ATTACK_TITLES), figsize=(9.5, 6), sharex=True, sharey=True,
            layout="constrained",
        )  # fmt: skip
        for row, (rule, rule_title) in enumerate(RULE_TITLES.items()):
            for column, (attack, title) in enumerate(ATTACK_TITLES.items()):
                axis = axes[row, column]
                axis.plot(*points[labels == 0].T, ".", ms=1.5, color=PALETTE[6])
                axis.plot(*points[labels == 1].T, ".", ms=1.5, color=PALETTE[4])
                axis.plot(2 * np.cos(turn), 2 * np.sin(turn), color="grey", lw=0.7, ls=":")
                result = archive.best(key("circle", attack, rule))
                if result is not None:
                    known.append(result)
                    grids = [_decision(record) for record in result.records]
                    for grid in grids:
                        if grid.min() < grid.max():
                            axis.contour(
                                place, place, grid, levels=[0.5], colors="black", linewidths=1
                            )
                    lost = sum(int(grid.min() == grid.max()) for grid in grids)
                    if lost:
                        which = "" if len(grids) == 1 else f"{lost} of {len(grids)}: "
                        axis.text(
                            0, -3.6, f"{which}no boundary", ha="center", fontsize=8,
                            bbox={"fc": "white", "ec": "none", "pad": 1},
                        )  # fmt: skip
                axis.set(aspect="equal", xlim=(-4, 4), ylim=(-4, 4), xticks=[], yticks=[])
                if row == 0:
                    axis.set_title(title)
                if column == 0:
                    axis.set_ylabel(rule_title)
        figure.suptitle(
            f"black: decision boundary, a line a seed; dotted: the true circle ({basis_of(known)})",
            fontsize=9,
        )
        plt.close(figure)
    return figure


def figure_3(archive: Archive, data: str) -> Figure:
    """Test error against the level of perturbation: a panel a rule, a line an attack."""
    known: list[CellResult] = []
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(RULE_TITLES), figsize=(9, 3.2), sharey=True, layout="constrained"
        )
        for axis, (rule, title) in zip(axes, RULE_TITLES.items(), strict=True):
            clean = archive.best(key(data, "none", rule))
            widest = 0.0
            for attack in ATTACK_TITLES:
                result = archive.best(key(data, attack, rule))
                if result is None:
                    continue
                known.append(result)
                levels, errors = (
                    np.array([record["metrics"][name] for record in result.records], dtype=float)
                    for name in ("perturbation_level", "perturbation_error")
                )
                if np.isnan(levels).all():
                    continue  # all have diverged
                mean = np.nanmean(levels, axis=0)
                axis.plot(mean, 100 * np.nanmean(errors, axis=0), ".-", color=_COLOURS[attack])
                if attack == "none":
                    widest = 10 * _level(result)
            if clean is not None and np.isfinite(_level(clean)):
                axis.axvline(_level(clean), color="grey", lw=1, ls="--")
                axis.set_xlim(0, max(widest, 1e-3))
            axis.set(title=title, xlabel="perturbation ρ", ylim=(0, 102))
            axis.grid(alpha=0.25)
        axes[0].set_ylabel("test error, %")
        handles = [
            Line2D([], [], color=_COLOURS[attack], label=text)
            for attack, text in ATTACK_TITLES.items()
        ]
        handles.append(Line2D([], [], color="grey", ls="--", label="certified without attack"))
        figure.legend(handles=handles, title=basis_of(known), loc="outside upper center", ncols=3)
        plt.close(figure)
    return figure


def certificate_curves(archive: Archive, data: str) -> Figure:
    """What a model certifies over training: the level above, the worst loss up to it below.

    A panel a rule, a colour an attack, a line a seed; it ends, in a cross, where its model has
    diverged.
    """
    known: list[CellResult] = []
    quantities = {"robustness_level": "certified level ρ̂", "worst_loss": "loss up to it"}
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, len(RULE_TITLES), figsize=(9, 4.6), sharex=True, sharey="row", layout="constrained"
        )
        for column, (rule, title) in enumerate(RULE_TITLES.items()):
            axes[0, column].set_title(title)
            axes[1, column].set_xlabel("round")
            for attack in ATTACK_TITLES:
                result = archive.best(key(data, attack, rule))
                if result is None:
                    continue
                known.append(result)
                for axis, quantity in zip(axes[:, column], quantities, strict=True):
                    rounds, curves = result.curve(quantity)
                    for curve in curves:
                        end = int(np.max(np.flatnonzero(np.isfinite(curve)), initial=-1)) + 1
                        axis.plot(
                            rounds[:end], curve[:end], color=_COLOURS[attack], lw=0.7,
                            marker="x", ms=4, markevery=[end - 1] if 0 < end < len(curve) else [],
                        )  # fmt: skip
        for axis, text in zip(axes[:, 0], quantities.values(), strict=True):
            axis.set_ylabel(text)
        for axis in axes.flat:
            axis.set_yscale("log")
            axis.grid(alpha=0.25)
        figure.legend(
            handles=[
                Line2D([], [], color=_COLOURS[attack], label=text)
                for attack, text in ATTACK_TITLES.items()
            ],
            title=basis_of(known),
            loc="outside upper center",
            ncols=5,
        )
        plt.close(figure)
    return figure


def reward_curves(archive: Archive, data: str) -> Figure:
    """What the policy earned in each episode it learned from, cut at -1: a panel a rule."""
    known: list[CellResult] = []
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(RULE_TITLES), figsize=(9, 2.8), sharey=True, layout="constrained"
        )
        for axis, (rule, title) in zip(axes, RULE_TITLES.items(), strict=True):
            for attack in ("rl", "rlb"):
                result = archive.best(key(data, attack, rule))
                if result is None:
                    continue
                known.append(result)
                for record in result.records:
                    rewards = record["metrics"]["policy_reward"]
                    axis.plot(range(1, len(rewards) + 1), rewards, color=_COLOURS[attack], lw=1)
            axis.set(title=title, xlabel="episode")
            # An episode in which the model diverges loses more than all others gain: cut.
            axis.set_yscale("symlog", linthresh=1e-3)
            axis.set_ylim(-1, 1)
            axis.grid(alpha=0.25)
        axes[0].set_ylabel("sum of rewards")
        figure.legend(
            handles=[
                Line2D([], [], color=_COLOURS[attack], label=ATTACK_TITLES[attack])
                for attack in ("rl", "rlb")
            ],
            title=basis_of(known),
            loc="outside upper center",
            ncols=2,
        )
        plt.close(figure)
    return figure


def accuracy_table(archive: Archive, data: str) -> Table:
    """Accuracy and certified level after the last round.

    On the synthetic data, also what a model that always says the same is worth.
    """
    known: list[CellResult] = []
    rows = []
    for attack, title in ATTACK_TITLES.items():
        row = [title]
        for rule in RULE_TITLES:
            result = archive.best(key(data, attack, rule))
            if result is None:
                row += ["–", "–"]
                continue
            known.append(result)
            usable = [seed for seed in result.seeds if not _diverged(result.of_seed(seed))]
            if not usable:
                row += ["diverged", "none"]
                continue
            found = estimate([result.of_seed(seed).accuracy.mean for seed in usable])
            spread = "" if found.spread is None else f" ± {found.spread:.2f}"
            lost = len(result.seeds) - len(usable)
            also = f"; {lost} diverged" if lost else ""
            levels = [_level(result.of_seed(seed)) for seed in usable]
            level = np.mean([level for level in levels if np.isfinite(level)] or [np.nan])
            row += [
                f"{found.mean:.2f}{spread}{also}",
                "none" if np.isnan(level) else f"{level:.3g}",
            ]
        rows.append(tuple(row))
    heads = [
        head
        for title in RULE_TITLES.values()
        for head in (f"{title}\naccuracy, %", "\ncertified level")
    ]
    caption = f"{DATA_TITLES[data]}: {basis_of(known)}"
    sets = {DataConfig(**record["config"]["data"]) for r in known for record in r.records}
    if data == "circle" and len(sets) == 1:
        outside = 100 * float((load_dataset(sets.pop()).y_test == 1).double().mean())
        caption += (
            f". Of the test points {100 - outside:.2f} % lie inside the circle: a model that "
            f"always says inside has that accuracy, one that always says outside {outside:.2f} %."
        )
    return Table(("attack", *heads), tuple(rows), caption)


def stage_one_figure(archive: Archive) -> Figure:
    """What the first stage starts from, what it makes of that, and the data as they are.

    Above the synthetic data, below images; of the first seed whose samples are stored.
    """
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(8.4, 5.4), layout="constrained")
        upper, lower = figure.subfigures(2, 1, height_ratios=(3, 2))
        points, basis = _learned(archive, key("circle", "rl", "mean"))
        axes = upper.subplots(1, 3, sharex=True, sharey=True)
        x, labels, _ = make_circle(200, 5)
        shown = {"the data": (x[:, 0, 0], labels)}
        if points is not None:
            shown = {
                "attacker's own": (points["start"][:, 0, 0], points["y"]),
                "learned from them": (points["x"][:, 0, 0], points["y"]),
                **shown,
            }
        for axis, (title, (place, label)) in zip(
            axes[3 - len(shown) :], shown.items(), strict=True
        ):
            for number, colour in ((0, PALETTE[6]), (1, PALETTE[4])):
                axis.plot(*place[label == number].T, ".", ms=3, color=colour)
            axis.set(title=title, aspect="equal", xlim=(-5, 5), ylim=(-5, 5), xticks=[], yticks=[])
        for axis in axes[: 3 - len(shown)]:
            axis.set_axis_off()
        upper.suptitle(basis, fontsize=9)
        images, basis = _learned(archive, key("mnist", "rl", "mean"))
        rows = lower.subplots(2, 10)
        for axis in rows.flat:
            axis.set(xticks=[], yticks=[])
            axis.set_frame_on(False)
        for row, part, title in ((0, "start", "own"), (1, "x", "learned")):
            rows[row, 0].set_ylabel(title, fontsize=8)
            for axis, image in zip(rows[row], [] if images is None else images[part], strict=False):
                axis.imshow(image[0], cmap="gray")
        lower.suptitle(basis, fontsize=9)
        plt.close(figure)
    return figure


def _learned(archive: Archive, cell: str) -> tuple[dict[str, np.ndarray] | None, str]:
    """The stored samples of a cell's first seed that has them, and what they are of."""
    result = archive.best(cell)
    for record in result.records if result is not None else ():
        if "learned.npz" in record["provenance"].get("files", {}):
            assert result is not None
            basis = f"{result.data}, {result.scale} scale, seed {record['seed']}"
            return load_samples(archive.store.file(record, "learned.npz")), basis
    return None, f"{DATA_TITLES[cell.split('/')[0]]}: nothing stored"


def stage_one_table(archive: Archive) -> Table:
    """Wasserstein distances between consecutive estimates of the data."""
    rows = []
    for data in DATA_TITLES:
        for rule, title in RULE_TITLES.items():
            result = archive.best(key(data, "rl", rule))
            if result is None:
                rows.append((DATA_TITLES[data], title, "not computed", "–"))
                continue
            found = "; ".join(
                ", ".join(f"{value:.3g}" for value in record["metrics"]["stage_one_distance"])
                for record in result.records
            )
            rows.append((DATA_TITLES[data], title, found, f"{result.scale}, {result.data}"))
    return Table(
        ("data", "rule", "distance after each epoch (seeds apart)", "runs"),
        tuple(rows),
        "Stage one: how far an estimate is from the one before; the text ends it below 0.005",
    )


# --- claims ----------------------------------------------------------------------------------


def _level(result: CellResult) -> float:
    """The last certified level; NaN if a model has diverged, and certifies nothing."""
    last = [record["metrics"]["robustness_level"][-1] for record in result.records]
    return float("nan") if None in last else float(np.mean(last))


def _diverged(result: CellResult) -> bool:
    """Whether a seed's run ended without a finite loss."""
    return result.records[0]["metrics"]["test_loss"][-1] is None


def _accuracy(result: CellResult) -> float:
    """Accuracy of one seed's run; 0 if the model has diverged, and predicts nothing."""
    return 0.0 if _diverged(result) else result.accuracy.mean


def radius_error(result: CellResult) -> float:
    """Mean distance of the decision boundary to the circle of radius 2, over 72 directions.

    Where a direction meets no boundary up to 4, it counts as 2.
    """
    radii = np.linspace(0, _EXTENT, 121)
    errors = []
    for record in result.records:
        grid = _decision(record)
        for angle in np.arange(72) * 2 * np.pi / 72:
            x, y = radii * np.cos(angle), radii * np.sin(angle)
            column, row = (np.rint((v + _EXTENT) / (2 * _EXTENT) * 60).astype(int) for v in (x, y))
            outside = grid[row, column] == 1
            errors.append(abs(radii[outside.argmax()] - 2) if outside.any() else 2.0)
    return float(np.mean(errors))


def _last_distance(result: CellResult) -> float:
    return float(result.records[0]["metrics"]["stage_one_distance"][-1])


def _policy_epochs(result: CellResult) -> float:
    """Time of learning the policy, in epochs of the federation on the same machine."""
    seconds = result.records[0]["provenance"].get("seconds", {})
    # Runs of before times were kept, and those whose first stage has not ended, have none.
    return seconds["policy"] / seconds["epoch"] if seconds.get("policy") else float("nan")


def _apart(values: list[float]) -> float:
    """Points between white and black box; NaN where the white box does no harm to compare."""
    clean, white, black = values
    return abs(white - black) if clean - white > MARGIN else float("nan")


# One attack does more harm than another if it costs more than the margin of equivalence.
CLAIMS = (
    *(
        Claim(
            "section 4, Fig. 2b",
            f"{DATA_TITLES['circle']}, {title}: without attack the boundary is close to the circle",
            (key("circle", "none", rule),),
            min,
            below(0.3),
            "{:.2f} away on average",
            measure=radius_error,
        )
        for rule, title in RULE_TITLES.items()
    ),
    *(
        Claim(
            "section 4, Figs. 2, 3",
            f"{DATA_TITLES[data]}, {title}: {ATTACK_TITLES[stronger]} does more harm than "
            f"{ATTACK_TITLES[weaker]}",
            (key(data, weaker, rule), key(data, stronger, rule)),
            drop,
            above(MARGIN),
            "{:+.1f} points of accuracy",
            measure=_accuracy,
        )
        for data in DATA_TITLES
        for rule, title in RULE_TITLES.items()
        for stronger, weaker in (("ipm", "random"), ("rl", "ipm"))
    ),
    *(
        Claim(
            "section 4, Fig. 3",
            f"{DATA_TITLES[data]}, {title}: the black box does as much harm as the white box",
            (key(data, "none", rule), key(data, "rl", rule), key(data, "rlb", rule)),
            _apart,
            at_most(MARGIN),
            "{:.1f} points apart",
            measure=_accuracy,
        )
        for data in DATA_TITLES
        for rule, title in RULE_TITLES.items()
        if rule != "mean"
    ),
    *(
        Claim(
            "section 4",
            f"{DATA_TITLES[data]}, no defence: the estimate of the data converges within {epochs} "
            "epochs",
            (key(data, "rl", "mean"),),
            min,
            below(0.005),
            "last distance {:.3g}",
            measure=_last_distance,
        )
        for data, epochs in (("circle", 3), ("mnist", 5))
    ),
    *(
        Claim(
            "section 4",
            f"{DATA_TITLES[data]}, no defence: learning the policy takes about as long as "
            f"{epochs:g} of the federation's epochs, or less",
            (key(data, "rl", "mean"),),
            min,
            at_most(2 * epochs),  # "about"
            "{:.1f} epochs",
            measure=_policy_epochs,
        )
        for data, epochs in (("circle", 1.0), ("mnist", 0.7))
    ),
)


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    return claims.claims_table(archive, CLAIMS)


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""

    def where(cell: str) -> str:
        _, attack, rule = cell.split("/")
        return f"{ATTACK_TITLES[attack]}, {RULE_TITLES[rule]}"

    caption = "What the choices change, synthetic data; a model that has diverged counts as 0"
    return claims.variants_table(archive, VARIANTS, where, caption, _accuracy)
