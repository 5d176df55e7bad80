"""Frames to what is in them: faces, landmarks, tracks, parsing, flow."""

from faceloom.perceive.blendshapes import BLENDSHAPES
from faceloom.perceive.bundle import Perception
from faceloom.perceive.detector import Detection, FaceDetector
from faceloom.perceive.flow import FlowPreset, OpticalFlow
from faceloom.perceive.identity import SAME_PERSON, FaceEmbedder, similarity
from faceloom.perceive.landmarker import FaceLandmarker, LandmarkResult
from faceloom.perceive.parse import FaceClass, FaceParser
from faceloom.perceive.still import perceive_image, still_weights
from faceloom.perceive.yunet import YuNet

__all__ = [
    "BLENDSHAPES",
    "SAME_PERSON",
    "Detection",
    "FaceClass",
    "FaceDetector",
    "FaceEmbedder",
    "FaceLandmarker",
    "FaceParser",
    "FlowPreset",
    "LandmarkResult",
    "OpticalFlow",
    "Perception",
    "YuNet",
    "perceive_image",
    "similarity",
    "still_weights",
]
