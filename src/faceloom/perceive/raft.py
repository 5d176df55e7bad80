"""Dense optical flow by RAFT: much slower than inverse search, and better than it only where motion is large.

Teed and Deng, RAFT: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020, weights of FlyingThings3D.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceloomError, WeightsError
from faceloom.types import Image
from faceloom.weights import Store

if TYPE_CHECKING:
    from torch import Tensor

    from faceloom.nets.raft import Raft


class RaftFlow:
    """Where each pixel of one picture is in another; can stand wherever ``OpticalFlow`` does. Needs torch.

    store       where the weight is.
    device      torch device.
    iterations  steps of refinement; fewer are faster and less exact.
    bfloat16    convolutions in bfloat16: nearly twice as fast on processors made for it, and the flow moves by about
                0.01 pixels. None chooses it where the device has it.

    Memory grows with the square of the number of pixels: 90 MB for 512 x 512, 5.6 GB for 1920 x 1080. Raises
    ``FaceloomError`` when torch is not installed, ``WeightsError`` when the weight is missing or does not fit.
    """

    weights = ("raft_things",)

    def __init__(
        self, store: Store, *, device: str = "cpu", iterations: int = 12, bfloat16: bool | None = None
    ) -> None:
        try:
            import torch
        except ImportError as error:
            raise FaceloomError("RAFT needs torch, which is not installed: pip install 'faceloom[torch]'") from error
        from faceloom.nets.precision import has_bfloat16

        if iterations < 1:
            raise ValueError(f"RAFT needs at least one iteration, got {iterations}")
        self._torch = torch
        self.device = torch.device(device)
        self.iterations = iterations
        self.bfloat16 = has_bfloat16(self.device) if bfloat16 is None else bfloat16
        self._net = _load(store).to(self.device)

    def flow(self, a: Image, b: Image) -> NDArray[np.float32]:
        """(H, W, 2) float32 displacements from ``a`` to ``b``, pixels.

        a, b  (H, W, 3) uint8 RGB, or (H, W) uint8 grey.

        Convention: what ``a`` shows at ``(x, y)``, ``b`` shows at ``(x + flow[y, x, 0], y + flow[y, x, 1])``. So
        sampling ``b`` at ``grid + flow`` gives ``a``. Raises ``ValueError`` for pictures of different sizes.
        """
        if a.shape[:2] != b.shape[:2]:
            raise ValueError(f"flow needs two pictures of one size, got {a.shape[:2]} and {b.shape[:2]}")
        torch = self._torch
        above, below, left, right = margins = _margins(*a.shape[:2])
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            flow, _ = self._net(self._tensor(a, margins), self._tensor(b, margins), self.iterations)
        height, width = flow.shape[2:]
        inner = flow[0, :, above : height - below, left : width - right]
        result: NDArray[np.float32] = inner.permute(1, 2, 0).contiguous().cpu().numpy()
        return result

    def _tensor(self, image: Image, margins: tuple[int, int, int, int]) -> Tensor:
        """(1, 3, h, w) float32 in [0, 255], its border repeated outwards."""
        above, below, left, right = margins
        colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        padded = np.pad(colour, ((above, below), (left, right), (0, 0)), mode="edge")
        return self._torch.from_numpy(padded).to(self.device).permute(2, 0, 1)[None].float()


def _margins(height: int, width: int) -> tuple[int, int, int, int]:
    """Rows above and below, columns left and right, that make a picture fit the network."""
    from faceloom.nets.raft import LEAST_SIDE, STRIDE

    rows, columns = (max(LEAST_SIDE, -(-side // STRIDE) * STRIDE) - side for side in (height, width))
    return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2


def _load(store: Store) -> Raft:
    import torch

    from faceloom.nets.raft import Raft

    path = store.path("raft_things")
    net = Raft()
    try:
        net.load_public(torch.load(path, map_location="cpu", weights_only=True))
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit RAFT: {error}") from error
    return net.eval()
