"""Claims on noise, on reweighting's parameters, on a rare class and on parameter mixing.

They are those of sections 4.4 and 4.5 and of appendices A.3, A.4 and A.6.
"""

from __future__ import annotations

from itertools import product

from fedlib.evidence.claims import (
    Claim,
    Former,
    above,
    at_least,
    at_most,
    drop,
)
from fedlib.evidence.statistics import MARGIN, WIDEST_MARGIN, lead
from fedlib.papers.residual_reweighting.claims.statistics import (
    drop_beyond_that_of_second_half,
    largest_drop,
    least_lead,
    mean_drop,
    mean_lead_of_second_half,
    span,
    span_reduction,
    typical_difference,
    typical_shortfall,
)
from fedlib.papers.residual_reweighting.keys import (
    ALTERNATIVES,
    DELTAS,
    LAMBDAS,
    MIX_RATES,
    OURS_FIRST,
    ROBUST,
    STDS,
    TABLE_6_ATTACKERS,
    TABLE_7_ATTACKERS,
    TABLE_7_LAMBDAS,
    Comparison,
    Mixing,
    Search,
    every,
)

_ROBUST_OURS_FIRST = ("ours", *(rule for rule in ROBUST if rule != "ours"))

_GAUSSIAN_IS_ROBUST = "Gaussian weighting is fairly robust against label flips"
_BREAKS_SOONER = "Theil-Sen breaks more easily than the repeated median"
NOISE_AND_PARAMETERS = (
    Claim(
        "section 1",
        "MNIST, Gaussian noise of 300 %: FedAvg suffers: it loses more than 2 points",
        every(Comparison, "table_4", ("0", "3"), "fedavg"),
        drop,
        above(MARGIN),
        "the noise [costs|adds] {:.1f} points",
        equal=0,
        former=Former("MNIST, Gaussian noise of 300 %: FedAvg fails", place="Table 4"),
    ),
    Claim(
        "section 4.4, Table 4",
        "MNIST, Gaussian noise: reweighting outperforms all other rules at every deviation",
        every(Comparison, "table_4", STDS[1:], OURS_FIRST),
        least_lead(len(OURS_FIRST)),
        above(0),
        "at worst {:.1f} points [above|below] the best of the others",
        of_abstract=True,
    ),
    Claim(
        "section 5",
        text := "MNIST, Gaussian noise: reweighting loses nothing at any deviation",
        every(Comparison, "table_4", STDS, "ours"),
        lambda values: values[0] - min(values[1:]),
        at_most(MARGIN),
        "it [costs at most|adds at least] {:.1f} points",
        former=Former(text, place="Table 4"),
    ),
    Claim(
        "appendix A.3, Table 6",
        "MNIST, IID: λ and δ hardly matter",
        every(Search, "table_6", "iid", LAMBDAS, DELTAS, TABLE_6_ATTACKERS),
        span,
        at_most(2 * MARGIN),
        "they span {:.1f} points",
    ),
    Claim(
        "appendix A.3, Table 6",
        "MNIST, two digits each: λ and δ are robust in a large range",
        tuple(
            cell
            for lam, delta in product(LAMBDAS, DELTAS)
            for cell in every(Search, "table_6", "noniid", lam, delta, TABLE_6_ATTACKERS)
        ),
        typical_shortfall(len(TABLE_6_ATTACKERS)),
        at_most(2 * MARGIN),
        "half of the 20 choices are within {:.1f} points of the best",
        reading="a large range: half of the choices",
    ),
    Claim(
        "appendix A.3, Table 6",
        "MNIST, two digits each: a large δ hurts (0.2 on average more than 0.01)",
        tuple(
            str(Search("table_6", "noniid", lam, delta, count))
            for lam, count, delta in product(LAMBDAS, TABLE_6_ATTACKERS, ("0.01", "0.2"))
        ),
        mean_drop,
        above(MARGIN),
        "it [costs|adds] {:.1f} points",
        former=Former("MNIST, two digits each: a large δ hurts, 0.2 on average more than 0.01"),
    ),
    Claim(
        "appendix A.3, Table 6",
        "MNIST, two digits each: a large λ makes δ matter less (with λ = 5 less than with 0.5)",
        tuple(
            str(Search("table_6", "noniid", lam, delta, count))
            for lam, count, delta in product((LAMBDAS[0], LAMBDAS[-1]), TABLE_6_ATTACKERS, DELTAS)
        ),
        span_reduction,
        above(0),
        "over δ the accuracy spans {:.1f} points [less|more]",
        former=Former("MNIST, two digits each: a large λ makes δ matter less, 5 than 0.5"),
    ),
    *(
        Claim(
            "section 4.5, Table 7",
            f"MNIST, {ALTERNATIVES[estimator]} for the line: the estimator achieves similar "
            "results as the repeated median",
            (
                *every(Search, "table_7", estimator, TABLE_7_LAMBDAS, DELTAS, TABLE_7_ATTACKERS),
                *every(Search, "table_6", "noniid", TABLE_7_LAMBDAS, DELTAS, TABLE_7_ATTACKERS),
            ),
            typical_difference,
            at_most(MARGIN),
            "in half of the cases within {:.1f} points",
            reading="similar: in most of the cases, since the text excepts a few",
            former=Former(
                f"MNIST, {ALTERNATIVES[estimator]} for the line: it achieves similar results as "
                "the repeated median"
            ),
        )
        for estimator in ("median", "theil_sen")
    ),
    *(
        Claim(
            "section 4.5, Table 7",
            f"MNIST, {ALTERNATIVES[estimator]} for the line, λ = 5 and δ = {delta}: "
            f"the rule can be attacked (9 attackers cost it more than {MARGIN:g} points)",
            every(Search, "table_7", estimator, "5", delta, TABLE_7_ATTACKERS),
            drop,
            above(MARGIN),
            "it [costs|adds] {:.1f} points",
            former=Former(
                f"MNIST, {ALTERNATIVES[estimator]} for the line, λ = 5 and δ = {delta}: "
                "9 attackers break it"
            ),
        )
        for estimator, delta in (("median", "0.01"), ("theil_sen", "0.05"))
    ),
    Claim(
        "section 4.5, Table 7",
        "MNIST: Gaussian weighting is fairly robust against 9 attackers, whatever σ and δ",
        every(Search, "table_7", "gaussian", TABLE_7_LAMBDAS, DELTAS, TABLE_7_ATTACKERS),
        largest_drop,
        at_most(MARGIN),
        "it [costs at most|adds at least] {:.1f} points",
        sentence=_GAUSSIAN_IS_ROBUST,
        former=Former(
            "MNIST, Gaussian weighting: it is fairly robust against 9 attackers, whatever σ and δ"
        ),
    ),
    Claim(
        "section 4.5, Table 7",
        "MNIST: Gaussian weighting is fairly robust against 9 attackers, in the mean over σ and δ",
        every(Search, "table_7", "gaussian", TABLE_7_LAMBDAS, DELTAS, TABLE_7_ATTACKERS),
        mean_drop,
        at_most(MARGIN),
        "the attack [costs|adds] {:.1f} points on average",
        sentence=_GAUSSIAN_IS_ROBUST,
        reading="the largest of 16 drops would be large by chance alone",
    ),
    Claim(
        "section 4.5, Table 7",
        "MNIST, 9 attackers: Theil-Sen breaks more easily than the repeated median (it is worse in "
        "the mean over λ and δ)",
        (
            *every(Search, "table_7", "theil_sen", TABLE_7_LAMBDAS, DELTAS, "9"),
            *every(Search, "table_6", "noniid", TABLE_7_LAMBDAS, DELTAS, "9"),
        ),
        # The largest of 16 differences would be large by chance alone.
        mean_lead_of_second_half,
        above(MARGIN),
        "on average {:.1f} points [below|above] the repeated median",
        equal=0,
        sentence=_BREAKS_SOONER,
        former=Former(
            "MNIST, 9 attackers: Theil-Sen breaks for a λ and δ for which the repeated median does "
            "not"
        ),
    ),
    Claim(
        "section 4.5, Table 7",
        "MNIST, 9 attackers: Theil-Sen loses more than the repeated median, in the mean over λ and "
        "δ",
        (
            *every(Search, "table_7", "theil_sen", TABLE_7_LAMBDAS, DELTAS, TABLE_7_ATTACKERS),
            *every(Search, "table_6", "noniid", TABLE_7_LAMBDAS, DELTAS, TABLE_7_ATTACKERS),
        ),
        drop_beyond_that_of_second_half,
        above(MARGIN),
        "the attackers cost it {:.1f} points [more|less] on average",
        equal=0,
        sentence=_BREAKS_SOONER,
        reading="compared with the accuracy without attackers",
    ),
    Claim(
        "appendix A.4, Fig. 5",
        f"MNIST without 15 of 20 holders of 0: reweighting is significantly worse than FedAvg (by "
        f"more than {WIDEST_MARGIN:g} points)",
        every(Comparison, "figure_5", "15", ("fedavg", "ours")),
        drop,
        above(WIDEST_MARGIN),
        "{:.1f} points [below|above] FedAvg",
        equal=0,
        own_limit=True,
        former=Former("MNIST without 15 of 20 holders of 0: reweighting is worse than FedAvg"),
    ),
    Claim(
        "appendix A.4, Fig. 5",
        "MNIST without 15 of 20 holders of 0: reweighting is no worse than the other robust rules",
        every(Comparison, "figure_5", "15", _ROBUST_OURS_FIRST),
        least_lead(len(_ROBUST_OURS_FIRST)),
        at_least(-MARGIN),
        "{:.1f} points [above|below] the best of them",
    ),
    Claim(
        "appendix A.4, Fig. 5",
        "MNIST without 15 of 20 holders of 0: the robust rules other than reweighting are worse "
        "than FedAvg too",
        every(Comparison, "figure_5", "15", ("fedavg", *_ROBUST_OURS_FIRST[1:])),
        lead,
        above(MARGIN),
        "the best is {:.1f} points [below|above] FedAvg",
        equal=0,
        former=Former(
            "MNIST without 15 of 20 holders of 0: the other robust rules are worse than FedAvg too"
        ),
    ),
    Claim(
        "appendix A.6, Table 8",
        f"Reviews: mixed parameters are successfully defended: at no rate more than {MARGIN:g} "
        "points are lost",
        every(Mixing, (*MIX_RATES, "none")),
        lambda values: values[-1] - min(values[:-1]),
        at_most(MARGIN),
        "they [cost at most|add at least] {:.1f} points",
        former=Former(
            "Reviews: mixing in honest parameters does not help the attackers, at any rate"
        ),
    ),
)
