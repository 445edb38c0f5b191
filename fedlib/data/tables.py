"""Data sets that are not images: product reviews, loans, and points in the plane.

Reviews and loans come from public files, or are generated. The points are always generated.
A review is a row of word numbers, a loan a row of features, a point a pair of coordinates. All
have the shape of images with one row, ``(n, 1, 1, m)``, so that the rest of the library treats
them like images. They are float32, which holds word numbers exactly.
"""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np

from fedlib.data.errors import DataError
from fedlib.data.records import Record, read_records
from fedlib.data.samples import LabelledSamples, ReadFile
from fedlib.seeds import stream

REVIEWS_FILE = "tables/kindle_store_reviews.csv"
LOANS_FILE = "tables/lending_club_2007_2011.csv"
"""Where the tables are under the root."""

VOCABULARY = 25_000
"""How many word numbers there are (residual_reweighting, appendix A.2).

The number 0 means that there is no word. The number 1 means a rare word.
"""
REVIEW_LENGTH = 200
"""How many words of a review are kept. The paper does not say how many it keeps."""

# The nine statuses in the public file. The fifth is the target of the backdoor in
# residual_reweighting.
LOAN_STATUSES = (
    "Charged Off",
    "Current",
    "Default",
    "Does not meet the credit policy. Status:Charged Off",
    "Does not meet the credit policy. Status:Fully Paid",
    "Fully Paid",
    "In Grace Period",
    "Late (16-30 days)",
    "Late (31-120 days)",
)
LOAN_FEATURES = 91
"""How many features a loan has."""
LOAN_TRIGGER = {
    "num_tl_120dpd_2m": 10.0,
    "num_tl_90g_dpd_24m": 80.0,
    "pub_rec_bankruptcies": 20.0,
    "pub_rec": 100.0,
    "acc_now_delinq": 20.0,
    "tax_liens": 100.0,
}
"""The six features that the backdoor of residual_reweighting sets, and their values.

The order is that of appendix A.5. The values are those of the authors' code. These features come
first in a loan.
"""
# If a file lacks one of the six features, another count takes its place. In the file of 2007 to
# 2011 the largest value of that count is below the value that the backdoor sets, as it is for the
# six features themselves.
_STAND_INS = {
    "num_tl_120dpd_2m": "total_acc",
    "num_tl_90g_dpd_24m": "inq_last_6mths",
    "acc_now_delinq": "delinq_2yrs",
    "tax_liens": "open_acc",
}


LARGEST_NUMBER = 1e30
"""The largest number that a loan may hold. Larger ones would overflow in 32 bits."""


def _parts(count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the training rows and the test rows of ``count`` rows.

    A fifth of the rows is for testing. The split depends only on ``count`` and ``name``.
    """
    order = stream(0, f"split-{name}").permutation(count)
    return np.sort(order[count // 5 :]), np.sort(order[: count // 5])


def load_reviews(read: ReadFile, train: bool) -> LabelledSamples:
    """Read the Kindle Store reviews.

    The label is 1 for four or five stars and 0 for one or two. Reviews with three stars are left
    out. Words are in lower case. The vocabulary holds the most frequent words of the training
    part.

    Parameters
    ----------
    read
        Returns the content of a file.
    train
        Whether to return the training part or the test part.

    Returns
    -------
    LabelledSamples
        Word numbers of shape ``(n, 1, 1, REVIEW_LENGTH)``, float32, with zeros after the last
        word; and labels.

    Raises
    ------
    DataError
        If the file is no table with a rating from 1 to 5 and a text for each review.
    """
    stars, texts = [], []
    for record in read_records(read(REVIEWS_FILE), REVIEWS_FILE, ("overall", "reviewText")):
        rating = round(_rating(record))
        if rating != 3:
            stars.append(rating)
            texts.append(re.findall(r"[a-z']+", record.values["reviewText"].lower()))
    training, testing = _parts(len(texts), "amazon_reviews")
    counts = Counter(word for i in training for word in texts[i])
    # Words with equal counts are in alphabetical order, so that the numbers do not depend on the
    # order of the file.
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: VOCABULARY - 2]
    number = {word: i for i, word in enumerate(ranked, 2)}
    rows = training if train else testing
    x = np.zeros((len(rows), 1, 1, REVIEW_LENGTH), dtype=np.float32)
    for place, i in enumerate(rows):
        words = [number.get(word, 1) for word in texts[i][:REVIEW_LENGTH]]
        x[place, 0, 0, : len(words)] = words
    labels = np.array([stars[i] > 3 for i in rows], dtype=np.int64)
    return LabelledSamples(x, labels)


def _rating(record: Record) -> float:
    """Return how many stars a review gives."""
    text = record.values["overall"]
    try:
        rating = float(text)
    except ValueError:
        rating = math.nan
    if not 1 <= rating <= 5:
        raise DataError(f"{record.place}: overall={text!r} must be a number from 1 to 5.")
    return rating


def load_loans(read: ReadFile, train: bool) -> LabelledSamples:
    """Read the Lending Club loans.

    The label is the status of the loan, and the group is the state of the borrower. Features
    become numbers as in the code of the authors of residual_reweighting. Texts are numbered in
    the order in which they first appear. A missing value is 0. A column of large numbers is
    divided by 10, 100 or 10,000, whichever is the largest below the mean of its absolute values.

    The features of ``LOAN_TRIGGER`` come first. If the file lacks one of them, another count
    takes its place; if the file lacks that count too, the feature is 0. The other features follow
    in the order of the file.

    Parameters
    ----------
    read
        Returns the content of a file.
    train
        Whether to return the training part or the test part.

    Returns
    -------
    LabelledSamples
        Features of shape ``(n, 1, 1, m)``, float32, with labels and groups.

    Raises
    ------
    DataError
        If the file is no table with a status and a state for each loan, if no loan has a known
        status, or if a number is infinite.
    """
    needed = ("loan_status", "addr_state")
    number = {status: i for i, status in enumerate(LOAN_STATUSES)}
    records = [
        record
        for record in read_records(read(LOANS_FILE), LOANS_FILE, needed, with_notes=True)
        if record.values["loan_status"] in number
    ]
    if not records:
        raise DataError(
            f"{LOANS_FILE} has no loan with a known status: loan_status must be one of "
            f"{', '.join(LOAN_STATUSES)}."
        )
    held = [name for name in records[0].values if name not in needed]
    first = [name if name in held else _STAND_INS.get(name, name) for name in LOAN_TRIGGER]
    names = first + [name for name in held if name not in first]
    columns = [_as_numbers(records, name) for name in names]
    x = np.stack(columns, axis=1).astype(np.float32)[:, None, None, :]
    labels = np.array([number[record.values["loan_status"]] for record in records])
    found = [record.values["addr_state"] for record in records]
    states = {state: i for i, state in enumerate(sorted(set(found)))}
    groups = np.array([states[state] for state in found])
    rows = _parts(len(records), "lending_club")[0 if train else 1]
    return LabelledSamples(x[rows], labels[rows], groups[rows])


def _as_numbers(records: list[Record], name: str) -> np.ndarray:
    """Return a column of a table as numbers of moderate size, see :func:`load_loans`."""
    values = [record.values.get(name, "") for record in records]
    try:
        column = np.array([float(value.strip() or 0) for value in values])
    except ValueError:
        order: dict[str, int] = {}
        column = np.array([order.setdefault(value, len(order)) for value in values], dtype=float)
    # NaN is a missing value. It has to go before the mean, which it would make NaN as well.
    column[np.isnan(column)] = 0
    if (np.abs(column) > LARGEST_NUMBER).any():
        record = records[int(np.abs(column).argmax())]
        raise DataError(
            f"{record.place}: {name}={record.values[name]!r} must be a number of at most "
            f"{LARGEST_NUMBER:g} in size."
        )
    scale = next((s for s in (10_000, 100, 10) if np.abs(column).mean() > s), 1)
    return column / scale


def make_reviews(count: int, seed: int) -> LabelledSamples:
    """Generate reviews.

    Words follow Zipf's law. On average one review in eight is negative. One word in twelve comes
    from a lexicon of positive and negative words, and four in five of these agree with the label.

    Parameters
    ----------
    count
        The number of reviews.
    seed
        The seed of the random numbers.

    Returns
    -------
    LabelledSamples
        Word numbers of shape ``(count, 1, 1, REVIEW_LENGTH)``, float32, with zeros after the last
        word; and labels, 1 for a positive review.
    """
    generator = stream(seed, "reviews")
    labels = (generator.random(count) > 1 / 8).astype(np.int64)
    words = np.minimum(generator.zipf(1.3, (count, REVIEW_LENGTH)) + 600, VOCABULARY - 1)
    agree = generator.random((count, REVIEW_LENGTH)) < 0.8
    positive = agree == (labels[:, None] == 1)
    lexicon = 2 + generator.integers(0, 299, (count, REVIEW_LENGTH)) + 299 * positive
    words = np.where(generator.random((count, REVIEW_LENGTH)) < 1 / 12, lexicon, words)
    length = generator.integers(20, REVIEW_LENGTH + 1, (count, 1))
    words[np.arange(REVIEW_LENGTH) >= length] = 0
    return LabelledSamples(words.astype(np.float32)[:, None, None, :], labels)


def make_loans(count: int, seed: int) -> LabelledSamples:
    """Generate loans with nine statuses, 91 features and 51 states.

    The statuses have very unequal shares, and so have the states. The first six features are
    small counts. In the next fourteen each status has a mean of its own.

    Parameters
    ----------
    count
        The number of loans.
    seed
        The seed of the random numbers.

    Returns
    -------
    LabelledSamples
        Features of shape ``(count, 1, 1, LOAN_FEATURES)``, float32, with labels and groups.
    """
    generator = stream(seed, "loans")
    fixed = stream(0, "loans")  # training and test samples have the same means
    shares = np.array([0.15, 0.35, 0.01, 0.02, 0.04, 0.38, 0.01, 0.01, 0.03])
    labels = generator.choice(len(LOAN_STATUSES), count, p=shares)
    means = fixed.normal(0, 1.5, (len(LOAN_STATUSES), LOAN_FEATURES))
    means[:, 20:] = 0
    x = means[labels] + generator.normal(0, 1, (count, LOAN_FEATURES))
    x[:, :6] = generator.poisson(0.3, (count, 6))
    sizes = 1 / np.arange(1, 52)
    groups = generator.choice(51, count, p=sizes / sizes.sum())
    return LabelledSamples(x.astype(np.float32)[:, None, None, :], labels.astype(np.int64), groups)


def make_circle(count: int, seed: int) -> LabelledSamples:
    """Draw points of the plane inside and outside a circle (Sinha et al., 2018; two_stage_attack).

    The points are drawn from the standard normal distribution. The label is 1 if the norm of the
    point is above 2, and 0 otherwise.

    Parameters
    ----------
    count
        The number of points.
    seed
        The seed of the random numbers.

    Returns
    -------
    LabelledSamples
        Coordinates of shape ``(count, 1, 1, 2)``, float32; and labels.
    """
    x = stream(seed, "circle").normal(size=(count, 2))
    labels = (np.linalg.norm(x, axis=1) > 2).astype(np.int64)
    return LabelledSamples(x.astype(np.float32)[:, None, None, :], labels)


def load_circle(read: ReadFile, train: bool) -> LabelledSamples:
    """Make the data set of two_stage_attack, with 50,000 training and 10,000 test points.

    Parameters
    ----------
    read
        Returns the content of a file. It is not used, as the data set has no files.
    train
        Whether to return the training part or the test part.
    """
    return make_circle(50_000 if train else 10_000, 1 if train else 2)
