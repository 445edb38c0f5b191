"""Partitions: which client holds which samples.

A partition returns one array of sample indices per client, and no array is empty. It depends only
on its seed. Each partition is a class in ``PARTITIONS``. A new one is one file in this folder.
"""

from fedlib.data.partition.base import PARTITIONS, Partition, make_partition
from fedlib.data.partition.iid import IID
from fedlib.data.partition.shares import class_counts, matched_samples

__all__ = [
    "IID",
    "PARTITIONS",
    "Partition",
    "class_counts",
    "make_partition",
    "matched_samples",
]
