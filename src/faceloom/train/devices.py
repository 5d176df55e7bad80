"""Where to compute."""

from __future__ import annotations

import torch


def best_device() -> torch.device:
    """The accelerator that torch finds, or the CPU."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return torch.device("cpu") if found is None else found
