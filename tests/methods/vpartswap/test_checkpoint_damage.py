"""What is no diffusion autoencoder, does not fit, is cut short or hostile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from safetensors.torch import save_file  # noqa: E402
from support.diffae import TRAINING, lightning, random_model  # noqa: E402

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.methods.vpartswap.checkpoint import load_checkpoint, load_statistics, save_safetensors  # noqa: E402
from faceloom.nets.diffae import DiffusionAutoencoder  # noqa: E402


@pytest.fixture(scope="module")
def model() -> DiffusionAutoencoder:
    return random_model()


def test_tensors_that_do_not_fit_are_listed(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    def spoil(state: dict[str, Any]) -> None:
        del state["out.2.bias"]
        state["surprise.weight"] = torch.zeros(3)
        state["time_embed.time_embed.0.bias"] = torch.zeros(5)

    path = lightning(tmp_path / "last.ckpt", model, TRAINING, change=spoil)
    with pytest.raises(WeightsError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "missing: out.2.bias" in message and "unexpected: surprise.weight" in message
    assert "time_embed.time_embed.0.bias is (5,), expected (16,)" in message


def test_of_many_tensors_a_few_are_listed(tmp_path: Path, model: DiffusionAutoencoder) -> None:
    def halve(state: dict[str, Any]) -> None:
        for name in list(state)[::2]:
            del state[name]

    count = (len(model.state_dict()) + 1) // 2
    path = lightning(tmp_path / "last.ckpt", model, TRAINING, change=halve)
    with pytest.raises(WeightsError, match=rf"missing: .*… \({count - 4} more\)$"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net_enc_pool": "depthconv"}, r"enc_pool is 'depthconv' where this architecture has 'adaptivenonzero'"),
        ({"net_beatgans_resnet_two_cond": False}, "resnet_two_cond is False"),
        ({"img_size": 33}, "image_size 33 cannot be halved"),
        ({"style_ch": 8}, r"z_sem has 8 values .* takes 16"),
        ({"net_ch": 32}, r"of another shape: .*expected \(32,"),
        ({"net_ch": 24}, "num_channels .* divisible"),
        ({"net_num_res_blocks": 2}, "missing: "),
    ],
)
def test_another_architecture_says_what_differs(
    change: dict[str, Any], message: str, tmp_path: Path, model: DiffusionAutoencoder
) -> None:
    path = lightning(tmp_path / "last.ckpt", model, {**TRAINING, **change})
    with pytest.raises(WeightsError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [{"state_dict": {"weight": torch.zeros(1)}}, {}, [1, 2], torch.zeros(3)])
def test_a_checkpoint_of_something_else(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match=r"other\.ckpt has no 'ema_model\.\*' tensors"):
        load_checkpoint(tmp_path / "other.ckpt")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.999])
def test_truncated_checkpoint(kept: float, tmp_path: Path, model: DiffusionAutoencoder) -> None:
    path = lightning(tmp_path / "last.ckpt", model, TRAINING)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(WeightsError, match=r"last\.ckpt is damaged, cut short"):
        load_checkpoint(path)


@pytest.mark.parametrize("kept", [0, 6, 100, 0.5, 0.999])
def test_truncated_safetensors(kept: float, tmp_path: Path, model: DiffusionAutoencoder) -> None:
    path = tmp_path / "m.safetensors"
    save_safetensors(path, model)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(WeightsError, match=r"m\.safetensors is damaged or cut short"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"no checkpoint at all" * 20, b"\x80\x02garbage", bytes(1000)])
def test_a_file_that_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.ckpt"):
        load_checkpoint(tmp_path / "x.ckpt")


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no checkpoint at .*nowhere\.ckpt"):
        load_checkpoint(tmp_path / "nowhere.ckpt")


def test_safetensors_of_something_else(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="is not a diffusion autoencoder converted by faceloom"):
        load_checkpoint(tmp_path / "other.safetensors")


@pytest.mark.parametrize("options", ["{}", "{", "[]", '{"model": 3}', '{"model": {}, "edit": 1}'])
def test_safetensors_with_damaged_options(options: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"weight": torch.zeros(2)}, path, {"format": "faceloom.diffae.1", "options": options})
    with pytest.raises(WeightsError, match=r"m\.safetensors"):
        load_checkpoint(path)


class Trap:
    """Leaves a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("load", [load_checkpoint, load_statistics])
def test_code_in_a_file_is_not_run(load: Callable[[Path], object], tmp_path: Path) -> None:
    marker = tmp_path / "code ran"
    torch.save({"state_dict": Trap(marker), "conds_mean": Trap(marker)}, tmp_path / "trap.ckpt")
    with pytest.raises(WeightsError, match=r"trap\.ckpt holds more than tensors and plain values and is not loaded"):
        load(tmp_path / "trap.ckpt")
    assert not marker.exists()
    torch.load(tmp_path / "trap.ckpt", weights_only=False)  # the trap works
    assert marker.exists()


def test_a_save_that_fails_leaves_what_was_there(
    tmp_path: Path, model: DiffusionAutoencoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors"
    path.write_text("the old one")

    write = Path.write_bytes

    def full_disk(file: Path, data: bytes) -> int:
        write(file, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_safetensors(path, model)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name] and path.read_text() == "the old one"
