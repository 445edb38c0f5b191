"""``plan`` prints the queue over all papers, and ``run all`` plays it."""

from __future__ import annotations

import argparse
import re
import sys
import time

from fedlib import hardware
from fedlib.commands.helps import SCALE_HELP, sentence
from fedlib.evidence.plan import Plan, Wanted, make_plan
from fedlib.evidence.table import plural
from fedlib.grids import OnRay, Planned, load_grid, run_planned
from fedlib.runs.store import SCALES, Store
from fedlib.validation import ConfigError, check_int, check_name

ENGINES = ("processes", "ray")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_NOTHING_LEFT = 1e-3
"""The seconds of a budget that is spent before any run is started."""
_RESERVE = 1.25
"""A run is started only if this many times its expected time is left of the budget."""


def add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``plan`` to the parser."""
    text = "list the missing runs in the best order, with their times and the claims they decide"
    plan = commands.add_parser("plan", help=text, description=sentence(text))
    plan.add_argument(
        "--scale", default="paper", metavar="S", help=f"{SCALE_HELP} (default: paper)"
    )
    plan.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="the kind of device for which the times are expected: cpu, cuda or auto "
        "(default: auto)",
    )
    plan.add_argument(
        "--data",
        default="auto",
        metavar="SOURCE",
        help="auto or real. Both mean real data, because only runs on real data decide a claim. "
        "Missing data are downloaded (default: auto)",
    )
    plan.add_argument(
        "--limit", type=int, default=40, metavar="N", help="print at most N runs (default: 40)"
    )
    plan.set_defaults(command=print_plan)


def print_plan(options: argparse.Namespace) -> int:
    """Print the queue: each run, its expected minutes, and what it decides."""
    limit = check_int("limit", options.limit, 1)
    plan = _plan(options)
    hours = 0.0
    print("minutes   hours so far   run, and what can be decided with it")
    for run in plan.runs[:limit]:
        hours += run.minutes / 60
        guessed = "" if run.measured else "?"
        seed = run.cell.config.seed
        print(
            f"{run.minutes:7.1f}{guessed:1} {hours:10.2f}     {run.slug} {run.cell.key} seed {seed}"
        )
        for claim in run.decides:
            print(f"{'':26}decides: {claim}")
    print(_totals(plan, options.scale))
    return 0


def _totals(plan: Plan, scale: str) -> str:
    """Say how many runs are missing in all, and how long they take."""
    of_claims = [run for run in plan.runs if run.needed_by]
    claims = sum(len(run.decides) for run in plan.runs)
    text = (
        f"Missing: {plural(len(plan.runs), 'run')}, about {_hours(plan.runs)} in all. {claims} "
        f"open questions wait for {len(of_claims)} of them, about {_hours(of_claims)}."
    )
    seeds = {slug: load_grid(slug).seeds[scale] for slug in {run.slug for run in plan.runs}}
    beyond = sum(run.cell.config.seed > seeds[run.slug] for run in plan.runs)
    if beyond:
        have = "has" if beyond == 1 else "have"
        text += (
            f" {plural(beyond, 'missing run')} {have} a seed beyond those that the grid plays by "
            "itself. Only claims need such seeds."
        )
    if any(not run.measured for run in plan.runs):
        text += (
            " A question mark means that no similar run is stored, so that the time is a guess and "
            "was not measured here."
        )
    for name, reason in plan.absent.items():
        text += f"\nRuns on {name} are left out: {reason}"
    return text


def _hours(runs: list[Wanted] | tuple[Wanted, ...]) -> str:
    return f"{sum(run.minutes for run in runs) / 60:.1f} hours"


def run_all(options: argparse.Namespace) -> int:
    """Play the queue over all papers, within a budget if there is one."""
    if options.only or options.seeds is not None:
        name = "only" if options.only else "seeds"
        raise ConfigError(
            f"{name}={getattr(options, name)!r} can only be given for one paper, and not with "
            "'run all'."
        )
    budget = None if options.budget is None else seconds_of(options.budget)
    ray = cluster_of(options)
    start = time.monotonic()
    plan = _plan(options)
    if budget is not None:
        # To make the plan takes half a minute, which the budget includes.
        budget = max(budget - (time.monotonic() - start), _NOTHING_LEFT)
    runs = [Planned(run.cell, Store(run.slug), _RESERVE * 60 * run.minutes) for run in plan.runs]
    for name, reason in plan.absent.items():
        print(f"fedlib: warning: runs on {name} are left out: {reason}", file=sys.stderr)
    outcome = run_planned(
        runs,
        options.scale,
        budget,
        device=options.device,
        jobs=options.jobs,
        ray=ray,
    )
    print(
        f"all papers at scale {options.scale}: {plural(len(outcome.computed), 'run')} computed, "
        f"{len(outcome.not_started)} left because the budget ends, {len(outcome.elsewhere)} with "
        f"another process, {len(outcome.failed)} failed."
    )
    if outcome.failed:
        return 1
    return 3 if outcome.elsewhere else 0


def cluster_of(options: argparse.Namespace) -> OnRay | None:
    """Return the Ray cluster that the options ask for, or None for processes on this machine.

    Raises
    ------
    ConfigError
        If options of Ray are given with another engine.
    """
    if check_name("engine", options.engine, ENGINES) == "ray":
        return OnRay(options.address, options.gpu_share)
    for name in ("address", "gpu_share"):
        if getattr(options, name) is not None:
            raise ConfigError(
                f"{name}={getattr(options, name)!r} can only be given together with --engine ray."
            )
    return None


def seconds_of(budget: str) -> float:
    """Return the seconds of a budget such as ``25m``, ``90s`` or ``2h``.

    Raises
    ------
    ConfigError
        If it is written otherwise, or is not positive.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if found is None or float(found[1]) == 0:
        raise ConfigError(f"budget={budget!r} must be a time such as 90s, 25m or 2h.")
    return float(found[1]) * _UNITS[found[2]]


def _plan(options: argparse.Namespace) -> Plan:
    """Make the plan that the options ask for."""
    check_name("scale", options.scale, SCALES)
    if options.data == "embedded":
        raise ConfigError(
            "data='embedded' cannot be given here, because only runs on real data decide a claim. "
            "Allowed: auto, real."
        )
    check_name("data", options.data, ("auto", "real"))
    device = hardware.check_device(options.device).type
    return make_plan(options.scale, options.data, device)
