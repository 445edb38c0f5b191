"""Data sets, real or embedded, and their partitions over clients."""

from fedlib.data.catalogue import DATASETS
from fedlib.data.datasets import DataConfig, Dataset, load_dataset, resolve_source
from fedlib.data.errors import AbsentDataError, DataError
from fedlib.data.files import data_root
from fedlib.data.partition import (
    PARTITIONS,
    Partition,
    class_counts,
    make_partition,
    matched_samples,
)

__all__ = [
    "DATASETS",
    "PARTITIONS",
    "AbsentDataError",
    "DataConfig",
    "DataError",
    "Dataset",
    "Partition",
    "class_counts",
    "data_root",
    "load_dataset",
    "make_partition",
    "matched_samples",
    "resolve_source",
]
