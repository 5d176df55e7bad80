"""Every metric by name: what it is called, which way is better, what it needs.

The one table; scoring, reports and docs read it. A metric whose weights are absent has no number, only a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from faceloom.evaluate.metrics.errors import MetricError
from faceloom.weights import Status, Store

Family = Literal["quality", "motion", "fidelity", "temporal"]
Direction = Literal["lower", "higher"]
Level = Literal["item", "set"]


@dataclass(frozen=True)
class MetricSpec:
    """One metric.

    name       key in ``ItemScores.values`` and in files.
    title      heading of its column.
    family     quality, motion, fidelity or temporal.
    direction  which values are better.
    needs      names of the weights it cannot do without, beside what finds faces.
    level      "item": a number per edited clip; "set": one number over all clips, from ``ItemScores.features``.
    paper      where it comes from; "faceloom" for our own.
    scale      the reported number is the measure times this (1000 for "10^-3", 100 for per cent).
    unit       of the reported number, empty for none.
    extra      the extra of faceloom that it needs beside the weights, as in ``pip install 'faceloom[mesh]'``; empty for
               none.
    """

    name: str
    title: str
    family: Family
    direction: Direction
    needs: tuple[str, ...]
    level: Level
    paper: str
    scale: float = 1.0
    unit: str = ""
    extra: str = ""


_VGG = ("lpips_vgg16", "lpips_lin_vgg")
_ALEX = ("lpips_alexnet", "lpips_lin_alex")
_LAI = "Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018"
_LPIPS = "Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018"
_UNIFACEGAN = "Cao et al., UniFaceGAN, IEEE TIP 2021"
_VPARTSWAP = "V-PartSwap, section 4.1"
_HOPENET = "Ruiz et al., Fine-Grained Head Pose Estimation Without Keypoints, CVPRW 2018"
_DEEP3D = "Deng et al., Accurate 3D Face Reconstruction with Weakly-Supervised Learning, CVPRW 2019"
_EAR = "Soukupova and Cech, Real-Time Eye Blink Detection using Facial Landmarks, CVWW 2016"
_SFACE = "Zhong et al., SFace, IEEE TIP 2021"
_ARCFACE = "Deng et al., ArcFace, CVPR 2019"
_MORPHABLE = ("tddfa_v2", "tddfa_mean_std", "bfm_noneck_v3", "bfm_tri")
_MODULES = {"mesh": "numba"}
"""Extra -> the module that it brings."""

_SPECS = (
    # --- quality ---
    MetricSpec("e_warp", "E_warp", "quality", "lower", (), "item", _LAI, 1000, "10^-3"),
    MetricSpec("e_warp_part", "E_warp (part)", "quality", "lower", (), "item", _LAI, 1000, "10^-3"),
    MetricSpec("e_warp_ratio", "E_warp / target's", "quality", "lower", (), "item", "faceloom, after " + _LAI),
    MetricSpec("fvd", "FVD", "quality", "lower", ("i3d_k400",), "set", "Unterthiner et al., FVD, ICLRW 2019"),
    MetricSpec("fid", "FID", "quality", "lower", ("inception_fid",), "set", "Heusel et al., NeurIPS 2017"),
    MetricSpec(
        "kid", "KID", "quality", "lower", ("inception_fid",), "set", "Binkowski et al., ICLR 2018", 1000, "10^-3"
    ),
    MetricSpec("psnr", "PSNR", "quality", "higher", (), "item", "peak signal-to-noise ratio", 1, "dB"),
    MetricSpec("ssim", "SSIM", "quality", "higher", (), "item", "Wang et al., IEEE TIP 2004"),
    MetricSpec("rmse", "RMSE", "quality", "lower", (), "item", "root mean squared error", 255, "grey levels"),
    MetricSpec("lpips_vgg", "LPIPS-VGG", "quality", "lower", _VGG, "item", _LPIPS),
    MetricSpec("lpips_alex", "LPIPS-Alex", "quality", "lower", _ALEX, "item", _LPIPS),
    # --- motion ---
    MetricSpec("pose_error", "Pose", "motion", "lower", (), "item", _VPARTSWAP + " (landmark pose)", 1, "deg"),
    MetricSpec("pose_euler_error", "Pose (Euler)", "motion", "lower", (), "item", _HOPENET, 1, "deg"),
    MetricSpec("pose_hopenet", "Pose (HopeNet)", "motion", "lower", ("hopenet",), "item", _HOPENET, 1, "deg"),
    MetricSpec("expression_error", "Expr.", "motion", "lower", (), "item", _VPARTSWAP + " (52 blendshapes, L1)"),
    MetricSpec("expression_error_l2", "Expr. (L2)", "motion", "lower", (), "item", _VPARTSWAP + " (52 blendshapes)"),
    MetricSpec(
        "expression_3dmm",
        "Expr. (3DMM)",
        "motion",
        "lower",
        ("tddfa_v2", "tddfa_mean_std"),
        "item",
        "faceloom, after " + _UNIFACEGAN,
        1,
        "deviations",
    ),
    MetricSpec("expression_deep3d", "Expr. (Deep3D)", "motion", "lower", ("deep3dfacerecon",), "item", _DEEP3D),
    MetricSpec("gaze_error", "Gaze", "motion", "lower", (), "item", "faceloom", 100, "% of eye width"),
    MetricSpec(
        "mouth_opening_correlation", "Mouth opening r", "motion", "higher", (), "item", "faceloom, after " + _EAR
    ),
    MetricSpec("eye_opening_correlation", "Eye opening r", "motion", "higher", (), "item", _EAR),
    # --- fidelity ---
    MetricSpec("clip_i", "CLIP-I", "fidelity", "higher", ("clip-vit-l14",), "item", "Radford et al., CLIP, ICML 2021"),
    MetricSpec("dino_i", "DINO-I", "fidelity", "higher", ("dinov2",), "item", "Oquab et al., DINOv2, TMLR 2024"),
    MetricSpec("vgg_i", "VGG-I (ours)", "fidelity", "higher", _VGG, "item", "faceloom, after " + _LPIPS),
    MetricSpec("vgg_i_gain", "VGG-I gain (ours)", "fidelity", "higher", _VGG, "item", "faceloom, after " + _LPIPS),
    MetricSpec("identity_outside", "SFace (outside)", "fidelity", "higher", ("sface",), "item", _SFACE),
    MetricSpec("identity_target", "SFace (to target)", "fidelity", "higher", ("sface",), "item", _SFACE),
    MetricSpec("identity_reference", "SFace (to reference)", "fidelity", "higher", ("sface",), "item", _SFACE),
    MetricSpec("arcface_outside", "ArcFace (outside)", "fidelity", "higher", ("arcface",), "item", _ARCFACE),
    MetricSpec("arcface_reference", "ArcFace (to reference)", "fidelity", "higher", ("arcface",), "item", _ARCFACE),
    MetricSpec("lpips_background", "LPIPS_BG", "fidelity", "lower", _ALEX, "item", _VPARTSWAP),
    # --- temporal ---
    MetricSpec("landmark_jitter", "Jitter", "temporal", "lower", (), "item", "faceloom", 100, "% of eye distance"),
    MetricSpec("jitter_ratio", "Jitter / target's", "temporal", "lower", (), "item", "faceloom"),
    MetricSpec("flicker", "Flicker", "temporal", "lower", (), "item", "faceloom", 100, "% of energy"),
    MetricSpec("e_tmp", "E_tmp", "temporal", "lower", _MORPHABLE, "item", _UNIFACEGAN, 1, "grey levels", "mesh"),
)

METRICS: Mapping[str, MetricSpec] = {spec.name: spec for spec in _SPECS}
"""All metrics, in the order of a table."""


def chosen(names: Iterable[str] | None = None, level: Level | None = None) -> list[MetricSpec]:
    """The metrics called ``names`` (None: all) of one ``level`` (None: both), in the order of the table.

    Raises:
        MetricError: a name that is no metric.
    """
    wanted = set(METRICS) if names is None else set(names)
    if unknown := sorted(wanted - set(METRICS)):
        raise MetricError(f"there is no metric '{unknown[0]}'; known are: {', '.join(METRICS)}")
    return [spec for spec in _SPECS if spec.name in wanted and level in (None, spec.level)]


def available(store: Store, files: Mapping[str, Path] | None = None) -> dict[str, str | None]:
    """For every metric None if it can be computed here, else what its column says: ``n/a (needs clip-vit-l14)``.

    store  where weights are; a weight that is missing, damaged or refused for its licence is absent.
    files  weights that the user has beside the store, by name (``Networks`` takes the same).
    """
    return {spec.name: absence(spec, store, files or {}) for spec in _SPECS}


def absence(spec: MetricSpec, store: Store, files: Mapping[str, Path]) -> str | None:
    """None if ``spec`` can be computed, else what its column says: the weights and the extra that are not here."""
    lacking = [name for name in spec.needs if not _has(name, store, files)]
    if spec.extra and find_spec(_MODULES[spec.extra]) is None:
        lacking.append(f"faceloom[{spec.extra}]")
    return f"n/a (needs {', '.join(lacking)})" if lacking else None


def _has(name: str, store: Store, files: Mapping[str, Path]) -> bool:
    if name in files:
        return files[name].is_file()
    known = {record.name for record in store.list()}
    return name in known and store.status(name) is Status.PRESENT
