"""What is made once for a recipe, and once for a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.diffae import random_codec  # noqa: E402
from support.multiband import CORAL, SMILING  # noqa: E402
from support.perceived import Perceived, repainted  # noqa: E402
from support.vpartswap import FEW, swapped, tiny_checkpoint, windows  # noqa: E402

from faceloom.compose import paste  # noqa: E402
from faceloom.errors import RecipeError, WeightsError  # noqa: E402
from faceloom.geometry.partmaps import mouth_opening_matte  # noqa: E402
from faceloom.methods.vpartswap.crops import FaceCrop  # noqa: E402
from faceloom.methods.vpartswap.method import VPartSwap  # noqa: E402
from faceloom.methods.vpartswap.options import Options  # noqa: E402
from faceloom.methods.vpartswap.pipeline import Rendered  # noqa: E402
from faceloom.methods.vpartswap.prepared import Prepared, load_codec, make_flow, read_references  # noqa: E402
from faceloom.perceive.flow import OpticalFlow  # noqa: E402
from faceloom.types import Attribute, Box, Part  # noqa: E402
from faceloom.weights import Store  # noqa: E402


class TestCodec:
    def test_the_weight_that_comes_with_faceloom(self) -> None:
        codec = load_codec(Options(device="cpu"), Store())
        assert codec.size >= 128
        assert (codec.options.depth, codec.options.stochastic) == (0.6, "collage"), "what that model recommends"

    def test_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tiny_checkpoint(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        codec = load_codec(Options(checkpoint="~/tiny.safetensors", device="cpu"), Store(tmp_path))
        assert codec.size == 32
        assert (codec.options.depth, codec.options.stochastic) == (1.0, "band"), "what the paper does"

    def test_a_recommendation_is_no_command(self, tmp_path: Path) -> None:
        path = tiny_checkpoint(tmp_path, depth=0.3, stochastic="off")
        codec = load_codec(Options(checkpoint=str(path), device="cpu", depth=0.5), Store(tmp_path))
        assert (codec.options.depth, codec.options.stochastic) == (0.5, "off")

    @pytest.mark.parametrize("edit", [{"depth": 7}, {"stochastic": "everywhere"}])
    def test_a_recommendation_that_means_nothing(self, edit: dict[str, object], tmp_path: Path) -> None:
        path = tiny_checkpoint(tmp_path, **edit)
        with pytest.raises(WeightsError, match=rf"tiny\.safetensors recommends for option {next(iter(edit))}.*: Input"):
            load_codec(Options(checkpoint=str(path), device="cpu"), Store(tmp_path))

    @pytest.mark.parametrize("name", ["no_such_weight", "folder/none.ckpt"])
    def test_nothing_of_that_name(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=f"no checkpoint at {name}"):
            load_codec(Options(checkpoint=name), Store(tmp_path))

    def test_a_device_that_is_not_there(self, tmp_path: Path) -> None:
        path = tiny_checkpoint(tmp_path)
        with pytest.raises(RecipeError, match="option device: torch has no device 'abacus'"):
            load_codec(Options(checkpoint=str(path), device="abacus"), Store(tmp_path))


def test_flows(tmp_path: Path) -> None:
    assert make_flow(Options(attention="off"), Store(tmp_path)) is None
    assert isinstance(make_flow(Options(attention="dis"), Store(tmp_path)), OpticalFlow)
    with pytest.raises(WeightsError, match="faceloom weights pull raft_things"):
        make_flow(Options(attention="raft"), Store(tmp_path))


class TestReferences:
    def test_parts_in_the_order_in_which_they_are_blended(self, perceived: Perceived) -> None:
        codec = random_codec()
        sources = {Attribute.EYES: perceived.source(CORAL), Attribute.MOUTH: perceived.source(SMILING)}
        parts = read_references(sources, codec)
        assert [part.part for part in parts] == [Part.MOUTH, Part.LEFT_EYE, Part.RIGHT_EYE]
        for part in parts:
            assert part.picture.shape == (codec.size, codec.size, 3) and part.picture.dtype == np.float32
            assert part.mask.shape == (codec.size, codec.size) and part.mask.max() > 0.5
            assert 0.2 * codec.size < part.landmarks[:, 0].mean() < 0.8 * codec.size

    def test_layers_leave_the_teeth_behind(self, perceived: Perceived) -> None:
        sources = {Attribute.MOUTH: perceived.source(SMILING)}
        bare, toothy = (read_references(sources, random_codec(layers=layers))[0] for layers in (True, False))
        np.testing.assert_allclose(bare.landmarks, toothy.landmarks)
        opening = (
            mouth_opening_matte(toothy.landmarks, Box(0, 0, toothy.picture.shape[1], toothy.picture.shape[0])) > 0.3
        )
        changed = np.abs(bare.picture - toothy.picture).max(axis=2)
        assert changed[opening].mean() > 0.05 > 10 * changed[: changed.shape[0] // 2].max()


class TestPeople:
    def prepare(self, tmp_path: Path, perceived: Perceived, **options: object) -> tuple[VPartSwap, Prepared]:
        checkpoint = str(tiny_checkpoint(tmp_path))
        method = VPartSwap({"checkpoint": checkpoint, **FEW, "attention": "off", **options})
        return method, method.prepare({Attribute.MOUTH: perceived.source(CORAL)})

    def test_a_reference_is_inverted_once_for_a_person(self, tmp_path: Path, perceived: Perceived) -> None:
        method, prepared = self.prepare(tmp_path, perceived)
        frames, faces = perceived.example.frames[:6], perceived.example.faces[:6]
        spent = []
        for window, some in windows(frames, 2):
            before = prepared.codec.forwards
            method.apply(window, faces[some], prepared)
            spent.append(prepared.codec.forwards - before)
        frame = 4 + 1 + 4  # steps of inversion, one to begin with, steps of rendering
        assert spent == [2 * frame + 5, 2 * frame, 2 * frame]

    def test_the_reference_is_lit_like_the_person(self, tmp_path: Path, perceived: Perceived) -> None:
        frames, faces = perceived.example.frames[:2], perceived.example.faces[:2]
        dark = [repainted(frame, (frame.image * 0.4).astype(np.uint8)) for frame in frames]
        brightness = {}
        for light in (True, False):
            method, prepared = self.prepare(tmp_path, perceived, light=light)
            for name, own in (("bright", frames), ("dark", dark)):
                ((window, some),) = windows(own, 2)
                method.apply(window, faces[some], prepared)
                ((part,),) = prepared.encoded.values()
                brightness[light, name] = float(part.reference.picture[part.reference.mask > 0.5].mean())
        assert brightness[True, "dark"] < 0.7 * brightness[True, "bright"]
        assert brightness[False, "dark"] == brightness[False, "bright"]

    def test_the_light_does_not_depend_on_the_windows(self, tmp_path: Path, perceived: Perceived) -> None:
        """Also when the part comes into sight only after some frames."""
        frames, faces = perceived.example.frames[:8], list(perceived.example.faces[:8])
        hidden = [None, None, *faces[2:]]
        lit = []
        for length in (8, 2):
            method, prepared = self.prepare(tmp_path, perceived)
            for window, some in windows(frames, length):
                method.apply(window, hidden[some], prepared)
            lit.append(prepared.encoded[faces[0].track][0].reference.picture)
        np.testing.assert_array_equal(*lit)

    def test_colours_around_the_part_are_the_targets(
        self, tmp_path: Path, perceived: Perceived, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A network that renders everything too bright."""

        def too_bright(
            codec: object, parts: object, faces: Sequence[FaceCrop], collages: object, flow: object
        ) -> list[Rendered]:
            return [Rendered(face.picture + np.float32(0.1), np.zeros((32, 32), np.float32)) for face in faces]

        monkeypatch.setattr("faceloom.methods.vpartswap.prepared.edit_crops", too_bright)
        frames, faces = perceived.example.frames[:2], perceived.example.faces[:2]
        change = []
        for colour in (True, False):
            options = {"checkpoint": str(tiny_checkpoint(tmp_path)), **FEW, "colour": colour, "detail": "off"}
            made = swapped(VPartSwap(options), {Attribute.MOUTH: perceived.source(CORAL)}, frames, faces)
            pairs = zip(frames, made, strict=True)
            change.append(max(float((paste(f, own).image.astype(int) - f.image).mean()) for f, own in pairs))
        assert abs(change[0]) < 0.01 < 0.1 < change[1]
