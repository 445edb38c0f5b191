"""What the choices of the authors' code do to the attacks, in sentences with the stored numbers."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.found import resting_on
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.statistics import FAR_APART
from fedlib.grids import Variant
from fedlib.papers.centered_clipping.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.centered_clipping.keys import Key
from fedlib.papers.centered_clipping.variants import VARIANTS

_STRENGTH = "alie_z"
"""The variant with ALIE's strength of an earlier version of the authors' code."""
_TURNED, _WHOLE = "rop_angle", "rop_code"
"""The variant that turns ROP to the angle of the authors' code, and the one that takes all of the
code's choices on ROP."""
_ALONE = {"rop_z": "The length of the code", "rop_first": "Its first round"}
"""The variants that take one other choice of the code on ROP, in words."""


def _as_in_the_code(archive: Archive) -> list[tuple[CellResult, CellResult, CellResult]]:
    """The runs without an attack, under the text's ROP, and under that of the authors' code."""
    variant = _variant(_WHOLE)
    found = [
        archive.alike([str(Key.parse(base).without_attack()), base, variant.cell(base)])
        for base in variant.cells
    ]
    return [(known[0], known[1], known[2]) for known in found if known]


def in_short_as_in_the_code(archive: Archive, headline: CellResult) -> str:
    """Say in few words what ROP does if its choices are those of the authors' code.

    Parameters
    ----------
    archive
        The stored runs.
    headline
        The run under ROP that the headline is about.
    """
    known = _as_in_the_code(archive)
    own = [code for _, text, code in known if text.key == headline.key]
    if own:
        return (
            " With the choices of the authors' present code, ROP leaves "
            f"{own[0].accuracy.mean:.1f} %."
        )
    if not known:
        return ""
    by_code, by_text = (
        max(0.0, *(three[0].accuracy.mean - three[place].accuracy.mean for three in known))
        for place in (2, 1)
    )
    settings = "setting" if len(known) == 1 else f"{len(known)} settings"
    return (
        f" In the {settings} in which the choices on ROP of the authors' "
        f"present code are computed, the attack costs at most {by_code:.1f} points with them, and "
        f"at most {by_text:.1f} points with those of the text."
    )


def costs_as_in_the_code(archive: Archive, headline: CellResult) -> Linked | str:
    """Say what ROP leaves if its choices are those of the authors' code.

    Parameters
    ----------
    archive
        The stored runs.
    headline
        The run under ROP that the headline is about.
    """
    known = _as_in_the_code(archive)
    if not known:
        return ""
    # The setting of the headline comes first.
    known.sort(key=lambda three: three[1].key != headline.key)
    parts: list[Linked | str] = []
    for clean, text, code in known:
        parts.append("; " if parts else "")
        parts += [percent(archive, code), " in place of ", percent(archive, text)]
        if text.key == headline.key:
            parts.append(" in the setting above")
            continue
        momentum = Key.parse(text.key).momentum
        parts.append(f" on {_with_clients(text)} with momentum {momentum:g}, where it has ")
        parts += [percent(archive, clean), " without an attack"]
    missing = (
        "" if known[0][1].key == headline.key else " The setting above has no such run."
    )  # fmt: skip
    return joined(
        " These numbers are for ROP as the paper's text has it. The authors' present code makes "
        "three choices on ROP in another way (its angle, its length and its first round). With "
        "all three, ROP leaves centered clipping ",
        *parts,
        f" (τ = 1; {resting_on([one for three in known for one in three])}).",
        missing,
    )


def angle(archive: Archive) -> str:
    """Say how far the attack hangs on the angle that text and code have differently.

    Parameters
    ----------
    archive
        The stored runs.
    """
    variant = _variant(_TURNED)
    pairs = [[base, variant.cell(base)] for base in variant.cells]
    known = [(pair, results) for pair in pairs if (results := archive.common(pair)) is not None]
    if not known:
        return "What ROP does at the angle of the authors' code is not computed yet."
    parts: list[str] = []
    for _, (text, code) in known:
        parts += [" and" if parts else "", " from ", percent(archive, text), " to "]
        parts += [percent(archive, code), f" on {_with_clients(text)}"]
    return joined(
        "How strong ROP is depends on its angle, its length and its first round. The paper's text "
        "turns the perturbation by 90°, "
        "and the authors' present code turns it by 270° by default. (An earlier version of the "
        "code had 90°.) If this angle alone is taken from the code, the "
        "accuracy of centered clipping (τ = 1, momentum 0.9) goes",
        *parts,
        f" ({resting_on([result for _, results in known for result in results])}).",
        _single_choices(archive, [pair[0] for pair, _ in known]),
        _whole_rop_of_the_code(archive, [pair[0] for pair, _ in known]),
        _strength_of_alie(archive),
    )


def _single_choices(archive: Archive, bases: Sequence[str]) -> Linked | str:
    """Say what the length and the first round of the code do alone."""
    said: list[Linked | str] = []
    for key, name in _ALONE.items():
        variant = _variant(key)
        found = [
            archive.alike([base, variant.cell(base)]) for base in bases if base in variant.cells
        ]
        known = [results[1] for results in found if results]
        if len(known) < len(bases):
            return ""
        said.append(f" {name} alone gives ")
        for place, result in enumerate(known):
            said += [" and " if place else "", percent(archive, result)]
            said.append(f" on {_with_clients(result)}")
        said.append(f" ({resting_on(known)}).")
    return joined(" The code also has a shorter perturbation and another first round.", *said)


def _whole_rop_of_the_code(archive: Archive, bases: Sequence[str]) -> Linked | str:
    """Say what all choices of the code on ROP do together, which is not what the angle does."""
    variant = _variant(_WHOLE)
    found = [archive.common([variant.cell(base)]) for base in bases if base in variant.cells]
    known = [results[0] for results in found if results]
    if len(known) < len(bases):
        return ""
    parts: list[str] = []
    for result in known:
        parts += [" and " if parts else "", percent(archive, result)]
        parts.append(f" on {_with_clients(result)}")
    return joined(
        " With the angle, the length and the first round of the code together, the accuracy is ",
        *parts,
        f" ({resting_on(known)}).",
    )


def _strength_of_alie(archive: Archive) -> Linked | str:
    """Say that a choice about another attack matters as much, if its runs are stored."""
    variant = _variant(_STRENGTH)
    base = next(cell for cell in variant.cells if "cc_tau1" in cell)
    known = archive.common([base, variant.cell(base)])
    if known is None:
        return ""
    text, code = known
    if text.accuracy.mean - code.accuracy.mean <= FAR_APART:
        return ""
    return joined(
        " The strength of ALIE matters as much: with the strength of an earlier version of the "
        "code (1.2 in place of 0.2533) it leaves centered clipping ",
        percent(archive, code),
        " in place of ",
        percent(archive, text),
        f" on {_with_clients(text)} ({resting_on(known)}).",
    )


def _with_clients(result: CellResult) -> str:
    """Name the data of a cell of Table IV, and say whether the clients hold similar data."""
    unequal = result.records[0]["config"]["partition"]["name"] != "iid"
    return f"{result.data} ({'unequal' if unequal else 'similar'} data)"


def _variant(name: str) -> Variant:
    return next(v for v in (*VARIANTS, *SINGLE_CHOICES, CODE) if v.key == name)


def percent(archive: Archive, result: CellResult) -> Linked:
    """Return an accuracy with a link to its runs.

    Parameters
    ----------
    archive
        The stored runs.
    result
        The runs.
    """
    return archive.linked(f"{result.accuracy.mean:.1f} %", result.key)
