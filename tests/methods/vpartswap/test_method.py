"""The method on real frames. The network is small and random: it changes much, and means nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.multiband import CORAL, GREEN_EYED, SMILING, change, still  # noqa: E402
from support.perceived import Perceived, repainted, touched_by  # noqa: E402
from support.vpartswap import FEW, swapped, tiny_checkpoint, windows  # noqa: E402

from faceloom.compose import paste  # noqa: E402
from faceloom.errors import FaceloomError, RecipeError  # noqa: E402
from faceloom.geometry import topology as t  # noqa: E402
from faceloom.geometry.partcover import face_scale, part_box  # noqa: E402
from faceloom.methods.vpartswap.method import VPartSwap  # noqa: E402
from faceloom.methods.vpartswap.options import Options  # noqa: E402
from faceloom.types import Attribute, Face, Part, Patch, Window  # noqa: E402

PAGE = Path(__file__).parents[3] / "docs" / "vpartswap.md"
Make = Callable[..., VPartSwap]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("vpartswap"), depth=0.6, stochastic="collage")


@pytest.fixture(scope="module")
def make(tiny: Path) -> Make:
    return lambda **options: VPartSwap({"checkpoint": str(tiny), **FEW, **options})


def difference(one: Patch, other: Patch) -> np.ndarray:
    assert one.crop.offset == other.crop.offset and one.image.shape == other.image.shape
    np.testing.assert_array_equal(one.matte, other.matte)
    return np.abs(one.image - other.image)[one.matte > 0]


class TestWindows:
    @pytest.mark.parametrize("length", [2, 3])
    def test_they_do_not_show(self, length: int, make: Make, perceived: Perceived) -> None:
        frames, faces = perceived.example.frames[8:15], perceived.example.faces[8:15]
        take = {Attribute.MOUTH: perceived.source(SMILING), Attribute.LEFT_EYE: perceived.source(GREEN_EYED)}
        method = make(attention="off")
        whole, cut = (swapped(method, take, frames, faces, n) for n in (1000, length))
        for (one,), (other,) in zip(whole, cut, strict=True):
            assert difference(one, other).max() < 1e-3

    def test_attention_makes_them_differ_by_little(self, make: Make, perceived: Perceived) -> None:
        """Frames that share a window see each other; what a window more or less of them does stays below one level."""
        frames, faces = perceived.example.frames[8:14], perceived.example.faces[8:14]
        take = {Attribute.MOUTH: perceived.source(SMILING)}
        whole, cut, alone = (
            swapped(make(attention=attention), take, frames, faces, length)
            for attention, length in (("dis", 1000), ("dis", 3), ("off", 1000))
        )
        joined = [difference(one, other).mean() for (one,), (other,) in zip(whole, cut, strict=True)]
        assert max(joined) < 1 / 255
        assert max(difference(one, other).max() for (one,), (other,) in zip(whole, alone, strict=True)) > 1e-4

    def test_where_the_face_is_lost(self, make: Make, perceived: Perceived) -> None:
        frames, faces = perceived.example.frames[:7], list[Face | None](perceived.example.faces[:7])
        faces[2] = faces[3] = None
        take, method = {Attribute.MOUTH: perceived.source(CORAL)}, make(attention="off")
        whole, cut = (swapped(method, take, frames, faces, n) for n in (1000, 3))
        assert [len(own) for own in whole] == [len(own) for own in cut] == [1, 1, 0, 0, 1, 1, 1]
        for one, other in zip(whole, cut, strict=True):
            for a, b in zip(one, other, strict=True):
                assert difference(a, b).max() < 1e-3


class TestPeople:
    def test_nobody(self, make: Make, perceived: Perceived) -> None:
        frames = perceived.example.frames[:3]
        take = {Attribute.MOUTH: perceived.source(CORAL)}
        assert swapped(make(), take, frames, [None] * 3) == [[], [], []]

    @pytest.mark.parametrize("first", ["seen", "turned away"])
    def test_another_clip_forgets_them(self, first: str, make: Make, perceived: Perceived) -> None:
        """Also when the part is not in sight where the other clip begins."""
        method, take = make(stochastic="region"), {Attribute.MOUTH: perceived.source(CORAL)}
        frames, faces = perceived.example.frames[:6], list[Face | None](perceived.example.faces[:6])
        dimmed = [repainted(frame, (frame.image * 0.4).astype(np.uint8)) for frame in frames]
        if first == "turned away":
            faces[:2] = [replace(face, confidence=0.4) for face in perceived.example.faces[:2]]
        used, fresh = method.prepare(take), method.prepare(take)
        method.apply(Window(frames, slice(0, 6), first=True), perceived.example.faces[:6], used)
        for window, some in windows(dimmed, 2):
            expected = method.apply(window, faces[some], fresh)
            for own, other in zip(method.apply(window, faces[some], used), expected, strict=True):
                assert len(own) == len(other)
                for one, two in zip(own, other, strict=True):
                    np.testing.assert_array_equal(one.image, two.image)

    def test_people_of_one_clip_share_nothing(self, make: Make, perceived: Perceived) -> None:
        """Windows are done for one person after the other; neither drops what the other still needs."""
        method, take = make(attention="off"), {Attribute.MOUTH: perceived.source(CORAL)}
        frames, faces = perceived.example.frames[8:16], perceived.example.faces[8:16]
        twins = [replace(face, track=2) for face in faces]
        prepared, found = method.prepare(take), []
        for window, some in windows(frames, 4):
            method.apply(window, faces[some], prepared)
            found += method.apply(window, twins[some], prepared)
        for (one,), (other,) in zip(found, swapped(method, take, frames, twins, 4), strict=True):
            np.testing.assert_array_equal(one.image, other.image)


class TestWhatIsTouched:
    @pytest.mark.parametrize("detail", ["multiband", "off"])
    @pytest.mark.parametrize("attribute", [Attribute.MOUTH, Attribute.NOSE, Attribute.EYEBROWS])
    def test_pixels_outside_the_matte_stay(
        self, attribute: Attribute, detail: str, make: Make, perceived: Perceived
    ) -> None:
        frame, face = perceived.example.frames[24], perceived.example.faces[24]
        take = {attribute: perceived.source(SMILING)}
        ((patch,),) = swapped(make(detail=detail, attention="off"), take, [frame], [face])
        after, touched = paste(frame, [patch]).image, touched_by(patch)
        np.testing.assert_array_equal(after[~touched], frame.image[~touched])
        assert change(frame.image, after)[touched].mean() > 2, "and something is edited"
        room = np.zeros((512, 512), bool)
        for part in attribute.parts:
            room[part_box(part, face.landmarks, 512, 512).slices] = True
        assert not touched[~room].any()

    def test_several_parts_make_one_patch(self, make: Make, perceived: Perceived) -> None:
        frames, faces = perceived.example.frames[20:22], perceived.example.faces[20:22]
        sources = {Attribute.MOUTH: perceived.source(CORAL), Attribute.EYES: perceived.source(GREEN_EYED)}
        method = make(attention="off")
        both = swapped(method, sources, frames, faces)
        assert [len(own) for own in both] == [1, 1]
        after = paste(frames[1], both[1]).image
        for attribute in sources:
            for part in attribute.parts:
                inside = change(frames[1].image, after)[part_box(part, faces[1].landmarks, 512, 512).slices]
                assert inside.max() > 10
        ((mouth,), _) = swapped(method, {Attribute.MOUTH: sources[Attribute.MOUTH]}, frames, faces)
        assert (touched_by(both[0][0]) & touched_by(mouth)).sum() == touched_by(mouth).sum()

    @pytest.mark.parametrize("degrees", [-80, 80])
    def test_a_face_turned_away_is_left(self, degrees: float, make: Make, perceived: Perceived) -> None:
        frame, face = perceived.example.frames[0], perceived.example.faces[0]
        angle, turn = np.radians(degrees), np.eye(4)
        turn[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
        take = {Attribute.MOUTH: perceived.source(CORAL)}
        assert swapped(make(), take, [frame], [replace(face, pose=turn)]) == [[]]
        assert swapped(make(), take, [frame], [replace(face, confidence=0.4)]) == [[]]

    def test_what_is_in_front_stays_in_front(self, make: Make, perceived: Perceived) -> None:
        """An ellipse before the left half of the mouth, which was seen bare for a while."""
        shot, first = perceived.example, 12
        frames, hidden = [], np.zeros((512, 512), np.uint8)
        for frame, face in zip(shot.frames[:22], shot.faces[:22], strict=True):
            mask, scale = np.zeros((512, 512), np.uint8), face_scale(face.landmarks)
            if frame.index >= first:
                x, y = face.landmarks[t.MOUTH_CORNERS[0], :2]
                cv2.ellipse(mask, (int(x), int(y)), (int(0.35 * scale), int(0.5 * scale)), 0, 0, 360, 1, -1)
            if frame.index == 17:
                hidden = mask
            picture = np.where(mask[..., None] > 0, np.uint8((70, 90, 140)), frame.image)
            frames.append(repainted(frame, picture))
        take = {Attribute.MOUTH: perceived.source(CORAL)}
        made = swapped(make(attention="off", batch=32), take, frames, shot.faces[:22])
        moved = change(frames[17].image, paste(frames[17], made[17]).image)
        box = np.zeros((512, 512), bool)
        box[part_box(Part.MOUTH, shot.faces[17].landmarks, 512, 512).slices] = True
        deep = cv2.erode(hidden, np.ones((15, 15), np.uint8)) > 0
        far = cv2.dilate(hidden, np.ones((41, 41), np.uint8)) == 0
        assert (deep & box).sum() > 300 and moved[far & box].max() > 15
        assert moved[deep & box].mean() < 0.1 * moved[far & touched_by(made[17][0])].mean()

    def test_a_part_that_the_frame_hardly_shows(self, make: Make, perceived: Perceived) -> None:
        """Of two eyes one is all but outside the frame: too little for multiband, which leaves it out."""
        source = perceived.source("person_01")
        box = part_box(Part.LEFT_EYE, source.face.landmarks, 512, 512)
        cut = still(np.ascontiguousarray(source.image[: box.top + 30, : box.left + 1]))
        assert part_box(Part.LEFT_EYE, source.face.landmarks, cut.width, cut.height).area == 30
        take = {Attribute.EYES: perceived.source(GREEN_EYED)}
        ((patch,),) = swapped(make(), take, [cut], [source.face])
        assert patch.crop.offset is not None and patch.crop.offset[0] + patch.crop.width < cut.width


class TestOptions:
    def test_torch_is_missing(self, monkeypatch: pytest.MonkeyPatch, make: Make, perceived: Perceived) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(FaceloomError, match=r"'vpartswap' needs torch.*pip install 'faceloom\[torch\]'"):
            make().prepare({Attribute.MOUTH: perceived.source(CORAL)})

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"steps_render": 60},
                r"option steps_\w+: 60 steps cannot be spaced .* near ones that can: 56, 59, 63, 67",
            ),
            (
                {"steps_render": 50, "steps_invert": 300, "inversion": "ddim"},
                r"option steps_invert: 300 steps .*: 200, 250, 334, 500",
            ),
            ({"inject": "3-99"}, "option inject: .*the last block is "),
        ],
    )
    def test_what_the_network_cannot_do(
        self, options: dict[str, Any], message: str, make: Make, perceived: Perceived
    ) -> None:
        method, take = make(**options), {Attribute.MOUTH: perceived.source(CORAL)}
        with pytest.raises(RecipeError, match=message):
            swapped(method, take, perceived.example.frames[:1], perceived.example.faces[:1])

    def test_components_can_be_switched_off_one_by_one(self, make: Make, perceived: Perceived) -> None:
        frames, faces = perceived.example.frames[10:12], perceived.example.faces[10:12]
        take = {Attribute.MOUTH: perceived.source(SMILING)}
        full = swapped(make(), take, frames, faces)[1][0]
        for option in ("inject=off", "tps=false", "layers=false", "stochastic=off", "light=false", "colour=false"):
            name, _, value = option.partition("=")
            other = swapped(make(**{name: value}), take, frames, faces)[1][0]
            assert np.abs(other.image - full.image).max() > 1e-5, option

    def test_the_page_has_every_option(self) -> None:
        """Name and default of each, in the order of ``Options``."""
        rows = re.findall(r"^\| `(\w+)` \| `([^`]+)`", PAGE.read_text("utf-8"), re.MULTILINE)
        shown = {True: "true", False: "false", None: "the checkpoint's"}
        expected = [(name, field.default) for name, field in Options.model_fields.items()]
        assert rows == [(name, shown[value] if value in shown else str(value)) for name, value in expected]
