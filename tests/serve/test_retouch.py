"""``faceloom edit --retouch`` from the real command, with a tiny network whose effect is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="retouching needs torch: pip install 'faceloom[retouch]'")
pytest.importorskip("tokenizers", reason="retouching needs tokenizers: pip install 'faceloom[retouch]'")

import av
import cv2
from PIL import Image as Pillow
from support.command import faceloom, listing
from support.fixtures import Footage, References
from support.footage import NOBODY, Picture, write_video
from support.langbrt import blunt_model, checkpoint

from faceloom.media import open_clip, read_image
from faceloom.methods.langbrt.prompts import Side
from faceloom.methods.langbrt.regions import side_mask
from faceloom.perceive import Perception, perceive_image
from faceloom.perceive.text import MiniLM
from faceloom.types import Box, Image
from faceloom.weights import Store

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "examples" / "portraits" / "person_03.jpg"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
RIGHT = "zits on the right cheek"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Flags that name the tiny network."""
    Store().ensure(MiniLM.weights)
    path = checkpoint(tmp_path_factory.mktemp("weights"))
    return ("--option", f"checkpoint={path}", "--option", "skin=colour", "-q")


def difference(one: Image, other: Image) -> np.ndarray:
    return np.abs(one.astype(int) - other).sum(axis=2)


class TestAPhotograph:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory, weights: tuple[str, ...]) -> Path:
        folder = tmp_path_factory.mktemp("photo")
        result = faceloom(
            "edit", PHOTO, "-o", "out.png", "--retouch", RIGHT, "--retouch", "greasy nose", "--show-mask", "mask.png",
            "--report", "r.json", *weights, cwd=folder, **ONE_THREAD,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        (folder / "said.txt").write_text(result.stdout)
        return folder

    def test_what_is_said(self, folder: Path) -> None:
        said = (folder / "said.txt").read_text()
        assert "retouched: acne on the right cheek, shine on the nose" in said
        assert "mask.png: what was found in the first frame" in said
        assert "1 of 1 frames edited" in said
        report = json.loads((folder / "r.json").read_text())
        assert report["method"] == "langbrt" and report["warnings"] == []
        assert report["recipe"]["retouch"] == [RIGHT, "greasy nose"]
        assert report["understood"] == ["acne on the right cheek", "shine on the nose"]
        assert set(report["weights"]) >= set(MiniLM.weights)

    def test_only_there(self, folder: Path, store: Store) -> None:
        before, after = read_image(PHOTO), read_image(folder / "out.png")
        change = difference(before, after)
        landmarks = perceive_image(before, Perception(store, threads=1))[0].landmarks
        left = side_mask(Side.LEFT, landmarks, Box(0, 0, 512, 512))
        assert 0.01 < (change > 0).mean() < 0.2 and change.max() > 30
        far = left * (np.abs(np.arange(512) - landmarks[1, 0]) > 60)
        assert (change * far).sum() < 0.02 * change.sum(), "the nose is in the middle, the cheek on the right"

    def test_where_it_came_from(self, folder: Path) -> None:
        with Pillow.open(folder / "out.png") as picture:
            comment = picture.info["comment"]
        assert "zits on the right cheek" in comment and "greasy nose" in comment and "method langbrt" in comment

    def test_the_sheet(self, folder: Path) -> None:
        assert read_image(folder / "mask.png").shape[1] == 8 + 3 * 264


def test_strength(tmp_path: Path, weights: tuple[str, ...]) -> None:
    before, sums = read_image(PHOTO), {}
    for strength in ("0", "0.5", "1"):
        result = faceloom(
            "edit", PHOTO, "-o", f"{strength}.png", "--retouch", "all", "--strength", strength, *weights,
            cwd=tmp_path, **ONE_THREAD,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        sums[strength] = difference(before, read_image(tmp_path / f"{strength}.png")).sum()
    assert sums["0"] == 0 and 0.35 * sums["1"] < sums["0.5"] < 0.65 * sums["1"]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_gray_stays_gray(tmp_path: Path, weights: tuple[str, ...], mode: str) -> None:
    with Pillow.open(PHOTO) as picture:
        picture.convert("L").convert(mode).save(tmp_path / "gray.png")
    result = faceloom("edit", "gray.png", "-o", "o.png", "--retouch", "acne", *weights, cwd=tmp_path, **ONE_THREAD)
    assert result.returncode == 0, result.stderr
    with Pillow.open(tmp_path / "o.png") as picture:
        assert picture.mode == mode
    before, after = read_image(tmp_path / "gray.png"), read_image(tmp_path / "o.png")
    assert difference(before, after).max() > 30
    assert (after == after[..., :1]).all()


def test_a_clip(tmp_path: Path, weights: tuple[str, ...], footage: Footage) -> None:
    """Lossless: outside the mask every pixel is the target's own. The sheet shows the first frame used."""
    result = faceloom(
        "edit", footage.plain, "-o", "o.mkv", "--retouch", "redness", "--codec", "ffv1", "--start", "0.2",
        "--show-mask", "m.png", "--report", "r.json", *weights, cwd=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames_edited"] == report["frames_read"] > 8
    assert "m.png: what was found in the frame at 0.20 s" in result.stdout
    with open_clip(footage.plain, start=0.2) as before, open_clip(tmp_path / "o.mkv") as after:
        for old, new in zip(before, after, strict=True):
            change = difference(old.image, new.image)
            assert (change > 20).mean() > 0.02
            assert not change[:8].any() and not change[:, :8].any()
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert any("retouched 'redness'" in text for text in container.metadata.values())


def test_one_of_two_people(tmp_path: Path, weights: tuple[str, ...], footage: Footage) -> None:
    edit = ("edit", footage.two, "--retouch", "shine", "--codec", "ffv1", *weights)
    for face in ("largest", "all", "2"):
        sheet = f"{face}.png"
        result = faceloom(*edit, "-o", f"{face}.mkv", "--face", face, "--show-mask", sheet, cwd=tmp_path, **ONE_THREAD)
        assert result.returncode == 0, result.stderr
    with open_clip(footage.two) as clip:
        target = next(iter(clip)).image

    def halves(name: str) -> tuple[bool, bool]:
        with open_clip(tmp_path / f"{name}.mkv") as clip:
            change = difference(next(iter(clip)).image, target)
        return bool(change[:, :256].any()), bool(change[:, 256:].any())

    assert (halves("largest"), halves("all"), halves("2")) == ((True, False), (True, True), (False, True))
    heights = [read_image(tmp_path / f"{face}.png").shape[0] for face in ("largest", "all")]
    assert heights[1] > 1.8 * heights[0], "a row for each face"


def test_a_recipe_file(tmp_path: Path, weights: tuple[str, ...]) -> None:
    (tmp_path / "edit.toml").write_text('retouch = ["acne"]\nstrength = 0.5\n')
    asked = ("edit", PHOTO, "--recipe", "edit.toml", *weights)
    plain = faceloom(*asked, "-o", "a.png", cwd=tmp_path, **ONE_THREAD)
    assert plain.returncode == 0 and "retouched: acne\n" in plain.stdout, plain.stderr
    over = faceloom(*asked, "--retouch", "shine", "-o", "b.png", cwd=tmp_path, **ONE_THREAD)
    assert over.returncode == 0 and "retouched: shine\n" in over.stdout, over.stderr
    both = faceloom(*asked, "-t", f"mouth={PHOTO}", "-o", "c.png", cwd=tmp_path, **ONE_THREAD)
    assert both.returncode == 2 and "takes mouth and retouches" in both.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--retouch", ""), "empty retouch request"),
        (("--retouch", "  "), "empty retouch request"),
        (("--retouch", "Akne auf der Wange"), "is not English"),
        (("--retouch", "keep the freckles"), "says what to keep ('keep')"),
        (("--retouch", "acne on the left and right cheek"), "names both sides"),
        (("--retouch", "dark circles on the chin"), "not looked for there"),
        (("--retouch", "her beard"), "nothing that can be retouched is named in 'her beard'"),
        (("--retouch", "acne", "--option", "grian=1"), "did you mean 'grain'"),
        (("--retouch", "acne", "--method", "multiband"), "'multiband' does not retouch; methods that do: langbrt"),
        (("--retouch", "acne", "-t", f"mouth={PHOTO}"), "takes mouth and retouches; an edit does one of the two"),
        (("--method", "langbrt"), "takes nothing and retouches nothing"),
        (("--method", "langbrt", "-t", f"mouth={PHOTO}"), "'langbrt' cannot take mouth"),
        (("-t", f"mouth={PHOTO}", "--show-mask", "m.png"), "leave out --show-mask"),
    ],
)
def test_requests_that_mean_nothing(
    flags: tuple[str, ...], says: str, tmp_path: Path, weights: tuple[str, ...]
) -> None:
    own = weights if "langbrt" in says or "-t" not in flags else ("-q",)
    result = faceloom("edit", PHOTO, "-o", "o.png", *flags, *own, cwd=tmp_path, **ONE_THREAD)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr and "Traceback" not in result.stderr
    assert listing(tmp_path) == []


def small(path: Path, side: int) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(cv2.resize(read_image(PHOTO), (side, side)), cv2.COLOR_RGB2BGR))


def test_a_face_that_is_too_small(tmp_path: Path, weights: tuple[str, ...]) -> None:
    small(tmp_path / "small.png", 72)
    result = faceloom("edit", "small.png", "-o", "o.png", "--retouch", "acne", *weights, cwd=tmp_path, **ONE_THREAD)
    assert result.returncode == 5 and "at least 48 pixels wide" in result.stderr, result.stderr
    assert "small.png: the face is" in result.stderr
    assert listing(tmp_path) == ["small.png"]


def test_nobody(tmp_path: Path, weights: tuple[str, ...], references: References) -> None:
    result = faceloom(
        "edit", references.nobody, "-o", "o.png", "--retouch", "acne", "--show-mask", "m.png", *weights,
        cwd=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert result.returncode == 5 and "no face was found" in result.stderr
    assert listing(tmp_path) == []


def test_nothing_found_is_said(tmp_path: Path, weights: tuple[str, ...]) -> None:
    path = checkpoint(tmp_path, blunt_model(certainty=-5))
    result = faceloom(
        "edit", PHOTO, "-o", "o.png", "--retouch", "acne", "--option", f"checkpoint={path}", "-q",
        cwd=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "nothing was found for 'acne'" in result.stderr
    assert np.array_equal(read_image(tmp_path / "o.png"), read_image(PHOTO))


def test_a_face_that_comes_and_goes(tmp_path: Path, weights: tuple[str, ...], footage: Footage) -> None:
    result = faceloom(
        "edit", footage.gaps, "-o", "o.mkv", "--retouch", "acne", "--report", "r.json", *weights,
        cwd=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["frames_edited"], report["frames_passed"]) == (12, 4)


def test_cuts_between_people(tmp_path: Path, weights: tuple[str, ...], footage: Footage) -> None:
    """The correction of one person never lies on the next."""
    pictures: list[Picture] = [*footage.shot(6), *footage.shot(6, who="person_05")]
    write_video(tmp_path / "cut.mkv", [*pictures, cv2.resize(NOBODY, (256, 256))])
    result = faceloom(
        "edit", "cut.mkv", "-o", "o.mkv", "--face", "all", "--retouch", "shine", "--codec", "ffv1", *weights,
        cwd=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "12 of 13 frames edited" in result.stdout


class TestWithoutLibraries:
    @pytest.fixture(params=["torch", "tokenizers"])
    def without(self, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
        folder = tmp_path / "no library"
        folder.mkdir()
        (folder / f"{request.param}.py").write_text(f"raise ImportError(\"No module named '{request.param}'\")\n")
        return {"PYTHONPATH": str(folder), "LIBRARY": request.param}

    def test_it_says_what_is_missing(self, tmp_path: Path, weights: tuple[str, ...], without: dict[str, str]) -> None:
        result = faceloom("edit", PHOTO, "-o", "o.png", "--retouch", "acne", *weights, cwd=tmp_path, **without)
        assert result.returncode == 1 and "Traceback" not in result.stderr
        assert "pip install 'faceloom[retouch]'" in result.stderr and without["LIBRARY"] in result.stderr
        assert not (tmp_path / "o.png").exists()


def test_it_is_listed(tmp_path: Path) -> None:
    result = faceloom("methods", cwd=tmp_path)
    row = result.stdout[result.stdout.index("langbrt") :].split("├")[0]
    assert "it retouches" in row and "minilm_int8" in row and "runs with" in row
