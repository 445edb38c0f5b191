"""Tests of the published numbers and of the program that transcribes them."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from fedlib.evidence.published import load_published, published_slugs
from tools.transcribe import centered_clipping as transcribe

SETTINGS = (
    "fmnist_iid",
    "cifar10_iid",
    "cifar100_iid",
    "mnist_noniid",
    "fmnist_noniid",
    "cifar10_noniid",
)
ATTACKS = ("rop", "alie", "ipm", "label_flip", "bit_flip")
AGGREGATORS = ("cc_tau0.1", "cc_tau1", "rfa", "tm")
MOMENTA = (0.0, 0.9, 0.99)


def test_counts_per_item() -> None:
    counts = Counter(value.item for value in load_published("centered_clipping"))
    assert counts == {"table_ii": 3, "table_iii": 12, "table_iv": 360}


def test_no_duplicates() -> None:
    keys = [
        (v.item, v.setting, v.attack, v.aggregator, v.momentum, v.quantity)
        for v in load_published("centered_clipping")
    ]
    assert len(set(keys)) == len(keys)


def test_ranges_and_units() -> None:
    for value in load_published("centered_clipping"):
        if value.item == "table_iv":
            assert value.unit == "percent"
            assert 0 <= value.value <= 100
            assert value.spread is not None and 0 <= value.spread <= 50
        else:
            assert value.unit == "cosine"
            assert -1 <= value.value <= 1
            assert value.spread is None


def test_table_iv_is_a_full_cross_product() -> None:
    cells = {
        (v.setting, v.attack, v.aggregator, v.momentum)
        for v in load_published("centered_clipping", "table_iv")
    }
    assert cells == set(itertools.product(SETTINGS, ATTACKS, AGGREGATORS, MOMENTA))


@pytest.mark.parametrize(
    ("setting", "attack", "aggregator", "momentum", "value", "spread"),
    [
        ("fmnist_iid", "rop", "cc_tau0.1", 0, 68.52, 0.73),
        ("fmnist_iid", "label_flip", "tm", 0, 60.91, 25.56),
        ("cifar10_iid", "rop", "cc_tau0.1", 0.9, 39.82, 3),
        ("cifar10_iid", "alie", "cc_tau1", 0.99, 84.59, 0.19),
        ("cifar100_iid", "rop", "rfa", 0, 9, 0.12),
        ("mnist_noniid", "alie", "rfa", 0.9, 51.47, 41.37),
        ("mnist_noniid", "bit_flip", "tm", 0, 74.68, 37.47),
        ("fmnist_noniid", "rop", "cc_tau0.1", 0.99, 42, 32),
        ("fmnist_noniid", "alie", "cc_tau0.1", 0.99, 10, 0),
        ("cifar10_noniid", "bit_flip", "tm", 0.99, 74.31, 1.28),
    ],
)
def test_table_iv_as_read_by_eye(
    setting: str, attack: str, aggregator: str, momentum: float, value: float, spread: float
) -> None:
    (found,) = (
        v
        for v in load_published("centered_clipping", "table_iv")
        if (v.setting, v.attack, v.aggregator, v.momentum)
        == (setting, attack, aggregator, momentum)
    )
    assert (found.value, found.spread) == (value, spread)


def test_cosines_as_read_by_eye() -> None:
    similarity = [v.value for v in load_published("centered_clipping", "table_ii")]
    assert similarity == [0.94, 0.995, 0.999]
    cosines = {
        (v.aggregator, v.quantity.rsplit("_", 1)[1], v.momentum): v.value
        for v in load_published("centered_clipping", "table_iii")
    }
    assert cosines["cc_tau1", "benign", 0.0] == -0.03
    assert cosines["cc_tau0.1", "benign", 0.99] == 0.3
    assert cosines["cc_tau0.1", "byzantine", 0.0] == 0.94
    assert cosines["cc_tau1", "byzantine", 0.99] == 0.27


def test_unknown_names_are_refused() -> None:
    assert "centered_clipping" in published_slugs()
    with pytest.raises(ValueError, match=r"'no_such_paper'.*centered_clipping"):
        load_published("no_such_paper")
    with pytest.raises(ValueError, match=r"'table_ix'.*table_ii, table_iii, table_iv"):
        load_published("centered_clipping", "table_ix")


COSINES = r"""
TABLE II: a caption above its table

	$\beta = 0$	$\beta = 0.5$
Similarity	.25	.5

Prose	with a tab.

TABLE III: another caption

		Benign		Byzantine (ROP)
β	0	0.5	0	0.5
$\tau = 0.2$	-0.1	0.1	0.2	0.3
$\tau = 3$	0.4	0.5	0.6	1
"""

ACCURACIES = r"""
Dataset	Attack	CC $\tau = 0.2$			$CC \tau = 3$	RFA	TM
Dataset		β=0	β= 0.5	β=0	β =0.5	β=0	β= 0.5	β=0	β=0.5
MNIST *	ROP	1.0 ± 0.5	2	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	$8.0~\pm~1.5$
	ALIE	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
	IPM	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
	Label flip	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
	Bit flip	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
-	ROP	11 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
	ALIE	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
CIFAR10	IPM	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
	Label flip	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	8 ± 1
	Bit flip	1 ± 1	2 ± 1	3 ± 1	4 ± 1	5 ± 1	6 ± 1	7 ± 1	99.0 ± 0

TABLE IV: a caption below its table
""".replace("\t2\t", "\t2.50 ± 0.1\t")


def test_parser_reads_cosines() -> None:
    rows = transcribe.table_ii(COSINES)
    assert [(row.momentum, row.value) for row in rows] == [("0", ".25"), ("0.5", ".5")]
    rows = transcribe.table_iii(COSINES)
    assert len(rows) == 8
    assert rows[2][3:7] == ("cc_tau0.2", "0", "cosine_to_reference_byzantine", "0.2")
    assert rows[5][3:7] == ("cc_tau3", "0.5", "cosine_to_reference_benign", "0.5")


def test_parser_reads_accuracies() -> None:
    rows = transcribe.table_iv(ACCURACIES)
    assert len(rows) == 2 * 5 * 4 * 2
    assert [row.setting for row in rows[::40]] == ["mnist_noniid", "cifar10_iid"]
    assert rows[0][2:] == ("rop", "cc_tau0.2", "0", "test_accuracy", "1.0", "0.5", "percent")
    assert rows[1][3:5] + rows[1][6:8] == ("cc_tau0.2", "0.5", "2.50", "0.1")
    assert rows[2][3:5] == ("cc_tau3", "0")
    assert rows[7][6:8] == ("8.0", "1.5")
    assert rows[40].value == "11"
    assert rows[-1][2:8] == ("bit_flip", "tm", "0.5", "test_accuracy", "99.0", "0")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TABLE IV:", "TABLE V:", "0 lines start with this caption"),
        ("\n\nTABLE IV:", "\n\nProse.\n\nTABLE IV:", "no tab-separated table"),
        ("	1 ± 1	2 ± 1", "	1 ± 1", "7 cells, not 8"),
        ("1.0 ± 0.5", "1.0 0.5", "not of the form"),
        ("	Bit flip", "	Sign flip", "are not"),
        ("CIFAR10", "", "labels"),
        ("MNIST *", "SVHN", "labels"),
        ("RFA", "Krum", "not an aggregator"),
        ("β =0.5", "β =0.7", "do not share the momenta"),
    ],
)
def test_parser_refuses_another_form(old: str, new: str, message: str) -> None:
    with pytest.raises(transcribe.TranscriptionError, match=message):
        transcribe.table_iv(ACCURACIES.replace(old, new))


def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = tmp_path / "paper.txt"
    paper.write_text(COSINES + ACCURACIES, encoding="utf-8")
    assert transcribe.main([str(paper)]) == 2
    assert "table_ii: 2 cells found, 3 expected" in capsys.readouterr().err

    monkeypatch.setattr(transcribe, "EXPECTED", {"table_ii": 2, "table_iii": 8, "table_iv": 80})
    monkeypatch.setattr(transcribe, "STORED", tmp_path / "published.csv")
    assert transcribe.main([str(paper), "--check"]) == 2  # nothing stored yet
    assert transcribe.main([str(paper), "--write"]) == 0
    assert transcribe.main([str(paper), "--check"]) == 0
    assert capsys.readouterr().out == ""
    assert transcribe.main([str(paper)]) == 0
    assert capsys.readouterr().out == (tmp_path / "published.csv").read_text(encoding="utf-8")

    paper.write_text((COSINES + ACCURACIES).replace("99.0", "98.0"), encoding="utf-8")
    assert transcribe.main([str(paper), "--check"]) == 1
    assert "+table_iv,cifar10_iid,bit_flip,tm,0.5,test_accuracy,98.0" in capsys.readouterr().out


def test_stored_file_is_what_the_program_writes() -> None:
    """The stored file has the program's header and its order of tables."""
    lines = transcribe.STORED.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(transcribe.Row._fields)
    items = [line.split(",", 1)[0] for line in lines[1:]]
    assert [item for item, _ in itertools.groupby(items)] == list(transcribe.EXPECTED)
