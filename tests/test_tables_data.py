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
from fedlib.data.files import DataError, write_manifest
from fedlib.data.tables import LOAN_STATUSES, LOAN_TRIGGER, make_loans, make_reviews
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
    write_manifest(tmp_path, "amazon_reviews", "six")
    data = load_dataset(resolve_source("amazon_reviews", root=tmp_path), tmp_path)
    assert data.label == "Kindle Store reviews (six)"
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
    write_manifest(tmp_path, "lending_club", "ten")
    data = load_dataset(DataConfig("lending_club", "real", "ten"), tmp_path)
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
    write_manifest(tmp_path, "lending_club", "five")
    data = load_dataset(DataConfig("lending_club", "real", "five"), tmp_path)
    # All accounts, zeros, zeros, records, delinquencies, liens; then open accounts.
    assert data.x_train[0].flatten().tolist() == [3, 0, 0, 4, 1, 5, 2]


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
