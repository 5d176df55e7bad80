"""The networks that metrics look through, loaded from the store when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceloomError, WeightsError
from faceloom.evaluate.arcface import ArcFace
from faceloom.evaluate.expression import FaceExpression
from faceloom.evaluate.headpose import HeadPose
from faceloom.evaluate.metrics.registry import absence, chosen
from faceloom.perceive import FaceEmbedder, OpticalFlow
from faceloom.perceive.morphable import MorphableModel, MorphableRegressor, read_morphable_model
from faceloom.types import Image
from faceloom.weights import Store

if TYPE_CHECKING:
    from faceloom.nets.i3d import I3D
    from faceloom.nets.inception import InceptionV3
    from faceloom.nets.lpips import LPIPS
    from faceloom.nets.vit import ViT

T = TypeVar("T")

DEFAULT_FLOW = "DIS medium"
USERS_OWN = ("clip-vit-l14", "dinov2", "arcface", "hopenet", "deep3dfacerecon")
"""Weights that the store has no record of: whoever has them names the files."""
_LPIPS_FILES = {"vgg": ("lpips_vgg16", "lpips_lin_vgg"), "alex": ("lpips_alexnet", "lpips_lin_alex")}


class Flow(Protocol):
    """Anything that says where the pixels of one picture are in another; see ``perceive.flow.OpticalFlow``."""

    def flow(self, a: Image, b: Image) -> NDArray[np.float32]:
        """(H, W, 2) displacements from ``a`` to ``b``, pixels."""


class Networks:
    """One of each network, shared by all items of a run.

    store      where the weights are; default the user's.
    files      weights that are not in the store, by name: ``{"clip-vit-l14": Path("clip.safetensors")}``; the names
               are those of ``USERS_OWN``.
    device     torch device.
    flow       what finds motion; default DIS, which is fast. ``perceive.raft.RaftFlow`` is what the papers use.
    flow_name  what results call it; needed with ``flow``.

    Nothing is loaded before it is used. Every loader raises ``WeightsError`` for weights that are missing, damaged or
    of another layout, and ``FaceloomError`` where torch is not installed.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        files: Mapping[str, Path] | None = None,
        device: str = "cpu",
        flow: Flow | None = None,
        flow_name: str = "",
    ) -> None:
        if flow is not None and not flow_name:
            raise ValueError("a flow of one's own needs a name, for the results to say what they were made with")
        self.store = store or Store()
        self.files = dict(files or {})
        self.device = device
        self.flow: Flow = OpticalFlow() if flow is None else flow
        self.flow_name = flow_name or DEFAULT_FLOW
        self._loaded: dict[str, Any] = {}

    def absent(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """Metrics (of ``names``, None for all) that cannot be computed here, with what their column says."""
        reasons = {spec.name: absence(spec, self.store, self.files) for spec in chosen(names)}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def lpips(self, kind: str) -> LPIPS:
        """LPIPS v0.1 with the trunk "vgg" or "alex"."""
        return self._once(f"lpips {kind}", lambda: self._lpips(kind))

    def inception(self) -> InceptionV3:
        """Inception-v3 of FID."""
        return self._once("inception", self._inception)

    def i3d(self) -> I3D:
        """I3D of FVD."""
        return self._once("i3d", self._i3d)

    def vit(self, name: str) -> ViT:
        """The vision transformer with the weight ``name`` ("clip-vit-l14", "dinov2")."""
        return self._once(name, lambda: self._vit(name))

    def embedder(self) -> FaceEmbedder:
        """SFace."""
        return self._once("sface", lambda: FaceEmbedder(self.store))

    def morphable(self) -> MorphableRegressor:
        """3DDFA_V2."""
        return self._once("morphable", lambda: MorphableRegressor(self.store))

    def face_model(self) -> MorphableModel:
        """The morphable model that 3DDFA_V2 finds the parameters of."""
        return self._once("face model", lambda: read_morphable_model(self.store))

    def head_pose(self) -> HeadPose:
        """HopeNet."""
        return self._once("hopenet", self._head_pose)

    def face_expression(self) -> FaceExpression:
        """Deep3DFaceRecon."""
        return self._once("deep3dfacerecon", self._face_expression)

    def arcface(self) -> ArcFace:
        """ArcFace."""
        return self._once("arcface", lambda: ArcFace(self._path("arcface")))

    def _once(self, key: str, load: Callable[[], T]) -> T:
        if key not in self._loaded:
            self._loaded[key] = load()
        found: T = self._loaded[key]
        return found

    def _path(self, name: str) -> Path:
        return self.files[name] if name in self.files else self.store.path(name)

    def _ready(self, net: Any, state: Mapping[str, Any], path: Path) -> Any:
        """``net`` with the weights, strictly, in evaluation mode on the device."""
        try:
            net.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit {type(net).__name__}: {error}") from error
        return net.eval().requires_grad_(False).to(self.device)

    def _lpips(self, kind: str) -> LPIPS:
        import_torch()
        from faceloom.nets.flax_pickle import read_arrays
        from faceloom.nets.lpips import LPIPS, head_state, trunk_state

        trunk, heads = (self._path(name) for name in _LPIPS_FILES[kind])
        net = LPIPS(kind)
        state = {f"trunk.{key}": value for key, value in trunk_state(kind, _read(trunk, read_arrays)).items()}
        state |= {f"heads.{key}": value for key, value in head_state(load_checkpoint(heads)).items()}
        return self._ready(net, state, trunk)

    def _inception(self) -> InceptionV3:
        import_torch()
        from faceloom.nets.inception import InceptionV3
        from faceloom.nets.torchscript_archive import read_parameters

        path = self._path("inception_fid")
        state = {name.removeprefix("net."): value for name, value in _read(path, read_parameters).items()}
        return self._ready(InceptionV3(), state, path)

    def _i3d(self) -> I3D:
        import_torch()
        from faceloom.nets.flax_pickle import read_arrays
        from faceloom.nets.i3d import I3D, from_flax

        path = self._path("i3d_k400")
        return self._ready(I3D(), from_flax(_read(path, read_arrays)), path)

    def _head_pose(self) -> HeadPose:
        import_torch()
        from faceloom.nets.hopenet import HopeNet, hopenet_state

        path = self._path("hopenet")
        return HeadPose(self._ready(HopeNet(), hopenet_state(load_checkpoint(path)), path))

    def _face_expression(self) -> FaceExpression:
        import_torch()
        from faceloom.nets.deep3d import Deep3DFaceRecon, deep3d_state

        path = self._path("deep3dfacerecon")
        try:
            state = deep3d_state(load_checkpoint(path))
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from error
        return FaceExpression(self._ready(Deep3DFaceRecon(), state, path))

    def _vit(self, name: str) -> ViT:
        import_torch()
        from faceloom.nets.vit_layouts import vit_from

        return vit_from(load_checkpoint(self._path(name))).requires_grad_(False).to(self.device)


def import_torch() -> Any:
    """torch. Raises ``FaceloomError`` with the command that installs it."""
    try:
        import torch
    except ImportError as error:
        raise FaceloomError("this metric needs torch, which is not installed: pip install 'faceloom[torch]'") from error
    return torch


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The state dictionary in a ``.safetensors`` file or a torch checkpoint, on the processor; no code is run.

    Raises ``WeightsError`` when it cannot be read.
    """
    torch = import_torch()
    if path.suffix == ".safetensors":
        from faceloom.nets.safetensors_file import read_tensors

        return _read(path, read_tensors)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        raise WeightsError(f"{path} cannot be read as a checkpoint: {error}") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{path} holds {type(found).__name__}, a state dictionary was expected")
    return found


def _read(path: Path, reader: Callable[[IO[bytes]], T]) -> T:
    try:
        with path.open("rb") as stream:
            return reader(stream)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
