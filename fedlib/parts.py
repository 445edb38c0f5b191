"""What the parts of a run have in common: how they enter its identity, and how they are revised."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Protocol


class Configured(Protocol):
    """What a part may ask of the run's configuration, which is a ``fedlib.runs.RunConfig``."""

    @property
    def n_clients(self) -> int:
        """The number of clients."""

    @property
    def n_byzantine(self) -> int:
        """The number of clients that the attacker controls, which are the last ones."""

    @property
    def client(self) -> Any:
        """The client algorithm."""

    @property
    def aggregator(self) -> Any:
        """The server's rule."""

    @property
    def attack(self) -> Any:
        """The attack."""

    @property
    def rounds(self) -> int:
        """The number of rounds."""

    @property
    def milestones(self) -> tuple[int, ...]:
        """The rounds after which the server's learning rate is lowered."""

    @property
    def decay(self) -> float:
        """The factor by which the learning rate is then multiplied."""

    @property
    def seed(self) -> int:
        """The seed from which all random numbers of the run derive."""

    @property
    def server_step(self) -> str:
        """The direction of the server's step."""

    @property
    def projection_radius(self) -> float | None:
        """The largest norm of the model that the server allows. None allows any."""

    @property
    def track(self) -> tuple[str, ...]:
        """The names of the trackers that the run has besides those of every run."""

    @property
    def vote_samples(self) -> int:
        """The samples on which a client compares models. 0 takes as many as a batch has."""


def _always(part: Any, run: Any) -> bool:
    return True


@dataclass(frozen=True)
class Revision:
    """A change of the code after which some runs give other numbers than they did before.

    A part lists its revisions in ``revisions``. Every revision enters the identity of the runs that
    it concerns, so that a run that was stored before is not taken for one of today.

    Parameters
    ----------
    number
        The number of the new version. The first version of every part has the number 1.
    why
        What the versions before did differently.
    of
        The name under which the revision enters the identity of the run. With an empty name it
        enters the identity of the part itself.
    concerns
        A function of the part and of the run that says whether the numbers of this run changed.
    before
        The defaults that the version before had for fields of the part, where they were others.
        They say which identity a stored run had then. Only a revision that concerns all runs under
        an empty name may have them.
    """

    number: int
    why: str
    of: str = ""
    concerns: Callable[[Any, Any], bool] = _always
    before: Mapping[str, Any] = field(default_factory=dict)


def revisions_of(part: Any, run: Any) -> dict[str, int]:
    """Return the revisions of ``part`` that concern ``run``, by the name under which they enter."""
    found: dict[str, int] = {}
    for revision in _listed_revisions(part):
        if revision.concerns(part, run):
            found[revision.of] = max(revision.number, found.get(revision.of, 1))
    return found


def _listed_revisions(part: Any) -> tuple[Revision, ...]:
    """Return all revisions that the class of a part and its bases list."""
    return _revisions_listed_by(type(part))  # type: ignore[arg-type]


@cache
def _revisions_listed_by(kind: Hashable) -> tuple[Revision, ...]:
    """Return all revisions that a class and its bases list. Identities ask for them often."""
    bases = kind.__mro__  # type: ignore[attr-defined]
    return tuple(revision for base in bases for revision in vars(base).get("revisions", ()))


Revisions = Callable[[Any, Any], dict[str, int]]


def identity_of(part: Any, run: Any, revisions: Revisions = revisions_of) -> dict[str, Any]:
    """Return what distinguishes ``part`` from others of its kind: name, changed fields, revision.

    A field that has its default does not enter. So a new field does not change any identity, if its
    default keeps what was done before. A default must therefore never change.

    Parameters
    ----------
    part, run
        The part, and the run that it belongs to.
    revisions
        This function takes a part and the run, and says which revisions enter. By default these
        are the ones of today that concern the run.
    """
    number = revisions(part, run).get("", 1)
    before = _defaults_before(part, number)
    found: dict[str, Any] = {}
    named = hasattr(part, "name")
    kept: dict[str, Any] | None = None
    if named and number == 1 and not before and is_frozen(type(part)):
        kept = vars(part)
        if _KEPT in kept:
            known: dict[str, Any] = kept[_KEPT]
            return known
    for name, default, made in _defaults_of(type(part)):  # type: ignore[arg-type]
        value = getattr(part, name)
        if named and type(value) not in _SIMPLE and is_dataclass(value) and hasattr(value, "name"):
            # A part that this part holds itself, as a pre-aggregation holds a rule.
            found[name] = identity_of(value, run, revisions)
            kept = None
            continue
        if made:
            continue  # the run's parts, which enter by themselves
        if before:
            default = before.get(name, default)
        if default is MISSING or value != default:
            found[name] = value
    if number > 1:
        found["revision"] = number
    if named:
        found = {"name": part.name, **found}
    if kept is not None:
        kept[_KEPT] = found  # Many runs have the same part, which cannot change.
    return found


_KEPT = "_kept_identity"
"""The attribute of a part that holds what distinguishes its first version from others."""
_SIMPLE = frozenset({int, float, bool, str, tuple, type(None)})
"""Types of most values, none of which is a part."""


def _defaults_before(part: Any, number: int) -> dict[str, Any]:
    """Return the defaults that a version of a part had where they were not those of today."""
    later = [
        revision
        for revision in _listed_revisions(part)
        if not revision.of and revision.number > number
    ]
    if not later:
        return {}
    # The earliest of the later revisions tells of the version that is asked for.
    later.sort(key=lambda revision: -revision.number)
    return {name: value for revision in later for name, value in revision.before.items()}


def is_frozen(kind: Any) -> bool:
    """Return whether the objects of a dataclass cannot change.

    Parameters
    ----------
    kind
        The dataclass.
    """
    return bool(kind.__dataclass_params__.frozen)


@cache
def fields_of(kind: Hashable) -> tuple[Field[Any], ...]:
    """Return the fields of a dataclass. They are kept, because identities ask for them often.

    Parameters
    ----------
    kind
        The dataclass.
    """
    found: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]
    return found


@cache
def _defaults_of(kind: Hashable) -> tuple[tuple[str, Any, bool], ...]:
    """Return the name and the default of each field, and whether a function makes the default."""
    return tuple(
        (one.name, one.default, one.default_factory is not MISSING) for one in fields_of(kind)
    )
