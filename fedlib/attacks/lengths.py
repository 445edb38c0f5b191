"""Lengths of vectors whose squares are too large or too small for their dtype."""

from __future__ import annotations

import torch


def length(vectors: torch.Tensor) -> torch.Tensor:
    """Compute the Euclidean lengths of vectors, even where their squares overflow or vanish.

    Parameters
    ----------
    vectors
        The vectors ``(..., d)``.

    Returns
    -------
    torch.Tensor
        The lengths ``(...)`` in the dtype of the vectors. A length is ``inf`` only if it is itself
        too large for the dtype.
    """
    usual = vectors.norm(dim=-1)
    # On an accelerator, asking which lengths need this would make the host wait for the device.
    if vectors.device.type == "cpu" and bool(_is_sound(usual).all()):
        return usual
    largest = vectors.abs().amax(-1).clamp(min=torch.finfo(vectors.dtype).tiny)
    of_scaled = (vectors / largest[..., None]).norm(dim=-1) * largest
    return torch.where(_is_sound(usual), usual, of_scaled)


def unit(vector: torch.Tensor) -> torch.Tensor:
    """Scale a vector ``(d,)`` to length 1, whatever its length is. The zero vector stays zero."""
    tiny, usual = torch.finfo(vector.dtype).tiny, vector.norm()
    direct = vector / usual.clamp(min=tiny)
    if vector.device.type == "cpu" and bool(_is_sound(usual)):
        return direct
    scaled = vector / vector.abs().amax().clamp(min=tiny)
    return torch.where(_is_sound(usual), direct, scaled / scaled.norm().clamp(min=tiny))


def _is_sound(lengths: torch.Tensor) -> torch.Tensor:
    """Return for which vectors the square of the length neither overflowed nor lost digits."""
    return lengths.isfinite() & (lengths > torch.finfo(lengths.dtype).tiny ** 0.5)
