from pathlib import Path

import numpy as np
import pytest

from faceloom.evaluate.motion import (
    agreement,
    eyes_openness,
    landmark_shift,
    landmark_unsteadiness,
    opening_agreement,
    outside_parts,
)
from faceloom.geometry import topology as t
from faceloom.geometry.partcover import face_scale, mouth_openness
from faceloom.types import Attribute, Part

DATA = Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz"


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    """A real frontal face in a picture of 512 x 512."""
    with np.load(DATA) as data:
        return data["person_05.landmarks"]


def test_correlation_by_hand():
    found = agreement([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0])
    assert found.correlation == pytest.approx(0.8)  # covariance 1.0 over variance 1.25
    assert found.target_spread == pytest.approx(np.sqrt(1.25))
    assert found.output_spread == pytest.approx(np.sqrt(1.25))


def test_correlation_ignores_scale_and_offset_but_not_sign():
    signal = np.sin(np.arange(30.0))
    assert agreement(signal, 5 * signal - 2).correlation == pytest.approx(1.0)
    assert agreement(signal, -signal).correlation == pytest.approx(-1.0)


def test_a_constant_signal_has_no_correlation_and_says_so():
    found = agreement([0.3, 0.3, 0.3], [0.1, 0.2, 0.3])
    assert np.isnan(found.correlation)
    assert found.target_spread == pytest.approx(0)
    assert found.output_spread > 0
    assert np.isnan(agreement([], []).correlation)


def test_signals_must_pair_up():
    with pytest.raises(ValueError, match="one length"):
        agreement([1.0], [1.0, 2.0])


def test_shift_is_in_inter_ocular_distances(landmarks):
    moved = landmarks.copy()
    moved[10, :2] += (3.0, 4.0)
    shift = landmark_shift(landmarks, moved)
    assert shift.shape == (478,)
    assert shift[10] == pytest.approx(5 / face_scale(landmarks), rel=1e-5)
    assert np.delete(shift, 10).max() == 0


def test_a_constant_shift_is_steady_and_a_swinging_one_is_not(landmarks):
    step = 0.1 * face_scale(landmarks)
    constant = [landmarks + np.array([step, 0, 0])] * 4
    assert landmark_unsteadiness([landmarks] * 4, constant).max() < 1e-6
    swinging = [landmarks + np.array([0, sign * step, 0]) for sign in (1, -1, 1, -1)]
    assert landmark_unsteadiness([landmarks] * 4, swinging) == pytest.approx(np.full(478, 0.1), rel=1e-4)
    with pytest.raises(ValueError, match="same frames"):
        landmark_unsteadiness([landmarks], [])


def test_depth_is_no_shift(landmarks):
    assert landmark_shift(landmarks, landmarks + np.array([0, 0, 7])).max() == 0


@pytest.mark.parametrize(
    ("attribute", "own", "other"),
    [
        (Attribute.MOUTH, t.MOUTH_RING + t.INNER_MOUTH_RING, t.LEFT_EYE_RING + t.RIGHT_IRIS),
        (Attribute.EYES, t.LEFT_EYE_RING + t.RIGHT_IRIS + t.RIGHT_LOWER_LID_SKIN, t.MOUTH_RING),
        (Attribute.EYEBROWS, t.LEFT_EYEBROW_UPPER + t.RIGHT_EYEBROW_LOWER, t.MOUTH_RING + t.NOSE_RING[4:-4]),
        (Attribute.NOSE, t.NOSE_RING, t.LEFT_IRIS + t.LOWER_LIP_OUTER[2:-2]),
        (Attribute.LEFT_EYE, t.LEFT_IRIS + t.LEFT_EYE_RING, t.RIGHT_IRIS + t.RIGHT_EYE_RING),
    ],
)
def test_a_part_and_its_ring_are_not_outside(landmarks, attribute, own, other):
    outside = outside_parts(attribute.parts, landmarks)
    assert not outside[list(own)].any()
    assert outside[list(other)].all()


def test_the_silhouette_is_outside_of_every_part(landmarks):
    chin_and_forehead = [152, 10, 234, 454]
    assert outside_parts(list(Part), landmarks)[chin_and_forehead].all()


def test_a_wider_ring_leaves_fewer_landmarks(landmarks):
    counts = [outside_parts([Part.MOUTH], landmarks, ring).sum() for ring in (0.0, 0.2, 0.4)]
    assert counts[0] > counts[1] > counts[2] > 0


def with_openings(landmarks: np.ndarray, mouth: float, eyes: float) -> np.ndarray:
    """The face with its lower lip and lower lids moved down by so many pixels."""
    changed = landmarks.copy()
    changed[list(t.LOWER_LIP_INNER[1:-1]), 1] += mouth
    changed[list(t.LEFT_LOWER_LID[1:-1] + t.RIGHT_LOWER_LID[1:-1]), 1] += eyes
    return changed


def test_openings_follow_lips_and_lids_separately(landmarks):
    steps = (0.0, 4.0, 1.0, 6.0)
    target = [with_openings(landmarks, step, 6 - step) for step in steps]
    assert opening_agreement(target, target).correlation == pytest.approx(1.0)
    assert opening_agreement(target, target, eyes_openness).correlation == pytest.approx(1.0)
    reversed_eyes = [with_openings(landmarks, step, step) for step in steps]
    assert opening_agreement(target, reversed_eyes, mouth_openness).correlation == pytest.approx(1.0)
    assert opening_agreement(target, reversed_eyes, eyes_openness).correlation < -0.9
