"""The face as a 3D morphable model: who it is, what it does and how the camera sees it, in 62 numbers."""

from faceloom.perceive.morphable.adjust import adjust_to_landmarks
from faceloom.perceive.morphable.camera import camera_of, head_angles, split_camera
from faceloom.perceive.morphable.correspondence import (
    CropSquare,
    ReprojectionError,
    keypoints_of_landmarks,
    reprojection_error,
    square_around_box,
    square_around_landmarks,
)
from faceloom.perceive.morphable.model import MORPHABLE_WEIGHTS, MorphableModel, read_morphable_model
from faceloom.perceive.morphable.parameters import MorphableParameters, recombine
from faceloom.perceive.morphable.regressor import MorphableRegressor
from faceloom.perceive.morphable.smooth import MOTION_SUPPORT, smooth_motion
from faceloom.perceive.morphable.template import MotionTemplate, RecordedMotion

__all__ = [
    "MORPHABLE_WEIGHTS",
    "MOTION_SUPPORT",
    "CropSquare",
    "MorphableModel",
    "MorphableParameters",
    "MorphableRegressor",
    "MotionTemplate",
    "RecordedMotion",
    "ReprojectionError",
    "adjust_to_landmarks",
    "camera_of",
    "head_angles",
    "keypoints_of_landmarks",
    "read_morphable_model",
    "recombine",
    "reprojection_error",
    "smooth_motion",
    "split_camera",
    "square_around_box",
    "square_around_landmarks",
]
