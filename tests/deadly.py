"""An attack whose runs kill the process that plays them."""

import os
import signal
from dataclasses import dataclass

from fedlib.attacks.base import Attack


@dataclass(frozen=True)
class Deadly(Attack):
    """Kills the process."""

    name = "deadly"
    agent = "deadly"

    def _attack(self, updates, state, facts):
        raise AssertionError("never played")


def run(*_):
    os.kill(os.getpid(), signal.SIGKILL)
