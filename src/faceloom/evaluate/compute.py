"""What the networks of a method compute, and how that compares with what the device can."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from faceloom.methods.timing import NetworkCall, Stage

_SIDE = {"cpu": 1024}
_OTHER_SIDE = 8192
_REPEATS = 5


@dataclass(frozen=True)
class NetworkUse:
    """All passes of one network through one run.

    pictures           that passed; what is called forwards elsewhere, whatever the batches were.
    seconds            wall clock.
    flops              floating-point operations for one picture (a multiplication and an addition are two), as the
                       network does them here: convolutions and matrix products; None where they cannot be counted.
    device, precision  of the multiplications.
    matrix_rate        operations a second that the device reaches on square matrices in that precision, beside whatever
                       else runs on it.
    """

    pictures: int
    seconds: float
    flops: float | None
    device: str
    precision: str
    matrix_rate: float

    @property
    def total(self) -> float | None:
        """Operations for all pictures."""
        return None if self.flops is None else self.flops * self.pictures

    @property
    def rate(self) -> float | None:
        """Operations a second."""
        return None if self.total is None or not self.seconds else self.total / self.seconds

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "pictures": self.pictures,
            "seconds": round(self.seconds, 4),
            "flops_per_picture": self.flops,
            "flops": self.total,
            "flops_per_second": self.rate,
            "device": self.device,
            "precision": self.precision,
            "matrix_flops_per_second": self.matrix_rate,
        }


def networks(stages: Mapping[str, Stage]) -> dict[str, NetworkUse]:
    """What the recorded stages that are networks computed; runs each once more, and measures its device."""
    rates: dict[tuple[str, str], float] = {}
    found: dict[str, NetworkUse] = {}
    for name, own in stages.items():
        if own.example is None or not own.pictures:
            continue
        where = own.example.device, own.example.precision
        if where not in rates:
            rates[where] = matrix_rate(*where)
        found[name] = NetworkUse(own.pictures, own.seconds, flops_of(own.example), *where, rates[where])
    return found


def flops_of(call: NetworkCall) -> float | None:
    """Operations of a network for one picture, None if torch counts none in it."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        call.again()
    return counter.get_total_flops() / call.pictures or None


def matrix_rate(device: str, precision: str) -> float:
    """Floating-point operations a second of the best of a few products of two square matrices.

    Args:
        device: torch's name, as "cpu" or "cuda:0".
        precision: torch's name of the type, as "bfloat16".
    """
    import torch

    kind = torch.device(device).type
    side = _SIDE.get(kind, _OTHER_SIDE)
    a = torch.randn(side, side, device=device).to(getattr(torch, precision))
    wait: Callable[[], Any] = torch.cuda.synchronize if kind == "cuda" else lambda: None
    best = float("inf")
    with torch.inference_mode():
        a @ a  # chooses kernels, wakes threads
        for _ in range(_REPEATS):
            wait()
            begin = time.perf_counter()
            a @ a
            wait()
            best = min(best, time.perf_counter() - begin)
    return 2 * side**3 / best
