"""The rule MoNNA, the mean of the updates nearest to a trusted one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator, replace_non_finite
from fedlib.blocks import distances_to, selected_mean
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError, check_int, check_name


@AGGREGATORS.register("monna")
@dataclass(frozen=True)
class Monna(Aggregator):
    """Average the ``n - f`` updates that are nearest to a trusted update.

    This is the nearest neighbour averaging of Farhadkhani et al. (2023), Robust collaborative
    learning with linear gradient overhead. Their algorithm is called MoNNA. In the text there is no
    server, and each client trusts its own update. Here the server trusts an update that it computes
    on samples of its own, or the update of one client. In the authors' code a server trusts the
    aggregate of another rule. This is not possible here.

    Parameters
    ----------
    trusted
        This says whose update is trusted. ``"server"`` trusts the server's own update, which is not
        part of the average. ``"client"`` trusts the update of one client. This update is its own
        nearest neighbour, so it is part of the average.
    client
        This is the number of the trusted client, from 0. It has an effect only if ``trusted`` is
        ``"client"``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, Facts
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> facts = Facts(server_update=torch.tensor([1.0, 2.0, 0.3]))
    >>> rule = AGGREGATORS["monna"](n_byzantine=1)
    >>> rule.apply(updates, None, facts)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    scales_with_updates: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{n - f} \sum_{i \in N} x_i, \quad N \text{: the } n - f \text{ nearest to } g"
    )
    cost: ClassVar[str] = r"n d"

    needs: ClassVar[frozenset[str]] = frozenset({"server_update"})

    trusted: str = "server"
    client: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.trusted", self.trusted, ("server", "client"))
        check_int("aggregator.client", self.client, 0)
        if self.trusted == "client":
            self._set_needs()
            object.__setattr__(self, "knows_clients", True)

    def check(self, n_clients: int) -> None:
        super().check(n_clients)
        if self.trusted == "client" and self.client >= n_clients:
            raise ConfigError(
                f"aggregator.client={self.client} is out of range: must be from 0 to "
                f"{n_clients - 1}, with n_clients={n_clients}."
            )

    def among(self, present: Sequence[int]) -> Self:
        if self.trusted != "client":
            return self
        if self.client not in present:
            raise ConfigError(
                f"aggregator.client={self.client} has sent no update in this round: must be one of "
                f"the clients that have, {list(present)}."
            )
        return replace(self, client=list(present).index(self.client))

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        if self.trusted == "client":
            centre = updates[self.client]
        else:
            centre = replace_non_finite(facts.server_update[None])[0].to(updates.dtype)
        order = distances_to(updates, centre, check=True).argsort(stable=True)
        return selected_mean(updates, order[: len(updates) - self.n_byzantine]), state
