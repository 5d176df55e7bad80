from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from faceloom.errors import FaceError, MediaError
from faceloom.perceive.morphable import (
    MOTION_SUPPORT,
    MorphableParameters,
    MotionTemplate,
    camera_of,
    smooth_motion,
)


def clip(count: int, *, noise: float = 0.0, missing: tuple[int, ...] = ()) -> MotionTemplate:
    """A head that drifts and turns evenly at 25 frames a second, with jitter of ``noise`` pixels."""
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 1e5, 40)
    frames: list[MorphableParameters | None] = []
    for index in range(count):
        camera = camera_of(2e-3, np.eye(3), (200 + 1.5 * index, 180 + 0.02 * index**2, 0))
        camera[:, 3] += rng.normal(0, noise, 3)
        expression = 0.1 * index + rng.normal(0, noise, 10)
        jitter = shape + rng.normal(0, 1e3 * noise, 40)
        face = MorphableParameters(camera, jitter.astype(np.float32), expression.astype(np.float32))
        frames.append(None if index in missing else face)
    return MotionTemplate.of(frames, [Fraction(index, 25) for index in range(count)], 640, 480)


def test_a_template_goes_to_a_small_file_and_comes_back(tmp_path: Path) -> None:
    motion = clip(120, noise=0.5, missing=(3, 4))
    path = tmp_path / "motion.npz"
    motion.save(path)
    back = MotionTemplate.load(path)
    assert back.times == motion.times and (back.width, back.height) == (640, 480) and len(back) == 120
    for name in ("present", "cameras", "shapes", "expressions"):
        np.testing.assert_array_equal(getattr(back, name), getattr(motion, name))
    assert path.stat().st_size < 400 * 120
    assert [entry.name for entry in tmp_path.iterdir()] == ["motion.npz"]


def test_frames_come_out_as_they_went_in() -> None:
    motion = clip(5, noise=1.0, missing=(2,))
    assert motion.parameters(2) is None and motion.present.tolist() == [True, True, False, True, True]
    face = motion.parameters(4)
    assert face is not None
    np.testing.assert_array_equal(face.camera, motion.cameras[4])
    np.testing.assert_array_equal(face.expression, motion.expressions[4])


def test_times_that_are_no_decimal_fractions_survive(tmp_path: Path) -> None:
    motion = clip(3)
    motion = dataclasses.replace(motion, times=tuple(Fraction(1001 * index, 30000) for index in range(3)))
    motion.save(tmp_path / "m.npz")
    assert MotionTemplate.load(tmp_path / "m.npz").times[2] == Fraction(1001, 15000)


def test_landmarks_are_kept_to_a_sixteenth_of_a_pixel(tmp_path: Path) -> None:
    plain, rng = clip(40, missing=(3,)), np.random.default_rng(1)
    points = (rng.uniform(0, 600, (478, 3)) + np.arange(40)[:, None, None]).astype(np.float32)
    motion = dataclasses.replace(plain, landmarks=points)
    motion.save(tmp_path / "m.npz")
    back = MotionTemplate.load(tmp_path / "m.npz")
    assert back.points(3) is None and plain.points(0) is None
    for index in (0, 39):
        found = back.points(index)
        assert found is not None
        np.testing.assert_allclose(found, points[index], atol=1 / 32 + 1e-4)
    with pytest.raises(ValueError, match="landmarks must be"):
        dataclasses.replace(plain, landmarks=points[:-1])


def test_an_empty_template_is_saved_too(tmp_path: Path) -> None:
    motion = MotionTemplate.of([], [], 8, 8)
    motion.save(tmp_path / "m.npz")
    assert len(MotionTemplate.load(tmp_path / "m.npz")) == 0
    with pytest.raises(FaceError, match="no frame with a face"):
        motion.identity()


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    clip(20).save(path)
    whole = path.read_bytes()
    with np.load(path) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    bad: dict[str, bytes | dict[str, np.ndarray]] = {
        "cut off": whole[: len(whole) // 2],
        "text": b"not an archive",
        "empty": b"",
        "another version": content | {"version": np.array(3)},
        "another format": content | {"format": np.array("something else")},
        "an array too short": content | {"cameras": content["cameras"][:-1]},
        "not finite": content | {"expressions": np.full_like(content["expressions"], np.nan)},
        "an array missing": {name: array for name, array in content.items() if name != "shapes"},
        "a time over zero": content | {"times": content["times"] * (1, 0)},
        "objects": content | {"size": np.array([{}], dtype=object)},
    }
    for case, data in bad.items():
        file = tmp_path / f"{case}.npz"
        if isinstance(data, bytes):
            file.write_bytes(data)
        else:
            np.savez(file, **data)
        with pytest.raises(MediaError, match="cannot be read as a motion template"):
            MotionTemplate.load(file)
    with pytest.raises(MediaError, match="cannot be read"):
        MotionTemplate.load(tmp_path / "nowhere.npz")


def test_a_file_with_wrong_bytes_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    clip(20, noise=0.3).save(path)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            MotionTemplate.load(path)
        except MediaError:
            refused += 1
    assert refused > 200


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "faceloom morphable parameters", "version": 9}'])
def test_foreign_files_are_no_parameters(tmp_path: Path, text: str) -> None:
    path = tmp_path / "face.json"
    path.write_text(text)
    with pytest.raises(MediaError, match="cannot be read as face parameters"):
        MorphableParameters.load(path)


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    face = clip(1).parameters(0)
    assert face is not None
    with pytest.raises(MediaError, match="cannot write"):
        clip(3).save(tmp_path / "no folder" / "m.npz")
    with pytest.raises(MediaError, match="cannot write"):
        face.save(tmp_path / "no folder" / "face.json")
    (tmp_path / "taken.npz").mkdir()
    with pytest.raises(MediaError, match="cannot write"):
        clip(3).save(tmp_path / "taken.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.npz"]


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    motion = clip(4)
    with pytest.raises(ValueError, match="expressions must be"):
        dataclasses.replace(motion, expressions=motion.expressions[:3])
    with pytest.raises(ValueError, match="size must be positive"):
        dataclasses.replace(motion, width=0)


def test_smoothing_keeps_even_motion_and_one_identity() -> None:
    motion = clip(30)
    smoothed = smooth_motion(motion)
    np.testing.assert_allclose(smoothed.cameras, motion.cameras, atol=1e-6)
    np.testing.assert_allclose(smoothed.expressions, motion.expressions, atol=1e-5)
    np.testing.assert_array_equal(smoothed.shapes, np.tile(motion.shapes[0], (30, 1)))


def test_smoothing_takes_most_of_the_jitter_away() -> None:
    clean, noisy = clip(80), clip(80, noise=0.8)
    smoothed = smooth_motion(noisy)
    inner = slice(MOTION_SUPPORT, -MOTION_SUPPORT)
    for name, share in (("cameras", 0.65), ("expressions", 0.75)):
        before = np.abs(getattr(noisy, name) - getattr(clean, name))[inner].mean()
        after = np.abs(getattr(smoothed, name) - getattr(clean, name))[inner].mean()
        assert after < share * before, name
    assert np.ptp(smoothed.shapes, axis=0).max() == 0
    assert np.abs(smoothed.shapes - clean.shapes).mean() < 0.3 * np.abs(noisy.shapes - clean.shapes).mean()


def test_nothing_is_mixed_across_cuts_and_lost_faces() -> None:
    motion = clip(20, noise=0.5, missing=(6,))
    expected = smooth_motion(motion)
    moved = motion.cameras.copy()
    moved[12:] += 1000
    cuts = np.arange(20) == 12
    smoothed = smooth_motion(dataclasses.replace(motion, cameras=moved), cuts)
    np.testing.assert_array_equal(smoothed.cameras[:9], expected.cameras[:9])
    assert np.abs(smoothed.cameras[:12] - motion.cameras[:12])[np.arange(12) != 6].max() < 3
    assert np.abs(smoothed.cameras[12:] - moved[12:]).max() < 3
    assert smoothed.parameters(6) is None and (smoothed.cameras[6] == 0).all()


def test_a_window_with_context_gives_the_bits_of_the_clip() -> None:
    motion = clip(40, noise=0.7)
    whole = smooth_motion(motion)
    first, last = 11 - MOTION_SUPPORT, 24 + MOTION_SUPPORT
    window = dataclasses.replace(
        motion,
        times=motion.times[first:last],
        present=motion.present[first:last],
        cameras=motion.cameras[first:last],
        shapes=motion.shapes[first:last],
        expressions=motion.expressions[first:last],
    )
    part = smooth_motion(window, identity=motion.identity())
    core = slice(MOTION_SUPPORT, MOTION_SUPPORT + 13)
    np.testing.assert_array_equal(part.cameras[core], whole.cameras[11:24])
    np.testing.assert_array_equal(part.expressions[core], whole.expressions[11:24])
    np.testing.assert_array_equal(part.shapes[core], whole.shapes[11:24])


def test_a_clip_without_faces_is_returned_as_it_is() -> None:
    motion = clip(3, missing=(0, 1, 2))
    assert smooth_motion(motion) is motion
