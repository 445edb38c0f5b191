"""What the text says that ROP costs, beside what Table IV prints that it leaves."""

from __future__ import annotations

from fedlib.evidence.report import Table
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.keys import table_iv
from fedlib.papers.centered_clipping.published import published_accuracies
from fedlib.papers.centered_clipping.settings import CLIPPING, place_title

# What the text says that ROP costs, in points: place, setting, rule, momentum, cost. Of a range
# the lower end stands here, because it is the easier one to fit.
STATED = (
    ("Fig. 4", "fmnist_iid", "cc_tau0.1", 0.99, 5),
    ("Fig. 4", "fmnist_iid", "cc_tau1", 0.99, 7),
    *(("Fig. 5", "cifar10_iid", rule, 0.99, 35) for rule in CLIPPING),
    *(("Fig. 6", "cifar100_iid", rule, 0.99, 40) for rule in CLIPPING),
    *(("Fig. 7", "mnist_noniid", rule, 0.0, 20) for rule in CLIPPING),
    ("Fig. 8", "fmnist_noniid", "cc_tau1", 0.99, 20),
    ("Fig. 9", "cifar10_noniid", "tm", 0.99, 35),
)

_RANGES = {"Fig. 7": "20 to 25"}


def stated_costs_table() -> Table:
    """What the text says that ROP costs beside what Table IV prints that it leaves.

    The two give the accuracy without attack, which the paper does not print: it ``fits`` if it is
    at most the margin above the highest accuracy that Table IV has for the setting.
    """
    published = published_accuracies()
    rows: list[tuple[str, ...]] = []
    classes = {}
    for place, setting, rule, momentum, cost in STATED:
        left = published[table_iv(setting, "rop", rule, momentum)].value
        highest = max(value.value for key, value in published.items() if key.setting == setting)
        fits = left + cost <= highest + MARGIN
        classes[len(rows), 7] = "agrees" if fits else "differs"
        rows.append(
            (
                f"{place}, text",
                place_title(setting, rule, momentum),
                _RANGES.get(place, f"{cost:g}"),
                f"{left:.2f}",
                f"{left + cost:.2f}",
                f"{100 * left / (100 - cost):.2f}",
                f"{highest:.2f}",
                "fits" if fits else "does not fit",
            )
        )
    heads = (
        "where",
        "setting",
        "what ROP costs (text)",
        "what ROP leaves (Table IV)",
        "accuracy without attack, as their sum",
        "accuracy without attack, if the cost is a share of it",
        "highest accuracy of the setting (Table IV)",
        "does the sum fit?",
    )
    caption = (
        "Whether the costs of ROP that the text states fit the accuracies of Table IV. All numbers "
        "are in %. The paper does not print the accuracy without an attack, so it is computed from "
        "the two. Where the text has a range, they are computed with its lower end. The sum fits "
        f"if it is at most {MARGIN:g} points above the highest accuracy that "
        "Table IV has for the setting"
    )
    return Table(heads, tuple(rows), caption, classes)
