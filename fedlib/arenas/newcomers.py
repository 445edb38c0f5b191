"""Rules and attacks of a reader's own: they are read from a file and checked before any compute."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from fedlib.aggregators import Aggregator
from fedlib.attacks import Attack
from fedlib.federation import Facts
from fedlib.validation import ConfigError, check_name

_TRIAL = (25, 40)
"""The clients and parameters of the matrix on which a newcomer is tried."""

_PREFIX = "fedlib_newcomer_"
"""How the names of the modules begin that are read from a reader's files."""


@dataclass(frozen=True)
class Newcomer:
    """A rule or an attack that is to be ranked.

    Attributes
    ----------
    name
        The name under which it is registered.
    kind
        ``rule`` or ``attack``.
    source
        The file that it was read from. None if it is part of the library.
    """

    name: str
    kind: str
    source: Path | None = None

    @property
    def label(self) -> str:
        """A name for its folder, which changes whenever the file does."""
        if self.source is None:
            return self.name
        return f"{self.name}-{hashlib.sha256(self.source.read_bytes()).hexdigest()[:8]}"


def newcomer(asked: str, kind: str, registry: Mapping[str, Any]) -> Newcomer:
    """Find a rule or an attack by its name or by its file.

    Parameters
    ----------
    asked
        The name of a registered part, or the path of a Python file that registers exactly one.
    kind
        ``rule`` or ``attack``.
    registry
        The registry of that kind.

    Raises
    ------
    ConfigError
        If there is no such part or file, or if the file cannot be imported, or if it does not
        register exactly one part of this kind.
    """
    path = Path(asked).expanduser()
    if not (path.suffix == ".py" or path.is_file()):
        if "/" in asked:
            raise ConfigError(
                f"{kind}={asked!r} is no file: must be a Python file, or a name from the catalogue."
            )
        return Newcomer(check_name(kind, asked, registry), kind)
    if not path.is_file():
        raise ConfigError(
            f"{kind}={asked!r} does not exist: must be a Python file, or a name from the catalogue."
        )
    path = path.resolve()
    for name in registry:
        module = sys.modules.get(registry[name].__module__)
        if module is None or module.__name__.startswith(_PREFIX):
            continue
        if Path(module.__file__ or "").resolve() == path:
            return Newcomer(name, kind)  # The file lies in the library, which has read it.
    module_name = _import(path, kind, asked)
    found = [name for name in registry if registry[name].__module__ == module_name]
    if len(found) != 1:
        entered = ", ".join(found) or f"no {kind}"
        registry_name = "AGGREGATORS" if kind == "rule" else "ATTACKS"
        hint = ". If it is an attack, give --attack too" if kind == "rule" and not found else ""
        raise ConfigError(
            f"{kind}={asked!r} registers {entered}: must register exactly one {kind}, with a line "
            f'such as @{registry_name}.register("my_{kind}") above its class{hint}.'
        )
    return Newcomer(found[0], kind, path)


def _import(path: Path, kind: str, asked: str) -> str:
    """Import a file that somebody else has written, and return the name of its module."""
    name = _PREFIX + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{kind}={asked!r} cannot be read: must be a Python file.")
    module = importlib.util.module_from_spec(spec)
    # A dataclass whose annotations are texts looks for its module there.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        said = " ".join(str(error).split())
        raise ConfigError(
            f"{kind}={asked!r} cannot be imported: {type(error).__name__}: {said}"
        ) from error
    return name


def check_rule(made: Any, asked: str) -> None:
    """Try a rule on a small matrix for two rounds, if it needs nothing but the updates.

    Parameters
    ----------
    made
        The rule for the number of Byzantine clients that it will meet.
    asked
        What the user asked for, for the message.

    Raises
    ------
    ConfigError
        If the rule fails, returns something else than a finite aggregate, keeps a state that it
        has not declared or that shares memory with the aggregate, or remembers something outside
        its state.
    """
    if made.needs:
        return
    n, d = _TRIAL
    updates = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
    before = updates.clone()
    try:
        found = made._aggregate(updates, made.init(n, d), Facts())
    except (Exception, SystemExit) as error:
        raise _failed("rule", asked, error) from error
    if not torch.equal(updates, before):
        raise ConfigError(f"rule={asked!r} changes the updates: must leave them as they are.")
    if not isinstance(found, tuple) or len(found) != 2:
        got = type(found).__name__
        raise ConfigError(
            f"rule={asked!r} returns a {got}: must return (aggregate, state), the merged update "
            "and what the rule remembers for the next round."
        )
    _check_tensor("rule", asked, found[0], (d,))
    if found[0].untyped_storage().data_ptr() in _memory_of(found[1]):
        raise ConfigError(
            f"rule={asked!r} keeps the aggregate itself in its state: must keep a copy, such as "
            "aggregate.clone(). Whoever changes the aggregate would change the state too."
        )
    try:
        again = made._aggregate(updates, made.init(n, d), Facts())[0]
        made.apply(updates, found[1])
    except (Exception, SystemExit) as error:
        raise _failed("rule", asked, error, "in the second round") from error
    if not torch.equal(again, found[0]):
        raise ConfigError(
            f"rule={asked!r} returns two aggregates for the same updates and the same state: must "
            "return the same one, and keep what it remembers in its state alone."
        )


def _memory_of(state: Any) -> set[int]:
    """Return where the tensors of a state are in memory."""
    if isinstance(state, torch.Tensor):
        return {state.untyped_storage().data_ptr()}
    if isinstance(state, tuple):
        return set().union(*map(_memory_of, state))
    return set()


def check_attack(made: Any, asked: str) -> None:
    """Try an attack on a small matrix, if it knows no more than updates.

    Parameters
    ----------
    made
        The attack for the number of clients that it will control.
    asked
        What the user asked for, for the message.

    Raises
    ------
    ConfigError
        If the attack fails, or sends a matrix of another shape. What it sends may be anything,
        because an attacker may send a NaN.
    """
    if made.knows - {"benign_updates", "last_aggregate", "own_updates"}:
        return
    n, d = _TRIAL
    generator = torch.Generator().manual_seed(0)
    benign = torch.randn(n - made.n_byzantine, d, generator=generator)
    known = {
        "last_aggregate": torch.randn(d, generator=generator),
        "own_updates": torch.randn(made.n_byzantine, d, generator=generator),
    }
    before = benign.clone()
    try:
        facts = Facts(**{name: known[name] for name in known if name in made.knows})
        found = made.apply(benign, made.init(n, d), facts)
        if not isinstance(found, tuple) or len(found) != 2:
            raise TypeError(f"it returns a {type(found).__name__} and not (updates, state)")
        sent = found[0]
    except (Exception, SystemExit) as error:
        raise _failed("attack", asked, error) from error
    if not torch.equal(benign, before):
        raise ConfigError(f"attack={asked!r} changes the updates: must leave them as they are.")
    _check_tensor("attack", asked, sent, (made.n_byzantine, d), finite=False)


def check_made(kind: str, asked: str, cls: Any) -> None:
    """Check that a part can be made without parameters, because an arena takes the defaults.

    Raises
    ------
    ConfigError
        If the class is of another kind, lacks a method, or has a field without a default.
    """
    base = {"rule": Aggregator, "attack": Attack}[kind]
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise ConfigError(
            f"{kind}={asked!r}: {cls.__name__} must be a subclass of {base.__name__}."
        )
    lacking = sorted(getattr(cls, "__abstractmethods__", ()))
    if lacking:
        raise ConfigError(
            f"{kind}={asked!r}: its class {cls.__name__} has no method {' and no '.join(lacking)}, "
            "and must have one."
        )
    for field in fields(cls):  # type: ignore[arg-type]
        if field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(
                f"{kind}={asked!r}: its field {field.name!r} has no default value, and must have "
                "one, because the arena plays every part with its defaults."
            )


def _failed(kind: str, asked: str, error: BaseException, when: str = "") -> ConfigError:
    said = " ".join(str(error).split())
    return ConfigError(
        f"{kind}={asked!r} fails on a matrix of {_TRIAL[0]} updates with {_TRIAL[1]} parameters"
        f"{f' {when}' if when else ''}: {type(error).__name__}: {said}"
    )


def _check_tensor(
    kind: str, asked: str, found: Any, shape: tuple[int, ...], finite: bool = True
) -> None:
    """Check the shape of what a newcomer returns, and whether it is finite."""
    if not isinstance(found, torch.Tensor) or tuple(found.shape) != shape:
        of_tensor = isinstance(found, torch.Tensor)
        got = f"shape {tuple(found.shape)}" if of_tensor else f"a {type(found).__name__}"
        raise ConfigError(
            f"{kind}={asked!r} returns {got} for {_TRIAL[0]} clients and {_TRIAL[1]} parameters: "
            f"must return a tensor of shape {shape}."
        )
    if found.dtype != torch.float32:
        raise ConfigError(
            f"{kind}={asked!r} returns numbers of type {found.dtype} for updates of type "
            "torch.float32: must return the type of the updates."
        )
    if finite and not math.isfinite(float(found.abs().sum())):
        raise ConfigError(
            f"{kind}={asked!r} returns a NaN or an Inf for finite updates: must return finite "
            "numbers."
        )
