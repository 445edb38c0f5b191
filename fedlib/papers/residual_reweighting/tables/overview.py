"""What is computed of the printed values, and the floors to compare them with."""

from __future__ import annotations

from collections import Counter

from fedlib.data import resolve_source
from fedlib.evidence.class_counts import counts_of, stored_counts
from fedlib.evidence.published import PublishedValue
from fedlib.evidence.report import Archive, Note, Table, verdict
from fedlib.papers.residual_reweighting.domains import LOAN_TARGET
from fedlib.papers.residual_reweighting.tables.cells import published


def summary(archive: Archive) -> Note:
    """How many printed values are computed at paper scale, and on whose data."""
    counts = standings(archive)
    compared, agreeing = counts["agrees"] + counts["differs"], counts["agrees"]
    return Note(
        f"Besides averages, the paper states {counts.total()} values. At paper scale and on the "
        f"paper's data, {compared} of its accuracies and {counts['success']} of its rates of "
        f"success are computed so far. Within the margin, {agreeing} of these accuracies "
        f"{'agrees' if agreeing == 1 else 'agree'} with the printed one. Rates of success get no "
        f"verdict. {counts['other data']} numbers are computed at paper scale on other data than "
        f"the paper's, and {counts['missing']} are not computed at paper scale."
    )


def standings(archive: Archive) -> Counter[str]:
    """Count the printed values by what our runs say of them, in words such as ``missing``."""
    return Counter(
        _standing(archive, cell, quantity, value) for (cell, quantity), value in published().items()
    )


def _standing(archive: Archive, cell: str, quantity: str, value: PublishedValue) -> str:
    """What our runs say of a printed value; ``missing`` without real data at paper scale."""
    result = archive.best(cell)
    if result is None or result.scale != "paper" or not result.real:
        return "missing"
    if not result.canonical:
        return "other data"
    if quantity == "attack_success":
        return "success"  # shown beside the published, without a verdict
    return verdict(result, value.value, None, unstable=archive.noise.unstable(result))


def class_shares(data: str = "auto") -> Table:
    """Shares of the test samples that accuracy or success has without learning or attack.

    Parameters
    ----------
    data
        ``"embedded"`` takes the shares of the stand-ins; anything else takes those of the data
        sets that the stored runs are on.
    """
    stored = {counts.name: counts for counts in stored_counts().values()}
    rows = []
    for name, label, what in (
        ("mnist", 2, "digit 2, the backdoor's target"),
        ("lending_club", LOAN_TARGET, "the status that is the backdoor's target"),
        ("amazon_reviews", 1, "positive reviews"),
    ):
        counts = counts_of(resolve_source(name, data)) if data == "embedded" else stored[name]
        rows.append((counts.data, what, f"{counts.share(label):.1f} %"))
    return Table(
        ("test samples of", "class", "share"),
        tuple(rows),
        "Shares of some classes among the test samples",
    )
