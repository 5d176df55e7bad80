from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.footage import write_video
from support.meshes import morphable
from support.perceived import Perceived, perceived

from faceloom.errors import FaceError, MediaError, RecipeError
from faceloom.geometry.partcover import mouth_openness
from faceloom.media import open_clip, probe
from faceloom.perceive.morphable import MotionTemplate, RecordedMotion
from faceloom.run import Output, build_recipe, edit_clip
from faceloom.run.motion import driving_info, read_motion, record_clip
from faceloom.types import Recipe
from faceloom.weights import Store

__all__ = ["perceived"]
COUNT = 14


@pytest.fixture(scope="module")
def recorded(perceived: Perceived, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the person of the example clip does in its first frames."""
    morphable(store)
    folder = tmp_path_factory.mktemp("motion")
    write_video(folder / "clip.mp4", [frame.image for frame in perceived.example.frames[:COUNT]], codec="libx264")
    template, remarks = record_clip(folder / "clip.mp4", store)
    assert remarks == []
    template.save(folder / "motion.npz")
    return folder / "motion.npz"


def recipe(motion: Path) -> Recipe:
    return build_recipe({"take": dict.fromkeys(("expression", "pose", "gaze"), str(motion))})


def test_a_clip_is_recorded_without_its_pictures(recorded: Path, perceived: Perceived) -> None:
    template = MotionTemplate.load(recorded)
    assert len(template) == COUNT and template.present.all()
    assert (template.width, template.height) == (512, 512)
    assert recorded.stat().st_size < 5000 * COUNT
    points = template.points(3)
    assert points is not None
    np.testing.assert_allclose(points[:468, :2], perceived.example.faces[3].landmarks[:468, :2], atol=3)


def test_it_drives_a_photo(recorded: Path, photo: Path, perceived: Perceived, tmp_path: Path, store: Store) -> None:
    out = tmp_path / "out.mp4"
    report = edit_clip(recipe(recorded), photo, out, store=store)
    assert report.frames_edited == COUNT and report.method == "unifacegan"
    info = probe(out)
    assert (info.width, info.height, info.fps, info.audio) == (256, 256, 25, ())
    with open_clip(out) as clip:
        opened = [mouth_openness(perceived.face(frame.image).landmarks) for frame in clip]
    widest = int(np.argmax([mouth_openness(face.landmarks) for face in perceived.example.faces[:COUNT]]))
    assert opened[widest] > opened[0] + 0.05, "the mouth opens as in the clip"


def test_it_has_no_sound(recorded: Path, photo: Path, tmp_path: Path, store: Store) -> None:
    with pytest.raises(RecipeError, match="has no sound"):
        edit_clip(recipe(recorded), photo, tmp_path / "out.mp4", Output(audio="driver"), store=store)
    assert list(tmp_path.iterdir()) == []


def test_what_is_known_of_it(recorded: Path) -> None:
    info = driving_info(recorded)
    assert (info.kind, info.fps, info.frame_count) == ("video", 25, COUNT)
    assert info.duration == Fraction(COUNT, 25)
    source, remarks = read_motion(recorded)
    assert remarks == [] and isinstance(source.performance, RecordedMotion)
    assert source.performance.glimpse(0) is None


def test_lost_faces_are_counted(recorded: Path, tmp_path: Path) -> None:
    template = MotionTemplate.load(recorded)
    template.present[4:6] = False
    template.save(tmp_path / "m.npz")
    assert "lost in 2 of 14 frames" in read_motion(tmp_path / "m.npz")[1][0]


def test_files_that_cannot_drive(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(MediaError, match="cannot be read as a motion template"):
        read_motion(tmp_path / "text.npz")
    MotionTemplate.of([], [], 8, 8).save(tmp_path / "empty.npz")
    for read in (read_motion, driving_info):
        with pytest.raises(FaceError, match=r"empty\.npz"):
            read(tmp_path / "empty.npz")
