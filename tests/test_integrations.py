"""What holds for the integrations whether or not their extras are installed."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fedlib.aggregators import AGGREGATORS
from fedlib.validation import ConfigError

ROOT = Path(__file__).parents[1]
D = 12


@pytest.mark.parametrize("module", ["flwr", "flwr.serverapp"])
def test_one_line_says_that_flower_is_missing(module):
    code = f"import sys; sys.modules[{module!r}] = None; import fedlib.integrations.flower"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last == "ImportError: fedlib.integrations.flower needs Flower: pip install " + (
        "'fedlib[flower]'"
    )


@pytest.mark.parametrize(
    "rule",
    [
        AGGREGATORS["flair"](n_byzantine=1),
        AGGREGATORS["foolsgold"](),
        AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=1, rule={"name": "flair"}),
    ],
    ids=lambda rule: rule.name,
)
def test_what_a_state_keeps_of_each_client_can_be_changed(rule):
    updates = torch.randn(6, D, generator=torch.Generator().manual_seed(1))
    _, state = rule.apply(updates, None)
    seen = []
    turned = rule.with_clients(state, lambda kept: seen.append(kept) or kept.flip(0))
    assert seen and all(len(kept) == 6 for kept in seen)
    # The clients in another order, with their own parts of the state, give the same aggregate.
    ahead, _ = rule.apply(updates, state)
    after, _ = rule.apply(updates.flip(0), turned)
    torch.testing.assert_close(ahead, after)


def test_a_rule_that_keeps_nothing_of_clients_has_the_same_state():
    rule = AGGREGATORS["centered_clipping"]()
    state = torch.ones(D)
    assert rule.with_clients(state, lambda kept: kept + 1) is state
    assert rule.among([0, 2]) is rule


def test_a_trusted_client_is_found_by_its_number():
    rule = AGGREGATORS["monna"](trusted="client", client=3, n_byzantine=1)
    assert rule.among([1, 3, 4]).client == 1
    with pytest.raises(ConfigError, match=r"client=3 has sent no update in this round.*\[0, 1\]"):
        rule.among([0, 1])
    mixed = AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=1, rule=rule)
    assert mixed.among([1, 3, 4]).rule.client == 1
    assert AGGREGATORS["monna"]().among([1]).trusted == "server"


def test_rules_that_know_clients_say_what_they_keep():
    """A rule that keeps something of each client must define ``with_clients``."""
    base = AGGREGATORS["mean"].with_clients
    for name in AGGREGATORS:
        rule = AGGREGATORS[name]
        if rule.knows_clients:
            assert rule.with_clients is not base, name
