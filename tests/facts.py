"""What rules and attacks may ask for, made up for tests."""

import torch

from fedlib.federation import Facts


def facts_for_rule(rule, updates):
    """All that ``rule`` needs, the same for every order of the clients."""
    n, d = updates.shape

    def vote(candidates):
        return torch.arange(n) % len(candidates)

    def saliency(rows, raw=False, score="logit"):
        return rows.abs().repeat(1, 64 // d + 1)[:, :64].reshape(len(rows), 1, 8, 8)

    offered = {
        "sample_counts": torch.arange(1, n + 1),
        "server_update": torch.ones(d, dtype=updates.dtype),
        "vote": vote,
        "saliency": saliency,
        "client_saliency": lambda client, rows, **reading: saliency(rows, **reading),
        "output_weights": torch.arange(d) >= d - 3,
    }
    return Facts(**{name: offered[name] for name in rule.needs})


def facts_for_attack(attack, updates):
    """All that ``attack`` knows beside the benign updates."""
    d, f = updates.shape[1], attack.n_byzantine
    generator = torch.Generator().manual_seed(9)
    offered = {
        "own_updates": torch.randn(f, d, generator=generator).to(updates.dtype),
        "last_aggregate": torch.ones(d, dtype=updates.dtype),
        "model": torch.full((d,), 0.5, dtype=updates.dtype),
        "rule": lambda rows: rows.mean(0),
        "candidates": lambda rows: torch.stack([rows.mean(0), rows[: len(rows) // 2].mean(0)]),
        "critical_parameters": torch.arange(d) < 3,
        "output_bias": torch.arange(d) >= d - 2,
    }
    return Facts(**{k: v for k, v in offered.items() if k in attack.knows})
