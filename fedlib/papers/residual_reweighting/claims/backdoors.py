"""Claims on backdoors: section 4.3 and appendix A.5.

An attack's success is judged by how far it is above that of the same rule without any attacker, on
the same samples with the trigger. These cells are named ``unattacked/...``.
"""

from __future__ import annotations

from dataclasses import replace

from fedlib.evidence.claims import OWN, Claim, Former, Range, above, at_least, below, drop, stated
from fedlib.evidence.statistics import MARGIN, lead
from fedlib.papers.residual_reweighting.claims.measures import (
    EXCESS,
    FAILS,
    excess_claim,
    highest_of_working_model,
    highest_success,
    round_of_half,
    round_of_rise,
    success_lag,
)
from fedlib.papers.residual_reweighting.claims.statistics import (
    largest_share_left,
    least_lead,
)
from fedlib.papers.residual_reweighting.keys import (
    APPROACHES,
    COORDINATE_WISE,
    IMAGES,
    OURS_FIRST,
    ROBUST,
    RULE_TITLES,
    ImageBackdoor,
    LoanBackdoor,
    ResNetBackdoor,
    every,
)

_SUCCEEDS = above(50)
"""Points of success above that without attackers that an attack which succeeds has."""
_TO_NOTHING = below(5)
"""The same for what the paper prints as 0.00 %."""
_LEAST = "the success is at [least|most] {:.1f} points [above|below] that without attackers"
_HIGHEST = "the success is at [most|least] {:.1f} points [above|below] that without attackers"

_FAIRLY_WELL = "all baselines perform fairly well, so that the backdoor fails against them"
_IMAGES = (
    excess_claim(
        "section 4.3",
        "MNIST, naive backdoor: the backdoor succeeds against FedAvg",
        every(ImageBackdoor, "mnist", "naive", "fedavg"),
        min,
        _SUCCEEDS,
        EXCESS,
        reading="the sentence stands beside a figure of CIFAR-10, but names no data",
        former=Former("MNIST, naive backdoor: it succeeds against FedAvg", reading=""),
    ),
    excess_claim(
        "section 4.3",
        "CIFAR-10, naive backdoor: the backdoor succeeds against FedAvg",
        every(ImageBackdoor, "cifar10", "naive", "fedavg"),
        min,
        _SUCCEEDS,
        EXCESS,
    ),
    excess_claim(
        "section 4.3, Table 3",
        "MNIST, naive backdoor: the backdoor fails against all rules but FedAvg",
        every(ImageBackdoor, "mnist", "naive", ROBUST),
        max,
        FAILS,
        _HIGHEST,
        reading="without FedAvg, against which section 4.3 says that backdoors easily succeed",
        sentence=_FAIRLY_WELL,
        undefended=str(ImageBackdoor("mnist", "naive", "fedavg")),
        former=Former("MNIST, naive backdoor: it fails against all other rules", reading=""),
    ),
    excess_claim(
        "section 4.3, Table 3",
        f"MNIST, naive backdoor: {_FAIRLY_WELL}",
        every(ImageBackdoor, "mnist", "naive", ("fedavg", *(r for r in ROBUST if r != "ours"))),
        max,
        FAILS,
        _HIGHEST,
        sentence=_FAIRLY_WELL,
    ),
    Claim(
        "section 4.3",
        "MNIST, both backdoors: reweighting is the most accurate",
        every(ImageBackdoor, "mnist", APPROACHES, OURS_FIRST),
        least_lead(len(OURS_FIRST)),
        at_least(0),
        "at worst {:.2f} points [above|below] the best of the others",
        of_abstract=True,
    ),
    *(
        excess_claim(
            OWN,  # Table 3 shows it, but no sentence says it
            f"{title}, model replacement: the backdoor succeeds more against FedAvg than against "
            "any other rule",
            every(ImageBackdoor, data, "replacement", RULE_TITLES),
            lead,
            above(MARGIN),
            "FedAvg has {:.1f} points [more|less] than the next",
            equal=0,
            former=Former(
                f"{title}, model replacement: it succeeds more against FedAvg than any other rule",
                place="Table 3",
            ),
        )
        for data, title in IMAGES.items()
    ),
    excess_claim(
        OWN,
        "MNIST and CIFAR-10, model replacement: the backdoor fails against all rules but FedAvg",
        every(ImageBackdoor, IMAGES, "replacement", ROBUST),
        max,
        FAILS,
        _HIGHEST,
        former=Former(
            "MNIST and CIFAR-10, model replacement: it fails against all rules but FedAvg",
            place="Table 3",
        ),
    ),
    Claim(
        OWN,
        "CIFAR-10, model replacement: the attack spoils FedAvg's accuracy, not reweighting's",
        every(ImageBackdoor, "cifar10", "replacement", ("ours", "fedavg")),
        drop,
        above(MARGIN),
        "FedAvg is {:.1f} points [below|above] reweighting",
        equal=0,
        former=Former(
            "CIFAR-10, model replacement: it spoils FedAvg's accuracy, not reweighting's",
            place="Table 3",
        ),
    ),
    excess_claim(
        "section 4.3, Table 3",
        "CIFAR-10, naive backdoor: all baselines but FoolsGold reach a success of over 70 %, 60 "
        "points above the tenth of the images that belong to the target class",
        every(ImageBackdoor, "cifar10", "naive", ("fedavg", *COORDINATE_WISE)),
        min,
        above(60),
        _LEAST,
        former=Former(
            "CIFAR-10, naive backdoor: all baselines but FoolsGold reach a success of over 70 %, "
            "60 points above the tenth that has it anyway"
        ),
    ),
    excess_claim(
        "section 4.3, Table 3",
        "CIFAR-10, naive backdoor: reweighting withstands the backdoor",
        every(ImageBackdoor, "cifar10", "naive", "ours"),
        max,
        FAILS,
        EXCESS,
        former=Former("CIFAR-10, naive backdoor: reweighting withstands it"),
        of_abstract=True,
        undefended=str(ImageBackdoor("cifar10", "naive", "fedavg")),
    ),
    excess_claim(
        "section 4.3, Fig. 4",
        "CIFAR-10, naive backdoor: reweighting remains stable in all rounds",
        every(ImageBackdoor, "cifar10", "naive", "ours"),
        max,
        FAILS,
        _HIGHEST,
        measure=highest_success,
    ),
    Claim(
        "section 4.3, Table 3",
        "CIFAR-10, both backdoors: FoolsGold fails in the main task",
        tuple(
            cell
            for approach in APPROACHES
            for cell in every(ImageBackdoor, "cifar10", approach, ("fedavg", "foolsgold"))
        ),
        largest_share_left,
        below(50),
        "at most {:.0f} % of FedAvg's accuracy",
    ),
    excess_claim(
        "section 4.3, Table 3",
        "CIFAR-10, both backdoors: FoolsGold fails in the backdoor task, which it does not learn",
        every(ImageBackdoor, "cifar10", APPROACHES, "foolsgold"),
        max,
        FAILS,
        _HIGHEST,
    ),
    Claim(
        "section 4.3, Fig. 4",
        "CIFAR-10, naive backdoor: Median, Trimmed Mean and Repeated Median slow the attack down, "
        "where the attack easily succeeds under FedAvg",
        every(ImageBackdoor, "cifar10", "naive", ("fedavg", *COORDINATE_WISE)),
        lambda rounds: min(rounds[1:]) - rounds[0],
        above(0),
        "a success of 50 % comes {:.0f} rounds [later|earlier]",
        measure=round_of_half,
        former=Former(
            "CIFAR-10, naive backdoor: the other baselines slow the attack down, where it easily "
            "succeeds under FedAvg"
        ),
    ),
    *(
        Claim(
            "appendix A.5, Fig. 4",
            f"CIFAR-10, naive backdoor, {RULE_TITLES[rule]}: success starts to increase only after "
            "around 25 rounds",
            every(ImageBackdoor, "cifar10", "naive", rule),
            min,
            # "Around 25" is tested on both sides. The margin of stated points is none of rounds.
            Range(15, 35),
            "above 20 % in round {:.0f}",
            measure=round_of_rise,
        )
        for rule in ("fedavg", *COORDINATE_WISE)
    ),
    *(
        Claim(
            "appendix A.5, Fig. 8",
            text := f"CIFAR-10, naive backdoor, {RULE_TITLES[rule]}: success comes after "
            "convergence",
            every(ImageBackdoor, "cifar10", "naive", rule),
            min,
            above(0),
            "90 % of it comes {:.0f} % of the run [after|before] 90 % of the accuracy",
            measure=success_lag,
            former=None if rule == "fedavg" else Former(text, place="appendix A.5, Fig. 4"),
        )
        for rule in (*COORDINATE_WISE, "fedavg")
    ),
)

_RESNET = (
    excess_claim(
        "section 4.3, appendix A.5, Fig. 7",
        "ResNet-18 on MNIST, naive backdoor: all baselines but FoolsGold fall to the backdoor",
        every(ResNetBackdoor, ("fedavg", *COORDINATE_WISE)),
        min,
        _SUCCEEDS,
        _LEAST,
        former=Former("ResNet-18 on MNIST, naive backdoor: all baselines but FoolsGold fall to it"),
    ),
    excess_claim(
        "section 4.3, appendix A.5, Fig. 7",
        "ResNet-18 on MNIST, naive backdoor: reweighting remains stable",
        every(ResNetBackdoor, "ours"),
        max,
        FAILS,
        _HIGHEST,
        measure=highest_success,
    ),
    Claim(
        "appendix A.5",
        "ResNet-18 on MNIST, naive backdoor: FoolsGold fails in the main task, with about 10 %",
        every(ResNetBackdoor, "foolsgold"),
        min,
        stated(10),
        "accuracy {:.1f} %",
        of_level=True,
    ),
    excess_claim(
        "appendix A.5",
        "ResNet-18 on MNIST, naive backdoor: FoolsGold fails in the backdoor task, which it does "
        "not learn",
        every(ResNetBackdoor, "foolsgold"),
        max,
        FAILS,
        EXCESS,
    ),
)

_LOANS_BY_RULE = tuple(
    excess_claim(
        "section 4.3",
        f"Loans, {title}: {said}",
        every(LoanBackdoor, approach, rules),
        statistic,
        needed,
        shown,
        sentence=f"loans: {said}",
        former=Former(f"Loans, {title}: {formerly}", f"loans: {formerly}"),
        undefended="" if "fedavg" in rules else str(LoanBackdoor(approach, "fedavg")),
    )
    for approach, title in APPROACHES.items()
    for said, formerly, rules, statistic, needed, shown in (
        (
            "the backdoor succeeds against FedAvg",
            "it succeeds against FedAvg",
            ("fedavg",),
            min,
            _SUCCEEDS,
            EXCESS,
        ),
        (
            "the backdoor has no success against reweighting",
            "no success against reweighting, medians and trimmed mean",
            ("ours",),
            max,
            _TO_NOTHING,
            EXCESS,
        ),
        (
            "the backdoor has no success against the medians and the trimmed mean",
            "no success against the medians and the trimmed mean",
            COORDINATE_WISE,
            max,
            _TO_NOTHING,
            _HIGHEST,
        ),
    )
)


def _at_its_highest(claim: Claim) -> Claim:
    """The claim on model replacement once more, at the evaluation with the highest success.

    The attacker sends one update, and honest training removes its backdoor again. After the last
    round even a server without a defence may have forgotten it. The text speaks of the end.
    """
    return replace(
        claim,
        place=OWN,
        measure=highest_of_working_model,
        quantity="",
        reading="at the evaluation with the highest success, if the model works there",
        former=None,
    )


_LOANS = (
    *(
        Claim(
            "section 4.3",
            f"Loans, {title}: reweighting is more accurate than FedAvg",
            every(LoanBackdoor, approach, ("ours", "fedavg")),
            drop,
            above(0),
            "{:.2f} points [above|below] FedAvg",
            of_abstract=True,
        )
        for approach, title in APPROACHES.items()
    ),
    *_LOANS_BY_RULE,
    *(
        excess_claim(
            "section 4.3",
            f"Loans, {title}: the backdoor succeeds less under reweighting than under FedAvg",
            every(LoanBackdoor, approach, ("fedavg", "ours")),
            drop,
            above(MARGIN),
            "FedAvg has {:.1f} points [more|less]",
            equal=0,
            of_abstract=True,
        )
        for approach, title in APPROACHES.items()
    ),
    *(_at_its_highest(claim) for claim in _LOANS_BY_RULE if "replacement" in claim.cells[0]),
    excess_claim(
        "section 4.3",
        "Loans, naive: the backdoor succeeds against FoolsGold",
        every(LoanBackdoor, "naive", "foolsgold"),
        min,
        _SUCCEEDS,
        EXCESS,
        former=Former("Loans, naive: it succeeds against FoolsGold"),
    ),
    excess_claim(
        "section 4.3",
        "Loans, model replacement: the backdoor has no success against FoolsGold",
        every(LoanBackdoor, "replacement", "foolsgold"),
        max,
        _TO_NOTHING,
        EXCESS,
        reading='"except FoolsGold" is taken to be said of the naive backdoor alone, with which '
        "the sentence goes on",
        former=Former("Loans, model replacement: no success against FoolsGold", reading=""),
        undefended=str(LoanBackdoor("replacement", "fedavg")),
    ),
)

BACKDOORS = (*_IMAGES, *_RESNET, *_LOANS)
REPLACED_ON_LOANS = tuple(claim for claim in _LOANS if "loan/replacement" in claim.cells[0])
"""The claims on model replacement on loans, which are tested with another factor too."""
