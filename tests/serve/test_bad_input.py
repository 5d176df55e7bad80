"""What goes wrong is said with the file and the cure, exits with its own code, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from support.command import faceloom, listing
from support.fixtures import Footage, References
from support.footage import Picture, planes, write_video

BAD_RECIPE, BAD_MEDIA, NO_WEIGHTS, NO_FACE = 2, 3, 4, 5


def refused(folder: Path, code: int, *arguments: str | Path, says: tuple[str, ...], **variables: str) -> None:
    """The command exits with ``code``, its message holds the words, and the folder is as it was."""
    before = {name: (folder / name).stat().st_mtime_ns for name in listing(folder)}
    result = faceloom(*arguments, cwd=folder, **variables)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    for words in says:
        assert words in result.stderr
    assert {name: (folder / name).stat().st_mtime_ns for name in listing(folder)} == before


def edits(folder: Path, *arguments: str | Path, out: str = "out.mkv") -> tuple[Path, str]:
    """The command succeeds; the output and what was said on standard error."""
    result = faceloom("edit", *arguments, "-o", out, "--quiet", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert (folder / out).is_file()
    assert not [name for name in listing(folder) if "partial" in name]
    return folder / out, result.stderr


def test_no_face_in_reference(tmp_path: Path, footage: Footage, references: References) -> None:
    refused(
        tmp_path, NO_FACE, "edit", footage.plain, "-o", "out.mkv", "-t", f"mouth={references.nobody}",
        says=(str(references.nobody), "no face was found in this reference", "use a sharp"),
    )  # fmt: skip


def test_several_faces_in_reference(tmp_path: Path, footage: Footage, references: References) -> None:
    _, said = edits(tmp_path, footage.plain, "-t", f"mouth={references.group}")
    assert "group.png: 2 faces in this reference; the largest is used, number 2 from the left" in said
    assert "--reference-face N" in said


def test_reference_face_chooses(tmp_path: Path, footage: Footage, references: References) -> None:
    take = ("-t", f"mouth={references.group}", "--codec", "ffv1")
    largest, _ = edits(tmp_path, footage.plain, *take, out="largest.mkv")
    first, said = edits(tmp_path, footage.plain, *take, "--reference-face", "1", out="first.mkv")
    assert "faces in this reference" not in said
    assert any(not np.array_equal(a[0], b[0]) for a, b in zip(planes(largest), planes(first), strict=True))


def test_reference_face_that_is_not_there(tmp_path: Path, footage: Footage, references: References) -> None:
    refused(
        tmp_path, NO_FACE, "edit", footage.plain, "-o", "out.mkv", "-t", f"mouth={references.group}",
        "--reference-face", "3", says=("group.png", "only 2 were found"),
    )  # fmt: skip


def test_no_face_in_target(tmp_path: Path, footage: Footage, references: References) -> None:
    refused(
        tmp_path, NO_FACE, "edit", footage.nobody, "-o", "out.mkv", "-t", f"mouth={references.mouth}",
        "--report", "report.json", says=(str(footage.nobody), "no face was found in any frame", "faceloom inspect"),
    )  # fmt: skip


def test_track_that_is_not_there(tmp_path: Path, footage: Footage, references: References) -> None:
    refused(
        tmp_path, NO_FACE, "edit", footage.plain, "-o", "out.mkv", "-t", f"mouth={references.mouth}", "--face", "7",
        says=("plain.mkv", "'7' does not appear", "Tracks in this clip: 1"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.mp4", b"This is no video, whatever its name says.\n" * 20, "not a video"),
        ("empty.mp4", b"", "empty (0 bytes)"),
        ("noise.mkv", np.random.default_rng(3).integers(0, 256, 5000, np.uint8).tobytes(), "not a video"),
        ("cut.mp4", b"\0\0\0\x20ftypisom" + bytes(20), "cut off before its index"),
    ],
)
def test_not_a_video(tmp_path: Path, references: References, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    take = f"mouth={references.mouth}"
    refused(tmp_path, BAD_MEDIA, "edit", name, "-o", "out.mp4", "-t", take, says=(name, says))


def test_target_that_is_missing(tmp_path: Path, references: References) -> None:
    take = f"mouth={references.mouth}"
    refused(tmp_path, BAD_MEDIA, "edit", "gone.mp4", "-o", "o.mp4", "-t", take, says=("gone.mp4", "Check the path"))


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no such file"), (b"", "empty"), (b"not a picture at all, really not", "not a picture")],
)
def test_reference_that_is_no_picture(tmp_path: Path, footage: Footage, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "ref.jpg").write_bytes(content)
    refused(
        tmp_path, BAD_MEDIA, "edit", footage.plain, "-o", "out.mkv", "-t", "mouth=ref.jpg", says=("ref.jpg", says)
    )  # fmt: skip


@pytest.fixture(scope="module")
def truncated(tmp_path_factory: pytest.TempPathFactory, footage: Footage) -> Path:
    path = tmp_path_factory.mktemp("cut") / "cut off.mp4"
    data = footage.sound.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def test_truncated_video(tmp_path: Path, truncated: Path, references: References) -> None:
    result = faceloom(
        "edit",
        truncated,
        "-o",
        "out.mp4",
        "-t",
        f"mouth={references.mouth}",
        "--quiet",
        "--report",
        "r.json",
        cwd=tmp_path,
    )
    assert result.returncode == BAD_MEDIA
    assert str(truncated) in result.stderr and "the video is damaged" in result.stderr
    assert "--allow-partial" in result.stderr and "written to out.mp4" in result.stderr
    assert listing(tmp_path) == ["out.mp4", "r.json"]
    report = json.loads((tmp_path / "r.json").read_text())
    assert 0 < len(planes(tmp_path / "out.mp4")) == report["frames_edited"] < 30
    assert report["truncated"] is True


def test_truncated_video_accepted(tmp_path: Path, truncated: Path, references: References) -> None:
    out, _ = edits(
        tmp_path, truncated, "-t", f"mouth={references.mouth}", "--allow-partial", "--report", "r.json", out="out.mp4"
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["truncated"] is True
    assert report["frames_read"] == len(planes(out)) < 30


def test_output_exists(tmp_path: Path, footage: Footage, references: References) -> None:
    (tmp_path / "out.mkv").write_text("precious")
    take = f"mouth={references.mouth}"
    refused(tmp_path, BAD_MEDIA, "edit", footage.plain, "-o", "out.mkv", "-t", take, says=("out.mkv", "--overwrite"))
    assert (tmp_path / "out.mkv").read_text() == "precious"
    assert faceloom(
        "edit", footage.plain, "-o", "out.mkv", "-t", take, "--overwrite", "-q", cwd=tmp_path
    ).returncode == 0  # fmt: skip
    assert len(planes(tmp_path / "out.mkv")) == 16


def test_failed_overwrite_keeps_the_old_file(tmp_path: Path, footage: Footage, references: References) -> None:
    (tmp_path / "out.mkv").write_text("precious")
    refused(
        tmp_path, NO_FACE, "edit", footage.nobody, "-o", "out.mkv", "-t", f"mouth={references.mouth}", "--overwrite",
        says=("no face",),
    )  # fmt: skip
    assert (tmp_path / "out.mkv").read_text() == "precious"


@pytest.mark.parametrize(
    ("out", "says"),
    [("missing/out.mkv", "does not exist"), ("out.xyz", "unknown extension"), ("out.png", "is a video")],
)
def test_output_that_cannot_be(tmp_path: Path, footage: Footage, references: References, out: str, says: str) -> None:
    take = f"mouth={references.mouth}"
    refused(tmp_path, BAD_MEDIA, "edit", footage.plain, "-o", out, "-t", take, says=(out, says))


@pytest.mark.parametrize("report", ["none/report.json", "."])
def test_report_that_cannot_be(tmp_path: Path, footage: Footage, references: References, report: str) -> None:
    flags = ("-o", "out.mkv", "-t", f"mouth={references.mouth}", "--report", report)
    refused(tmp_path, BAD_MEDIA, "edit", footage.plain, *flags, says=(report, "the report cannot be written"))


@pytest.mark.parametrize(
    ("take", "says"),
    [
        ("nozzle", "did you mean 'nose'"),
        ("mout", "did you mean 'mouth'"),
        ("left_eyes", "did you mean 'left_eye'"),
        ("zzzz", "known are identity, pose"),
    ],
)
def test_unknown_part(tmp_path: Path, footage: Footage, references: References, take: str, says: str) -> None:
    arguments = ("-o", "out.mkv", "-t", f"{take}={references.mouth}")
    refused(tmp_path, BAD_RECIPE, "edit", footage.plain, *arguments, says=(f"'{take}'", says))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), "takes nothing"),
        (("-t", "mouth"), "not of the form attribute=file"),
        (("-t", "mouth=a.jpg", "-t", "mouth=b.jpg"), "mouth more than once"),
        (("-t", "eyes=a.jpg", "-t", "left_eye=b.jpg"), "takes left eye twice"),
        (("-t", "mouth=a.jpg", "--face", "0"), "must be largest, all, or a track id"),
        (("-t", "mouth=a.jpg", "--method", "multibend"), "did you mean 'multiband'"),
        (("-t", "hair=a.jpg"), "no installed method takes hair"),
        (("-t", "hair=a.jpg", "--method", "multiband"), "cannot take hair"),
        (("-t", "mouth=a.jpg", "--option", "levels=3"), "has no options"),
        (("-t", "mouth=a.jpg", "--option", "levels"), "not of the form name=value"),
    ],
)
def test_request_that_makes_no_sense(tmp_path: Path, footage: Footage, flags: tuple[str, ...], says: str) -> None:
    refused(tmp_path, BAD_RECIPE, "edit", footage.plain, "-o", "out.mkv", *flags, says=(says,))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("strenght = 0.5\n[take]\nmouth = 'a.jpg'\n", "unknown key 'strenght'; did you mean 'strength'"),
        ("strength = 2.0\n[take]\nmouth = 'a.jpg'\n", "strength"),
        ("[take\n", "not valid TOML"),
        ("[take]\nmuoth = 'a.jpg'\n", "did you mean 'mouth'"),
    ],
)
def test_bad_recipe_file(tmp_path: Path, footage: Footage, text: str, says: str) -> None:
    (tmp_path / "edit.toml").write_text(text)
    refused(
        tmp_path, BAD_RECIPE, "edit", footage.plain, "-o", "out.mkv", "--recipe", "edit.toml", says=(says,)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attribute", "reference", "says"),
    [
        ("mouth", "profile", "the head is turned by"),
        ("eyes", "shut", "left eye and right eye is shut"),
        ("mouth", "covered", "the lips look covered"),
    ],
)
def test_poor_reference_is_warned_about(
    tmp_path: Path, footage: Footage, references: References, attribute: str, reference: str, says: str
) -> None:
    path = getattr(references, reference)
    _, said = edits(tmp_path, footage.plain, "-t", f"{attribute}={path}")
    assert "warning:" in said and str(path) in said and says in said


def test_weights_missing_without_network(tmp_path: Path, footage: Footage, references: References) -> None:
    home = tmp_path / "home"
    home.mkdir()
    result = faceloom(
        "edit", footage.plain, "-o", "out.mkv", "-t", f"mouth={references.mouth}",
        cwd=tmp_path, FACELOOM_HOME=str(home), FACELOOM_MIRROR=str(tmp_path), PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(tmp_path), http_proxy="http://localhost:9", https_proxy="http://localhost:9",
    )  # fmt: skip
    assert result.returncode == NO_WEIGHTS
    assert "could not get weight 'face_landmarker'" in result.stderr and "FACELOOM_MIRROR" in result.stderr
    assert listing(tmp_path) == ["home"]


def test_one_pixel(tmp_path: Path, footage: Footage, references: References) -> None:
    Pillow.new("RGB", (1, 1), (200, 150, 120)).save(tmp_path / "dot.png")
    refused(
        tmp_path, NO_FACE, "edit", "dot.png", "-o", "out.png", "-t", f"mouth={references.mouth}",
        says=("dot.png", "no face"),
    )  # fmt: skip
    refused(
        tmp_path, NO_FACE, "edit", footage.plain, "-o", "out.mkv", "-t", "mouth=dot.png", says=("dot.png", "no face")
    )  # fmt: skip


def test_8k_picture(tmp_path: Path, portraits: dict[str, Picture], references: References) -> None:
    large = cv2.resize(portraits["person_02"], (4320, 4320), interpolation=cv2.INTER_LINEAR)
    wide = cv2.copyMakeBorder(large, 0, 0, 1680, 1680, cv2.BORDER_REPLICATE)
    Pillow.fromarray(wide).save(tmp_path / "large.jpg", quality=90)
    out, _ = edits(tmp_path, "large.jpg", "-t", f"mouth={references.mouth}", out="out.jpg")
    with Pillow.open(out) as picture:
        assert picture.size == (7680, 4320)
        after = np.asarray(picture.reduce(16), np.int16)
    with Pillow.open(tmp_path / "large.jpg") as picture:
        difference = np.abs(after - np.asarray(picture.reduce(16), np.int16)).max(axis=2)
    assert difference.max() > 15, "the mouth has changed"
    assert difference[:100].max() <= 2, "the forehead has not"


@pytest.mark.parametrize("size", [(255, 257), (257, 255)])
def test_odd_sized_frames(tmp_path: Path, footage: Footage, references: References, size: tuple[int, int]) -> None:
    pictures = [picture[: size[0], : size[1]] for picture in footage.shot(6, 260)]
    target = write_video(tmp_path / "odd.mkv", pictures)
    out, _ = edits(tmp_path, target, "-t", f"mouth={references.mouth}", out="out.mp4")
    assert {frame[0].shape for frame in planes(out)} == {size}


def test_gray_video_stays_gray(tmp_path: Path, footage: Footage, references: References) -> None:
    target = write_video(tmp_path / "gray.mkv", footage.shot(6), pixels="gray")
    out, _ = edits(tmp_path, target, "-t", f"mouth={references.mouth}", "--codec", "ffv1")
    before, after = planes(target), planes(out)
    assert [len(frame) for frame in after] == [1] * 6
    assert all(not np.array_equal(a[0], b[0]) for a, b in zip(before, after, strict=True))


def test_gray_pictures(tmp_path: Path, portraits: dict[str, Picture]) -> None:
    for name in ("person_02", "person_04"):
        Pillow.fromarray(portraits[name]).convert("L").save(tmp_path / f"{name}.png")
    out, _ = edits(tmp_path, "person_02.png", "-t", "mouth=person_04.png", out="out.png")
    with Pillow.open(out) as picture:
        assert picture.mode == "L"


def test_paths_with_spaces_and_other_alphabets(tmp_path: Path, footage: Footage, references: References) -> None:
    folder = tmp_path / "My Films — Фильмы 映画"
    folder.mkdir()
    target, reference = folder / "clip [final] ü.mkv", folder / "rot = schön.png"
    target.write_bytes(footage.plain.read_bytes())
    reference.write_bytes(references.mouth.read_bytes())
    out, _ = edits(
        folder, target.name, "-t", f"mouth={reference.name}", "--report", "Bericht ß.json", out="naïve [x].mp4"
    )
    assert len(planes(out)) == 16
    report = json.loads((folder / "Bericht ß.json").read_text(encoding="utf-8"))
    assert report["target"] == target.name


def test_video_without_frames(tmp_path: Path, references: References) -> None:
    with av.open(str(tmp_path / "sound only.mp4"), "w") as container:
        from support.footage import write_tone

        write_tone(container, container.add_stream("aac", rate=48000, layout="mono"), 0.5)
    take = f"mouth={references.mouth}"
    refused(
        tmp_path, BAD_MEDIA, "edit", "sound only.mp4", "-o", "out.mp4", "-t", take, says=("no video stream",)
    )  # fmt: skip
