from __future__ import annotations

import base64
import csv
import json
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from support.scores import fabricated_results

from faceloom.evaluate.metrics.registry import METRICS
from faceloom.evaluate.report.document import Document, Picture, Section, compose
from faceloom.evaluate.report.gallery import worst, worst_frame
from faceloom.evaluate.report.markdown import to_markdown
from faceloom.evaluate.report.page import to_page
from faceloom.evaluate.report.plots import draw_plots
from faceloom.evaluate.report.tables import Cell, Table
from faceloom.evaluate.report.write import items_csv, remove_older_pictures, summary_csv, write_document


@pytest.fixture(scope="module")
def document() -> Document:
    return compose(fabricated_results(), [], [])


def test_the_first_table_marks_best_and_second(document: Document) -> None:
    text = to_markdown(document)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0] == "| | E\\_warp (10^-3) ↓ | FVD ↓ | CLIP-I ↑ | SFace (outside) ↑ |"
    assert lines[1] == "| a | <u>4.000</u> | <u>20.00</u> | n/a (needs clip-vit-l14) | **0.8500** |"
    assert lines[2] == "| b | **3.000** | **10.00** | n/a (needs clip-vit-l14) | <u>0.7500</u> |"


def test_everything_that_made_it_is_told(document: Document) -> None:
    text = to_markdown(document)
    for fact in (
        "Abacus, 3 cores",
        "abc123",
        "| seed | 7 |",
        "c" * 64,
        "d" * 64,
        "e" * 64,
        "faceloom | 9.9",
        "DIS medium",
    ):
        assert fact in text
    assert "FVD: 4 samples are few." in text
    assert "b t003.mouth-001 | no face was found" in text


def test_the_page_says_the_same(document: Document, tmp_path: Path) -> None:
    page = to_page(document, tmp_path)
    assert "<td><b>3.000</b></td>" in page and "<td><u>4.000</u></td>" in page
    assert '<td class="absent">n/a (needs clip-vit-l14)</td>' in page
    assert page.count("<table>") == page.count("</table>") == to_markdown(document).count("\n|---|")


def test_text_is_escaped(tmp_path: Path) -> None:
    table = Table("", ["a|b"], [("x_y", [Cell("<script>|")])])
    document = Document("T", [], [Section("S", ["<b>"], [table])])
    assert "<script>" not in to_page(document, tmp_path) and "&lt;script&gt;" in to_page(document, tmp_path)
    assert "| x\\_y | <script>\\| |" in to_markdown(document)


def test_pictures_are_inside_the_page(tmp_path: Path) -> None:
    Pillow.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "p.png")
    document = Document("T", [], [Section("S", (), (), [Picture("p.png", "black")])])
    page = to_page(document, tmp_path)
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert base64.b64decode(data) == (tmp_path / "p.png").read_bytes()
    assert "![black](p.png)" in to_markdown(document)


def test_files_hold_what_the_tables_are_made_from(tmp_path: Path) -> None:
    results = fabricated_results()
    write_document(results, compose(results, [], []), tmp_path)
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["average"]["a"] == {
        "e_warp": 4.0,
        "fvd": 20.0,
        "clip_i": None,
        "identity_outside": pytest.approx(0.85),
    }
    assert stored["metrics"]["clip_i"]["absent"] == "n/a (needs clip-vit-l14)"
    assert stored["failures"] == [{"method": "b", "item": "t003.mouth-001", "error": "no face was found"}]
    items = list(csv.DictReader(StringIO(items_csv(results))))
    assert len(items) == 6 and items[0]["e_warp"] == "1.0" and "clip_i" not in items[0]
    summary = list(csv.DictReader(StringIO(summary_csv(results))))
    (average,) = [
        line for line in summary if (line["method"], line["part"], line["metric"]) == ("b", "average", "e_warp")
    ]
    assert (average["value"], average["items"]) == ("3.0", "3")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "items.csv", "report.html", "report.json", "report.md", "summary.csv",
    ]  # fmt: skip


def test_the_worst_items_of_a_metric() -> None:
    results = fabricated_results()
    found = [(one.method, one.id) for one in worst(results, METRICS["e_warp"])]
    assert found == [("a", "t001.eyes-001"), ("b", "t002.mouth-001"), ("a", "t002.mouth-001")]
    found = [(one.method, one.id) for one in worst(results, METRICS["identity_outside"], 2)]
    assert found == [("b", "t001.eyes-001"), ("b", "t002.mouth-001")]


def test_the_worst_frame_is_that_of_the_series() -> None:
    series = {"e_warp": np.array([1.0, np.nan, 5.0, 2.0]), "identity_outside": np.array([0.9, 0.1, 0.5, 0.7, 0.8])}
    assert worst_frame(METRICS["e_warp"], series, 5) == 2
    assert worst_frame(METRICS["identity_outside"], series, 5) == 1
    assert worst_frame(METRICS["flicker"], series, 5) == 2


def test_plots_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    series = {"e_warp": np.linspace(1, 2, 9), "e_warp_target": np.ones(9)}
    pictures = draw_plots(fabricated_results(), lambda row: series, tmp_path)
    names = [picture.file for picture in pictures]
    assert names == [
        "plots/identity_outside_against_e_warp.png",
        "plots/e_warp_t001.eyes-001.png",
        "plots/e_warp_t001.mouth-001.png",
        "plots/e_warp_t002.mouth-001.png",
    ]
    for name in names:
        with Pillow.open(tmp_path / name) as picture:
            assert np.ptp(np.asarray(picture.convert("L"))) > 100
    first = (tmp_path / names[0]).read_bytes()
    draw_plots(fabricated_results(), lambda row: series, tmp_path)
    assert (tmp_path / names[0]).read_bytes() == first


def test_pictures_of_an_earlier_report_go_and_nothing_else_does(tmp_path: Path) -> None:
    names = ("gallery/new.jpg", "gallery/old.jpg", "gallery/notes.txt", "plots/new.png", "plots/old.png", "own.png")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shown = Section("", (), (), [Picture("gallery/new.jpg", ""), Picture("plots/new.png", "")])
    remove_older_pictures(Document("", (), [shown]), tmp_path)
    left = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")}
    assert left == set(names) - {"gallery/old.jpg", "plots/old.png"}
