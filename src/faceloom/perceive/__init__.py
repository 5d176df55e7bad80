"""Frames to what is in them: faces, landmarks, tracks, parsing, flow."""

from faceloom.perceive.blendshapes import BLENDSHAPES
from faceloom.perceive.bundle import Perception
from faceloom.perceive.detector import Detection, FaceDetector
from faceloom.perceive.flow import FlowPreset, OpticalFlow
from faceloom.perceive.identity import SAME_PERSON, FaceEmbedder, similarity
from faceloom.perceive.landmarker import FaceLandmarker, LandmarkResult
from faceloom.perceive.motion import MotionMeter, follow_motion
from faceloom.perceive.occluders import occluder_matte
from faceloom.perceive.parse import FaceClass, FaceParser
from faceloom.perceive.shots import ShotDetector
from faceloom.perceive.smooth import SUPPORT, smooth_faces, smooth_landmarks
from faceloom.perceive.still import perceive_image, still_weights
from faceloom.perceive.temporal_filter import smooth_parameters
from faceloom.perceive.tracker import FaceTracker
from faceloom.perceive.yunet import YuNet

__all__ = [
    "BLENDSHAPES",
    "SAME_PERSON",
    "SUPPORT",
    "Detection",
    "FaceClass",
    "FaceDetector",
    "FaceEmbedder",
    "FaceLandmarker",
    "FaceParser",
    "FaceTracker",
    "FlowPreset",
    "LandmarkResult",
    "MotionMeter",
    "OpticalFlow",
    "Perception",
    "ShotDetector",
    "YuNet",
    "follow_motion",
    "occluder_matte",
    "perceive_image",
    "similarity",
    "smooth_faces",
    "smooth_landmarks",
    "smooth_parameters",
    "still_weights",
]
