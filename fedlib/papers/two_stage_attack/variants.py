"""What the paper leaves open, taken another way than this book takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fedlib.attacks.dictated import TwoStage
from fedlib.grids import Variant, with_changes
from fedlib.papers.two_stage_attack.attacks import CONTROL_TITLES, PAPER_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.runs import RunConfig


def _ten_times_as_many_policy_steps(run: RunConfig) -> RunConfig:
    assert isinstance(run.attack, TwoStage)
    return run.with_(attack=replace(run.attack, policy_steps=10 * run.attack.policy_steps))


def _four_times_as_many_policy_steps(run: RunConfig) -> RunConfig:
    assert isinstance(run.attack, TwoStage)
    return run.with_(attack=replace(run.attack, policy_steps=4 * run.attack.policy_steps))


def _on_circle(*pairs: tuple[str, str]) -> tuple[str, ...]:
    """The keys of these pairs of an attack and a rule, on the synthetic data."""
    return tuple(str(CellKey("circle", attack, rule)) for attack, rule in pairs)


VARIANTS = (
    Variant(
        "batch",
        "batch size of the clients, with as many rounds",
        "50 (30 epochs)",
        "10 (6 epochs)",
        with_changes("client", batch_size=10),
        _on_circle(("none", "mean"), ("ipm", "mean")),
    ),
    Variant(
        "ascent",
        "steps of the inner gradient ascent of a client",
        "15",
        "5",
        with_changes("client", ascent_steps=5),
        _on_circle(("none", "mean")),
    ),
    Variant(
        "rate",
        "server's step size",
        "0.1",
        "0.01",
        lambda run: run.with_(learning_rate=0.01),
        _on_circle(("none", "mean")),
    ),
    Variant(
        "random",
        "scale of the random attack",
        "1",
        "10",
        with_changes("attack", scale=10.0),
        _on_circle(("random", "mean"), ("random", "median")),
    ),
    Variant(
        "ipm",
        "IPM's epsilon",
        "10",
        "0.5",
        with_changes("attack", epsilon=0.5),
        _on_circle(("ipm", "mean"), ("ipm", "median")),
    ),
    Variant(
        "matching",
        "learning rate of the gradient matching",
        "0.05",
        "0.005",
        with_changes("attack", matching_rate=0.005),
        _on_circle(("rl", "mean"), ("rl", "median")),
    ),
    Variant(
        "policy",
        "rounds from which the policy learns",
        "2000",
        "10 times as many",
        _ten_times_as_many_policy_steps,
        _on_circle(("rl", "mean")),
    ),
    Variant(
        "episode",
        "rounds in an episode",
        "50",
        "200",
        with_changes("attack", episode=200),
        _on_circle(("rl", "mean")),
    ),
    Variant(
        "defaults_2020",
        "default settings of the learner, in superseded runs",
        "those of stable-baselines3 2.9",
        "those of 2020: batches of 100, steps after each episode",
        with_changes("attack", policy_batch=100, policy_updates="episode"),
        _on_circle(("rl", "mean"), ("rl", "median")),
    ),
    Variant(
        "discount",
        "discount factor of later rewards",
        "1, as in the text",
        "0.99, the learner's default",
        with_changes("attack", discount=0.99),
        _on_circle(("learned", "mean"), ("learned", "median")),
    ),
    Variant(
        "level",
        "how rewards are measured",
        "as shares of the certified level at which the attack begins",
        "as the certified level itself, as in the text",
        with_changes("attack", reward="level"),
        _on_circle(("learned", "mean"), ("learned", "median")),
    ),
    Variant(
        "policy_rate",
        "learning rate of the learner",
        "0.0001, and 0.00001 for its policy",
        "0.001, the learner's default",
        with_changes("attack", policy_rate=1e-3, actor_rate=None),
        _on_circle(("learned", "mean"), ("learned", "median")),
    ),
    Variant(
        "actor_rate",
        "learning rate of the policy, compared with that of the critic",
        "a tenth of it",
        "the same",
        with_changes("attack", actor_rate=None),
        _on_circle(
            *(("learned", rule) for rule in ("mean", "median", "krum")),
            ("learned_blind", "median"),
        ),
    ),
    Variant(
        "longer",
        "rounds from which the first policy learns",
        "2000",
        "4 times as many",
        _four_times_as_many_policy_steps,
        _on_circle(("learned", "median")),
    ),
    Variant(
        "noise",
        "deviation of the noise that is added to actions during learning",
        "0.3",
        "no noise, the learner's default",
        with_changes("attack", action_noise=0.0),
        _on_circle(("learned", "mean"), ("learned", "median")),
    ),
    Variant(
        "last",
        "policy that the attacker uses",
        "the one at the end of the best episode",
        "the last one",
        with_changes("attack", policy_kept="last"),
        _on_circle(("learned", "mean"), ("learned", "median")),
    ),
    Variant(
        "once",
        "how often the attacker plans",
        "every 50 rounds",
        "once, as in the text",
        with_changes("attack", replan=0),
        _on_circle(*(("learned", rule) for rule in ("mean", "median", "krum"))),
    ),
    Variant(
        "own",
        "data of the attacker's simulation",
        "learned data",
        "the attacker's own data",
        with_changes("attack", samples="own"),
        _on_circle(*(("learned", rule) for rule in ("mean", "median", "krum"))),
    ),
    Variant(
        "true",
        "data of the attacker's simulation",
        "learned data",
        "the true data of all clients",
        with_changes("attack", samples="true"),
        _on_circle(*(("learned", rule) for rule in ("mean", "median", "krum"))),
    ),
    Variant(
        "stage_one",
        "first stage",
        "gradients at moved points; only estimates that fit are kept",
        "gradients at clean points; every estimate is kept",
        with_changes("attack", matched="clean", keeps="every"),
        _on_circle(("learned", "mean"), ("learned", "median")),
    ),
)

RULES = ("mean", "median", "krum")
RADIUS_OF_SET = 10.0
"""More than twice the norm of a model that is trained without an attack, which is 4.1."""
PROJECTED = Variant(
    "projected",
    "set on which the server projects the model",
    "the whole space",
    f"a ball around 0 of radius {RADIUS_OF_SET:g}",
    lambda run: run.with_(projection_radius=RADIUS_OF_SET),
    _on_circle(*((attack, "mean") for attack in (*PAPER_TITLES, *CONTROL_TITLES))),
)
"""The text projects on a set that it does not give. Only without a defence do models leave it."""
EPSILONS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Strengths of IPM. The grid's own is 10; nine honest clients outweigh all below 9 in a mean."""
SCALES_OF_NOISE = (0.1, 1.0, 10.0, 100.0)
"""Standard deviations of the random attack. The grid's own is 1."""
SMALL_BATCH = 10
SMALL, ONCE, LONGER = (
    next(variant for variant in VARIANTS if variant.key == key)
    for key in ("batch", "once", "longer")
)


def _counted(change: Callable[[RunConfig], RunConfig]) -> Callable[[RunConfig], RunConfig]:
    """Make a change, and count how often the server takes the attacker's update."""

    def changed(run: RunConfig) -> RunConfig:
        run = change(run)
        return run if "taken" in run.track else run.with_(track=(*run.track, "taken"))

    return changed


def _sweep(attack: str, field: str, name: str, values: tuple[float, ...]) -> tuple[Variant, ...]:
    """The strengths of an attack under every rule, as variants of the grid's own."""
    return tuple(
        Variant(
            f"{name}_{value:g}",
            name,
            "as in the figures",
            f"{value:g}",
            _counted(with_changes("attack", **{field: value})),
            _on_circle(*((attack, rule) for rule in RULES)),
        )
        for value in values
    )


_ALL_ATTACKS = tuple(
    _on_circle(*((name, rule) for name in (*PAPER_TITLES, *CONTROL_TITLES) for rule in RULES))
)
IN_SMALL_BATCHES = replace(SMALL, cells=_ALL_ATTACKS)
"""Batches of ten for every attack under every rule, but for the superseded attacks."""
BATCH = replace(SMALL, cells=tuple(cell for cell in _ALL_ATTACKS if cell not in SMALL.cells))
"""Batches of ten for the attacks and rules that ``VARIANTS`` does not have them for."""
SWEEPS = (
    BATCH,
    PROJECTED,
    *_sweep("ipm", "epsilon", "epsilon", EPSILONS),
    *_sweep("random", "scale", "scale", SCALES_OF_NOISE),
)
"""Variants that have tables of their own."""
