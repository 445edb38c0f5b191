"""Claims on Figure 2 and on the certified level: the synthetic data, and the abstract."""

from __future__ import annotations

from itertools import product

from fedlib.evidence.claims import OWN, Claim, Former, above, below, drop
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES, CONTROL_TITLES
from fedlib.papers.two_stage_attack.claims.makers import (
    DEFENCES,
    DIVERGED,
    NEAR,
    cells,
    lower_than,
    lowers,
    moved_less,
    weakened,
    where,
    worse_boundary,
)
from fedlib.papers.two_stage_attack.grid import DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.measures import (
    boundary_error,
    late_level,
    level,
    missing_boundary,
    radius_error,
    unevenness,
)

_FIGURE_2 = {
    "mean": "section 4, Figs. 2c to 2e",
    "median": "section 4, Figs. 2h to 2j",
    "krum": "section 4, not shown",
}
# Figure 2j is the one of the two-stage attack. The anchors of the claims have the words above.
_DEFENDED = {**_FIGURE_2, "median": "section 4, Figs. 2h and 2i"}


_DEVIATES_LESS = "{} deviates the decision boundary less than without a defence"
"""The sentence of section 4, which is tested by the certified level too."""


def _lowers_less(rule: str, attack: str) -> str:
    return (
        f"{where('circle', rule)}: {ATTACK_TITLES[attack]} lowers the certified level less than "
        "without a defence"
    )


def _axisymmetric(rule: str) -> str:
    """The sentence of Figure 2b, and the same question where the server has a defence."""
    said = "without attack the boundary is axisymmetric"
    return said if rule == "mean" else f"{said}, with a defence"


BOUNDARIES = tuple(
    claim
    for rule in RULE_TITLES
    for claim in (
        Claim(
            # The figure shows it without a defence.
            "section 4, Fig. 2b" if rule == "mean" else OWN,
            f"{where('circle', rule)}: without attack the boundary is axisymmetric",
            cells("circle", rule, "none"),
            min,
            below(NEAR),
            "{:.2f} from its mean radius on average",
            measure=unevenness,
            sentence=_axisymmetric(rule),
            former=Former(
                f"{where('circle', rule)}: without attack the boundary is axisymmetric",
                _axisymmetric(rule),
                place="section 4, Fig. 2b",
            ),
        ),
        Claim(
            OWN,
            f"{where('circle', rule)}: without attack the boundary is close to the circle",
            cells("circle", rule, "none"),
            min,
            below(NEAR),
            "{:.2f} away on average",
            measure=radius_error,
        ),
    )
)


def _not_maintained(attack: str) -> str:
    """What the paper says of an attack without a defence, which is tested in two ways."""
    return f"under {ATTACK_TITLES[attack]} the model no longer maintains the certified robustness"


def _no_longer_axisymmetric(attack: str) -> Claim:
    """That the boundary has lost its symmetry, from which the text reads the robustness."""
    text = (
        f"{where('circle', 'mean')}: under {ATTACK_TITLES[attack]} the boundary is no longer "
        "axisymmetric"
    )
    return Claim(
        _FIGURE_2["mean"],
        text,
        cells("circle", "mean", attack),
        min,
        above(NEAR),
        "{:.2f} from its mean radius on average",
        measure=unevenness,
        nothing_means=DIVERGED,
        sentence=_not_maintained(attack),
        former=Former(text),
    )


_SUBSTANTIALLY = (
    "with a defence at the server, the two-stage attack still harms the model substantially"
)
_EVIDENCE = {"circle": "the synthetic data", "pixels": "MNIST"}


def _substantially(data: str) -> str:
    """The abstract's sentence on one data set; the paper shows test errors on MNIST alone."""
    return f"on {_EVIDENCE[data]}, {_SUBSTANTIALLY}"


def _more_mistakes(data: str, rule: str) -> Claim:
    """That the abstract's harm to the performance shows on the test samples."""
    text = (
        f"{where(data, rule)}: the two-stage attack harms the model substantially: the test error "
        f"rises by more than {MARGIN:g} points"
    )
    return Claim(
        "abstract",
        text,
        cells(data, rule, "none", "learned"),
        drop,
        above(MARGIN),
        "the accuracy [falls|rises] by {:.1f} points",
        equal=0,
        sentence=_substantially(data),
        # One place on a page cannot be that of two sentences: that on MNIST has a new one.
        former=Former(text, _SUBSTANTIALLY) if data == "circle" else None,
    )


_CERTIFICATES = (
    *(
        claim
        for attack in ("random", "ipm", "learned")
        for claim in (
            lowers(
                _FIGURE_2["mean"], "circle", "mean", attack, 50,
                f"under {ATTACK_TITLES[attack]} the model no longer maintains the certified level: "
                "less than half is left",
                _not_maintained(attack),
            ),
            _no_longer_axisymmetric(attack),
        )
    ),
    *(
        lowers(
            # The abstract does not speak of the black box.
            "section 1" if attack == "learned_blind" else "abstract", data, rule, attack, 100,
            f"the {ATTACK_TITLES[attack]} attack lowers the certified level",
            former_place="abstract" if attack == "learned_blind" else None,
        )
        for attack in ("learned", "learned_blind")
        for data, rule in product(DATA_TITLES, RULE_TITLES)
        if (attack, rule) != ("learned_blind", "mean")
    ),
    # To lower the level at all is less than what the abstract says: the attack "substantially
    # jeopardizes" the model even where the server has a defence.
    *(
        claim
        for data, rule in product(DATA_TITLES, DEFENCES)
        for claim in (
            lowers(
                "abstract", data, rule, "learned", 50,
                f"the {ATTACK_TITLES['learned']} attack harms the model substantially: less than "
                "half of the certified level is left",
                _substantially(data),
            ),
            _more_mistakes(data, rule),
        )
    ),
)  # fmt: skip

_FIGURE_2_CLAIMS = (
    Claim(
        "section 4, Fig. 2e",
        f"{where('circle', 'mean')}: under the two-stage attack the boundary is missing",
        cells("circle", "mean", "learned"),
        min,
        above(0.5),
        "missing in {:.0%} of the seeds",
        measure=missing_boundary,
        yes_or_no=True,
        nothing_means=DIVERGED,
    ),
    *(
        claim
        for rule, place in _FIGURE_2.items()
        for weaker in ("random", "ipm")
        # One sentence says it of every defence.
        for said_in in (place if rule == "mean" else "section 4, Fig. 2j",)
        for claim in (
            lower_than(said_in, "circle", rule, weaker, "learned", place),
            worse_boundary(said_in, rule, weaker, "learned", former_place=place),
        )
    ),
    lower_than("section 4, Fig. 2d", "circle", "mean", "random", "ipm"),
    worse_boundary("section 4, Fig. 2d", "mean", "random", "ipm"),
    *(
        claim
        for rule in DEFENCES
        for attack in ("random", "ipm")
        for claim in (
            lowers(
                _DEFENDED[rule], "circle", rule, attack, 100,
                f"{ATTACK_TITLES[attack]} is still effective: it lowers the certified level",
                f"{ATTACK_TITLES[attack]} is still effective", _FIGURE_2[rule],
            ),
            worse_boundary(
                _DEFENDED[rule], rule, "none", attack,
                f"{ATTACK_TITLES[attack]} is still effective", _FIGURE_2[rule],
            ),
            Claim(
                _DEFENDED[rule],
                _lowers_less(rule, attack),
                (*cells("circle", "mean", "none", attack),
                 *cells("circle", rule, "none", attack)),
                weakened,
                above(0),
                "the defence leaves {:.1f} % of the level [more|less]",
                measure=level,
                late=late_level,
                nothing_means=DIVERGED,
                sentence=_DEVIATES_LESS.format(ATTACK_TITLES[attack]),
                former=Former(_lowers_less(rule, attack), place=_FIGURE_2[rule]),
            ),
            Claim(
                _DEFENDED[rule],
                f"{where('circle', rule)}: {ATTACK_TITLES[attack]} moves the boundary less far "
                "from the circle than without a defence",
                (*cells("circle", "mean", "none", attack),
                 *cells("circle", rule, "none", attack)),
                moved_less,
                above(0),
                "the defence leaves it {:.2f} [nearer|farther away]",
                measure=boundary_error,
                nothing_means=DIVERGED,
                sentence=_DEVIATES_LESS.format(ATTACK_TITLES[attack]),
            ),
        )
    ),
)  # fmt: skip


BLACK_BOX = tuple(
    claim
    for rule in DEFENCES
    for weaker in ("random", "ipm")
    for claim in (
        lower_than(OWN, "circle", rule, weaker, "learned_blind"),
        worse_boundary(OWN, rule, weaker, "learned_blind"),
    )
)

BENEFIT = tuple(
    lower_than(OWN, data, rule, control, "learned")
    for data, rule, control in product(DATA_TITLES, RULE_TITLES, CONTROL_TITLES)
)
"""Whether learning is worth anything: the learned policy beside those that learn nothing."""

OF_FIGURE_2 = (*_CERTIFICATES, *_FIGURE_2_CLAIMS)
"""The claims that are tested with other choices too."""
