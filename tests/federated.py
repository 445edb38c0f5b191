"""A federation in this process: a grid of Flower whose nodes are functions."""

import numpy as np
from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity

# Flower wants to know who makes a message; a simulation sets this itself.
TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1

NODES = (31, 7, 19, 23, 11, 3, 41, 13)


def arrays_of(**values):
    return ArrayRecord({name: Array(np.asarray(value)) for name, value in values.items()})


def begin():
    """A model with two arrays of floats and a counter between them."""
    return arrays_of(
        weight=np.zeros((2, 3), np.float32), count=np.int64(0), bias=np.zeros(4, np.float32)
    )


def floats_of(arrays):
    return np.concatenate([arrays[name].numpy().ravel() for name in ("weight", "bias")])


def trained(arrays, node, number):
    """What an honest node makes of the model in a round: it depends on both numbers alone."""
    random = np.random.default_rng([node, number])
    moved = {}
    for name, array in arrays.items():
        value = array.numpy()
        step = random.standard_normal(value.shape).astype("f4") + 1
        moved[name] = np.int64(value) + 1 if name == "count" else value - step
    return arrays_of(**moved)


def reply(message, arrays=None, **metrics):
    content = RecordDict({"metrics": MetricRecord({"num-examples": 10, "loss": 1.0, **metrics})})
    if arrays is not None:
        content["arrays"] = arrays
    return Message(content, reply_to=message)


def error(message):
    return Message(Error(code=0, reason="out of memory"), reply_to=message)


class Nodes:
    """A grid whose nodes answer in this process.

    Parameters
    ----------
    behaviours
        What a node does of its own, by its number: a function of the message and the round's
        number that gives the reply, or None for no answer.
    nodes
        The numbers of all nodes.
    """

    def __init__(self, behaviours=None, nodes=NODES):
        self.behaviours = behaviours or {}
        self.nodes = list(nodes)

    def get_node_ids(self):
        return list(self.nodes)

    def send_and_receive(self, messages, *, timeout=None):
        answers = []
        for message in messages:
            node = message.metadata.dst_node_id
            number = int(message.content["config"]["server-round"])
            act = self.behaviours.get(node, honest)
            answers.append(act(message, number))
        return [answer for answer in answers if answer is not None]


def honest(message, number):
    if message.metadata.message_type != "train":
        return reply(message)
    node = message.metadata.dst_node_id
    return reply(message, trained(message.content["arrays"], node, number))
