"""The method on real frames, with a network whose effect is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="retouching needs torch: pip install 'faceloom[retouch]'")

from support.langbrt import TINY, blunt_model, checkpoint, random_model, retouched  # noqa: E402
from support.perceived import Perceived, repainted  # noqa: E402

from faceloom.compose import paste  # noqa: E402
from faceloom.errors import FaceError, RecipeError, WeightsError  # noqa: E402
from faceloom.methods.langbrt.checkpoint import save_langbrt  # noqa: E402
from faceloom.methods.langbrt.method import LangBRTMethod  # noqa: E402
from faceloom.methods.langbrt.prompts import Area, Side  # noqa: E402
from faceloom.methods.langbrt.regions import side_mask  # noqa: E402
from faceloom.perceive.clip_text import ClipText  # noqa: E402
from faceloom.perceive.text import MiniLM  # noqa: E402
from faceloom.types import Box, Face, Frame, Image, Window  # noqa: E402

CLIP = Path(__file__).parents[2] / "data" / "perceive" / "clip_tiny"
pytestmark = pytest.mark.usefixtures("encoder")


def method(folder: Path, *requests: str, **options: Any) -> LangBRTMethod:
    path = folder / "tiny.safetensors"
    if not path.exists():
        checkpoint(folder)
    return LangBRTMethod({"checkpoint": str(path), "skin": "colour", "retouch": requests, **options})


def still(perceived: Perceived, name: str = "person_03") -> tuple[Frame, Face]:
    source = perceived.source(name)
    return Frame(0, Fraction(0), source.image), source.face


def changed(image: Image, frame: Frame) -> np.ndarray:
    return np.abs(image.astype(float) - frame.image).sum(axis=2)


def edited(own: LangBRTMethod, frame: Frame, face: Face) -> Image:
    (patches,) = retouched(own, [frame], [face])
    return paste(frame, patches).image


@pytest.mark.parametrize("side", ["right", "left"])
def test_one_cheek_leaves_the_other_alone(tmp_path: Path, perceived: Perceived, side: str) -> None:
    frame, face = still(perceived)
    change = changed(edited(method(tmp_path, f"acne on the {side} cheek"), frame, face), frame)
    other = side_mask(Side.LEFT if side == "right" else Side.RIGHT, face.landmarks, Box(0, 0, 512, 512))
    assert change.max() > 20
    assert (change * other).sum() < 0.02 * change.sum()


def test_areas_are_where_they_are_called(tmp_path: Path, perceived: Perceived) -> None:
    frame, face = still(perceived)
    up = {}
    for words in ("wrinkles on the forehead", "acne on the chin", "redness on the nose"):
        change = changed(edited(method(tmp_path, words), frame, face), frame)
        up[words] = float((change.sum(axis=1) * np.arange(512)).sum() / change.sum())
    brow, nose, mouth = (float(face.landmarks[i, 1]) for i in (9, 1, 17))
    assert up["wrinkles on the forehead"] < brow < up["redness on the nose"] < nose + 10
    assert up["acne on the chin"] > mouth


def test_features_stay(tmp_path: Path, perceived: Perceived) -> None:
    """Whatever is asked for: eyes, brows and lips keep every bit."""
    from faceloom.geometry.masks import region_mask
    from faceloom.types import Part

    frame, face = still(perceived)
    change = changed(edited(method(tmp_path, "all"), frame, face), frame)
    for part in (Part.LEFT_EYE, Part.RIGHT_EYE, Part.MOUTH, Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW):
        inside = region_mask(part, face.landmarks, Box(0, 0, 512, 512)) > 0.9
        assert change[inside].mean() < 1.5, part
    assert (change > 20).mean() > 0.1


def test_windows_do_not_matter(tmp_path: Path, perceived: Perceived) -> None:
    save_langbrt(tmp_path / "tiny.safetensors", random_model(), "minilm_int8")
    own, shot = method(tmp_path, "all"), perceived.example
    frames, faces = shot.frames[:14], shot.faces[:14]
    whole, cut = (
        [paste(frame, patches).image for frame, patches in zip(frames, retouched(own, frames, faces, n), strict=True)]
        for n in (14, 5)
    )
    assert all(np.array_equal(a, b) for a, b in zip(whole, cut, strict=True))
    assert not any(np.array_equal(a, frame.image) for a, frame in zip(whole, frames, strict=True))


def test_frames_without_the_face_pass(tmp_path: Path, perceived: Perceived) -> None:
    shot = perceived.example
    faces: list[Face | None] = list(shot.faces[:6])
    faces[2] = None
    patches = retouched(method(tmp_path, "shine"), shot.frames[:6], faces)
    assert [bool(own) for own in patches] == [True, True, False, True, True, True]


def test_another_clip_begins_anew(tmp_path: Path, perceived: Perceived) -> None:
    """The same number is somebody else, whose frames have the same numbers too."""
    own = method(tmp_path, "shine")
    prepared = own.prepare({})
    frame, face = still(perceived)
    (first,) = own.apply(Window([frame], slice(0, 1), True), [face], prepared)
    other, another = still(perceived, "person_05")
    (second,) = own.apply(Window([other], slice(0, 1), True), [another], prepared)
    assert np.array_equal(paste(other, second).image, edited(method(tmp_path, "shine"), other, another))
    assert first[0].crop.offset != second[0].crop.offset


def test_memory_of_a_long_clip_is_bounded(tmp_path: Path, perceived: Perceived) -> None:
    own, shot = method(tmp_path, "shine"), perceived.example
    prepared = own.prepare({})
    for start in range(0, 24, 4):
        low = max(0, start - own.context)
        window = Window(shot.frames[low : start + 8], slice(start - low, start - low + 4), start == 0)
        own.apply(window, shot.faces[low : start + 8], prepared)
    assert sum(prepared.memo.known(1, i) for i in range(48)) <= 4 + 2 * own.context


def test_doubtful_faces_are_left_alone(tmp_path: Path, perceived: Perceived) -> None:
    frame, face = still(perceived)
    own = method(tmp_path, "shine")
    full = changed(edited(own, frame, face), frame).sum()
    half = changed(edited(own, frame, replace(face, confidence=0.65)), frame).sum()
    assert 0.2 * full < half < 0.8 * full
    assert np.array_equal(edited(own, frame, replace(face, confidence=0.3)), frame.image)


class TestSmallFaces:
    def small(self, perceived: Perceived, side: int) -> tuple[Frame, Face]:
        import cv2

        frame, face = still(perceived)
        image = cv2.resize(frame.image, (side, side), interpolation=cv2.INTER_AREA)
        scale = np.float32(side / 512)
        return repainted(frame, image), replace(face, landmarks=face.landmarks * scale)

    def test_too_small(self, tmp_path: Path, perceived: Perceived) -> None:
        frame, face = self.small(perceived, 64)
        own = method(tmp_path, "shine")
        prepared = own.prepare({})
        assert own.apply(Window([frame], slice(0, 1), True), [face], prepared) == [[]]
        assert own.maps(frame, face, prepared) == []
        with pytest.raises(FaceError, match=r"photo\.jpg: the face is 3\d pixels wide.*at least 48 pixels wide"):
            own.conclude(prepared, "photo.jpg")

    def test_large_enough(self, tmp_path: Path, perceived: Perceived) -> None:
        frame, face = self.small(perceived, 128)
        own = method(tmp_path, "shine")
        prepared = own.prepare({})
        assert own.apply(Window([frame], slice(0, 1), True), [face], prepared)[0]
        assert own.conclude(prepared, "photo.jpg") == []


class TestWhatIsSaid:
    def test_understood_and_maps(self, tmp_path: Path, perceived: Perceived) -> None:
        own = method(tmp_path, "zits on the right cheek", "greasy nose")
        prepared = own.prepare({})
        assert own.understood(prepared) == ("acne on the right cheek", "shine on the nose")
        frame, face = still(perceived)
        cheek, nose = own.maps(frame, face, prepared)
        assert (cheek.name, nose.name) == ("acne on the right cheek", "shine on the nose")
        assert cheek.found.shape == (64, 64) == (cheek.crop.width, cheek.crop.height)
        assert cheek.found.max() > 0.9 and nose.found.max() > 0.9
        assert (np.minimum(cheek.found, nose.found) > 0.5).mean() < 0.02
        left_of_picture = float((cheek.found.sum(axis=0) * np.arange(64)).sum() / cheek.found.sum())
        assert left_of_picture < 32, "the subject's right is on the left of the picture"

    def test_what_was_not_found(self, tmp_path: Path, perceived: Perceived) -> None:
        checkpoint(tmp_path, blunt_model(certainty=-4))
        own = method(tmp_path, "zits", "shine on the nose")
        prepared = own.prepare({})
        frame, face = still(perceived)
        assert own.apply(Window([frame], slice(0, 1), True), [face], prepared) == [[]]
        assert own.conclude(prepared, "a.jpg") == [
            "a.jpg: nothing was found for 'zits'", "a.jpg: nothing was found for 'shine on the nose'",
        ]  # fmt: skip

    def test_what_is_said_twice(self, tmp_path: Path, perceived: Perceived) -> None:
        own = method(tmp_path, "acne", "zits on the nose")
        prepared = own.prepare({})
        frame, face = still(perceived)
        own.apply(Window([frame], slice(0, 1), True), [face], prepared)
        assert own.conclude(prepared, "a.jpg") == ["'zits on the nose' is part of 'acne'"]

    def test_status(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "runs with" in LangBRTMethod.status()
        monkeypatch.setattr("faceloom.methods.langbrt.method.find_spec", lambda name: None)
        assert LangBRTMethod.status() == (
            "cannot run: torch, safetensors, tokenizers not installed, pip install 'faceloom[retouch]'"
        )


class TestWeights:
    def test_its_own_are_no_names(self, tmp_path: Path) -> None:
        assert method(tmp_path).weights == MiniLM.weights
        assert LangBRTMethod.needs == ("langbrt_small", *MiniLM.weights)

    def test_missing(self, tmp_path: Path) -> None:
        own = LangBRTMethod({"checkpoint": str(tmp_path / "none.safetensors"), "retouch": ("acne",)})
        with pytest.raises(WeightsError, match=r"none\.safetensors"):
            own.prepare({})

    def test_of_another_text_encoder(self, tmp_path: Path) -> None:
        save_langbrt(tmp_path / "tiny.safetensors", blunt_model(), "clip")
        says = r"trained with the text encoder 'clip'.* 'minilm_int8'; give the folder .*--option text_encoder=FOLDER"
        with pytest.raises(WeightsError, match=says):
            method(tmp_path, "acne").prepare({})
        with pytest.raises(WeightsError, match=r"'clip', .* of 'clip-[0-9a-f]{12}'; give the folder"):
            method(tmp_path, "acne", text_encoder=str(CLIP)).prepare({})
        checkpoint(tmp_path)
        with pytest.raises(WeightsError, match=r"encoder 'minilm_int8'.*leave out --option text_encoder"):
            method(tmp_path, "acne", text_encoder=str(CLIP)).prepare({})
        with pytest.raises(WeightsError, match="none is no folder"):
            method(tmp_path, "acne", text_encoder=str(tmp_path / "none")).prepare({})

    def test_of_clip(self, tmp_path: Path, perceived: Perceived) -> None:
        """MiniLM understands what is asked for; the network is told with the vectors that it was trained with."""
        clip = ClipText(CLIP)
        model = random_model(config=replace(TINY, text_dim=clip.dimension))
        save_langbrt(tmp_path / "tiny.safetensors", model, clip.name)
        own = method(tmp_path, "greasy nose", "zits on the right cheek", text_encoder=str(CLIP))
        prepared = own.prepare({})
        assert own.understood(prepared) == ("shine on the nose", "acne on the right cheek")
        np.testing.assert_allclose(prepared.network.text[0, 0], clip.encode(["shine on the nose"])[0], atol=1e-6)
        frame, face = still(perceived)
        assert changed(edited(own, frame, face), frame).max() > 20

    def test_nothing_asked_for(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="nothing was asked for"):
            method(tmp_path).prepare({})


def test_regions_reach_over_but_sides_do_not(perceived: Perceived) -> None:
    from faceloom.methods.langbrt.prepared import regions
    from faceloom.methods.langbrt.prompts import Blemish, Prompt
    from faceloom.methods.langbrt.regions import region_of
    from faceloom.methods.vpartswap.crops import cut_face

    frame, face = still(perceived)
    crop = cut_face(frame, face, 256)
    (wide,) = regions([Prompt(Blemish.ACNE, Area.CHIN, Side.LEFT)], crop.landmarks, 256)
    exact = region_of(Area.CHIN, Side.LEFT, crop.landmarks, Box(0, 0, 256, 256))
    assert 1.02 < wide.sum() / exact.sum() < 1.6
    assert (wide * side_mask(Side.RIGHT, crop.landmarks, Box(0, 0, 256, 256))).sum() < 0.04 * wide.sum()
