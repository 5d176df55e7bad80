from __future__ import annotations

import re
from pathlib import Path

import pytest

from faceloom.evaluate.metrics import registry
from faceloom.evaluate.metrics.errors import MetricError
from faceloom.evaluate.metrics.registry import METRICS, available, chosen
from faceloom.weights import Store

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_without_weights_only_what_needs_none_is_available(tmp_path: Path) -> None:
    found = available(Store(tmp_path))
    assert found.keys() == METRICS.keys()
    for name, reason in found.items():
        needs = METRICS[name].needs
        assert reason == (f"n/a (needs {', '.join(needs)})" if needs else None)


def test_with_the_weights_of_the_index_the_rest_says_what_it_needs(metric_store: Store) -> None:
    found = available(metric_store)
    assert found["clip_i"] == "n/a (needs clip-vit-l14)"
    assert found["dino_i"] == "n/a (needs dinov2)"
    assert found["arcface_outside"] == "n/a (needs arcface)"
    for name in ("fid", "kid", "fvd", "lpips_vgg", "lpips_background", "vgg_i", "identity_outside", "e_warp"):
        assert found[name] is None


def test_a_file_of_the_user_makes_a_metric_available(metric_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "clip.safetensors"
    assert available(metric_store, {"clip-vit-l14": path})["clip_i"] == "n/a (needs clip-vit-l14)"
    path.touch()
    assert available(metric_store, {"clip-vit-l14": path})["clip_i"] is None


@pytest.mark.parametrize(("weight", "metric"), [("hopenet", "pose_hopenet"), ("deep3dfacerecon", "expression_deep3d")])
def test_the_papers_own_networks_are_named_and_wait_for_their_weights(
    metric_store: Store, tmp_path: Path, weight: str, metric: str
) -> None:
    assert available(metric_store)[metric] == f"n/a (needs {weight})"
    path = tmp_path / "weights.pth"
    path.touch()
    assert available(metric_store, {weight: path})[metric] is None


def test_an_extra_that_is_not_installed_is_named(metric_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    metric_store.ensure(METRICS["e_tmp"].needs)
    assert available(metric_store)["e_tmp"] is None
    monkeypatch.setattr(registry, "find_spec", lambda module: None)
    assert available(metric_store)["e_tmp"] == "n/a (needs faceloom[mesh])"
    assert available(metric_store)["e_warp"] is None


def test_a_licence_filter_takes_weights_away(metric_store: Store) -> None:
    record = metric_store.record("sface")
    filtered = Store(metric_store.home, only_permissive=True, records=dict(metric_store.records))
    assert (available(filtered)["identity_outside"] is None) == record.permissive
    none = Store(metric_store.home, records={})
    assert available(none)["identity_outside"] == "n/a (needs sface)"


def test_a_damaged_weight_is_absent(metric_store: Store, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("lpips_alexnet", "lpips_lin_alex"):
        store.location(name).parent.mkdir(parents=True, exist_ok=True)
        store.location(name).write_bytes(b"something else")
    assert available(store)["lpips_background"] == "n/a (needs lpips_alexnet, lpips_lin_alex)"


def test_choosing_keeps_the_order_of_the_table_and_refuses_unknown_names() -> None:
    assert [spec.name for spec in chosen(["ssim", "e_warp"])] == ["e_warp", "ssim"]
    assert {spec.level for spec in chosen(level="set")} == {"set"}
    assert [spec.name for spec in chosen()] == list(METRICS)
    with pytest.raises(MetricError, match="no metric 'beauty'"):
        chosen(["ssim", "beauty"])


def test_the_docs_list_every_metric_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z_0-9]+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(METRICS)
