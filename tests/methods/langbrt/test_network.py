"""The network on one face, held to where prompts may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="retouching needs torch: pip install 'faceloom[retouch]'")

from support.langbrt import DARKER, TINY, blunt_model, checkpoint, random_model  # noqa: E402
from support.words import BagOfWords  # noqa: E402

from faceloom.errors import WeightsError  # noqa: E402
from faceloom.methods.langbrt.checkpoint import LoadedLangBRT, load_langbrt  # noqa: E402
from faceloom.methods.langbrt.network import Network  # noqa: E402
from faceloom.methods.langbrt.prompts import TABLE  # noqa: E402
from faceloom.methods.langbrt.requests import Asked, read_requests  # noqa: E402
from faceloom.methods.langbrt.tone import log_light, picture_of  # noqa: E402
from faceloom.nets.langbrt import LangBRT  # noqa: E402
from faceloom.perceive.text import MiniLM  # noqa: E402

SIZE = TINY.image_size
EVERYWHERE = np.ones((SIZE, SIZE), np.float32)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.3, 0.8, (SIZE, SIZE, 3)).astype(np.float32)


def loaded(model: LangBRT) -> LoadedLangBRT:
    return LoadedLangBRT(model, "minilm_int8", {})


def everywhere(asked: Asked) -> np.ndarray:
    return np.repeat(EVERYWHERE[None], len(asked.prompts), 0)


def test_it_is_the_network(encoder: MiniLM) -> None:
    """With all prompts and no limits it gives what LangBRT itself gives."""
    model, asked = random_model(), read_requests(["all"], encoder)
    assert asked.prompts == TABLE
    seen = Network(loaded(model), asked).look(picture(), everywhere(asked))
    image = torch.from_numpy(2 * picture() - 1).permute(2, 0, 1)[None]
    whole = model(image, torch.from_numpy(asked.vectors)[None], torch.ones(1, 20))
    assert float(torch.sigmoid(whole.logits).min()) > 0.12, "or faint certainty would be cut off"
    wanted = ((whole.image[0].permute(1, 2, 0) + 1) / 2).numpy().clip(0, 1)
    np.testing.assert_allclose(picture_of(log_light(picture()) + seen.change), wanted, atol=2e-3)
    np.testing.assert_allclose(seen.cover, 1, atol=1e-6)


def test_only_what_is_asked_for_is_computed(encoder: MiniLM) -> None:
    """One prompt alone gives the map that it has among all."""
    model = random_model()
    one, every = (read_requests([text], encoder) for text in ("wrinkles on the forehead", "all"))
    alone = Network(loaded(model), one).look(picture(), everywhere(one)).found
    among = Network(loaded(model), every).look(picture(), everywhere(every)).found
    assert alone.shape == (1, SIZE, SIZE)
    np.testing.assert_allclose(alone[0], among[every.prompts.index(one.prompts[0])], atol=1e-5)


def test_nothing_beyond_the_region(encoder: MiniLM) -> None:
    asked = read_requests(["acne"], encoder)
    allowed = everywhere(asked)
    allowed[:, :, SIZE // 2 :] = 0
    seen = Network(loaded(blunt_model()), asked).look(picture(), allowed)
    left, right = seen.change[:, : SIZE // 2 - 2], seen.change[:, SIZE // 2 + 2 :]
    assert not right.any() and not seen.cover[:, SIZE // 2 + 2 :].any() and not seen.found[:, :, SIZE // 2 + 2 :].any()
    before = picture()[:, : SIZE // 2 - 2]
    np.testing.assert_allclose(picture_of(log_light(before) + left) - before, DARKER, atol=0.01)


def test_nowhere_to_look(encoder: MiniLM) -> None:
    asked = read_requests(["acne"], encoder)
    seen = Network(loaded(blunt_model()), asked).look(picture(), 0 * everywhere(asked))
    assert not seen.found.any() and not seen.change.any() and not seen.cover.any()


def test_faint_certainty_is_none(encoder: MiniLM) -> None:
    """Twenty maps of a hundredth each must not add up to a fifth."""
    asked = read_requests(["all"], encoder)
    seen = Network(loaded(blunt_model(certainty=-4.5)), asked).look(picture(), everywhere(asked))
    assert not seen.cover.any() and not seen.change.any()


def dotted() -> np.ndarray:
    """Even skin with a dark dot in the middle and a pale one beside it."""
    skin, (y, x) = np.full((SIZE, SIZE, 3), 0.7, np.float32), np.mgrid[:SIZE, :SIZE]
    for column, level in ((SIZE // 2, 0.2), (SIZE // 4, 0.67)):
        skin[np.hypot(x - column, y - SIZE // 2) < 2.5 * SIZE / 256 + 1] = level
    return skin


def test_moles_stay_unless_asked_for(encoder: MiniLM) -> None:
    """A network that takes everything for moles and for acne alike: what is dark stays, what is not goes."""
    middle, side = (SIZE // 2, SIZE // 2), (SIZE // 2, SIZE // 4)
    cases = [("acne", True), ("spots", True), ("redness", False), ("moles", False), ("the mole on the nose", False)]
    for text, stays in cases:
        asked = read_requests([text], encoder)
        seen = Network(LoadedLangBRT(blunt_model(), "minilm_int8", {}, True), asked).look(dotted(), everywhere(asked))
        assert (seen.found[0][middle] < 0.05) == stays, text
        assert bool(np.abs(seen.change[middle]).max() < 0.02) == stays, text
        assert seen.found[0][side] > 0.9, f"{text}: too pale for a mole"
    asked = read_requests(["acne"], encoder)
    other = Network(loaded(blunt_model()), asked).look(dotted(), everywhere(asked))
    assert other.found[0][middle] > 0.9, "weights that never heard of moles cannot tell"


def test_moles_are_kept_outside_where_they_are_asked_for(encoder: MiniLM) -> None:
    asked = read_requests(["acne", "mole on the chin"], encoder)
    allowed = everywhere(asked)
    allowed[1] = 0
    seen = Network(LoadedLangBRT(blunt_model(), "minilm_int8", {}, True), asked).look(dotted(), allowed)
    assert seen.found[0][SIZE // 2, SIZE // 2] < 0.05


def test_vectors_of_another_encoder(tmp_path: Path, encoder: MiniLM) -> None:
    asked = read_requests(["acne on the nose"], encoder)
    (vector,) = BagOfWords(24).encode(["acne on the nose"])
    other = Asked(asked.prompts, asked.groups, asked.fixed, vector[None], (), vector)
    with pytest.raises(WeightsError, match="text vectors of 384 numbers, the text encoder gives 24"):
        Network(load_langbrt(checkpoint(tmp_path)), other)
