"""The claims with their verdicts, and the choices with what they change."""

from __future__ import annotations

from fedlib.evidence import claims as evidence
from fedlib.evidence.report import Archive, Table
from fedlib.papers.centered_clipping.claims import CLAIMS
from fedlib.papers.centered_clipping.keys import Key
from fedlib.papers.centered_clipping.published import printed
from fedlib.papers.centered_clipping.settings import ATTACK_NAMES, RULE_TITLES, SETTING_TITLES
from fedlib.papers.centered_clipping.tables.figures import FIGURE_3
from fedlib.papers.centered_clipping.variants import NETWORK_VARIANT, VARIANT_MOMENTUM, VARIANTS


def claims_table(archive: Archive) -> evidence.ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    return evidence.claims_table(archive, CLAIMS, printed)


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    caption = f"What they change, at β = {VARIANT_MOMENTUM:g} where no other is named"
    return evidence.variants_table(archive, (*VARIANTS, NETWORK_VARIANT), _where, caption)


def _where(cell: str) -> str:
    """A cell in words: ``FMNIST, CC, τ = 1, ROP``; the momentum is named where it is another."""
    key = Key.parse(cell)
    attack = {**FIGURE_3, **ATTACK_NAMES}[key.attack]
    words = f"{SETTING_TITLES[key.setting]}, {RULE_TITLES[key.rule]}, {attack}"
    return words if key.momentum == VARIANT_MOMENTUM else f"{words}, β = {key.momentum:g}"
