"""Attackers that learn what to send. They need the ``rl`` extra, which nothing else does."""
