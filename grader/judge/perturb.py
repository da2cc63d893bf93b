"""Images changed so slightly that people see no difference, and a table of known images finds none of them."""

from __future__ import annotations

import torch

SHIFT = 1
"""Pixels by which an image is moved at most, along each axis."""

NOISE = 1
"""Grey levels by which a pixel is changed at most."""


def perturbed(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by up to a pixel along each axis, its border repeated, with noise of up to one grey level.

    Args:
        images: uint8, (N, C, H, W).
        generator: source of shifts and noise.
    """
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise ValueError(f"uint8 images (N, C, H, W) were expected, not {images.dtype} of shape {tuple(images.shape)}")
    moved = _moved(images, generator)
    noise = torch.randint(-NOISE, NOISE + 1, images.shape, generator=generator, dtype=torch.int16)
    return (moved.to(torch.int16) + noise).clamp_(0, 255).to(torch.uint8)


def _moved(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    n, _, height, width = images.shape
    down, right = torch.randint(-SHIFT, SHIFT + 1, (2, n), generator=generator)
    rows = (torch.arange(height) - down[:, None]).clamp_(0, height - 1)  # (N, H): the row that each row is taken from
    columns = (torch.arange(width) - right[:, None]).clamp_(0, width - 1)  # (N, W)
    each = torch.arange(n)[:, None, None]
    # Indexing puts the dimensions that are indexed first: (N, H, W, C).
    return images[each, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
