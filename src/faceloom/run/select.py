"""Whose face to edit."""

from __future__ import annotations

from collections.abc import Sequence

from faceloom.errors import FaceError
from faceloom.run.windows import Scene
from faceloom.types import Face, Track


class Selector:
    """Chooses tracks: "all", a track id, or "largest".

    "largest" is the person who covers most of the picture in the first window in which anybody is seen and the frames
    read ahead of it. The choice then stays with that person through cuts and absences, so that an edit never jumps to
    somebody else.
    """

    def __init__(self, face: str) -> None:
        self.face = face
        self._chosen: int | None = None

    def choose(self, scene: Scene) -> list[int]:
        """Track ids to edit in this window."""
        if self.face == "all":
            return list(scene.tracks)
        if self.face != "largest":
            wanted = int(self.face)
            return [wanted] if wanted in scene.tracks else []
        if self._chosen is None and scene.tracks:
            self._chosen = max(scene.tracks, key=lambda track: _area(scene.known, track))
        return [self._chosen] if self._chosen in scene.tracks and self._chosen is not None else []


def explain_nobody(path: str, face: str, tracks: Sequence[Track]) -> FaceError:
    """The error for a clip in which the wanted face was never seen."""
    if not tracks:
        return FaceError(
            f"{path}: no face was found in any frame; nothing was written. Faces must be at least about 20 pixels "
            "wide, upright within 45°, and not in full profile; `faceloom inspect` shows what is found"
        )
    ids = ", ".join(str(track.id) for track in tracks)
    return FaceError(
        f"{path}: the face '{face}' does not appear; nothing was written. Tracks in this clip: {ids}; "
        "`faceloom inspect` shows them with thumbnails"
    )


def _area(faces: Sequence[Face], track: int) -> int:
    return sum(face.box.area for face in faces if face.track == track)
