from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.multiband import WHOLE, still
from support.perceived import Perceived

from faceloom.compose import paste
from faceloom.errors import WeightsError
from faceloom.geometry import masks
from faceloom.geometry.similarity import invert, transform
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.method import UniFaceGAN
from faceloom.methods.unifacegan.options import GENERATOR
from faceloom.types import Attribute, Window

torch = pytest.importorskip("torch")
SIDE = 64


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny networks with random weights."""
    from faceloom.methods.unifacegan.checkpoint import save_model
    from faceloom.nets.unifacegan import UniFaceGAN as Networks
    from faceloom.nets.unifacegan import UniFaceGANConfig

    torch.manual_seed(0)
    sizes = {"widths": (8, 12, 16), "appearance_widths": (8, 12, 16), "discriminator_widths": (8, 8)}
    config = UniFaceGANConfig(image_size=SIDE, residual_blocks=1, attention_side=32, **sizes)
    path = tmp_path_factory.mktemp("generator") / GENERATOR
    save_model(path, Networks(config), {"licence": "none"})
    return path


@pytest.mark.parametrize("attribute", [Attribute.IDENTITY, Attribute.EXPRESSION])
def test_the_networks_draw_the_face(
    attribute: Attribute, trained: Path, perceived: Perceived, fitter: FaceFitter
) -> None:
    target, source = perceived.source("person_05"), perceived.source("person_06")
    frame = still(target.image)
    made = {}
    for file in (str(trained), "none"):
        method = UniFaceGAN({"generator": file})
        window = Window([frame], slice(0, 1), True)
        (made[file],) = method.apply(window, [target.face], method.prepare({attribute: source}))
    patch = made[str(trained)][-1]
    assert patch.image.shape == (SIDE, SIDE, 3) and not np.array_equal(patch.image, made["none"][-1].image)
    assert patch.image.min() >= 0 and patch.image.max() <= 1
    corners = transform(invert(patch.crop.matrix), np.array([[0, 0], [SIDE - 1, SIDE - 1]]))
    box = target.face.box
    assert (corners[0] < [box.left, box.top]).all() and (corners[1] > [box.right, box.bottom]).all()
    after = paste(frame, [patch]).image
    oval = masks.polygon_mask(masks.outline(masks.Region.FACE_OVAL, target.face.landmarks), WHOLE)
    far = masks.dilate(oval, 60) < 0.5
    np.testing.assert_array_equal(after[far], target.image[far])
    assert np.abs(after.astype(int) - target.image)[oval > 0.5].mean() > 10, "random weights draw no face"


def test_a_person_who_looks_away_is_driven_by_the_blend(
    trained: Path, perceived: Perceived, fitter: FaceFitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceloom.methods.unifacegan.identity.MOST_YAW", -1.0)
    target, source = perceived.source("person_05"), perceived.source("person_06")
    method = UniFaceGAN({"generator": str(trained)})
    window = Window([still(target.image)], slice(0, 1), True)
    (made,) = method.apply(window, [target.face], method.prepare({Attribute.EXPRESSION: source}))
    assert len(made) == 1 and made[0].crop.offset is not None


def test_which_one_runs(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACELOOM_HOME", str(tmp_path))
    assert "blend" in UniFaceGAN.status()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / GENERATOR).write_bytes(trained.read_bytes())
    assert str(tmp_path / "weights" / GENERATOR) in UniFaceGAN.status()


def test_a_file_that_is_named_and_not_there(perceived: Perceived, fitter: FaceFitter, tmp_path: Path) -> None:
    source = replace(perceived.source("person_05"))
    with pytest.raises(WeightsError, match="no model at"):
        UniFaceGAN({"generator": str(tmp_path / "none.safetensors")}).prepare({Attribute.IDENTITY: source})
