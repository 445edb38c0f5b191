"""Claims of sections IV and V on the attacks' perturbations: Figures 1 and 3, Tables II and III."""

from __future__ import annotations

from fedlib.evidence.claims import OWN, Former, above, at_most, drop
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.claims.makers import (
    claim,
    clean_and_attacked,
    converges,
    diverges,
)
from fedlib.papers.centered_clipping.keys import (
    Key,
    alternating_alie,
    cosines,
    sparse_rop,
    table_iv,
)
from fedlib.papers.centered_clipping.searches import FIGURE_12
from fedlib.papers.centered_clipping.settings import (
    CLIPPING,
    MOMENTA,
    RULE_TITLES,
    SETTING_TITLES,
    place_title,
)

FMNIST_AND_CIFAR = ("fmnist_iid", "cifar10_iid")


def _if_cifar(place: str, setting: str) -> str:
    """The place of what the paper says of CIFAR-10 alone."""
    return place if setting == "cifar10_iid" else OWN


def _clean_and_sparse(rule: str, momentum: float) -> tuple[Key, Key]:
    """The cells of CIFAR-10 without attack and under sparse ROP."""
    sparse = sparse_rop(rule, momentum)
    return sparse.without_attack(), sparse


ALTERNATING = tuple(
    claim(
        "section IV-B, Fig. 1",
        f"{place_title(setting, 'tm', momentum)}: alternating ALIE's sign removes its effect",
        (
            *clean_and_attacked(setting, "tm", momentum, "alie"),
            alternating_alie(setting, momentum),
        ),
        statistics.cost_if_fixed_sign_costs,
        at_most(MARGIN),
        "it [costs|adds] {:.1f} points",
        nothing_means="nothing to measure: ALIE with its fixed sign costs at most 2 points",
    )
    for setting in FMNIST_AND_CIFAR
    for momentum in MOMENTA
)

ALIGNED = tuple(
    claim(
        _if_cifar("section IV-B, Table II", setting),
        f"{SETTING_TITLES[setting]}, β = {momentum:g}: ALIE's perturbations stay aligned over "
        "rounds",
        (cosines(setting, "alie", "tm", momentum),),
        lambda values: values[0],
        above(0.9),
        "the cosine is {:.2f}",
        quantities=("cosine_consecutive_perturbations",),
    )
    for setting in FMNIST_AND_CIFAR
    for momentum in MOMENTA
)

CLOSER_TO_REFERENCE = tuple(
    claim(
        _if_cifar("section IV-B, Table III", setting),
        f"{place_title(setting, rule, momentum)}: ROP's updates are closer to the reference than "
        "benign ones",
        (cosines(setting, "rop", rule, momentum),) * 2,
        drop,
        above(0),
        "their cosine is {:.2f} [above|below] that of benign ones",
        quantities=("cosine_byzantine_to_last_aggregate", "cosine_benign_to_last_aggregate"),
    )
    for setting in FMNIST_AND_CIFAR
    for rule in CLIPPING
    for momentum in MOMENTA
)

ORTHOGONAL_TO_THE_MEAN = (
    claim(
        "section IV-B",
        "CIFAR-10: ROP that is orthogonal to the benign mean (λ = 0) is effective against RFA and "
        "TM too",
        (
            key
            for rule in ("rfa", "tm")
            for momentum in MOMENTA
            for attacked in (FIGURE_12.key(0.0, rule, momentum),)
            for key in (attacked.without_attack(), attacked)
        ),
        statistics.least_mean_cost(),
        above(MARGIN),
        "it [costs at least|adds at most] {:.1f} points",
        equal=0,
        reading="costs either more than 2 points, mean of all β",
    ),
)

SPARSE = (
    *(
        diverges(
            "Fig. 3, text",
            f"{place_title('cifar10_iid', rule, momentum)}: sparse ROP makes CC diverge",
            _clean_and_sparse(rule, momentum),
            former=f"{place_title('cifar10_iid', rule, momentum)}: sparse ROP makes it diverge",
        )
        for rule in CLIPPING
        for momentum in (0.0, 0.9)
    ),
    *(
        converges(
            "Fig. 3, text",
            f"{place_title('cifar10_iid', rule, 0.99)}: CC converges under sparse ROP",
            _clean_and_sparse(rule, 0.99),
            f"{place_title('cifar10_iid', rule, 0.99)}: it converges under sparse ROP",
        )
        for rule in CLIPPING
    ),
    *(
        claim(
            "section V-A, Fig. 3",
            f"CIFAR-10, {RULE_TITLES[rule]}: sparse ROP is stronger than ROP, mean of all β",
            (
                *(table_iv("cifar10_iid", "rop", rule, momentum) for momentum in MOMENTA),
                *(sparse_rop(rule, momentum) for momentum in MOMENTA),
            ),
            statistics.mean_drop,
            above(0),
            "it is {:.1f} points [stronger|weaker]",
        )
        for rule in CLIPPING
    ),
    *(
        claim(
            "Fig. 3, text",
            f"{place_title('cifar10_iid', rule, 0.99)}: under sparse ROP CC over-fits to the "
            "training data",
            reversed(_clean_and_sparse(rule, 0.99)),
            drop,
            above(0),
            "the gap between test loss and training loss is {:.2f} [wider|narrower]",
            measure=statistics.overfitting,
            reading="test loss above training loss by more than without attack",
            former=Former(
                f"{place_title('cifar10_iid', rule, 0.99)}: under sparse ROP it over-fits to the "
                "training data"
            ),
        )
        for rule in CLIPPING
    ),
    claim(
        "section V-A",
        "CIFAR-10: sparse attacks can be detected by index-wise statistics",
        (
            *(table_iv("cifar10_iid", "rop", "tm", momentum) for momentum in MOMENTA),
            *(sparse_rop("tm", momentum) for momentum in MOMENTA),
        ),
        statistics.mean_drop,
        at_most(MARGIN),
        "it is {:.1f} points [stronger|weaker]",
        reading="sparse ROP is at most 2 points stronger than ROP against TM, mean of all β",
    ),
)

CLAIMS = (
    *ALTERNATING,
    *ALIGNED,
    *CLOSER_TO_REFERENCE,
    *ORTHOGONAL_TO_THE_MEAN,
    *SPARSE,
)
