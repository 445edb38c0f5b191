"""These attackers learn what to send.

They need the ``rl`` extra, which no other part of the library needs.
"""

from fedlib.compat import require

require("gymnasium", "stable_baselines3")
