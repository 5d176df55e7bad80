"""What a result was computed with: processor, memory, graphics card, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import faceloom
from faceloom.evaluate.benchmark.workers import default_jobs
from faceloom.evaluate.devices import torch_devices


def describe_machine() -> dict[str, Any]:
    """Plain values for JSON; no name of host or user."""
    torch = torch_devices()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": default_jobs(),
        "memory_gib": _memory(),
        "gpus": [_gpu(name) for name in torch.devices if name.startswith("cuda")],
    }


def source_commit() -> str:
    """Commit of the source tree that faceloom runs from, with ``+changes`` if it has any; "" outside a repository."""
    root = Path(faceloom.__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    commit = _git(root, "rev-parse", "HEAD")
    return f"{commit}+changes" if commit and _git(root, "status", "--porcelain", "--untracked-files=no") else commit


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here: the commit is simply not known
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _gpu(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device)
