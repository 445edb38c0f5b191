"""What follows from a partition: the classes a client holds, and the samples it is tested on."""

from __future__ import annotations

import numpy as np

from fedlib.seeds import stream


def class_counts(labels: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """Count the samples of each class that each client holds.

    Parameters
    ----------
    labels
        The labels of all samples, ``(n,)``.
    parts
        The indices of each client's samples, one array ``(n_i,)`` per client.

    Returns
    -------
    numpy.ndarray
        The counts, of shape ``(n_clients, n_classes)``.
    """
    n_classes = int(np.max(labels)) + 1
    return np.stack([np.bincount(labels[part], minlength=n_classes) for part in parts])


def matched_samples(
    parts: list[np.ndarray], labels: np.ndarray, test_labels: np.ndarray, seed: int
) -> list[np.ndarray]:
    """Draw test samples for each client, with the classes that it trains on.

    The shares of the classes are those among the client's training samples. A partition may have
    drawn these samples from a class distribution q. With hundreds of samples their shares are
    close to q, but they are not q itself.

    Parameters
    ----------
    parts
        The indices of each client's training samples, one array ``(n_i,)`` per client.
    labels
        The labels of all training samples, ``(n,)``.
    test_labels
        The labels of all test samples, ``(n_test,)``.
    seed
        The seed of the run.

    Returns
    -------
    list of numpy.ndarray
        The indices of each client's test samples, drawn with replacement. Every client has
        ``n_test // len(parts)`` of them, but at least one, so that the mean accuracy over the
        clients is the accuracy on all these samples. Classes without test samples are left out.
        If a client trains only on such classes, it is tested on all classes.
    """
    n_classes = int(max(labels.max(), test_labels.max())) + 1
    pools = [np.flatnonzero(test_labels == label) for label in range(n_classes)]
    has_samples = np.array([len(pool) > 0 for pool in pools])
    size = max(len(test_labels) // len(parts), 1)
    chosen = []
    for number, part in enumerate(parts):
        generator = stream(seed, "test", number)
        weight = np.bincount(labels[part], minlength=n_classes) * has_samples
        if weight.sum() == 0:
            weight = np.array([len(pool) for pool in pools])
        counts = generator.multinomial(size, weight / weight.sum())
        drawn = [generator.choice(pool, n) for pool, n in zip(pools, counts, strict=True) if n]
        chosen.append(np.concatenate(drawn))
    return chosen
