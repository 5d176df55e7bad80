from __future__ import annotations

import hashlib
import inspect
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceloom.errors import WeightsError
from faceloom.perceive import OpticalFlow
from faceloom.perceive.raft import RaftFlow
from faceloom.types import Image
from faceloom.weights import Store

pytest.importorskip("torch", reason="RAFT needs torch: pip install 'faceloom[torch]'")

GOLDEN = Path(__file__).parents[1] / "data" / "perceive" / "raft.npz"
"""Flow of the published implementation from person_03 at 256 pixels to a bent copy, which is ``image2``."""


@pytest.fixture(scope="module")
def raft(store: Store) -> RaftFlow:
    store.ensure(RaftFlow.weights)
    return RaftFlow(store, bfloat16=False)


@pytest.fixture(scope="module")
def golden() -> Mapping[str, NDArray[np.generic]]:
    with np.load(GOLDEN) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def first(portraits: Mapping[str, Image]) -> Image:
    return cv2.resize(portraits["person_03"], (256, 256), interpolation=cv2.INTER_AREA)


def shifted(image: Image, size: tuple[int, int], x: int, y: int) -> tuple[Image, Image]:
    """Two cuts of a picture; what the first shows at a point, the second shows ``(x, y)`` further."""
    height, width = size
    return image[40 : 40 + height, 60 : 60 + width], image[40 - y : 40 - y + height, 60 - x : 60 - x + width]


def test_flow_equals_the_reference(raft: RaftFlow, golden, first: Image) -> None:
    flow = raft.flow(first, golden["image2"])
    assert flow.shape == (256, 256, 2) and flow.dtype == np.float32 and flow.flags.c_contiguous
    np.testing.assert_allclose(flow[::3, ::3].transpose(2, 0, 1), golden["flow_up_every_third"], atol=1e-3)


def test_coarse_flow_equals_the_reference(store: Store, golden, first: Image) -> None:
    import torch

    from faceloom.nets.raft import Raft

    (path,) = store.ensure(RaftFlow.weights)
    net = Raft().eval()
    net.load_public(torch.load(path, map_location="cpu", weights_only=True))
    a, b = (torch.from_numpy(picture).permute(2, 0, 1)[None].float() for picture in (first, golden["image2"]))
    with torch.inference_mode():
        low = net(a, b)[1][0].numpy()
    np.testing.assert_allclose(low, golden["flow_low"], atol=1e-3)


def test_bfloat16_moves_the_flow_little(store: Store, golden, first: Image) -> None:
    store.ensure(RaftFlow.weights)
    flow = RaftFlow(store, bfloat16=True).flow(first, golden["image2"])
    difference = np.abs(flow[::3, ::3].transpose(2, 0, 1) - golden["flow_up_every_third"])
    assert flow.dtype == np.float32 and 0 < difference.mean() < 0.05


@pytest.mark.parametrize(("size", "error"), [((131, 99), 0.2), ((40, 130), 0.5)])  # less to see, less exact
def test_sizes_that_are_no_multiples(
    raft: RaftFlow, portraits: Mapping[str, Image], size: tuple[int, int], error: float
) -> None:
    flow = raft.flow(*shifted(portraits["person_01"][120:], size, 4, -3))
    assert flow.shape == (*size, 2)
    assert np.abs(np.median(flow, axis=(0, 1)) - (4, -3)).max() < error


def test_grey_pictures(raft: RaftFlow, portraits: Mapping[str, Image]) -> None:
    grey = cv2.cvtColor(portraits["person_02"], cv2.COLOR_RGB2GRAY)[120:]
    a, b = shifted(grey, (96, 96), -2, 5)
    flow = raft.flow(a, b)
    assert np.abs(np.median(flow, axis=(0, 1)) - (-2, 5)).max() < 0.3
    colour = raft.flow(*(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) for picture in (a, b)))
    np.testing.assert_array_equal(flow, colour)


def test_one_pixel(raft: RaftFlow) -> None:
    assert raft.flow(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)).shape == (1, 1, 2)


def test_fewer_iterations_are_an_estimate(store: Store, raft: RaftFlow, portraits: Mapping[str, Image]) -> None:
    a, b = shifted(portraits["person_01"][120:], (128, 128), 6, 2)
    rough, fine = RaftFlow(store, iterations=3, bfloat16=False).flow(a, b), raft.flow(a, b)
    assert 0 < np.abs(rough - fine).mean() < 1


def test_it_is_called_as_the_other_flow_is() -> None:
    assert inspect.signature(RaftFlow.flow) == inspect.signature(OpticalFlow.flow)


def test_sizes_must_agree(raft: RaftFlow) -> None:
    with pytest.raises(ValueError, match="one size"):
        raft.flow(np.zeros((64, 64), np.uint8), np.zeros((64, 65), np.uint8))


def test_some_iteration_is_needed(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one"):
        RaftFlow(store, iterations=0)


def test_checkpoint_of_another_network_is_refused(tmp_path: Path, store: Store) -> None:
    import torch

    path = tmp_path / "weights" / "other.pth"
    path.parent.mkdir()
    torch.save({"module.fnet.conv1.weight": torch.zeros(64, 3, 7, 7), "module.surprise": torch.zeros(1)}, path)
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    entry = replace(store.record("raft_things"), file="other.pth", bytes=len(data), sha256=digest)
    with pytest.raises(WeightsError, match=r"does not fit RAFT(.|\n)*surprise"):
        RaftFlow(Store(tmp_path, records={entry.name: entry}))


def test_without_torch_the_error_tells_how_to_install_it(store: Store) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from faceloom.perceive.raft import RaftFlow\nfrom faceloom.weights import Store\n"
        f"try:\n    RaftFlow(Store({str(store.home)!r}))\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("FaceloomError")
    assert "pip install 'faceloom[torch]'" in result.stdout
