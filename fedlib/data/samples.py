"""The form in which every data set hands over its samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class LabelledSamples(NamedTuple):
    """Samples with their labels, before they are normalised.

    Attributes
    ----------
    x
        The samples, ``(n, C, H, W)``. Images are uint8. All other samples are float32, and they
        reach the model as they are.
    labels
        The class of each sample, ``(n,)``, from 0.
    groups
        The number of the natural group of each sample, ``(n,)``, such as the state that a loan
        comes from. None if the data set has no groups.
    """

    x: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> LabelledSamples:
        """Return the samples with the indices ``rows``, in that order."""
        groups = None if self.groups is None else self.groups[rows]
        return LabelledSamples(self.x[rows], self.labels[rows], groups)


ReadFile = Callable[[str], bytes]
"""Returns the content of a file of the data set, by the file's path under the root folder.

The content is exactly what has been compared with the checksum of the file.
"""

Load = Callable[[ReadFile, bool], LabelledSamples]
"""Reads the training part (True) or the test part (False) of a data set from its files."""

Generate = Callable[[int, int], LabelledSamples]
"""Makes as many samples as the first argument says, from the seed in the second."""
