"""Grid of residual_reweighting (Fu et al., 2019): Tables 1 to 8, Figures 3 to 8, and LOAN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from fedlib.aggregators import AGGREGATORS, Aggregator
from fedlib.attacks import ATTACKS, Attack
from fedlib.data import PARTITIONS, DataConfig
from fedlib.grids import Cell, Grid, varied, with_changes
from fedlib.papers.residual_reweighting.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.residual_reweighting.choices import VARIANTS, earlier
from fedlib.papers.residual_reweighting.domains import (
    DOMAINS,
    LOAN_FEATURES,
    LOAN_TARGET,
    TWO_DIGITS_MIXED,
    Domain,
    white,
)
from fedlib.papers.residual_reweighting.keys import (
    ALTERNATIVES,
    APPROACHES,
    ATTACKERS,
    DELTAS,
    FEW,
    IMAGES,
    LAMBDAS,
    MIX_RATES,
    REMOVED,
    RULE_TITLES,
    SPLITS,
    STDS,
    TABLE_6_ATTACKERS,
    TABLE_7_ATTACKERS,
    TABLE_7_LAMBDAS,
    TRIGGERED,
    Comparison,
    ImageBackdoor,
    Key,
    LoanBackdoor,
    Mixing,
    ResNetBackdoor,
    Search,
    Unattacked,
)
from fedlib.runs import RunConfig

Runs = Iterator[tuple[Key, RunConfig]]

# The domains of the backdoors, by the place that their cells without attackers name.
_BACKDOORED = {
    "mnist": "mnist_backdoor",
    "cifar10": "cifar10",
    "resnet": "mnist_resnet",
    "loan": "loans",
}

_KINDS = {"fedavg": "mean", "ours": "residual_reweighting"}
# 1 becomes 7; attackers train five epochs longer (section 4.2).
_FLIP = {"mapping": "pair", "source": 1, "target": 7, "extra_epochs": 5}
# Cat becomes dog; attackers train longer and faster (appendix A.5).
_FLIP_CIFAR = {**_FLIP, "source": 3, "target": 5}
# Attackers poison 20 samples of each batch and train for 10 epochs instead of 5 (A.5).
_BACKDOOR = {"per_batch": 20, "extra_epochs": 5}


def make_rule(name: str, domain: Domain, n_clients: int, **parameters: Any) -> Aggregator:
    """One of the six rules as the paper compares them.

    Parameters
    ----------
    name
        One of ``RULE_TITLES``.
    domain
        Where it is used.
    n_clients
        How many clients there are.
    parameters
        Parameters of the rule that differ from the domain's.
    """
    kind = _KINDS.get(name, name)
    if name == "foolsgold":
        # The paper does not say how it uses the rule. This is the authors' code's way.
        parameters = {"features": "last_layer", "divide_by": "clients", **parameters}
    if name == "ours":
        parameters = {"delta": domain.delta, **parameters}
    trimmed = domain.trimmed * n_clients // 100
    rule: Aggregator = AGGREGATORS[kind](n_byzantine=trimmed, **parameters)
    return rule


@dataclass(frozen=True)
class _Plan:
    """What all runs of one scale and seed have in common.

    ``data`` maps a data set's name to where it comes from.
    """

    scale: str
    seed: int
    data: Callable[[str], DataConfig]

    def run(
        self,
        name: str,
        rule: str,
        attack: str,
        attackers: int,
        attack_parameters: dict[str, Any] | None = None,
        rule_parameters: dict[str, Any] | None = None,
    ) -> RunConfig:
        """A run of the domain of this name; without attackers there is no attack either."""
        domain = DOMAINS[name]
        protocol = domain.scales[self.scale]
        chosen: Attack = ATTACKS[attack if attackers else "none"](
            n_byzantine=attackers, **(attack_parameters or {} if attackers else {})
        )
        client = protocol.client
        if rule == "foolsgold":
            # The authors' code has FoolsGold's participants send summed gradients.
            client = replace(client, gradient_rate=client.learning_rate)
        return RunConfig(
            data=protocol.sized(self.data(domain.data)),
            partition=domain.partition,
            model=protocol.model,
            n_clients=protocol.n_clients,
            n_byzantine=attackers,
            client=client,
            aggregator=make_rule(rule, domain, protocol.n_clients, **(rule_parameters or {})),
            attack=chosen,
            rounds=protocol.rounds,
            learning_rate=1.0,
            eval_every=protocol.eval_every,
            seed=self.seed,
        )

    def of_hundred(self, count: int) -> int:
        """How many clients stand for ``count`` of the paper's hundred.

        At smoke scale a third is enough to check the code.
        """
        return count // 3 if self.scale == "smoke" else count

    def rate_factor(self, name: str) -> float:
        """What makes the attackers' rate 0.1, on loans 0.002, as in appendix A.5, at every scale.

        ``name`` is that of the domain.
        """
        attackers_rate = 0.002 if name == "loans" else 0.1
        return attackers_rate / DOMAINS[name].scales[self.scale].client.learning_rate

    def backdoor(self, name: str, approach: str, rule: str) -> RunConfig:
        """A run of the domain of this name, with one attacker who sets a backdoor."""
        loans = name == "loans"
        parameters: dict[str, Any] = {
            **_BACKDOOR,
            "target": LOAN_TARGET if loans else 2,
            # Counted, loans that have the target's status anyhow would be successes without an
            # attack: some 4 % here, where the paper's data have 0.1 % of them.
            "counts_target": not loans,
            "rate_factor": self.rate_factor(name),
        }
        if loans:
            parameters["features"] = LOAN_FEATURES
        else:
            parameters["value"] = white(DOMAINS[name].data)
        if approach == "naive":
            attack = "feature_backdoor" if loans else "pixel_backdoor"
        else:
            attack = "model_replacement"
            parameters["trigger"] = "features" if loans else "pixels"
        return self.run(name, rule, attack, 1, parameters)


def _table_1(plan: _Plan) -> Runs:
    """Label flips on CIFAR-10."""
    flip = {**_FLIP_CIFAR, "rate_factor": plan.rate_factor("cifar10")}
    for count, rule in product(FEW, RULE_TITLES):
        run = plan.run("cifar10", rule, "label_flip", int(count), flip)
        yield Comparison("table_1", count, rule), run


def _table_2(plan: _Plan) -> Runs:
    """Label flips on reviews."""
    flip = {"mapping": "complement", "extra_epochs": 5}
    for count, rule in product(FEW, RULE_TITLES):
        run = plan.run("reviews", rule, "label_flip", int(count), flip)
        yield Comparison("table_2", count, rule), run


def _table_3(plan: _Plan) -> Runs:
    """Backdoors on images."""
    for data, approach, rule in product(IMAGES, APPROACHES, RULE_TITLES):
        domain = "mnist_backdoor" if data == "mnist" else data
        yield ImageBackdoor(data, approach, rule), plan.backdoor(domain, approach, rule)


def _loans(plan: _Plan) -> Runs:
    """Backdoors on loans."""
    for approach, rule in product(APPROACHES, RULE_TITLES):
        yield LoanBackdoor(approach, rule), plan.backdoor("loans", approach, rule)


def _table_4(plan: _Plan) -> Runs:
    """Gaussian noise."""
    for std, rule in product(STDS, RULE_TITLES):
        attackers = plan.of_hundred(10) if float(std) else 0
        noise = {"std": float(std), "seed": plan.seed}
        run = plan.run("mnist", rule, "gaussian_noise", attackers, noise)
        yield Comparison("table_4", std, rule), run.with_(partition=TWO_DIGITS_MIXED)


def _table_6(plan: _Plan) -> Runs:
    """Lambda and delta."""
    domains = {"iid": "mnist_iid", "noniid": "mnist"}
    for split, lam, delta, count in product(SPLITS, LAMBDAS, DELTAS, TABLE_6_ATTACKERS):
        key = Search("table_6", split, lam, delta, count)
        yield key, _searched(plan, domains[split], key)


def _table_7(plan: _Plan) -> Runs:
    """Other estimators and weightings."""
    parts = product(ALTERNATIVES, TABLE_7_LAMBDAS, DELTAS, TABLE_7_ATTACKERS)
    for alternative, lam, delta, count in parts:
        key = Search("table_7", alternative, lam, delta, count)
        kind = "weighting" if alternative == "gaussian" else "estimator"
        yield key, _searched(plan, "mnist", key, **{kind: alternative})


def _searched(plan: _Plan, domain: str, key: Search, **more: Any) -> RunConfig:
    """A run of reweighting with a key's lambda and delta, and ``more`` parameters of the rule."""
    attackers = plan.of_hundred(int(key.attackers))
    parameters = {"lam": float(key.lam), "delta": float(key.delta), **more}
    return plan.run(domain, "ours", "label_flip", attackers, _FLIP, parameters)


def _table_8(plan: _Plan) -> Runs:
    """Mixing adversarial with honest parameters."""
    # The attackers' rate is ten times the others', which is 0.01 there.
    slower = with_changes("client", learning_rate=0.01)
    for rate in MIX_RATES:
        mixing = {
            "mapping": "complement",
            "mix_rate": float(rate),
            "extra_epochs": 2,
            "rate_factor": 10.0,
            "seed": plan.seed,
        }
        yield Mixing(rate), slower(plan.run("reviews", "ours", "parameter_mixing", 4, mixing))
    yield Mixing("none"), slower(plan.run("reviews", "ours", "none", 0))


def _figure_3(plan: _Plan) -> Runs:
    """Label flips on MNIST."""
    for count, rule in product(ATTACKERS, RULE_TITLES):
        attackers = plan.of_hundred(int(count))
        run = plan.run("mnist", rule, "label_flip", attackers, _FLIP)
        yield Comparison("figure_3", count, rule), run


def _figure_5(plan: _Plan) -> Runs:
    """Holders of digit 0 that leave."""
    for removed, rule in product(REMOVED, RULE_TITLES):
        run = plan.run("mnist", rule, "none", 0)
        gone = plan.of_hundred(int(removed))
        split = PARTITIONS["classes_per_client"](n_classes=2, removed=gone, removed_class=0)
        smaller = run.with_(partition=split, n_clients=run.n_clients - gone)
        yield Comparison("figure_5", removed, rule), smaller


def _figure_7(plan: _Plan) -> Runs:
    """The naive backdoor with ResNet-18 on MNIST."""
    for rule in RULE_TITLES:
        yield ResNetBackdoor(rule), plan.backdoor("mnist_resnet", "naive", rule)


def _unattacked(plan: _Plan) -> Runs:
    """No attackers, on the samples of attacks: what these have as success without attacking."""
    for place, rule in product(TRIGGERED, RULE_TITLES):
        if place == "flips":
            run = plan.run("mnist", rule, "label_flip", 1, _FLIP)
        else:
            run = plan.backdoor(_BACKDOORED[place], "naive", rule)
        # The attack names the samples and the label that it wants, but it has no clients.
        attack = replace(run.attack, n_byzantine=0)
        yield Unattacked(place, rule), run.with_(n_byzantine=0, attack=attack)


# Those that are cheap and decide claims come first.
_PARTS = (
    _table_2,
    _loans,
    _unattacked,
    _table_8,
    _figure_3,
    _table_4,
    _table_3,
    _table_1,
    _figure_5,
    _figure_7,
    _table_6,
    _table_7,
)


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed, the variants last."""
    plan = _Plan(scale, seed, data)
    found = {str(key): run for part in _PARTS for key, run in part(plan)}
    known = [Cell(key, run) for key, run in found.items()] + varied(VARIANTS, found)
    return [*known, *_of_old(scale, known), *varied((*SINGLE_CHOICES, CODE), found)]


def _of_old(scale: str, known: Sequence[Cell]) -> list[Cell]:
    """The cells of runs that were made before a choice was changed, and are in no other cell.

    At paper scale these are some of the loans, and at quick scale all that such a choice concerns.
    """
    ids = {cell.config.id for cell in known}
    kept = {"quick": known, "paper": [cell for cell in known if cell.key.startswith("loan/")]}
    cells = [Cell(f"earlier/{cell.key}", earlier(cell.config)) for cell in kept.get(scale, [])
             if not cell.key.startswith("unattacked/")]  # fmt: skip
    return [cell for cell in cells if cell.config.id not in ids]


GRID = Grid(
    slug="residual_reweighting",
    title="Attack-Resistant Federated Learning with Residual-based Reweighting",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
)
