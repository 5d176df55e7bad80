"""The real weights give what the official implementations and publications give."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'faceloom[torch]'")

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.evaluate.metrics.perceptual import lpips  # noqa: E402
from faceloom.evaluate.networks import Networks, load_checkpoint  # noqa: E402
from faceloom.evaluate.scorers.features import i3d_features, inception_features  # noqa: E402
from faceloom.types import Image  # noqa: E402
from faceloom.weights import Store  # noqa: E402

OFFICIAL_VGG = {
    ("person_01", "person_02"): 0.5796335339546204,
    ("person_01", "person_03"): 0.5890308022499084,
    ("person_04", "person_05"): 0.4944908320903778,
}
"""LPIPS v0.1 of the authors' implementation, portraits reduced by area to 256 pixels."""
JAX_ALEX = {
    ("person_01", "person_02"): 0.4771437644958496,
    ("person_01", "person_03"): 0.47891765832901,
    ("person_04", "person_05"): 0.3679218888282776,
}
"""The same by an independent implementation in JAX."""


@pytest.fixture(scope="module")
def networks(metric_store: Store) -> Networks:
    return Networks(metric_store)


def reduced(portraits: Mapping[str, Image], name: str) -> Image:
    return cv2.resize(portraits[name], (256, 256), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(("kind", "expected"), [("vgg", OFFICIAL_VGG), ("alex", JAX_ALEX)])
def test_lpips_is_that_of_other_implementations(networks: Networks, portraits, kind: str, expected: dict) -> None:
    for (one, other), value in expected.items():
        found = lpips(networks.lpips(kind), reduced(portraits, one), reduced(portraits, other))
        assert found == pytest.approx(value, rel=1e-4)


def test_i3d_gives_the_published_logits_for_a_black_clip(networks: Networks) -> None:
    # Printed by users of the TensorFlow module deepmind/i3d-kinetics-400/1 for 15 black frames.
    black = [np.zeros((224, 224, 3), np.uint8)] * 15
    logits = i3d_features(networks.i3d(), black)
    expected = [0.7422105, 2.829727, 0.39993525, -0.38092658, 0.65539014, -1.4021297]
    assert [*logits[:3], *logits[-3:]] == pytest.approx(expected, abs=2e-5)


def test_inception_is_the_program_of_its_archive(networks: Networks, metric_store: Store, portraits) -> None:
    images = [reduced(portraits, "person_01"), reduced(portraits, "person_02")]
    with pytest.warns(DeprecationWarning):
        program = torch.jit.load(str(metric_store.path("inception_fid")), map_location="cpu").eval()
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    batch = torch.nn.functional.interpolate(batch, (299, 299), mode="bilinear", align_corners=False)
    with torch.inference_mode():
        expected = program((batch - 128) / 128).numpy()
    np.testing.assert_allclose(inception_features(networks.inception(), images), expected, rtol=1e-4, atol=1e-4)


def test_a_network_is_loaded_once(networks: Networks) -> None:
    assert networks.lpips("alex") is networks.lpips("alex")


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    empty = Networks(Store(tmp_path))
    for load in (empty.inception, empty.i3d, lambda: empty.lpips("vgg"), empty.embedder):
        with pytest.raises(WeightsError, match="faceloom weights pull"):
            load()
    with pytest.raises(WeightsError, match="no weight 'clip-vit-l14'"):
        empty.vit("clip-vit-l14")


def test_a_flow_of_ones_own_needs_a_name(metric_store: Store) -> None:
    networks = Networks(metric_store)
    assert networks.flow_name == "DIS medium"
    with pytest.raises(ValueError, match="needs a name"):
        Networks(metric_store, flow=networks.flow)


@pytest.fixture
def tiny_vit(tmp_path: Path) -> tuple[dict[str, torch.Tensor], Path]:
    data = Path(__file__).parents[2] / "data" / "nets" / "vit_tiny.npz"
    with np.load(data) as file:
        state = {
            name.removeprefix("dino/"): torch.from_numpy(file[name]) for name in file.files if name.startswith("dino/")
        }
    path = tmp_path / "model.safetensors"
    index, numbers = {}, b""
    for name, value in state.items():
        raw = value.numpy().tobytes()
        offsets = [len(numbers), len(numbers) + len(raw)]
        index[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": offsets}
        numbers += raw
    text = json.dumps(index).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    return state, path


def test_a_users_file_is_loaded_from_either_format(metric_store: Store, tiny_vit, tmp_path: Path) -> None:
    state, safetensors = tiny_vit
    checkpoint = tmp_path / "model.bin"
    torch.save(state, checkpoint)
    image = torch.ones(1, 3, 8, 8)
    with torch.inference_mode():
        one, other = (
            Networks(metric_store, files={"dinov2": path}).vit("dinov2")(image) for path in (safetensors, checkpoint)
        )
    torch.testing.assert_close(one, other)


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self):
            return (tmp_path / "witness").touch, ()

    malicious = io.BytesIO()
    torch.save({"weight": Call()}, malicious)
    for name, content in (
        ("text.bin", b"not a checkpoint"),
        ("pickle.pth", pickle.dumps({"weight": Call()})),
        ("torch.pth", malicious.getvalue()),
        ("cut.safetensors", b"\x10\x00\x00\x00"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=name):
            load_checkpoint(path)
    with pytest.raises(WeightsError, match="gone"):
        load_checkpoint(tmp_path / "gone.safetensors")
    assert not (tmp_path / "witness").exists()


def test_weights_of_another_network_are_refused(metric_store: Store, tiny_vit) -> None:
    _, path = tiny_vit
    with pytest.raises(WeightsError):
        Networks(metric_store, files={"i3d_k400": path}).i3d()
    with pytest.raises(WeightsError):
        Networks(metric_store, files={"i3d_k400": metric_store.path("lpips_alexnet")}).i3d()
