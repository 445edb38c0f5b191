"""Choices that the paper's text and its authors' code make differently, or leave open."""

from __future__ import annotations

from dataclasses import replace

from fedlib.attacks.backdoor import FeatureBackdoor, ModelReplacement, PixelBackdoor
from fedlib.clients import LocalSGD
from fedlib.data.tables import LOAN_TRIGGER
from fedlib.grids import Variant, with_changes
from fedlib.papers.residual_reweighting.domains import LOAN_STAND_INS
from fedlib.papers.residual_reweighting.keys import (
    APPROACHES,
    COORDINATE_WISE,
    FEW,
    RULE_TITLES,
    Comparison,
    ImageBackdoor,
    LoanBackdoor,
    Unattacked,
    every,
)
from fedlib.runs import RunConfig


def _trim_a_fifth(run: RunConfig) -> RunConfig:
    """The run with a trimmed mean that drops a fifth of the values at each end."""
    return with_changes("aggregator", n_byzantine=run.n_clients // 5)(run)


def _few_words(run: RunConfig) -> RunConfig:
    """The run with a model that knows few words, which nearly all participants have."""
    return run.with_(model="fasttext_1000")


def _first_foolsgold(run: RunConfig) -> RunConfig:
    """The run with FoolsGold as this book read it first."""
    run = with_changes("aggregator", features="all", divide_by="weights")(run)
    return with_changes("client", gradient_rate=None)(run)


def earlier(run: RunConfig) -> RunConfig:
    """The run with all choices that this book once made otherwise, as the oldest runs were made.

    Such runs stay in the store. They are cells of their own, so that they still have a name.
    """
    attack, client = run.attack, run.client
    if isinstance(client, LocalSGD) and client.gradient_rate is not None:
        run = _first_foolsgold(run)
    if isinstance(attack, FeatureBackdoor | ModelReplacement):
        attack = replace(attack, features=LOAN_STAND_INS)
    if isinstance(attack, PixelBackdoor):
        attack = replace(attack, value=1.0)
    return run.with_(attack=attack)


VARIANTS = (
    Variant(
        "momentum",
        "clients' momentum",
        "0",
        "0.5 (code)",
        with_changes("client", momentum=0.5),
        every(Comparison, "figure_3", "10", ("fedavg", "ours")),
    ),
    Variant(
        "attacker_rate",
        "learning rate of the label flippers",
        "the same as that of the others (the text gives none)",
        "10 times as high (code)",
        with_changes("attack", rate_factor=10.0),
        every(Comparison, "figure_3", "10", RULE_TITLES),
    ),
    Variant(
        "delta",
        "threshold δ of the confidence",
        "0.01 (text)",
        "0.1 (code)",
        with_changes("aggregator", delta=0.1),
        every(Comparison, "figure_3", ("0", "10"), "ours"),
    ),
    Variant(
        "intercept",
        "intercept of the line",
        "equation (2)",
        "median - slope (K - 1) / 2, so that the line goes through the median (code)",
        with_changes("aggregator", intercept="middle"),
        (
            *every(Comparison, "figure_3", "10", "ours"),
            *every(Comparison, "table_2", "4", "ours"),
        ),
    ),
    Variant(
        "code",
        "formulas of reweighting",
        "equations (1) to (11)",
        "those of the code, with other leverages and scale, kept confidences and squared weights",
        with_changes("aggregator", version="code", intercept="middle"),
        (
            *every(Comparison, "figure_3", ("0", "10"), "ours"),
            *every(Comparison, "table_2", "4", "ours"),
            *every(ImageBackdoor, "mnist", "naive", "ours"),
        ),
    ),
    Variant(
        "trimmed",
        "values that the trimmed mean drops at each end",
        "2 of 10",
        "4 of 10",
        with_changes("aggregator", n_byzantine=4),
        every(Comparison, "table_2", "4", "trimmed_mean"),
    ),
    Variant(
        "fifth",
        "values that the trimmed mean drops at each end",
        "10 of 100",
        "20 of 100 (code)",
        _trim_a_fifth,
        every(Comparison, "figure_3", ("0", "10"), "trimmed_mean"),
    ),
    Variant(
        "middle",
        "value that Repeated Median returns",
        "the value of equation (2)'s line at the mean rank",
        "the same, but the line goes through the median there (code)",
        with_changes("aggregator", intercept="middle"),
        (
            *every(Comparison, "figure_3", "10", "repeated_median"),
            *every(Comparison, "table_2", "2", "repeated_median"),
        ),
    ),
    Variant(
        "foolsgold",
        "what FoolsGold compares, by what it divides its sum, and what its participants send",
        "it compares the last layer's weights, divides by the number of participants, "
        "and participants send summed gradients (code)",
        "it compares all parameters, divides by the sum of the weights, "
        "and participants send models",
        _first_foolsgold,
        (
            *every(Comparison, "table_2", FEW, "foolsgold"),
            *every(Comparison, "figure_3", ("0", "4", "10"), "foolsgold"),
            *every(ImageBackdoor, "mnist", "naive", "foolsgold"),
        ),
    ),
    Variant(
        "models",
        "what FoolsGold's participants send",
        "the summed gradients of their steps (code)",
        "their models",
        with_changes("client", gradient_rate=None),
        (
            *every(Comparison, "table_2", ("0", "2", "4"), "foolsgold"),
            *every(Comparison, "figure_3", ("0", "4", "10"), "foolsgold"),
            *every(ImageBackdoor, "mnist", "naive", "foolsgold"),
        ),
    ),
    Variant(
        "words",
        "words that the model of the reviews knows",
        "the 25,000 most frequent (text)",
        "the 1,000 most frequent",
        _few_words,
        every(Comparison, "table_2", ("0", "4"), ("fedavg", "ours")),
    ),
    Variant(
        "stand_ins",
        "feature that replaces the fourth missing one in the trigger on loans",
        "the loan's amount",
        "the number of inquiries in the last six months",
        with_changes("attack", features=LOAN_STAND_INS),
        (
            *every(LoanBackdoor, APPROACHES, (*COORDINATE_WISE, "fedavg", "ours")),
            *every(Unattacked, "loan", (*COORDINATE_WISE, "fedavg", "ours")),
        ),
    ),
    Variant(
        "trigger",
        "features and values of the trigger on loans",
        "the loan's amount is one of them; values lie just above the largest (text)",
        "inquiries replace the amount; values such as 20 bankruptcies, 100 records (code)",
        with_changes("attack", features=LOAN_STAND_INS, values=tuple(LOAN_TRIGGER.values())),
        (
            *every(LoanBackdoor, "naive", ("fedavg", "ours")),
            *every(LoanBackdoor, "replacement", "fedavg"),
            *every(Unattacked, "loan", ("fedavg", "ours")),
        ),
    ),
    Variant(
        "grey",
        "grey value of the trigger's pixels on MNIST",
        "255, white (text)",
        "112 of 255 (code)",
        with_changes("attack", value=1.0),
        (
            *every(ImageBackdoor, "mnist", "naive", ("fedavg", "ours")),
            *every(Unattacked, "mnist", ("fedavg", "ours")),
        ),
    ),
    Variant(
        "scale",
        "factor by which model replacement scales its update",
        "100 (text)",
        "10 (the code's notes)",
        with_changes("attack", scale=10.0),
        (
            *every(ImageBackdoor, "mnist", "replacement", ("fedavg", "ours")),
            *every(LoanBackdoor, "replacement", ("fedavg", "ours", *COORDINATE_WISE)),
        ),
    ),
    Variant(
        "noise",
        "draws of the Gaussian noise",
        "one draw for each parameter",
        "one draw for each client",
        with_changes("attack", each="client"),
        every(Comparison, "table_4", "1", ("fedavg", "ours")),
    ),
)

SCALE = next(variant for variant in VARIANTS if variant.key == "scale")
"""Model replacement with a factor of 10, with which it does what its name says on the loans."""
ATTACKER_RATE = next(variant for variant in VARIANTS if variant.key == "attacker_rate")
"""Label flippers on MNIST that learn at the rate of the authors' code. The text gives none."""
