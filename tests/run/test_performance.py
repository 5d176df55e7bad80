from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.footage import write_video
from support.meshes import morphable
from support.perceived import Perceived, perceived

from faceloom.errors import FaceError, RecipeError
from faceloom.geometry.similarity import invert, transform
from faceloom.media import open_clip, probe
from faceloom.run import Output, build_recipe, edit_clip
from faceloom.run.performance import ClipPerformance, compare_lengths, read_performance
from faceloom.types import Source
from faceloom.weights import Store

__all__ = ["perceived"]
COUNT = 10


@pytest.fixture(scope="module")
def driver(perceived: Perceived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the example clip, with sound."""
    path = tmp_path_factory.mktemp("driver") / "driver.mp4"
    frames = [frame.image[::2, ::2] for frame in perceived.example.frames[:COUNT]]
    write_video(path, frames, codec="libx264", audio="aac")
    return path


def recipe(driver: Path) -> object:
    return build_recipe({"take": {"expression": str(driver), "pose": str(driver)}})


def test_what_was_added_comes_back(perceived: Perceived) -> None:
    performance, shot = ClipPerformance(), perceived.example
    performance.add(shot.frames[0], shot.faces[0])
    performance.add(shot.frames[1], None)
    performance.add(shot.frames[2], shot.faces[2])
    assert performance.times == [frame.time for frame in shot.frames[:3]]
    assert performance.lost == 1
    assert performance.glimpse(1) is None
    for index in (2, 0):
        glimpse, frame, face = performance.glimpse(index), shot.frames[index], shot.faces[index]
        assert glimpse is not None
        np.testing.assert_array_equal(glimpse.face.pose, face.pose)
        back = transform(invert(glimpse.crop.matrix), glimpse.face.landmarks)
        np.testing.assert_allclose(back, face.landmarks[:, :2], atol=0.01)
        x, y = (round(float(value)) for value in back[4])
        column, row = (round(float(value)) for value in glimpse.face.landmarks[4, :2])
        assert np.abs(glimpse.image[row, column].astype(int) - frame.image[y, x]).max() < 25


def test_a_clip_is_read(driver: Path, perceived: Perceived) -> None:
    source, remarks = read_performance(driver, perceived.perception)
    assert remarks == []
    assert source.performance is not None
    assert list(source.performance.times) == [Fraction(index, 25) for index in range(COUNT)]
    assert source.performance.glimpse(COUNT - 1) is not None


def test_nobody_in_the_driving_clip(tmp_path: Path, perceived: Perceived) -> None:
    write_video(tmp_path / "empty.mp4", [np.full((128, 128, 3), 90, np.uint8)] * 3, codec="libx264")
    with pytest.raises(FaceError, match=r"empty\.mp4: no face"):
        read_performance(tmp_path / "empty.mp4", perceived.perception)


@pytest.mark.parametrize(("frames", "told"), [(10, "its last look holds"), (200, "its end is not used"), (130, None)])
def test_other_lengths_are_told(frames: int, told: str | None, perceived: Perceived) -> None:
    performance, shot = ClipPerformance(), perceived.example
    performance.times = [Fraction(index, 25) for index in range(frames)]
    source = Source(Path("driver.mp4"), shot.frames[0].image, shot.faces[0], performance)
    remarks = compare_lengths(source, probe(Path(__file__).parents[2] / "examples" / "target.mp4"))
    assert [told in remark for remark in remarks] == ([True] if told else [])


@pytest.mark.parametrize("audio", ["driver", "target"])
def test_a_photo_becomes_a_video(audio: str, driver: Path, photo: Path, tmp_path: Path, store: Store) -> None:
    morphable(store)
    out = tmp_path / "out.mp4"
    report = edit_clip(recipe(driver), photo, out, Output(audio=audio), store=store)  # type: ignore[arg-type]
    assert report.frames_edited == COUNT
    info = probe(out)
    assert (info.width, info.height, info.fps) == (256, 256, 25)
    assert len(info.audio) == (1 if audio == "driver" else 0)
    assert info.pixel_format == "yuv420p"
    with open_clip(out) as clip:
        frames = [frame.image.astype(int) for frame in clip]
    assert len(frames) == COUNT
    assert np.abs(frames[9] - frames[0]).max(axis=2).mean() > 0.5


def test_a_photo_stays_a_photo_when_the_output_is_one(driver: Path, photo: Path, tmp_path: Path, store: Store) -> None:
    report = edit_clip(recipe(driver), photo, tmp_path / "out.png", store=store)  # type: ignore[arg-type]
    assert report.frames_read == 1


def test_a_photo_cannot_be_trimmed(driver: Path, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no duration"):
        edit_clip(recipe(driver), photo, tmp_path / "out.mp4", Output(start=1))  # type: ignore[arg-type]


def test_the_drivers_sound_needs_a_photo(driver: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leave out --audio"):
        edit_clip(recipe(driver), driver, tmp_path / "out.mp4", Output(audio="driver"))  # type: ignore[arg-type]
    assert not (tmp_path / "out.mp4").exists()
