from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'faceloom[torch]'")

from faceloom.evaluate.metrics.errors import MetricError  # noqa: E402
from faceloom.evaluate.metrics.perceptual import (  # noqa: E402
    class_token,
    cosine,
    lpips,
    painted,
    vgg_features,
    vgg_similarity,
    without_region,
)
from faceloom.evaluate.metrics.regions import PartView, part_view  # noqa: E402
from faceloom.evaluate.networks import Networks  # noqa: E402
from faceloom.types import Attribute  # noqa: E402


@pytest.fixture(scope="module")
def networks(metric_store) -> Networks:
    return Networks(metric_store)


@pytest.fixture(scope="module")
def mouths(perceived) -> dict[str, PartView]:
    sources = {name: perceived.source(name) for name in ("person_01", "person_03", "person_05")}
    return {
        name: part_view(source.image, source.face.landmarks, Attribute.MOUTH, 128) for name, source in sources.items()
    }


def test_cosine_computed_by_hand() -> None:
    assert cosine(np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(0.96)
    assert cosine(np.zeros(2), np.ones(2)) == 0


@pytest.mark.parametrize("kind", ["blur", "noise", "shift"])
def test_lpips_follows_the_strength_of_a_perturbation(networks: Networks, portraits, kind: str) -> None:
    picture = cv2.resize(portraits["person_04"], (128, 128), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 1, picture.shape)
    changed = {
        "blur": lambda s: cv2.GaussianBlur(picture, (0, 0), 0.6 * s),
        "noise": lambda s: np.clip(picture + 8 * s * noise, 0, 255).astype(np.uint8),
        "shift": lambda s: np.roll(picture, 2 * s, axis=1),
    }[kind]
    values = [lpips(networks.lpips("alex"), picture, changed(strength)) for strength in (1, 2, 3, 4, 5)]
    assert values[0] > 0
    assert all(a < b for a, b in pairwise(values))


def test_lpips_needs_one_size(networks: Networks) -> None:
    with pytest.raises(MetricError, match="one size"):
        lpips(networks.lpips("alex"), np.zeros((64, 64, 3), np.uint8), np.zeros((64, 65, 3), np.uint8))


def test_a_part_is_most_like_itself_and_less_so_the_more_it_is_blurred(networks: Networks, mouths) -> None:
    trunk, view = networks.lpips("vgg").trunk, mouths["person_03"]
    own = vgg_features(trunk, view)
    assert vgg_similarity(own, own) == pytest.approx(1, abs=1e-5)
    likeness = [
        vgg_similarity(
            own, vgg_features(trunk, PartView(cv2.GaussianBlur(view.image, (0, 0), s), view.mask, view.matrix))
        )
        for s in (0.5, 1, 2, 4, 8)
    ]
    assert all(a > b for a, b in pairwise([1.0, *likeness]))


def test_a_part_is_less_like_those_of_others_than_its_own_shifted_copy(networks: Networks, mouths) -> None:
    trunk = networks.lpips("vgg").trunk
    found = {name: vgg_features(trunk, view) for name, view in mouths.items()}
    view = mouths["person_03"]
    shifted = PartView(np.roll(view.image, (4, 6), (0, 1)), np.roll(view.mask, (4, 6), (0, 1)), view.matrix)
    copy = vgg_similarity(found["person_03"], vgg_features(trunk, shifted))
    others = [vgg_similarity(found["person_03"], found[name]) for name in ("person_01", "person_05")]
    assert copy > max(others) + 0.1
    one, other = found["person_01"], found["person_03"]
    assert vgg_similarity(one, other) == pytest.approx(vgg_similarity(other, one))


def test_only_what_lies_in_the_mask_counts(networks: Networks, mouths) -> None:
    trunk, view = networks.lpips("vgg").trunk, mouths["person_01"]
    assert [len(layer) for layer in vgg_features(trunk, view)] == [
        int((cv2.resize(view.mask, (side, side), interpolation=cv2.INTER_AREA) > 0.5).sum()) for side in (64, 32, 16)
    ]
    empty = vgg_features(trunk, PartView(view.image, np.zeros_like(view.mask), view.matrix))
    assert np.isnan(vgg_similarity(empty, vgg_features(trunk, view)))


def test_pictures_for_a_transformer_are_normalised_by_channel() -> None:
    class Means(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.ones(1))

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return self.factor * batch.mean(dim=(2, 3))

    picture = np.tile(np.uint8([0, 51, 255]), (4, 4, 1))
    found = class_token(Means(), picture, (0.5, 0.2, 0.0), (0.5, 0.1, 2.0))
    assert found == pytest.approx([-1, 0, 0.5], abs=1e-6)


def test_regions_are_taken_out() -> None:
    target, result = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 9, np.uint8)
    region = np.eye(4, dtype=bool)
    outside = without_region(target, result, region)
    assert outside[region].max() == 0
    assert outside[~region].min() == 9
    assert painted(result, region)[region].tolist() == [[128] * 3] * 4
    assert painted(result, region)[~region].min() == painted(result, region)[~region].max() == 9
