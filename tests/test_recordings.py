"""The identities of all grids, and the numbers of small runs, are those that were recorded."""

import json

import pytest
import recordings

IDENTITIES = json.loads(recordings.IDENTITIES.read_text())
RECORDED = json.loads(recordings.RUNS.read_text())
RUNS = recordings.runs()


def test_identities_of_all_grids_are_those_recorded():
    # If this fails, stored results lose their runs.
    assert recordings.identities(IDENTITIES["played"]) == IDENTITIES


def test_every_small_run_is_recorded():
    assert {name: config.id for name, config in RUNS.items()} == {
        name: entry["id"] for name, entry in RECORDED["runs"].items()
    }


@pytest.mark.parametrize("name", RUNS)
def test_a_small_run_gives_the_numbers_recorded(name):
    found, wanted = recordings.metrics(RUNS[name]), RECORDED["runs"][name]["metrics"]
    if recordings.machine() == RECORDED["machine"]:
        assert found == wanted
    else:
        assert found.keys() == wanted.keys()
        for quantity, values in wanted.items():
            close(found[quantity], values)


def close(found, wanted):
    """Equal but for what another machine's rounding does in six rounds."""
    if isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=0.02, abs=0.02)
    else:
        assert found == wanted or isinstance(wanted, str)
