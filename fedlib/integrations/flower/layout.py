"""How the arrays of a model become a vector, which rules and attacks work on, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from flwr.app import Array, ArrayRecord

from fedlib.validation import ConfigError


class MalformedError(ValueError):
    """A client has sent something that cannot stand for a model of the federation."""


@dataclass(frozen=True)
class Layout:
    """The names, shapes and types of a model's arrays.

    Floating-point arrays, in their order, form the vector. This includes running statistics of
    batch norm. Arrays of whole numbers, such as batch norm's counters, are no part of it.

    Attributes
    ----------
    shapes
        The shape of each array by its name.
    types
        The NumPy type of each array by its name.

    Examples
    --------
    >>> from flwr.app import Array, ArrayRecord
    >>> weight, count = Array(np.ones((2, 3), np.float32)), Array(np.array(5))
    >>> layout = Layout.of(ArrayRecord({"weight": weight, "count": count}))
    >>> layout.floats, layout.size
    (['weight'], 6)
    >>> layout.vector(ArrayRecord({"weight": weight, "count": count}))
    tensor([1., 1., 1., 1., 1., 1.])
    """

    shapes: dict[str, tuple[int, ...]]
    types: dict[str, np.dtype]

    @classmethod
    def of(cls, arrays: ArrayRecord, before: Layout | None = None) -> Layout:
        """Return the layout of the arrays that the server broadcasts.

        Parameters
        ----------
        arrays
            The arrays.
        before
            The layout of an earlier round, which is returned if names and shapes are the same.
            Flower's FedAvg turns counters into floating-point numbers, which they are not.

        Raises
        ------
        ConfigError
            If no array has floating-point numbers, or one has complex numbers or objects.
        """
        values = {name: array.numpy() for name, array in arrays.items()}
        layout = cls(
            {name: tuple(value.shape) for name, value in values.items()},
            {name: value.dtype for name, value in values.items()},
        )
        if before is not None and before.shapes == layout.shapes:
            return before
        for name, kind in layout.types.items():
            if kind.kind not in "fiub":
                raise ConfigError(
                    f"initial_arrays[{name!r}] is of type {kind}: must be of floating-point or "
                    "whole numbers."
                )
        if not layout.size:
            raise ConfigError("initial_arrays holds no floating-point numbers: must hold some.")
        return layout

    @property
    def floats(self) -> list[str]:
        """The names of the arrays that form the vector."""
        return [name for name, kind in self.types.items() if kind.kind == "f"]

    @property
    def size(self) -> int:
        """The number of values of the vector."""
        return sum(math.prod(self.shapes[name]) for name in self.floats)

    def vector(self, arrays: ArrayRecord) -> torch.Tensor:
        """Return the floating-point values of a model.

        Parameters
        ----------
        arrays
            The model's arrays.

        Returns
        -------
        torch.Tensor
            The vector ``(size,)``. It is float64 if an array of the layout is float64, and
            otherwise float32.

        Raises
        ------
        MalformedError
            If an array is missing, if there is one too many, or if an array has another shape or
            kind of numbers.
        """
        values = self._read(arrays)
        wide = any(self.types[name].itemsize > 4 for name in self.floats)
        with np.errstate(over="ignore"):  # What is too large becomes Inf, which rules know.
            flat = [values[name].ravel().astype("f8" if wide else "f4") for name in self.floats]
        return torch.from_numpy(np.concatenate(flat))

    def counters(self, arrays: ArrayRecord) -> dict[str, np.ndarray]:
        """Return the arrays of whole numbers of a model, by name."""
        values = self._read(arrays)
        return {name: value for name, value in values.items() if name not in self.floats}

    def arrays(self, vector: torch.Tensor, counters: Mapping[str, np.ndarray]) -> ArrayRecord:
        """Return the arrays of a model.

        Parameters
        ----------
        vector
            The floating-point values ``(size,)``.
        counters
            The arrays of whole numbers by name.
        """
        values, start = vector.numpy(), 0
        made = {}
        for name, shape in self.shapes.items():
            value = counters.get(name)
            if value is None:
                end = start + math.prod(shape)
                value, start = values[start:end].reshape(shape), end
            made[name] = Array(np.asarray(value, dtype=self.types[name]))
        return ArrayRecord(made)

    def median_counters(
        self, broadcast: ArrayRecord, replies: Sequence[Mapping[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Return the lower median of the clients' arrays of whole numbers, by name.

        A minority of the clients cannot move it beyond what the others have sent.
        """
        found = self.counters(broadcast)
        for name in found if replies else ():
            ordered = np.sort(np.stack([reply[name] for reply in replies]), axis=0)
            found[name] = ordered[(len(replies) - 1) // 2]
        return found

    def _read(self, arrays: ArrayRecord) -> dict[str, np.ndarray]:
        """Return the arrays by name after their check."""
        if set(arrays) != set(self.shapes):
            wrong = sorted(set(arrays) ^ set(self.shapes))
            raise MalformedError(f"arrays are missing or too many: {', '.join(wrong[:5])}")
        values = {}
        for name, shape in self.shapes.items():
            # What the sender says comes first, so that a huge array need not be unpacked.
            if tuple(arrays[name].shape) != shape:
                raise MalformedError(f"{name} has shape {tuple(arrays[name].shape)}, not {shape}")
            try:
                value = arrays[name].numpy()
            except Exception as error:  # The bytes come from anybody and may be anything.
                raise MalformedError(f"{name} cannot be read: {error}") from error
            if tuple(value.shape) != shape:
                raise MalformedError(f"{name} has shape {tuple(value.shape)}, not {shape}")
            whole = self.types[name].kind != "f"
            if value.dtype.kind not in ("fiub" if whole else "f"):
                raise MalformedError(f"{name} is of type {value.dtype}, not {self.types[name]}")
            values[name] = np.nan_to_num(value).astype(self.types[name]) if whole else value
        return values
