"""An attack whose runs fail with an error that cannot be sent to another process."""

from dataclasses import dataclass

from fedlib.attacks.base import Attack


class OddError(Exception):
    """An error that is made of two values, so that pickle cannot make it of its text."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


@dataclass(frozen=True)
class Odd(Attack):
    """Fails."""

    name = "odd"
    agent = "odd"

    def _attack(self, updates, state, facts):
        raise AssertionError("never played")


def run(*_):
    raise OddError("this", "that")
