"""``vpartswap`` and the model that comes with it, from the real command."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="vpartswap needs torch: pip install 'faceloom[torch]'")

from support.command import faceloom, listing
from support.diffae import TINY, lightning, random_model
from support.fixtures import Footage, References
from support.vpartswap import tiny_checkpoint

from faceloom.geometry import masks
from faceloom.media import open_clip, read_image
from faceloom.perceive import Perception, perceive_image
from faceloom.types import Box, Image
from faceloom.weights import Store

ROOT = Path(__file__).parents[2]
TARGET, REFERENCE = ROOT / "examples" / "target.mp4", ROOT / "examples" / "portraits" / "person_17.jpg"
OFFICIAL = ROOT / "tests" / "data" / "nets" / "diffae_tiny" / "last.ckpt"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def without_torch(tmp_path: Path) -> dict[str, str]:
    """Variables with which torch cannot be imported."""
    folder = tmp_path / "no torch"
    folder.mkdir()
    (folder / "torch.py").write_text("raise ImportError(\"No module named 'torch'\")\n")
    return {"PYTHONPATH": str(folder)}


def lips(image: Image, perception: Perception) -> np.ndarray:
    """(2,) mean logarithms of red over green and of blue over green on the lips: their colour, whatever the light."""
    landmarks = perceive_image(image, perception)[0].landmarks
    matte = masks.region_mask(masks.Region.LIPS, landmarks, Box(0, 0, image.shape[1], image.shape[0]))[..., None]
    red, green, blue = (image * matte).sum(axis=(0, 1)) / matte.sum()
    return np.log([red / green, blue / green])


def test_the_model_that_comes_along_carries_a_mouth_over(tmp_path: Path, store: Store) -> None:
    result = faceloom(
        "edit", TARGET, "-o", "out.mkv", "-t", f"mouth={REFERENCE}", "--method", "vpartswap", "--steps-render", "5",
        "--option", "detail=off", "--codec", "ffv1", "--end", "0.05", "--report", "r.json", "-q",
        cwd=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "2 of 2 frames edited" in result.stdout
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["method"] == "vpartswap" and report["weights"]["diffae_small128"]
    assert report["recipe"]["options"] == {"steps_render": 5, "detail": "off"}
    perception = Perception(store, threads=1)
    wanted = lips(read_image(REFERENCE), perception)
    with open_clip(TARGET) as before, open_clip(tmp_path / "out.mkv") as after:
        pairs = list(zip(islice(before, 2), after, strict=True))
    for old, new in pairs:
        far, near = (np.linalg.norm(lips(image, perception) - wanted) for image in (old.image, new.image))
        assert near < 0.85 * far
        changed = np.abs(old.image.astype(int) - new.image).max(axis=2) > 2
        assert 0.001 < changed.mean() < 0.1


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--steps-render", "60"), "60 steps cannot be spaced evenly over 1000 time steps; near ones that can: 56, 59"),
        (("--steps-render", "20", "--steps-invert", "50"), "exact inversion takes as many steps as rendering"),
        (("--steps-render", "0"), "option steps_render"),
        (("--steps-render", "20", "--option", "steps_render=20"), "--option steps_render and --steps-render"),
        (("--option", "steps_inwert=20"), "has no option 'steps_inwert'; did you mean 'steps_invert'"),
        (("--option", "inject=9-3"), "option inject"),
    ],
)
def test_options_that_mean_nothing(
    flags: tuple[str, ...], says: str, tmp_path: Path, footage: Footage, references: References
) -> None:
    take = ("edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--method", "vpartswap")
    result = faceloom(*take, *flags, cwd=tmp_path, **ONE_THREAD)
    assert result.returncode == 2 and says in result.stderr and "Traceback" not in result.stderr
    assert listing(tmp_path) == []


def test_a_method_without_steps_says_so(tmp_path: Path, footage: Footage, references: References) -> None:
    for flags in (("--method", "multiband"), ("--method", "auto"), ()):
        take = ("edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--steps-invert", "20", *flags)
        result = faceloom(*take, cwd=tmp_path)
        assert result.returncode == 2 and "'multiband' has no options, got steps_invert" in result.stderr


def test_steps_over_a_recipe_file(tmp_path: Path, footage: Footage, references: References) -> None:
    """A flag sets one option and leaves the file's others."""
    checkpoint = tiny_checkpoint(tmp_path, depth=0.6, stochastic="collage")
    (tmp_path / "edit.toml").write_text(
        f'method = "vpartswap"\n[take]\nmouth = "{references.mouth}"\n'
        f'[options]\ncheckpoint = "{checkpoint}"\nsteps_render = 10\nattention = "off"\n'
    )
    result = faceloom(
        "edit", footage.plain, "-o", "o.mkv", "--recipe", "edit.toml", "--steps-render", "4", "--end", "0.1",
        "--report", "r.json", "-q", cwd=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    options = json.loads((tmp_path / "r.json").read_text())["recipe"]["options"]
    assert options == {"checkpoint": str(checkpoint), "steps_render": 4, "attention": "off"}


def test_auto_is_no_method(tmp_path: Path, footage: Footage, references: References) -> None:
    (tmp_path / "edit.toml").write_text(f'method = "auto"\n[take]\nmouth = "{references.mouth}"\n')
    take = (("-t", f"mouth={references.mouth}"), ("-t", f"mouth={references.mouth}", "--method", "auto"))
    for number, flags in enumerate((*take, ("--recipe", "edit.toml"))):
        name = f"{number}.json"
        arguments = ("edit", footage.plain, "-o", f"{number}.mkv", *flags, "--end", "0.1", "-q", "--report", name)
        result = faceloom(*arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    reports = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(3)]
    assert reports[0]["recipe"] == reports[1]["recipe"] == reports[2]["recipe"]
    assert {report["method"] for report in reports} == {"multiband"}


class TestWithoutTorch:
    def test_methods_are_listed(self, tmp_path: Path, without_torch: dict[str, str]) -> None:
        result = faceloom("methods", cwd=tmp_path, **without_torch)
        assert result.returncode == 0, result.stderr
        assert "vpartswap" in result.stdout and "diffae_small128" in result.stdout

    def test_an_edit_says_what_is_missing(
        self, tmp_path: Path, without_torch: dict[str, str], footage: Footage, references: References
    ) -> None:
        take = ("edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--method", "vpartswap")
        result = faceloom(*take, cwd=tmp_path, **without_torch)
        assert result.returncode == 1 and "Traceback" not in result.stderr
        assert "'vpartswap' needs torch" in result.stderr and "pip install 'faceloom[torch]'" in result.stderr
        assert not (tmp_path / "o.mkv").exists()

    def test_nothing_is_converted(self, tmp_path: Path, without_torch: dict[str, str]) -> None:
        result = faceloom("weights", "convert", OFFICIAL, "-o", "o.safetensors", cwd=tmp_path, **without_torch)
        assert result.returncode == 1 and "pip install 'faceloom[torch]'" in result.stderr
        assert "Traceback" not in result.stderr and not (tmp_path / "o.safetensors").exists()


class TestConvert:
    @pytest.mark.parametrize(("flags", "dtype"), [((), "F16"), (("--dtype", "float32"), "F32")])
    def test_an_official_checkpoint(self, flags: tuple[str, ...], dtype: str, tmp_path: Path) -> None:
        from safetensors import safe_open

        result = faceloom("weights", "convert", OFFICIAL, "-o", "m.safetensors", *flags, cwd=tmp_path, **ONE_THREAD)
        assert result.returncode == 0, result.stderr
        assert "m.safetensors: " in result.stdout and " MB, float" in result.stdout
        with safe_open(tmp_path / "m.safetensors", framework="pt") as file:
            names = list(file.keys())
            assert {file.get_slice(name).get_dtype() for name in names} == {dtype}
            assert json.loads(file.metadata()["options"])["model"]["image_size"] == 64
        assert not [name for name in names if name.startswith(("ema_model.", "model."))]

    def test_what_was_converted_edits(self, tmp_path: Path, footage: Footage, references: References) -> None:
        lightning(tmp_path / "last.ckpt", random_model(), options={"model": TINY.options()})
        done = faceloom("weights", "convert", "last.ckpt", "-o", "m.safetensors", cwd=tmp_path, **ONE_THREAD)
        assert done.returncode == 0, done.stderr
        (tmp_path / "config.json").unlink()
        result = faceloom(
            "edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--method", "vpartswap",
            "--option", "checkpoint=m.safetensors", "--steps-invert", "4", "--end", "0.1", "-q",
            cwd=tmp_path, **ONE_THREAD,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert "3 of 3 frames edited" in result.stdout

    def test_nothing_is_replaced_unasked(self, tmp_path: Path) -> None:
        (tmp_path / "m.safetensors").write_bytes(b"mine")
        convert = ("weights", "convert", OFFICIAL, "-o", "m.safetensors")
        refused = faceloom(*convert, cwd=tmp_path, **ONE_THREAD)
        assert refused.returncode == 3 and "m.safetensors: exists already. Pass --overwrite" in refused.stderr
        assert (tmp_path / "m.safetensors").read_bytes() == b"mine"
        assert faceloom(*convert, "--overwrite", cwd=tmp_path, **ONE_THREAD).returncode == 0
        assert (tmp_path / "m.safetensors").stat().st_size > 1e6 and listing(tmp_path) == ["m.safetensors"]

    @pytest.mark.parametrize(
        ("content", "out", "code", "says"),
        [
            (None, "m.safetensors", 4, "no checkpoint at"),
            (OFFICIAL.read_bytes()[:-500], "m.safetensors", 4, "in.ckpt is damaged, cut short, or no checkpoint"),
            (b"x", "m.ckpt", 3, "m.ckpt: a converted checkpoint is a .safetensors file"),
            (b"x", "none/m.safetensors", 3, "Name a file in a folder that exists"),
        ],
        ids=["missing", "cut short", "another suffix", "no folder"],
    )
    def test_what_cannot_be(self, content: bytes | None, out: str, code: int, says: str, tmp_path: Path) -> None:
        if content is not None:
            (tmp_path / "in.ckpt").write_bytes(content)
        before = listing(tmp_path)
        result = faceloom("weights", "convert", "in.ckpt", "-o", out, cwd=tmp_path, **ONE_THREAD)
        assert result.returncode == code and says in result.stderr and "Traceback" not in result.stderr
        assert listing(tmp_path) == before


class TestTheBundledWeight:
    def test_it_is_there_without_being_pulled(self, tmp_path: Path) -> None:
        home = {"FACELOOM_HOME": str(tmp_path / "home")}
        (row,) = (
            line
            for line in faceloom("weights", "list", cwd=tmp_path, **home).stdout.splitlines()
            if "small128 " in line
        )
        assert "with faceloom" in row and "CC BY-NC-SA 4.0" in row
        pulled = faceloom("weights", "pull", "diffae_small128", cwd=tmp_path, **home)
        assert pulled.returncode == 0 and "models/diffae_small128.safetensors" in pulled.stdout
        checked = faceloom("weights", "verify", "diffae_small128", cwd=tmp_path, **home)
        assert checked.stdout == "diffae_small128: present\n"
        assert listing(tmp_path) == [], "it is used where it lies"

    def test_its_licence_counts(self, tmp_path: Path, footage: Footage, references: References) -> None:
        assert "diffae_small128" not in faceloom("weights", "list", "--only-permissive", cwd=tmp_path).stdout
        take = ("edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--method", "vpartswap")
        result = faceloom(*take, "--only-permissive", cwd=tmp_path)
        assert result.returncode == 4 and "'diffae_small128' is not permitted" in result.stderr
        assert listing(tmp_path) == []
