"""Reading the samples of a real data set, and checking that they can be used."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from fedlib.data.catalogue import DATASETS, DatasetInfo
from fedlib.data.errors import DataError
from fedlib.data.files import Verified
from fedlib.data.samples import LabelledSamples


def read_part(name: str, root: Path, verified: Verified, train: bool) -> LabelledSamples:
    """Read one part of a real data set from the verified contents of its files.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.
    verified
        What the files are (:func:`fedlib.data.files.verify_files`).
    train
        Whether to read the training part or the test part.

    Raises
    ------
    DataError
        If a file is damaged or has changed, or if the samples cannot be used.
    """
    info = DATASETS[name]
    samples = info.load(partial(verified.read, root), train)
    check_samples(info, "training" if train else "test", samples)
    return samples


def check_samples(info: DatasetInfo, part: str, samples: LabelledSamples) -> None:
    """Check that samples, labels and groups fit each other and the data set.

    Parameters
    ----------
    info
        The data set.
    part
        Which part the samples are, for the message.
    samples
        The samples.

    Raises
    ------
    DataError
        If there are no samples, if a sample has no label or no group, if a label is no class, if
        images have another shape than the data set, or if a number is not finite.
    """
    where = f"the {part} part of {info.title}"
    x, labels, groups = samples
    if len(x) != len(labels) or (groups is not None and len(groups) != len(x)):
        counts = f"{len(x)} samples, but {len(labels)} labels"
        counts += "" if groups is None else f" and {len(groups)} groups"
        raise DataError(f"{where} has {counts}: each sample must have one.")
    if len(x) == 0:
        raise DataError(f"{where} has no samples: there must be at least one.")
    wrong = labels[(labels < 0) | (labels >= info.n_classes)]
    if len(wrong):
        raise DataError(
            f"{where} has the label {wrong[0]}: labels must be from 0 to {info.n_classes - 1}."
        )
    if x.dtype == np.uint8 and x.shape[1:] != info.shape:
        raise DataError(f"{where} has images of shape {x.shape[1:]}: it must be {info.shape}.")
    if x.dtype != np.uint8 and not np.isfinite(x).all():
        raise DataError(f"{where} has a number that is not finite: all must be.")
