"""Which devices torch could compute on here, and which it will."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class TorchDevices:
    """What torch offers on this machine.

    version   of torch, None when it is not installed.
    devices   torch's own names of the devices that work, "cpu" first.
    reason    in words, why there is no other than the processor; empty when there is one.
    """

    version: str | None
    devices: tuple[str, ...]
    reason: str


def torch_devices() -> TorchDevices:
    """Ask torch, if it is installed. A broken installation is reported as absent, with its error as the reason."""
    if find_spec("torch") is None:
        return TorchDevices(None, (), "torch is not installed (pip install 'faceloom[torch]')")
    try:
        import torch
    except (ImportError, OSError) as error:
        return TorchDevices(None, (), f"torch is installed but cannot be imported: {error}")
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    reason = "" if found else _why_no_gpu(torch.version.cuda or getattr(torch.version, "hip", None))
    return TorchDevices(torch.__version__, ("cpu", *found), reason)


def _why_no_gpu(built_for: str | None) -> str:
    if built_for is None:
        return "this build of torch is for the processor only"
    return f"torch is built for GPUs ({built_for}), but no driver or device answers"
