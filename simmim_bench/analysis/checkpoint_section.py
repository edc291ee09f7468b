"""What the checkpoints of pretrainings say: does a lower error mean better features?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simmim_bench.analysis.charts import checkpoint_charts
from simmim_bench.analysis.over_checkpoints import Point
from simmim_bench.analysis.section import Section

FEWEST = 3  # points of a correlation


def checkpoint_section(
    lines: Mapping[str, Sequence[Point]], configs: Mapping[str, str], *, without: Sequence[str] = ()
) -> Section:
    """Charts, rows and correlation of error and accuracy.

    Args:
        lines: Points in epoch order, by pretraining.
        configs: Config of the k-NN, by pretraining.
        without: Pretrainings that predict no pixels, to be named.
    """
    over, against = checkpoint_charts(lines, "k-NN top-1 (%)")
    text = [
        "Mean absolute error of masked pixels (normalised RGB, held-out images, the same masks for "
        "all checkpoints of one pretraining; lines of different maskings do not compare), and k-NN "
        "accuracy of the backbone, for every checkpoint that was kept. "
        f"k-NN by {', '.join(sorted(set(configs.values())))}."
    ]
    text += [
        f"{name}: rank correlation of error and accuracy {value:+.2f} over {len(points)} "
        f"checkpoints; -1 if accuracy always rises when the error falls."
        for name, points in lines.items()
        if len(points) >= FEWEST and not np.isnan(value := rank_correlation(points))
    ]
    if without:
        text.append(f"Without such an error, since they predict no pixels: {', '.join(without)}.")
    rows = [
        [name, point.epoch, point.error, point.accuracy]
        for name, points in lines.items()
        for point in points
    ]
    return Section(
        "Reconstruction error and downstream accuracy",
        tuple(text),
        charts=(("", over), ("", against)),
        rows=[["pretraining", "epoch", "masked_l1", "knn_top1_percent"], *rows],
        file="checkpoints.csv",
    )


def rank_correlation(points: Sequence[Point]) -> float:
    """Spearman's coefficient of error and accuracy; NaN if one of them never changes."""
    from scipy.stats import spearmanr

    errors, accuracies = [p.error for p in points], [p.accuracy for p in points]
    if len(set(errors)) == 1 or len(set(accuracies)) == 1:
        return float("nan")
    return float(spearmanr(errors, accuracies).statistic)
