"""Small runs for tests of the engine."""

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig
from fedlib.federation.facts import Moment, gather
from fedlib.runs import RunConfig

DATA = DataConfig("mnist", "embedded", "glyphs-1", train_samples=200, test_samples=100)


def config(attack="none", f=0, rule="mean", **changes):
    values = {
        "data": DATA,
        "model": "softmax_regression",
        "n_clients": 8,
        "n_byzantine": f,
        "client": MomentumSGD(batch_size=5, momentum=0.9),
        "aggregator": AGGREGATORS[rule](n_byzantine=f),
        "attack": ATTACKS[attack](n_byzantine=f),
        "rounds": 6,
        "eval_every": 3,
        "server_samples": 10,
    }
    return RunConfig(**{**values, **changes})


def facts_of(federation, state):
    """What the rule is given in the coming round."""
    return gather(federation.config.aggregator.needs, Moment(federation, state))


def recorded_calls(patch, module, name):
    """What a function of a module is called with from now on."""
    calls, original = [], getattr(module, name)

    def spy(*args, **more):
        calls.append(args)
        return original(*args, **more)

    patch.setattr(module, name, spy)
    return calls
