"""From a rendered crop back into the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.diffae import random_codec  # noqa: E402
from support.multiband import CORAL, EVERYTHING, WHOLE, still  # noqa: E402
from support.perceived import Perceived, patches  # noqa: E402

from faceloom.compose import paste  # noqa: E402
from faceloom.geometry import masks  # noqa: E402
from faceloom.geometry.partcover import face_scale  # noqa: E402
from faceloom.methods.vpartswap.alignment import ReferencePart, reference_part  # noqa: E402
from faceloom.methods.vpartswap.crops import cut_face  # noqa: E402
from faceloom.methods.vpartswap.finish import Work, finish  # noqa: E402
from faceloom.methods.vpartswap.options import Options  # noqa: E402
from faceloom.types import Attribute, Box, Crop, Face, FloatImage, Frame, Part, Patch  # noqa: E402

TALKING = 24
BRIGHTER = np.float32(0.2)


def mouth_work(perceived: Perceived, index: int = TALKING, face: Face | None = None) -> Work:
    shot = perceived.example
    frame, face = shot.frames[index], face or shot.faces[index]
    ((base,),) = patches({Attribute.MOUTH: perceived.source(CORAL)}, [frame], [face])
    return Work.of(frame, face, base, random_codec())


def part_of(work: Work, part: Part = Part.MOUTH) -> list[ReferencePart]:
    """References are asked for their part alone."""
    return [reference_part(part, work.seen.picture, work.seen.landmarks)]


def below(work: Work, patch: Patch) -> FloatImage:
    left, top = patch.crop.offset or (0, 0)
    return work.frame.image[top : top + patch.crop.height, left : left + patch.crop.width].astype(np.float32) / 255


def test_the_collage_is_the_crop_with_multibands_picture(perceived: Perceived) -> None:
    work = mouth_work(perceived)
    pasted = replace(work.frame, image=paste(work.frame, [work.base]).image)
    np.testing.assert_allclose(work.collage, cut_face(pasted, work.face, 32).picture, atol=0.5 / 255)
    assert np.abs(work.collage - work.seen.picture).max() > 0.05


def test_rendering_the_collage_is_multiband(perceived: Perceived) -> None:
    work = mouth_work(perceived)
    patch = finish(work, work.collage, part_of(work), Options())
    np.testing.assert_array_equal(patch.matte, work.base.matte)
    after, expected = (paste(work.frame, [own]).image.astype(int) for own in (patch, work.base))
    assert np.abs(after - expected).max() <= 1


def test_rendering_the_target_without_detail_is_the_target(perceived: Perceived) -> None:
    work = mouth_work(perceived)
    patch = finish(work, work.seen.picture, part_of(work), Options(detail="off"))
    np.testing.assert_array_equal(paste(work.frame, [patch]).image, work.frame.image)


@pytest.mark.parametrize("detail", ["multiband", "off"])
def test_a_change_counts_on_the_lips_and_not_between_them(detail: str, perceived: Perceived) -> None:
    work = mouth_work(perceived)
    start = work.collage if detail == "multiband" else work.seen.picture
    plain, brighter = (
        finish(work, picture, part_of(work), Options(detail=detail)) for picture in (start, start + BRIGHTER)
    )
    left, top = plain.crop.offset or (0, 0)
    box, landmarks = Box(left, top, left + plain.crop.width, top + plain.crop.height), work.face.landmarks
    moved = (brighter.image - plain.image).mean(axis=2)
    lips = masks.region_mask(masks.Region.LIPS, landmarks, box) > 0.95
    inner = masks.outline(masks.Region.INNER_MOUTH, landmarks.astype(np.float64))
    gap = masks.polygon_mask(masks.offset_outline(inner, -0.03 * face_scale(landmarks)), box) > 0.95
    assert gap.sum() > 20 and moved[gap].max() < 0.02
    assert np.median(moved[lips]) > 0.9 * BRIGHTER
    assert not moved[brighter.matte == 0].any()
    assert brighter.image.min() >= 0 and brighter.image.max() <= 1


def test_what_multiband_leaves_alone_stays(perceived: Perceived) -> None:
    """And the edge along it is soft, but does not reach over it."""
    work = mouth_work(perceived)
    matte = work.base.matte.copy()
    half = matte.shape[1] // 2
    matte[:, half:] = 0
    covered = replace(work, base=replace(work.base, matte=matte))
    for options in (Options(), Options(detail="off")):
        start = work.collage if options.detail == "multiband" else work.seen.picture
        patch = finish(covered, start + BRIGHTER, part_of(work), options)
        assert not patch.matte[:, half:].any() and patch.matte[:, : half - 8].any()
    change = (patch.image - below(work, patch)).mean(axis=2)[matte.shape[0] // 3, half - 12 : half]
    assert np.abs(np.diff(change)).max() < 0.5 * BRIGHTER and change[0] > 0.5 * BRIGHTER
    assert abs(float(change[-1])) < 0.2 * BRIGHTER


def test_a_part_fades_as_it_turns_away(perceived: Perceived) -> None:
    strengths = []
    for degrees in (0, 58):
        angle, turn = np.radians(degrees), np.eye(4)
        turn[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
        work = mouth_work(perceived, face=replace(perceived.example.faces[TALKING], pose=turn))
        patch = finish(work, work.seen.picture + BRIGHTER, part_of(work), Options(detail="off"))
        strengths.append(float((patch.image - below(work, patch)).max()))
    assert 0.2 * strengths[0] < strengths[1] < 0.8 * strengths[0]


def test_parts_of_everything(perceived: Perceived) -> None:
    frame, face = perceived.example.frames[0], perceived.example.faces[0]
    take = {attribute: perceived.source(CORAL) for attribute in EVERYTHING}
    ((base,),) = patches(take, [frame], [face])
    work = Work.of(frame, face, base, random_codec())
    parts = [reference for part in Part for reference in part_of(work, part)]
    patch = finish(work, work.seen.picture + BRIGHTER, parts, Options(detail="off"))
    moved = np.zeros((512, 512), np.float32)
    left, top = patch.crop.offset or (0, 0)
    moved[top : top + patch.crop.height, left : left + patch.crop.width] = (patch.image - below(work, patch)).mean(2)
    for part in Part:
        inside = masks.region_mask(part, face.landmarks, WHOLE) > 0.9
        assert inside.sum() > 50 and np.median(moved[inside]) > 0.05, part


def test_a_base_that_is_no_cut_of_the_frame(perceived: Perceived) -> None:
    frame, face = perceived.example.frames[0], perceived.example.faces[0]
    ((base,),) = patches({Attribute.MOUTH: perceived.source(CORAL)}, [frame], [face])
    turned = replace(base, crop=Crop(base.crop.matrix + 0.1, base.crop.width, base.crop.height))
    with pytest.raises(ValueError, match="whole pixels"):
        Work.of(frame, face, turned, random_codec())


def test_nothing_is_written_into_the_frame(perceived: Perceived) -> None:
    source = perceived.source("person_01")
    frame: Frame = still(source.image)
    assert not frame.image.flags.writeable, "so that writing would fail"
    ((base,),) = patches({Attribute.MOUTH: perceived.source(CORAL)}, [frame], [source.face])
    work = Work.of(frame, source.face, base, random_codec())
    before = base.image.copy()
    finish(work, work.collage + BRIGHTER, part_of(work), Options())
    np.testing.assert_array_equal(base.image, before)
