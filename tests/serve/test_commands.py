"""Commands other than a plain edit, and flags against recipe files, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow
from support.command import COMMAND, environment, faceloom, listing
from support.fixtures import Footage, References
from support.footage import planes, same_planes, write_video

import faceloom as package


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = faceloom("--help", cwd=tmp_path).stdout
    for command in ("edit", "inspect", "methods", "weights", "demo", "doctor", "speed"):
        assert command in shown
        assert faceloom(command, "--help", cwd=tmp_path).returncode == 0


def test_version(tmp_path: Path) -> None:
    assert faceloom("--version", cwd=tmp_path).stdout.strip() == f"faceloom {package.__version__}"


def test_a_recipe_file_equals_the_flags(tmp_path: Path, footage: Footage, references: References) -> None:
    (tmp_path / "recipes").mkdir()
    reference = tmp_path / "recipes" / "ref.png"
    reference.write_bytes(references.mouth.read_bytes())
    (tmp_path / "recipes" / "edit.toml").write_text(
        'method = "multiband"\nstrength = 0.7\nface = "all"\n[take]\nmouth = "ref.png"\n'
    )
    by_file = faceloom(
        "edit", footage.plain, "-o", "file.mkv", "--recipe", "recipes/edit.toml", "--codec", "ffv1",
        "--report", "f.json", cwd=tmp_path,
    )  # fmt: skip
    by_flags = faceloom(
        "edit", footage.plain, "-o", "flags.mkv", "-t", f"mouth={reference}", "--strength", "0.7", "--face", "all",
        "--method", "multiband", "--codec", "ffv1", "--report", "g.json", cwd=tmp_path,
    )  # fmt: skip
    assert by_file.returncode == by_flags.returncode == 0, by_file.stderr + by_flags.stderr
    assert same_planes(planes(tmp_path / "file.mkv"), planes(tmp_path / "flags.mkv"))
    one, two = (json.loads((tmp_path / name).read_text())["recipe"] for name in ("f.json", "g.json"))
    paths = [tmp_path / recipe["take"].pop("mouth") for recipe in (one, two)]
    assert one == two and paths[0].samefile(paths[1])


def test_flags_override_the_recipe_file(tmp_path: Path, footage: Footage, references: References) -> None:
    (tmp_path / "edit.toml").write_text(f'strength = 0.7\n[take]\nmouth = "{references.nobody}"\n')
    result = faceloom(
        "edit", footage.plain, "-o", "o.mkv", "--recipe", "edit.toml", "-t", f"mouth={references.mouth}",
        "--strength", "0.2", "--report", "r.json", "-q", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    recipe = json.loads((tmp_path / "r.json").read_text())["recipe"]
    assert recipe["strength"] == 0.2 and recipe["take"] == {"mouth": str(references.mouth)}


def test_an_edit_says_what_it_did(tmp_path: Path, footage: Footage, references: References) -> None:
    result = faceloom("edit", footage.gaps, "-o", "o.mkv", "-t", f"mouth={references.mouth}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "o.mkv: 12 of 16 frames edited, 4 passed through" in result.stdout
    assert "16/16" in result.stderr and "face lost in 4" in result.stderr


def test_quiet_is_quiet(tmp_path: Path, footage: Footage, references: References) -> None:
    result = faceloom("edit", footage.plain, "-o", "o.mkv", "-t", f"mouth={references.mouth}", "-q", cwd=tmp_path)
    assert "16/16" not in result.stderr and "fps" not in result.stderr


@pytest.mark.parametrize(
    ("number", "word", "code"), [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "SIGTERM", 143)]
)
def test_an_interrupt_leaves_nothing(
    tmp_path: Path, footage: Footage, references: References, number: int, word: str, code: int
) -> None:
    target = write_video(tmp_path / "long.mkv", footage.shot(20) * 40, codec="libx264")
    run = subprocess.Popen(
        [str(COMMAND), "edit", str(target), "-o", "o.mkv", "-t", f"mouth={references.mouth}", "--codec", "ffv1"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
        # A process started in the background may be told to ignore interrupts; this one is not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    partial = tmp_path / ".o.partial.mkv"
    deadline = time.monotonic() + 120
    while not (partial.exists() and partial.stat().st_size > 100_000):
        assert run.poll() is None and time.monotonic() < deadline, "the edit is under way before it is stopped"
        time.sleep(0.05)
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == code
    assert word in said and "Traceback" not in said
    assert listing(tmp_path) == ["long.mkv"]


def test_inspect(tmp_path: Path, footage: Footage) -> None:
    result = faceloom("inspect", footage.two, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "two.mkv: video, 448x256, 25.000 frames/s" in result.stdout
    assert "100%" in result.stdout and "10 frames in 1 shot" in result.stdout
    with Pillow.open(tmp_path / "two.faces.png") as page:
        assert page.width > 2 * 192
    again = faceloom("inspect", footage.two, cwd=tmp_path)
    assert again.returncode == 3 and "two.faces.png: exists already" in again.stderr
    assert faceloom("inspect", footage.two, "--overwrite", cwd=tmp_path).returncode == 0


def test_inspect_json_is_nothing_but_json(tmp_path: Path, footage: Footage) -> None:
    result = faceloom("inspect", footage.gaps, "--json", "--start", "0.2", cwd=tmp_path)
    found = json.loads(result.stdout)
    assert found["frames"] == 11 and [track["id"] for track in found["tracks"]] == [1]
    assert listing(tmp_path) == []


def test_inspect_nobody(tmp_path: Path, footage: Footage) -> None:
    result = faceloom("inspect", footage.nobody, cwd=tmp_path)
    assert result.returncode == 0 and "no face was found in any of 8 frames" in result.stdout
    assert listing(tmp_path) == []


@pytest.mark.parametrize(("flags", "code"), [((), 3), (("--allow-partial",), 0)])
def test_inspect_a_damaged_video(tmp_path: Path, footage: Footage, flags: tuple[str, ...], code: int) -> None:
    (tmp_path / "cut.mp4").write_bytes(footage.sound.read_bytes()[: footage.sound.stat().st_size * 7 // 10])
    result = faceloom("inspect", "cut.mp4", "--sheet", "who.jpg", *flags, cwd=tmp_path)
    assert result.returncode == code
    assert "cut.mp4: the video is damaged" in result.stderr and "frames in 1 shot" in result.stdout
    assert listing(tmp_path) == ["cut.mp4", "who.jpg"]


@pytest.mark.parametrize("sheet", ["faces.mp4", "none/faces.png"])
def test_inspect_sheet_that_cannot_be(tmp_path: Path, footage: Footage, sheet: str) -> None:
    result = faceloom("inspect", footage.plain, "--sheet", sheet, cwd=tmp_path)
    assert result.returncode == 3 and sheet in result.stderr
    assert listing(tmp_path) == []


def test_methods(tmp_path: Path) -> None:
    shown = faceloom("methods", cwd=tmp_path).stdout
    assert "multiband" in shown and "left_eyebrow" in shown and "nose" in shown


def test_weights(tmp_path: Path) -> None:
    shown = faceloom("weights", "list", cwd=tmp_path).stdout
    assert "face_landmarker" in shown and "present" in shown and "Apache-2.0" in shown
    assert "bfm_noneck" not in faceloom("weights", "list", "--only-permissive", cwd=tmp_path).stdout
    located = faceloom("weights", "locate", "yunet", cwd=tmp_path).stdout.strip()
    assert Path(located).is_file()
    assert faceloom("weights", "verify", "yunet", cwd=tmp_path).stdout == "yunet: present\n"


def test_weights_that_are_damaged(tmp_path: Path) -> None:
    located = Path(faceloom("weights", "locate", "yunet", cwd=tmp_path).stdout.strip())
    copy = tmp_path / "weights" / located.name
    copy.parent.mkdir()
    copy.write_bytes(b"x" + located.read_bytes()[1:])
    home = {"FACELOOM_HOME": str(tmp_path)}
    checked = faceloom("weights", "verify", cwd=tmp_path, **home)
    assert checked.returncode == 4 and "faceloom weights pull yunet" in checked.stderr
    found = faceloom("doctor", cwd=tmp_path, **home)
    assert found.returncode == 1 and "broken: yunet" in found.stderr
    missing = faceloom("weights", "locate", "sface", cwd=tmp_path, **home)
    assert missing.returncode == 4 and "faceloom weights pull sface" in missing.stderr


def test_doctor(tmp_path: Path) -> None:
    result = faceloom("doctor", cwd=tmp_path, FACELOOM_MEDIA="/somewhere")
    assert result.returncode == 0, result.stdout
    for words in ("cores", "memory", "XNNPACK", "ONNX Runtime", "h264", "found the face of the example portrait"):
        assert words in result.stdout
    assert "/somewhere" in result.stdout and "broken" not in result.stdout


def test_doctor_json(tmp_path: Path) -> None:
    findings = json.loads(faceloom("doctor", "--json", cwd=tmp_path).stdout)
    assert {"machine", "packages", "computing", "media", "files", "weights", "methods", "self-test"} == {
        finding["group"] for finding in findings
    }


def test_doctor_without_weights(tmp_path: Path) -> None:
    result = faceloom("doctor", cwd=tmp_path, FACELOOM_HOME=str(tmp_path / "home"))
    assert result.returncode == 0
    assert "faceloom weights pull face_landmarker" in result.stdout and "skipped" in result.stdout


def test_doctor_with_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = faceloom("doctor", cwd=tmp_path, FACELOOM_HOME=str(tmp_path / "file" / "home"))
    assert result.returncode == 1
    assert "set FACELOOM_HOME" in result.stdout and "broken: weights folder" in result.stderr


def test_demo(tmp_path: Path) -> None:
    result = faceloom("demo", "--quiet", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert listing(tmp_path) == ["demo.mp4", "demo.png"]
    with av.open(str(tmp_path / "demo.mp4")) as video:
        assert video.streams.video[0].frames >= 100 and len(video.streams.audio) == 1
    with Pillow.open(tmp_path / "demo.png") as page:
        assert page.width > 1400
        pixels = np.asarray(page, np.int16)
    height = pixels.shape[0] // 2
    difference = np.abs(pixels[8:240, -1400:] - pixels[height + 4 :][:232, -1400:]).max(axis=2)
    assert 0.02 < (difference > 20).mean() < 0.5, "the rows differ in the parts alone"
    again = faceloom("demo", cwd=tmp_path)
    assert again.returncode == 3 and "demo.mp4: exists already" in again.stderr


def test_speed(tmp_path: Path, footage: Footage, references: References) -> None:
    arguments = ("speed", footage.plain, "-t", f"mouth={references.mouth}", "--repeats", "2")
    measured = json.loads(faceloom(*arguments, "--json", cwd=tmp_path).stdout)
    assert measured["frames"] == 16 and len(measured["edit"]["seconds"]) == 2
    assert measured["ratio"] == pytest.approx(
        measured["edit"]["median_seconds"] / measured["alone"]["median_seconds"], rel=0.01
    )
    assert set(measured["alone"]["stage_seconds"]) == {"prepare", "decode", "perceive", "write"}
    shown = faceloom(*arguments[:-1], "1", "--end", "0.2", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "5 frames, 256x256" in shown.stdout and "times as long as decoding" in shown.stdout
    assert listing(tmp_path) == []
