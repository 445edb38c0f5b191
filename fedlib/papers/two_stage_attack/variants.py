"""What the paper leaves open, taken another way than this book takes it."""

from __future__ import annotations

from dataclasses import replace

from fedlib.attacks.dictated import TwoStage
from fedlib.grids import Variant, with_changes
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.runs import RunConfig


def _ten_times_as_many_policy_steps(run: RunConfig) -> RunConfig:
    assert isinstance(run.attack, TwoStage)
    return run.with_(attack=replace(run.attack, policy_steps=10 * run.attack.policy_steps))


def _on_circle(*pairs: tuple[str, str]) -> tuple[str, ...]:
    """The keys of these pairs of an attack and a rule, on the synthetic data."""
    return tuple(str(CellKey("circle", attack, rule)) for attack, rule in pairs)


VARIANTS = (
    Variant(
        "batch",
        "batch size",
        "50",
        "10",
        with_changes("client", batch_size=10),
        _on_circle(("none", "mean"), ("ipm", "mean")),
    ),
    Variant(
        "ascent",
        "steps of the inner ascent",
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
        "rate of the gradient matching",
        "0.05",
        "0.005",
        with_changes("attack", matching_rate=0.005),
        _on_circle(("rl", "mean"), ("rl", "median")),
    ),
    Variant(
        "policy",
        "rounds that the policy learns from",
        "2000",
        "10 times as many",
        _ten_times_as_many_policy_steps,
        _on_circle(("rl", "mean")),
    ),
    Variant(
        "episode",
        "rounds of an episode",
        "50",
        "200",
        with_changes("attack", episode=200),
        _on_circle(("rl", "mean")),
    ),
)
