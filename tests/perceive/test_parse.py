from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceloom.errors import WeightsError
from faceloom.perceive import FaceClass, FaceParser
from faceloom.types import Image
from faceloom.weights import Store

pytest.importorskip("torch", reason="face parsing needs torch: pip install 'faceloom[torch]'")

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")
PEOPLE = [f"person_{number:02}" for number in range(1, 5)]


@pytest.fixture(scope="module")
def parser(store: Store) -> FaceParser:
    store.ensure(FaceParser.weights)
    return FaceParser(store, bfloat16=False)


@pytest.mark.parametrize("person", PEOPLE)
def test_classes_equal_the_reference(person: str, portraits: Mapping[str, Image], parser: FaceParser) -> None:
    classes = parser.parse_crop(portraits[person])
    assert classes.dtype == np.uint8
    assert (classes == GOLDEN[f"{person}.parsing"]).mean() > 0.999


def test_bfloat16_keeps_the_classes(portraits: Mapping[str, Image], parser: FaceParser, store: Store) -> None:
    fast = FaceParser(store, bfloat16=True)
    for person in PEOPLE:
        assert (fast.parse_crop(portraits[person]) == GOLDEN[f"{person}.parsing"]).mean() > 0.995


def test_face_in_a_larger_picture(portraits: Mapping[str, Image], parser: FaceParser) -> None:
    """A face that is shifted, scaled and turned in a larger frame gets the classes of its portrait."""
    matrix = cv2.getRotationMatrix2D((256, 256), 10, 0.8)
    matrix[:, 2] += (300, 60)
    frame = cv2.warpAffine(portraits["person_01"], matrix, (1000, 640), borderValue=(90, 90, 90))
    landmarks = GOLDEN["person_01.landmarks"][:, :2] @ matrix[:, :2].T + matrix[:, 2]
    classes = parser.parse(frame, landmarks)
    assert classes.shape == (640, 1000)
    back = cv2.warpAffine(classes, matrix, (512, 512), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    expected = GOLDEN["person_01.parsing"]
    for part in (FaceClass.SKIN, FaceClass.NOSE, FaceClass.UPPER_LIP, FaceClass.LOWER_LIP, FaceClass.HAIR):
        one, other = back == part, expected == part
        assert (one & other).sum() > 0.8 * (one | other).sum(), part.name
    assert (classes[:, :200] == FaceClass.BACKGROUND).all()


@pytest.mark.parametrize("person", PEOPLE)
def test_left_and_right_are_the_subjects(person: str, portraits: Mapping[str, Image], parser: FaceParser) -> None:
    classes = parser.parse_crop(portraits[person])
    right_iris, left_iris = GOLDEN[f"{person}.landmarks"][[468, 473], 0]
    expected = {"RIGHT_EYE": right_iris, "LEFT_EYE": left_iris, "RIGHT_BROW": right_iris, "LEFT_BROW": left_iris}
    for name, column in expected.items():
        assert np.nonzero(classes == FaceClass[name])[1].mean() == pytest.approx(column, abs=20), name


def test_crops_of_odd_sizes_are_refused(parser: FaceParser) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        parser.parse_crop(np.zeros((500, 512, 3), np.uint8))


def test_checkpoint_of_another_network_is_refused(tmp_path: Path, store: Store) -> None:
    import hashlib
    from dataclasses import replace

    import torch

    path = tmp_path / "weights" / "other.pth"
    path.parent.mkdir()
    torch.save({"cp.resnet.conv1.weight": torch.zeros(64, 3, 7, 7), "surprise": torch.zeros(1)}, path)
    data = path.read_bytes()
    entry = replace(
        store.record("bisenet_celebamask"),
        file="other.pth",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    other = Store(tmp_path, records={entry.name: entry})
    with pytest.raises(WeightsError, match="does not fit the face parser"):
        FaceParser(other)


def test_without_torch_the_error_tells_how_to_install_it(store: Store) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from faceloom.perceive import FaceParser\nfrom faceloom.weights import Store\n"
        f"try:\n    FaceParser(Store({str(store.home)!r}))\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("FaceloomError")
    assert "pip install 'faceloom[torch]'" in result.stdout
