"""A registry maps names to classes.

A class enters it by one decorator in the file that defines the class.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from fedlib.validation import ConfigError, check_name, make_part

T = TypeVar("T", bound=type)
P = TypeVar("P")


_registries: list[Registry[Any]] = []


def parts_entered() -> tuple[type, ...]:
    """Return the classes that are in any registry now, in the order in which they have entered.

    What is made from all parts of a kind can be kept as long as these are the same. Parts that
    were never asked for may not have entered yet.
    """
    return tuple(part for registry in _registries for part in list(registry._classes.values()))


class Registry(Mapping[str, type[P]], Generic[P]):
    """A registry is a read-only mapping from names to classes. :meth:`register` fills it.

    Parameters
    ----------
    field
        The kind of part that the names stand for, such as ``"aggregator"``. Error messages show it.
    package
        The package whose modules are imported on first use. A new part needs one new file in this
        package.
    """

    def __init__(self, field: str, package: str) -> None:
        self._field = field
        self._package = package
        self._classes: dict[str, type[P]] = {}
        self._loaded = self._loading = False
        # A thread that comes while another one imports the parts must wait for all of them.
        self._lock = threading.RLock()
        _registries.append(self)

    def register(self, name: str) -> Callable[[T], T]:
        """Return a class decorator that enters a class as ``name`` and sets its ``name``.

        Raises
        ------
        ValueError
            If another class has entered under this name, or if the name has other characters than
            lower-case letters, digits and underscores.
        """

        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(
                f"{self._field} {name!r} cannot be a name: it must begin with a lower-case letter "
                "and have only lower-case letters, digits and underscores."
            )

        def enter(cls: T) -> T:
            known = self._classes.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (
                cls.__module__,
                cls.__qualname__,
            ):
                raise ValueError(
                    f"{self._field} {name!r} is already registered by {known.__qualname__} in "
                    f"{known.__module__}: {cls.__module__} must choose another name."
                )
            cls.name = name  # type: ignore[attr-defined]
            self._classes[name] = cls
            return cls

        return enter

    def make(self, spec: object) -> Any:
        """Return the object that a dictionary of a ``name`` and parameters describes.

        Raises
        ------
        ConfigError
            If the name or a parameter is unknown, or if a parameter is missing.
        """
        return make_part(self._field, self, spec)

    def _load(self) -> None:
        """Import all modules of the package, so that their classes enter the registry."""
        if self._loaded:
            return
        with self._lock:
            if self._loaded or self._loading:
                return  # The modules that are imported may read the registry themselves.
            self._loading = True
            try:
                package = importlib.import_module(self._package)
                for module in pkgutil.iter_modules(package.__path__):
                    self._import(f"{self._package}.{module.name}")
                self._loaded = True
            finally:
                self._loading = False

    def _import(self, module: str) -> None:
        """Import one module of the package."""
        try:
            importlib.import_module(module)
        except Exception as error:
            said = " ".join(str(error).split())
            raise ConfigError(
                f"{self._field}: the module {module} cannot be imported: "
                f"{type(error).__name__}: {said}"
            ) from error

    def __getitem__(self, name: str) -> type[P]:
        self._load()
        return self._classes[check_name(self._field, name, self._classes)]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the class of this name, or ``default`` if there is none.

        ``Mapping.get`` cannot do this, because it expects a KeyError.
        """
        self._load()
        return self._classes.get(name, default)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._classes))

    def __len__(self) -> int:
        self._load()
        return len(self._classes)
