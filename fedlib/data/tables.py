"""Text, tables and points: product reviews and loans, from public files or generated, and a circle.

A review is a row of word numbers, a loan a row of features; both are laid out as images of one row,
``(n, 1, 1, m)`` float32 (which holds word numbers exactly), so that every room takes them.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fedlib.seeds import stream

Loaded = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Samples, labels ``(n,)`` and, where there are any, groups ``(n,)``."""

VOCABULARY = 25_000
"""Numbers of words: 0 is no word, 1 a rare one (residual_reweighting, appendix A.2)."""
REVIEW_LENGTH = 200
"""Words of a review that are kept; the paper does not say."""

# The nine of the public file. The last-but-four is the backdoor's target in residual_reweighting.
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
LOAN_TRIGGER = {
    "num_tl_120dpd_2m": 10.0,
    "num_tl_90g_dpd_24m": 80.0,
    "pub_rec_bankruptcies": 20.0,
    "pub_rec": 100.0,
    "acc_now_delinq": 20.0,
    "tax_liens": 100.0,
}
"""The six backdoored features of residual_reweighting, which come first, in the order of appendix
A.5, and what the authors' code sets them to."""
# Counts that stand in for those that a file lacks. In the file of 2007 to 2011 each one's largest
# value is below what the code sets the absent one to, as it is of the six themselves.
_STAND_INS = {
    "num_tl_120dpd_2m": "total_acc",
    "num_tl_90g_dpd_24m": "inq_last_6mths",
    "acc_now_delinq": "delinq_2yrs",
    "tax_liens": "open_acc",
}


def _parts(count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows: a fifth, fixed for good, is for testing."""
    order = stream(0, f"split-{name}").permutation(count)
    return np.sort(order[count // 5 :]), np.sort(order[: count // 5])


def _records(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV file with a heading, or of a file of one JSON object a line."""
    with path.open(encoding="utf-8", newline="") as handle:
        json_lines = handle.read(1) == "{"
        handle.seek(0)
        if json_lines:
            yield from (json.loads(line) for line in handle if line.strip())
        else:
            yield from csv.DictReader(handle)


def load_reviews(root: Path, train: bool) -> Loaded:
    """Kindle Store reviews: 1 for four or five stars, 0 for one or two; three are left out.

    Words are lower-cased; the vocabulary is the most frequent ones of the training part.
    """
    stars, texts = [], []
    for record in _records(root / "tables" / "kindle_store_reviews.csv"):
        rating = round(float(record["overall"]))
        if rating != 3:
            stars.append(rating)
            texts.append(re.findall(r"[a-z']+", str(record["reviewText"]).lower()))
    training, testing = _parts(len(texts), "amazon_reviews")
    counts = Counter(word for i in training for word in texts[i])
    # Equal counts in alphabetical order: the numbers do not depend on the file's order.
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: VOCABULARY - 2]
    number = {word: i for i, word in enumerate(ranked, 2)}
    rows = training if train else testing
    x = np.zeros((len(rows), 1, 1, REVIEW_LENGTH), dtype=np.float32)
    for place, i in enumerate(rows):
        words = [number.get(word, 1) for word in texts[i][:REVIEW_LENGTH]]
        x[place, 0, 0, : len(words)] = words
    labels = np.array([stars[i] > 3 for i in rows], dtype=np.int64)
    return x, labels, None


def load_loans(root: Path, train: bool) -> Loaded:
    """Lending Club loans: status by features, grouped by state.

    As the authors of residual_reweighting code them: text by first appearance, nothing as 0, and a
    column of large numbers divided by 10, 100 or 10,000, whichever is the largest below its mean.
    The features of ``LOAN_TRIGGER`` come first: in the place of one that the file lacks another
    count, and where it lacks that too, zeros. Then come the others in the order of the file.
    """
    records = list(_records(root / "tables" / "lending_club_2007_2011.csv"))
    number = {status: i for i, status in enumerate(LOAN_STATUSES)}
    records = [record for record in records if record["loan_status"] in number]
    held = [name for name in records[0] if name not in ("loan_status", "addr_state")]
    first = [name if name in held else _STAND_INS.get(name, name) for name in LOAN_TRIGGER]
    names = first + [name for name in held if name not in first]
    columns = [_coded([record.get(name, "") for record in records]) for name in names]
    x = np.stack(columns, axis=1).astype(np.float32)[:, None, None, :]
    labels = np.array([number[record["loan_status"]] for record in records])
    states = sorted({record["addr_state"] for record in records})
    groups = np.array([states.index(record["addr_state"]) for record in records])
    rows = _parts(len(records), "lending_club")[0 if train else 1]
    return x[rows], labels[rows], groups[rows]


def _coded(values: list[str]) -> np.ndarray:
    """A column as numbers of moderate size."""
    try:
        column = np.array([float(value or 0) for value in values])
    except ValueError:
        order: dict[str, int] = {}
        column = np.array([order.setdefault(value, len(order)) for value in values], dtype=float)
    scale = next((s for s in (10_000, 100, 10) if np.abs(column).mean() > s), 1)
    return np.nan_to_num(column / scale)


def make_reviews(count: int, seed: int) -> Loaded:
    """Generated reviews: words by Zipf's law, some from a lexicon of sentiment, with noise.

    One review in eight is negative. Of twelve words one is of the lexicon, and four of five of
    these say what the label says.
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
    return words.astype(np.float32)[:, None, None, :], labels, None


def make_loans(count: int, seed: int) -> Loaded:
    """Generated loans: nine statuses of very unequal shares, 91 features, 51 states.

    Every status has a mean of its own in twenty of the features; the first six are small counts.
    """
    generator = stream(seed, "loans")
    fixed = stream(0, "loans")  # the world is the same for training and test
    shares = np.array([0.15, 0.35, 0.01, 0.02, 0.04, 0.38, 0.01, 0.01, 0.03])
    labels = generator.choice(len(LOAN_STATUSES), count, p=shares)
    means = fixed.normal(0, 1.5, (len(LOAN_STATUSES), LOAN_FEATURES))
    means[:, 20:] = 0
    x = means[labels] + generator.normal(0, 1, (count, LOAN_FEATURES))
    x[:, :6] = generator.poisson(0.3, (count, 6))
    sizes = 1 / np.arange(1, 52)
    groups = generator.choice(51, count, p=sizes / sizes.sum())
    return x.astype(np.float32)[:, None, None, :], labels.astype(np.int64), groups


def make_circle(count: int, seed: int) -> Loaded:
    """Points of the plane, inside or outside a circle (Sinha et al., 2018; two_stage_attack).

    ``x ~ N(0, I)``; label 1 if its norm is above 2, else 0.
    """
    x = stream(seed, "circle").normal(size=(count, 2))
    labels = (np.linalg.norm(x, axis=1) > 2).astype(np.int64)
    return x.astype(np.float32)[:, None, None, :], labels, None


def load_circle(root: Path, train: bool) -> Loaded:
    """The synthetic set of two_stage_attack: 50,000 points to learn from, 10,000 to test on."""
    return make_circle(50_000 if train else 10_000, 1 if train else 2)
