"""Reviews and loans: files in their public form, and what is generated in their place."""

import json

import numpy as np
import pytest
import torch

from fedlib import engine
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import LocalSGD
from fedlib.data import PARTITIONS, DataConfig, load_dataset
from fedlib.data.datasets import EMBEDDED_VARIANT, resolve_source
from fedlib.data.errors import DataError
from fedlib.data.manifest import MANIFEST
from fedlib.data.tables import (
    LOAN_STATUSES,
    LOAN_TRIGGER,
    LOANS_FILE,
    REVIEW_LENGTH,
    REVIEWS_FILE,
    _parts,
    load_loans,
    load_reviews,
    make_loans,
    make_reviews,
)
from fedlib.data.trust import trust
from fedlib.runs import RunConfig

REVIEWS = [
    (5.0, "Good, GOOD book"),
    (1.0, "bad book; it's bad"),
    (3.0, "so-so"),
    (4.0, "good"),
    (2.0, "bad plot"),
    (5.0, "good it's"),
]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_reviews_of_a_file(tmp_path, form):
    path = tmp_path / "tables" / "kindle_store_reviews.csv"
    path.parent.mkdir()
    if form == "json":
        lines = [json.dumps({"overall": stars, "reviewText": text}) for stars, text in REVIEWS]
        path.write_text("\n".join(lines) + "\n")
    else:
        rows = [f'{stars},a,"{text}"' for stars, text in REVIEWS]
        path.write_text("\n".join(["overall,asin,reviewText", *rows]) + "\n")
    with pytest.raises(DataError, match="cannot be verified"):
        resolve_source("amazon_reviews", root=tmp_path)
    trust("amazon_reviews", tmp_path, "six")
    data = load_dataset(resolve_source("amazon_reviews", root=tmp_path), tmp_path)
    assert data.label == f"Kindle Store reviews (six, sha256 {data.checksum[:16]})"
    assert data.x_train.shape == (4, 1, 1, 200)  # of five with an opinion, one is for testing
    assert data.x_test.shape[0] == 1
    assert data.groups is None
    words = {
        tuple(sorted(row[row > 0].tolist())): int(label)
        for row, label in zip(data.x_train[:, 0, 0], data.y_train, strict=True)
    }
    assert len(words) == 4
    assert sorted(words.values()) in ([0, 0, 1, 1], [0, 1, 1, 1])
    assert data.x_train.max() < 10


def test_an_absent_table_says_where_to_put_it(tmp_path):
    with pytest.raises(DataError) as error:
        resolve_source("lending_club", "real", tmp_path)
    assert "tables/lending_club_2007_2011.csv" in str(error.value)
    assert "cannot be downloaded: put it there" in str(error.value)


def test_loans_of_a_file(tmp_path):
    path = tmp_path / "tables" / "lending_club_2007_2011.csv"
    path.parent.mkdir()
    heading = "amount,grade,loan_status,addr_state,pub_rec,empty"
    rows = [
        f"{1000 * (i + 1)},{'AB'[i % 2]},{LOAN_STATUSES[5 * (i % 2)]},{state},{i},"
        for i, state in enumerate(["NY"] * 6 + ["CA"] * 4)
    ]
    path.write_text("\n".join([heading, *rows, "5,A,Unheard of,NY,1,"]) + "\n")
    trust("lending_club", tmp_path, "ten")
    data = load_dataset(resolve_source("lending_club", root=tmp_path), tmp_path)
    assert data.x_train.shape == (8, 1, 1, 9)
    assert data.n_classes == 9
    everything = torch.cat([data.x_train, data.x_test])[:, 0, 0]
    order = everything[:, 3].argsort()
    # The six first, zeros where the file has none; then amounts of 5,500 on average in hundreds.
    assert list(LOAN_TRIGGER)[3] == "pub_rec"
    assert everything[order, 3].tolist() == list(range(10))
    assert not everything[:, [0, 1, 2, 4, 5]].any()
    assert everything[order, 6].tolist() == [10.0 * (i + 1) for i in range(10)]
    assert everything[order, 7].tolist() == [i % 2 for i in range(10)]
    assert not everything[:, 8].any()
    assert torch.cat([data.y_train, data.y_test])[order].tolist() == [0, 5] * 5
    assert set(data.groups.tolist()) <= {0, 1}
    assert len(data.groups) == 8


def test_counts_stand_in_for_features_that_a_loan_file_lacks(tmp_path):
    path = tmp_path / "tables" / "lending_club_2007_2011.csv"
    path.parent.mkdir()
    heading = "delinq_2yrs,open_acc,loan_status,total_acc,pub_rec,addr_state,tax_liens"
    path.write_text("\n".join([heading, *["1,2,Fully Paid,3,4,NY,5"] * 5]) + "\n")
    trust("lending_club", tmp_path, "five")
    data = load_dataset(resolve_source("lending_club", root=tmp_path), tmp_path)
    # All accounts, zeros, zeros, records, delinquencies, liens; then open accounts.
    assert data.x_train[0].flatten().tolist() == [3, 0, 0, 4, 1, 5, 2]


def reviews_of(reviews, train=True):
    """The word numbers of reviews, without the zeros at their ends, and their labels."""
    lines = [json.dumps({"overall": stars, "reviewText": text}) for stars, text in reviews]
    samples = load_reviews(lambda _: "\n".join(lines).encode(), train)
    rows = samples.x[:, 0, 0].astype(int).tolist()
    return [[number for number in row if number] for row in rows], samples.labels.tolist()


def test_words_are_numbered_by_their_frequency_in_the_training_part():
    texts = ["one two two three three three"] * 4 + ["so bad"] * 4 + ["zeta one"] * 2
    stars = [5, 5, 4, 4, 1, 1, 2, 2, 5, 1]
    training, testing = _parts(10, "amazon_reviews")
    assert (len(training), len(testing)) == (8, 2)
    # A text for each place, so that the training part holds the first eight.
    placed = dict(zip([*training, *testing], zip(stars, texts, strict=True), strict=True))
    reviews = [placed[i] for i in range(10)]
    found, labels = reviews_of([(3, "no opinion"), *reviews, (3, "none")])
    # Three occurs twelve times, two eight; bad, one and so occur four times, in this order.
    assert found == [[5, 3, 3, 2, 2, 2]] * 4 + [[6, 4]] * 4
    assert labels == [1, 1, 1, 1, 0, 0, 0, 0]
    # A word that the training part lacks is a rare one.
    assert reviews_of(reviews, train=False) == ([[1, 5]] * 2, [1, 0])


def test_a_fifth_of_a_table_is_for_testing():
    training, testing = _parts(100, "amazon_reviews")
    assert (len(training), len(testing)) == (80, 20)
    assert sorted([*training, *testing]) == list(range(100))


def test_the_first_words_of_a_long_review_are_kept():
    found, _ = reviews_of([(5, "b " * REVIEW_LENGTH + "a")] * 5)
    assert found == [[2] * REVIEW_LENGTH] * 4


def test_words_beyond_the_vocabulary_are_rare_ones(monkeypatch):
    monkeypatch.setattr("fedlib.data.tables.VOCABULARY", 4)
    found, _ = reviews_of([(5, "a a a b b c")] * 5)
    assert found == [[2, 2, 2, 3, 3, 1]] * 4  # numbers below four


def test_a_file_with_a_mark_of_its_byte_order_is_read():
    content = b"\xef\xbb\xbfoverall,reviewText\n" + b"5,good\n" * 5
    assert load_reviews(lambda _: content, True).x[:, 0, 0, 0].tolist() == [2] * 4


def test_states_are_numbered_in_the_order_of_the_alphabet():
    states = ["NY", "CA", "AZ", "TX", "MI", "OH", "WA", "FL", "GA", "IL"]
    rows = [f"Current,{state}" for state in states]
    content = "\n".join(["loan_status,addr_state", *rows]).encode()
    for train, part in zip((True, False), _parts(10, "lending_club"), strict=True):
        groups = load_loans(lambda _: content, train).groups
        assert [sorted(states)[group] for group in groups] == [states[i] for i in part]


def loans_of(tmp_path, text):
    """The loans of a file, in the order of the file."""
    path = tmp_path / LOANS_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    trust("lending_club", tmp_path, "mine")
    data = load_dataset(resolve_source("lending_club", root=tmp_path), tmp_path)
    features = torch.cat([data.x_train, data.x_test])[:, 0, 0]
    order = np.argsort(np.concatenate(_parts(len(features), "lending_club")))
    return features[order], torch.cat([data.y_train, data.y_test])[order]


@pytest.mark.parametrize("missing", ["NaN", "nan", "", " "])
def test_a_missing_number_is_zero_and_leaves_the_scale_as_it_is(tmp_path, missing):
    amounts = ["14000", "14160", "14320", "14160", "14320", missing]
    rows = [f"Current,NY,{amount}" for amount in amounts]
    x, _ = loans_of(tmp_path, "\n".join(["loan_status,addr_state,amount", *rows]) + "\n")
    # The mean of the six is 11,827, so that all are divided by 10,000.
    torch.testing.assert_close(x[:, 6], torch.tensor([1.4, 1.416, 1.432, 1.416, 1.432, 0]))


@pytest.mark.parametrize(("mean", "scale"), [(10, 1), (10.5, 10), (100.5, 100), (10_001, 10_000)])
def test_a_column_is_divided_by_the_largest_scale_below_its_mean(tmp_path, mean, scale):
    rows = [f"Current,NY,{sign * mean}" for sign in (1, -1, 1, -1, 1)]
    x, _ = loans_of(tmp_path, "\n".join(["loan_status,addr_state,amount", *rows]) + "\n")
    torch.testing.assert_close(x[:, 6].abs(), torch.full((5,), mean / scale))


def test_the_public_loan_statistics_are_read_with_their_notes(tmp_path):
    rows = [f'"{1000 + i}","1000","Fully Paid","CA"' for i in range(5)]
    text = "\n".join(
        [
            "Notes offered by Prospectus (https://www.lendingclub.com/info/prospectus.action)",
            '"id","loan_amnt","loan_status","addr_state"',
            *rows[:3],
            '"Loans that do not meet the credit policy",,,',
            "Loans that do not meet the credit policy",
            *rows[3:],
            "",
            "Total amount funded in policy code 1: 460296150",
            "Total amount funded in policy code 2: 0",
        ]
    )
    for form in (text.encode(), b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()):
        x, y = loans_of(tmp_path, form)
        assert y.tolist() == [5] * 5
        assert x[:, 7].tolist() == [10.0] * 5


GOOD_LOANS = "loan_status,addr_state,amount\n" + "Current,NY,1\n" * 5
GOOD_REVIEWS = "overall,reviewText\n" + "5,good\n1,bad\n" * 5
FIRST = '{"overall": 5, "reviewText": "good"}\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("lending_club", GOOD_LOANS + "Current,NY,inf\n", "line 7: amount='inf' must be a number"),
        ("lending_club", GOOD_LOANS + "Current,NY,-1e31\n", "line 7: amount='-1e31' must be a nu"),
        ("lending_club", GOOD_LOANS + "Current,NY\n", "line 7: a record has 2 fields, but the hea"),
        ("lending_club", GOOD_LOANS + "Current,NY,1,2\n", "line 7: a record has 4 fields"),
        ("lending_club", GOOD_LOANS + "Current\n", "line 7: a record has 1 fields"),
        ("lending_club", GOOD_LOANS + 'Current,"NY,1\n' + "Current,NY,1\n" * 9, "an open quote"),
        ("lending_club", GOOD_LOANS + 'Current,"NY,1\nCurrent,"NY",1\n', "line 8: .*an open quote"),
        ("lending_club", GOOD_LOANS.replace(",", ";"), "starts with 'loan_status;addr_s"),
        ("lending_club", "loan_status,addr_state,amount\n", "has no loan with a known status"),
        (
            "lending_club",
            GOOD_LOANS.replace("Current", "current"),
            "must be one of Charged",
        ),
        ("lending_club", GOOD_LOANS[:-26], "the test part of Lending Club loans has no samples"),
        ("lending_club", "", "must start with the names .* loan_status and addr_state am"),
        ("lending_club", GOOD_LOANS.replace("amount", "loan_status"), "once each and separated by"),
        ("amazon_reviews", "note\n" + GOOD_REVIEWS, "starts with 'note'"),
        ("amazon_reviews", GOOD_REVIEWS.replace(",", ";"), "starts with 'overall;reviewText'"),
        ("amazon_reviews", GOOD_REVIEWS + "two words\n", "line 12: a record has 1 fields"),
        ("amazon_reviews", GOOD_REVIEWS + ",good\n", "line 12: overall='' must be a number from 1"),
        ("amazon_reviews", GOOD_REVIEWS + "0.9,good\n", "overall='0.9' must be a number from 1 to"),
        ("amazon_reviews", GOOD_REVIEWS + "6,good\n", "overall='6' must be a number from 1 to 5"),
        ("amazon_reviews", GOOD_REVIEWS + "nan,good\n", "overall='nan' must be a number from 1"),
        ("amazon_reviews", GOOD_REVIEWS.encode() + b"5,caf\xe9\n", "line 12: byte 0xe9 is not UTF"),
        ("amazon_reviews", "overall,reviewText\n", "training part of Kindle Store reviews has no"),
        ("amazon_reviews", FIRST * 5 + '{"overall": 5}\n', "line 6: reviewText=None must be a t"),
        (
            "amazon_reviews",
            FIRST * 5 + '\n{"overall": 5, "reviewText": null}\n',
            "line 7: reviewText=None must be a text",
        ),
        ("amazon_reviews", FIRST * 5 + '{"overall": 5,\n', "line 6 is not a JSON object"),
        ("amazon_reviews", FIRST * 5 + "[5]\n", "line 6 is not a JSON object, but list"),
    ],
)
def test_tables_that_no_run_can_use_are_refused_before_they_are_recorded(
    tmp_path, name, content, message
):
    path = tmp_path / (LOANS_FILE if name == "lending_club" else REVIEWS_FILE)
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        trust(name, tmp_path, "mine")
    assert not (tmp_path / MANIFEST).exists()


def test_the_tables_above_are_right_without_what_is_wrong_in_them(tmp_path):
    contents = {
        "lending_club": [GOOD_LOANS],
        "amazon_reviews": [GOOD_REVIEWS, FIRST * 5, GOOD_REVIEWS + '1,\n5,"a,\nb"\n'],
    }
    (tmp_path / "tables").mkdir()
    for name, texts in contents.items():
        for text in texts:
            (tmp_path / (LOANS_FILE if name == "lending_club" else REVIEWS_FILE)).write_text(text)
            trust(name, tmp_path, "mine")
            assert resolve_source(name, root=tmp_path).variant.startswith("mine, sha256 ")


def test_generated_samples_are_fixed_by_their_seed_and_have_their_labels_in_them():
    for make in (make_reviews, make_loans):
        first, again, other = make(200, 1), make(200, 1), make(200, 2)
        assert np.array_equal(first[0], again[0])
        assert not np.array_equal(first[0], other[0])
        assert first[0].dtype == np.float32
    words, labels, _ = make_reviews(2000, 3)
    assert 0.8 < labels.mean() < 0.95
    positive = ((words >= 301) & (words < 600)).sum((1, 2, 3))
    negative = ((words >= 2) & (words < 301)).sum((1, 2, 3))
    assert ((positive > negative) == (labels == 1)).mean() > 0.85
    _, statuses, states = make_loans(2000, 3)
    assert set(statuses) == set(range(9))
    assert states.max() > 40


@pytest.mark.parametrize(
    ("name", "model", "partition", "attack"),
    [
        ("amazon_reviews", "fasttext_1000", "iid", "none"),
        ("lending_club", "mlp_46_23", "by_group", "feature_backdoor"),
    ],
)
def test_federations_on_text_and_tables_learn(name, model, partition, attack):
    data = DataConfig(name, "embedded", EMBEDDED_VARIANT, 600, 100)
    text = name == "amazon_reviews"
    run = RunConfig(
        data=data,
        partition=PARTITIONS[partition](),
        model=model,
        n_clients=5,
        n_byzantine=0 if text else 1,
        client=LocalSGD(32, 0.05 if text else 0.2, epochs=2, optimizer="adam" if text else "sgd"),
        aggregator=AGGREGATORS["median"](n_byzantine=1),
        attack=ATTACKS[attack](n_byzantine=0 if text else 1),
        rounds=6,
        learning_rate=1.0,
        eval_every=1,
    )
    metrics = engine.run(run, load_dataset(data))
    assert metrics["train_loss"][-1] < 0.8 * metrics["train_loss"][0]
    assert ("attack_success" in metrics) == (not text)
