"""V-PartSwap on crops, with a network of random weights: what each component changes, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.aligned import aligned  # noqa: E402
from support.diffae import random_codec  # noqa: E402
from torch import Tensor  # noqa: E402

from faceloom.methods.vpartswap.alignment import reference_part  # noqa: E402
from faceloom.methods.vpartswap.codec import Codec  # noqa: E402
from faceloom.methods.vpartswap.crops import FaceCrop  # noqa: E402
from faceloom.methods.vpartswap.pipeline import (  # noqa: E402
    EncodedPart,
    Rendered,
    edit_crops,
    encode_reference,
    from_network,
    mask_tensor,
    to_network,
)
from faceloom.methods.vpartswap.temporal import TrajectoryMixer  # noqa: E402
from faceloom.types import FloatImage, Image, Part  # noqa: E402

SIZE = 32
NOTHING: dict[str, Any] = {"inject": "off", "stochastic": "off", "tps": True, "layers": False}
"""Every component that can change a picture switched off."""


class Still:
    """The flow of a picture that does not move."""

    def flow(self, a: Image, b: Image) -> NDArray[np.float32]:
        return np.zeros((*a.shape[:2], 2), np.float32)


def encoded(codec: Codec, *parts: Part, person: int = 2) -> list[EncodedPart]:
    face = aligned(person, SIZE)
    return encode_reference(codec, [reference_part(part, face.picture, face.landmarks) for part in parts])


def frames(count: int = 2) -> list[FaceCrop]:
    """Two people in turn, so that no two frames that follow each other are alike."""
    return [replace(aligned(1 + 2 * (i % 2), SIZE), index=i) for i in range(count)]


def run(faces: Sequence[FaceCrop], *parts: Part, flow: Still | None = None, **options: Any) -> list[Rendered]:
    codec = random_codec(**{**NOTHING, **options})
    return edit_crops(codec, encoded(codec, *(parts or (Part.MOUTH,))), faces, [face.picture for face in faces], flow)


def pictures(results: Sequence[Rendered]) -> NDArray[np.float32]:
    return np.stack([result.picture for result in results])


class Spy:
    """A codec that remembers what it was asked to render."""

    def __init__(self, **options: Any) -> None:
        self.codec = random_codec(**{**NOTHING, **options})
        self.noise: list[Tensor] = []
        self.z_sem: list[Tensor] = []
        render = self.codec.render

        def listening(noise: Tensor, z_sem: Tensor, mixer: TrajectoryMixer | None = None) -> Tensor:
            self.noise.append(noise)
            self.z_sem.append(z_sem)
            return render(noise, z_sem, mixer)

        self.codec.render = listening  # type: ignore[method-assign]

    def edit(self, *parts: Part, collages: Sequence[FloatImage] | None = None) -> list[Rendered]:
        faces = frames()
        collages = collages or [face.picture for face in faces]
        return edit_crops(self.codec, encoded(self.codec, *parts), faces, collages, None)


@pytest.fixture(scope="module")
def plain() -> NDArray[np.float32]:
    return pictures(run(frames()))


def test_with_everything_off_a_crop_is_inverted_and_rendered(plain: NDArray[np.float32]) -> None:
    codec = random_codec()
    target = to_network([face.picture for face in frames()], codec)
    z = codec.encode(target)
    expected = from_network(codec.render(codec.invert(target, z), z))
    np.testing.assert_allclose(plain, expected, atol=1e-4)


def test_results_belong_to_their_frames() -> None:
    faces = frames(3)
    results = run(faces)
    backwards = run(faces[::-1])[::-1]
    np.testing.assert_allclose(pictures(results), pictures(backwards), atol=1e-3)
    assert np.abs(results[0].picture - results[1].picture).max() > 0.1
    for result in results:
        assert result.picture.shape == (SIZE, SIZE, 3) and result.picture.dtype == np.float32
        assert result.picture.min() >= 0 and result.picture.max() <= 1
        assert result.mask.shape == (SIZE, SIZE) and 0.3 < result.mask.max() <= 1


@pytest.mark.parametrize(
    "options", [{"inject": "all"}, {"inject": "2-3"}, {"stochastic": "band"}, {"stochastic": "region"}]
)
def test_every_component_changes_the_picture(options: dict[str, Any], plain: NDArray[np.float32]) -> None:
    assert np.abs(pictures(run(frames(), **options)) - plain).max() > 0.01


def test_injection_changes_z_sem_alone() -> None:
    off, on = Spy(), Spy(inject="all")
    off.edit(Part.MOUTH)
    on.edit(Part.MOUTH)
    torch.testing.assert_close(on.noise[0], off.noise[0])
    assert float((on.z_sem[0] - off.z_sem[0]).abs().max()) > 1e-3


def test_inversion_is_by_the_targets_own_code_and_rendering_by_the_edited_one() -> None:
    spy = Spy(inject="all")
    spy.edit(Part.MOUTH)
    target = to_network([face.picture for face in frames()], spy.codec)
    torch.testing.assert_close(spy.noise[0], spy.codec.invert(target, spy.codec.encode(target)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("where", ["band", "region"])
@pytest.mark.parametrize("depth", [1.0, 0.5])
def test_stochastic_code_changes_around_the_part_alone(where: str, depth: float) -> None:
    off, on = Spy(depth=depth), Spy(depth=depth, stochastic=where)
    (mask, _), _ = ([result.mask for result in spy.edit(Part.MOUTH)] for spy in (on, off))
    change = (on.noise[0] - off.noise[0]).abs().amax(dim=1)[0].numpy()
    torch.testing.assert_close(on.z_sem[0], off.z_sem[0])
    y, x = np.nonzero(mask > 0.5)
    assert change[y.min() : y.max() + 1, x.min() : x.max() + 1].max() > 0.3
    assert change[: SIZE // 3].max() < 1e-3  # the mouth lies in the lower half, and so does its band


def test_a_code_that_holds_a_picture_gets_the_collages() -> None:
    """Where the weight is 1 the code is made of the collage; the noise beside it is that of the reference."""
    faces = frames()
    marked = [face.picture.copy() for face in faces]
    for picture in marked:
        picture[:, :, 1] = 1 - picture[:, :, 1]
    plain, own = Spy(stochastic="region", depth=0.5), Spy(stochastic="region", depth=0.5)
    (first, _), _ = plain.edit(Part.MOUTH, collages=marked), own.edit(Part.MOUTH)
    change = (plain.noise[0] - own.noise[0])[0].numpy()
    inverted = 2 * (marked[0] - faces[0].picture).transpose(2, 0, 1)
    np.testing.assert_allclose(change, plain.codec.abar**0.5 * first.mask * inverted, atol=1e-3)


def test_the_band_leaves_the_inside_of_a_large_part_to_the_target() -> None:
    band, region, off = Spy(stochastic="band", band=0.05), Spy(stochastic="region"), Spy()
    results = [spy.edit(Part.NOSE) for spy in (band, region, off)]
    mask = results[0][0].mask
    y, x = np.unravel_index(int(np.argmax(mask)), mask.shape)
    by_band, by_region = (float((spy.noise[0] - off.noise[0])[0, :, y, x].abs().mean()) for spy in (band, region))
    assert by_band < by_region


def test_without_bending_the_mask_is_the_references() -> None:
    own = encoded(random_codec(), Part.MOUTH)[0].reference.mask
    for result in run(frames(), tps=False):
        np.testing.assert_allclose(result.mask, own, atol=1e-6)
    assert any(np.abs(result.mask - own).max() > 0.1 for result in run(frames(), tps=True))


def test_bending_and_layers_change_what_is_injected() -> None:
    codes = []
    for options in ({"tps": False}, {"tps": True}, {"tps": True, "layers": True}):
        spy = Spy(inject="all", **options)
        spy.edit(Part.MOUTH)
        codes.append(spy.z_sem[0])
    assert all(float((a - b).abs().max()) > 1e-4 for a, b in [(codes[0], codes[1]), (codes[1], codes[2])])


def test_attention_links_frames_that_follow_each_other(plain: NDArray[np.float32]) -> None:
    linked = pictures(run(frames(), flow=Still()))
    assert np.abs(linked - plain).max() > 1e-3


def test_attention_across_a_gap_and_of_one_frame_changes_nothing(plain: NDArray[np.float32]) -> None:
    first, second = frames()
    apart = pictures(run([first, replace(second, index=5)], flow=Still()))
    np.testing.assert_allclose(apart, plain, atol=1e-4)
    np.testing.assert_allclose(pictures(run([first], flow=Still())), plain[:1], atol=1e-3)


def test_frames_may_go_through_the_network_one_by_one() -> None:
    options: dict[str, Any] = {"inject": "all", "stochastic": "band"}
    together, apart = (pictures(run(frames(3), batch=batch, **options)) for batch in (3, 1))
    assert np.abs(together - apart).mean() < 1e-3


def test_less_depth_keeps_the_target() -> None:
    target = np.stack([face.picture for face in frames()])
    errors = [
        np.abs(pictures(run(frames(), inject="all", depth=depth, steps_invert=10, steps_render=10)) - target).mean()
        for depth in (0.01, 0.3, 1.0)
    ]
    assert errors[0] < 0.01 and errors[0] < errors[1] < errors[2]


def test_several_parts_at_once() -> None:
    parts = (Part.MOUTH, Part.NOSE, Part.LEFT_EYE)
    alone = [run(frames(), part) for part in parts]
    spy = Spy(inject="all", stochastic="band")
    together = spy.edit(*parts)
    for i, result in enumerate(together):
        assert np.array_equal(result.mask, np.maximum.reduce([own[i].mask for own in alone]))
    one = Spy(inject="all", stochastic="band")
    one.edit(Part.MOUTH)
    assert float((one.z_sem[0] - spy.z_sem[0]).abs().max()) > 1e-4
    assert float((one.noise[0] - spy.noise[0]).abs().max()) > 0.1


def test_a_picture_that_parts_share_is_inverted_once() -> None:
    codec = random_codec()
    face, other = aligned(2, SIZE), aligned(3, SIZE)
    parts = [
        reference_part(Part.MOUTH, face.picture, face.landmarks),
        reference_part(Part.NOSE, face.picture, face.landmarks),
        reference_part(Part.LEFT_EYE, other.picture, other.landmarks),
    ]
    mouth, nose, eye = encode_reference(codec, parts)
    assert codec.forwards == 2 * 5
    assert mouth.noise is nose.noise and mouth.noise.shape == (1, 3, SIZE, SIZE)
    assert float((eye.noise - nose.noise).abs().max()) > 0.1
    assert [part.reference for part in (mouth, nose, eye)] == parts


def test_pictures_to_the_network_and_back() -> None:
    codec = random_codec()
    face = aligned(1, SIZE)
    there = to_network([face.picture, face.picture], codec)
    assert there.shape == (2, 3, SIZE, SIZE) and float(there.min()) >= -1 and float(there.max()) <= 1
    assert float(there[0, 0, 5, 7]) == pytest.approx(2 * float(face.picture[5, 7, 0]) - 1, abs=1e-6)
    np.testing.assert_allclose(from_network(there)[1], face.picture, atol=1e-6)
    assert from_network(3 * there).max() == 1 and from_network(3 * there).min() == 0
    mask = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert torch.equal(mask_tensor([mask, mask], codec)[1, 0], torch.from_numpy(mask))
