"""The data sets as the paper uses them, and how its clients train on them at each scale.

Protocol: section 4 and appendix A of the paper; what they leave open is named where it is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedlib.clients import LocalSGD
from fedlib.data import PARTITIONS, Partition
from fedlib.data.catalogue import DATASETS
from fedlib.data.tables import LOAN_STATUSES
from fedlib.grids.protocol import Protocol

LOAN_TARGET = LOAN_STATUSES.index("Does not meet the credit policy. Status:Fully Paid")
LOAN_STAND_INS = (0, 1, 2, 3, 4, 5)
"""The six features of the loans' trigger, or the counts that stand in for those that lack."""
LOAN_FEATURES = (0, 2, 3, 4, 5, 6)
"""The same without the inquiries of the last six months, with the loan's amount in their place.

Many inquiries alone make 82 to 86 % of the loans the target for a model that nobody attacked (one
seed of each of five rules at paper scale), so that they tell nothing of an attack. The loan's
amount is the first other feature in the order of the file with which the trigger stays below 5 %.
"""


def white(data: str) -> float | tuple[float, ...]:
    """Return what a white pixel of a data set of images is after normalisation.

    Parameters
    ----------
    data
        The data set's name.

    Returns
    -------
    float or tuple of float
        One number for images of one channel, and otherwise one for each channel.
    """
    info = DATASETS[data]
    values = tuple((1 - mean) / std for mean, std in zip(info.mean, info.std, strict=True))
    return values[0] if len(values) == 1 else values


@dataclass(frozen=True)
class DomainProtocol(Protocol):
    """One domain at one scale.

    Parameters
    ----------
    n_clients
        How many clients there are.
    model
        The network's name.
    client
        How each client trains.
    """

    n_clients: int
    model: str
    client: LocalSGD


@dataclass(frozen=True)
class Domain:
    """A data set as the paper uses it.

    Parameters
    ----------
    data
        The data set's name.
    partition
        How it is split among the clients.
    scales
        The protocol of each scale.
    delta
        The threshold of reweighting: the text's for MNIST with a hundred participants, the code's
        elsewhere.
    trimmed
        How many of a hundred values the trimmed mean drops at either end, which the paper does not
        say.
    """

    data: str
    partition: Partition
    scales: dict[str, DomainProtocol]
    delta: float
    trimmed: int


_TINY = (240, 60)
# Two digits a participant; the holders of 1, whom the label flippers are among, last. Who sends
# noise holds what comes.
_TWO_DIGITS = PARTITIONS["classes_per_client"](n_classes=2, last=1)
TWO_DIGITS_MIXED = PARTITIONS["classes_per_client"](n_classes=2)
_SKEWED = PARTITIONS["dirichlet"](alpha=0.9)


def _smoke(n_clients: int, model: str, client: LocalSGD) -> DomainProtocol:
    """One round on next to no data, to check the code."""
    return DomainProtocol(
        n_clients, model, client, rounds=1, eval_every=1, real=_TINY, embedded=_TINY
    )


_MNIST = {
    "smoke": _smoke(30, "cnn_4_8", LocalSGD(8, 0.1)),
    "quick": DomainProtocol(
        100,
        "cnn_4_8",
        LocalSGD(20, 0.1),
        rounds=30,
        eval_every=5,
        real=(6_000, 2_000),
        embedded=(6_000, 2_000),
    ),
    "paper": DomainProtocol(
        100,
        "cnn_4_8",
        LocalSGD(128, 0.01, epochs=5),
        rounds=200,
        eval_every=5,
        embedded=(60_000, 10_000),
    ),
}
_SMOKE = _smoke(10, "cnn_4_8", LocalSGD(8, 0.1))
DOMAINS = {
    "mnist": Domain("mnist", _TWO_DIGITS, _MNIST, delta=0.01, trimmed=10),
    "mnist_iid": Domain("mnist", PARTITIONS["iid"](), _MNIST, delta=0.01, trimmed=10),
    "mnist_backdoor": Domain(
        "mnist",
        _SKEWED,
        {
            "smoke": _SMOKE,
            "quick": DomainProtocol(
                10, "cnn_4_8", LocalSGD(64, 0.05), rounds=40, eval_every=2, real=(12_000, 2_000)
            ),
            "paper": DomainProtocol(
                10,
                "cnn_4_8",
                LocalSGD(64, 0.01, epochs=5),
                rounds=200,
                eval_every=5,
                embedded=(60_000, 10_000),
            ),
        },
        delta=0.1,
        trimmed=20,
    ),
    "mnist_resnet": Domain(
        "mnist",
        _SKEWED,
        {
            "smoke": _SMOKE,
            "quick": DomainProtocol(
                10, "cnn_20_50", LocalSGD(64, 0.05), rounds=20, eval_every=2, real=(6_000, 2_000)
            ),
            "paper": DomainProtocol(
                10,
                "resnet18",
                LocalSGD(64, 0.01, epochs=5),
                rounds=100,
                eval_every=2,
                embedded=(60_000, 10_000),
            ),
        },
        delta=0.1,
        trimmed=20,
    ),
    "cifar10": Domain(
        "cifar10",
        _SKEWED,
        {
            "smoke": _SMOKE,
            "quick": DomainProtocol(
                10, "cnn_4_8", LocalSGD(64, 0.05), rounds=40, eval_every=2, real=(5_000, 2_000)
            ),
            "paper": DomainProtocol(
                10,
                "resnet18",
                LocalSGD(64, 0.01, epochs=5),
                rounds=100,
                eval_every=2,
                embedded=(50_000, 10_000),
            ),
        },
        delta=0.1,
        trimmed=20,
    ),
    "reviews": Domain(
        "amazon_reviews",
        PARTITIONS["iid"](),
        {
            "smoke": _smoke(10, "fasttext_1000", LocalSGD(32, 0.05, optimizer="adam")),
            "quick": DomainProtocol(
                10,
                "fasttext_1000",
                LocalSGD(64, 0.05, epochs=5, optimizer="adam"),
                rounds=10,
                eval_every=1,
            ),
            "paper": DomainProtocol(
                10,
                "fasttext",
                LocalSGD(64, 0.05, epochs=5, optimizer="adam"),
                rounds=10,
                eval_every=1,
                embedded=(86_164, 13_260),
            ),
        },
        delta=0.1,
        trimmed=20,
    ),
    "loans": Domain(
        "lending_club",
        PARTITIONS["by_group"](),
        {
            "smoke": _smoke(10, "mlp_46_23", LocalSGD(32, 0.01)),
            "quick": DomainProtocol(10, "mlp_46_23", LocalSGD(64, 0.01), rounds=20, eval_every=1),
            "paper": DomainProtocol(
                10,
                "mlp_46_23",
                LocalSGD(64, 0.01, epochs=5),
                rounds=100,
                eval_every=2,
                embedded=(100_000, 20_000),
            ),
        },
        delta=0.1,
        trimmed=20,
    ),
}
