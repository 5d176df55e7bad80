"""All of perception in one object, each network loaded when it is first used."""

from __future__ import annotations

from functools import cached_property

from faceloom.perceive.detector import FaceDetector
from faceloom.perceive.flow import FlowPreset, OpticalFlow
from faceloom.perceive.identity import FaceEmbedder
from faceloom.perceive.landmarker import FaceLandmarker
from faceloom.perceive.parse import FaceParser
from faceloom.perceive.yunet import YuNet
from faceloom.weights import Store


class Perception:
    """The networks of one store. Not safe to share between threads: each thread makes its own.

    store    where the weights are; a weight is looked for when its network is first used (``WeightsError``).
    device   torch device of the parser; everything else runs on the CPU.
    threads  CPU threads of the landmark network, see ``FaceLandmarker``.
    """

    def __init__(self, store: Store, *, device: str = "cpu", threads: int = 2) -> None:
        self.store = store
        self.device = device
        self.threads = threads

    @cached_property
    def detector(self) -> FaceDetector:
        """BlazeFace; weight ``face_landmarker``."""
        return FaceDetector(self.store)

    @cached_property
    def landmarker(self) -> FaceLandmarker:
        """Landmarks, blendshapes and pose; weight ``face_landmarker``."""
        return FaceLandmarker(self.store, threads=self.threads)

    @cached_property
    def yunet(self) -> YuNet:
        """Small and many faces; weight ``yunet``."""
        return YuNet(self.store)

    @cached_property
    def embedder(self) -> FaceEmbedder:
        """Identity vectors; weight ``sface``."""
        return FaceEmbedder(self.store)

    @cached_property
    def parser(self) -> FaceParser:
        """Face parsing; weight ``bisenet_celebamask`` and torch."""
        return FaceParser(self.store, device=self.device)

    @cached_property
    def flow(self) -> OpticalFlow:
        """Optical flow; no weight."""
        return OpticalFlow(FlowPreset.MEDIUM)
