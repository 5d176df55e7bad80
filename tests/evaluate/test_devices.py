from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from faceloom.evaluate import devices
from faceloom.evaluate.devices import torch_devices


def fake_torch(monkeypatch: pytest.MonkeyPatch, gpus: int, cuda: str | None, mps: bool = False) -> None:
    """A torch with that many GPUs, built for that version of CUDA."""
    torch = SimpleNamespace(
        __version__="9.9",
        cuda=SimpleNamespace(is_available=lambda: gpus > 0, device_count=lambda: gpus),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        version=SimpleNamespace(cuda=cuda),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(devices, "find_spec", lambda name: object())


@pytest.mark.parametrize(
    ("gpus", "cuda", "mps", "expected", "reason"),
    [
        (0, None, False, ("cpu",), "for the processor only"),
        (0, "13.0", False, ("cpu",), "no driver or device answers"),
        (2, "13.0", False, ("cpu", "cuda:0", "cuda:1"), ""),
        (0, None, True, ("cpu", "mps"), ""),
    ],
)
def test_what_torch_has(
    monkeypatch: pytest.MonkeyPatch, gpus: int, cuda: str | None, mps: bool, expected: tuple[str, ...], reason: str
) -> None:
    fake_torch(monkeypatch, gpus, cuda, mps)
    found = torch_devices()
    assert (found.version, found.devices) == ("9.9", expected)
    assert reason in found.reason and bool(found.reason) == bool(reason)


def test_torch_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    assert torch_devices().version is None and "faceloom[torch]" in torch_devices().reason


def test_torch_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "torch", None)
    assert torch_devices().version is None and "cannot be imported" in torch_devices().reason


def test_the_real_one() -> None:
    pytest.importorskip("torch")
    assert torch_devices().devices[0] == "cpu"
