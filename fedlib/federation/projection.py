"""The set in which the server keeps the model: the whole space, or a ball around 0."""

from __future__ import annotations

import torch


def project(parameters: torch.Tensor, radius: float | None) -> torch.Tensor:
    """Move parameters to the nearest point of a ball around 0, in place.

    Parameters
    ----------
    parameters
        The model, ``(n_parameters,)``.
    radius
        The largest Euclidean norm that is allowed. With None every model is allowed.

    Returns
    -------
    torch.Tensor
        ``parameters``. They are not changed if their norm is at most ``radius``. They are not
        changed either if it is not finite, because such a model has no nearest point.
    """
    if radius is None:
        return parameters
    # In double precision the squares of large values do not overflow.
    norm = torch.linalg.vector_norm(parameters, dtype=torch.float64)
    if torch.isfinite(norm) and norm > radius:
        parameters.mul_((radius / norm).to(parameters.dtype))
    return parameters
