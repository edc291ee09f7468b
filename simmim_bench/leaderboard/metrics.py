"""Names and units of metrics in tables, and which of them tables leave out."""

from __future__ import annotations

from simmim_bench.leaderboard.aggregate import TIMES
from simmim_bench.records.protocols import SMALLER_IS_BETTER, Protocol

GENERATED = {
    "inpaint": "inpainted",
    "mean": "mean colour",
    "super": "super-resolved",
    "bicubic": "bicubic",
}
BASELINES = ("mean", "bicubic")  # of image generation, the same for every method
DETAILS = {
    *("d2", "d3"),
    *(f"{kind}_ap{part}" for kind in ("box", "mask") for part in ("50", "75", "s", "m", "l")),
    *(f"{name}_{key}" for name in BASELINES for key in ("psnr", "ssim", "features")),
}
"""Metrics that only records have: they would make the web page too wide."""
METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "box_ap": "APᵇᵒˣ",
    "mask_ap": "APᵐᵃˢᵏ",
    "miou": "mIoU",
    "macc": "mAcc",
    "aacc": "aAcc",
    **{f"d{k}": f"delta{k}" for k in (1, 2, 3)},
    "rmse": "RMSE (smaller is better)",
    "abs_rel": "relative error (smaller is better)",
    **{f"top1_k{k}": f"top-1, k = {k}" for k in (10, 20, 100, 200)},
    "mean_recall": "mean recall",
    **{
        f"{task}_{key}": f"{name}, {result}"
        for task, result in GENERATED.items()
        for key, name in {"psnr": "PSNR (dB)", "ssim": "SSIM", "features": "features"}.items()
    },
}
UNITS = {
    f"{task}_{key}": unit
    for task in GENERATED
    for key, unit in {"psnr": "", "ssim": f"{TIMES} 100", "features": f"{TIMES} 100"}.items()
} | {"rmse": "m", "abs_rel": ""}
"""Units of metrics that are not in percent; empty if the name says it."""


def with_unit(name: str) -> str:
    """A metric as axes and headers show it: ``top-1 (%)``."""
    unit = UNITS.get(name, "%")
    return METRICS.get(name, name) + (f" ({unit})" if unit else "")


def decimals_of(protocol: Protocol, name: str) -> int:
    """Decimals of a metric in tables: one for percentages, three for errors of depth."""
    return 3 if protocol.metrics[name] in SMALLER_IS_BETTER else 1


def is_detail(protocol: Protocol, name: str) -> bool:
    """Whether only records and the details of a row have a metric: a detail, or an error."""
    if name == protocol.primary:
        return False
    return name in DETAILS or protocol.metrics[name] in SMALLER_IS_BETTER
