"""The errors that the files of a data set raise."""

from __future__ import annotations


class DataError(RuntimeError):
    """A data set is absent or cannot be used, or a file differs from its checksum."""


class AbsentDataError(DataError):
    """A data set is not here: its files are absent, or they are those of another known variant."""
