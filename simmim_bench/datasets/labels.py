"""Labels of a label map against the classes that there are."""

from __future__ import annotations

from torch import Tensor

from simmim_bench.errors import BenchError


def check_labels(
    labels: Tensor, *, image: str, classes: int, ignored: int, reduced: bool = False
) -> None:
    """Refuse labels that a loss cannot index and that a metric would count as nothing.

    Args:
        labels: Integers of any shape.
        image: Path of the image, for the error.
        classes: Labels are 0 to ``classes`` - 1.
        ignored: The one other label.
        reduced: Whether ``reduce_zero_label`` has made the file's labels one less.

    Raises:
        BenchError: Naming the image and the first such label.
    """
    strange = labels[(labels >= classes) & (labels != ignored)]
    if strange.numel():
        raise BenchError(
            f"the label map of {image} holds label {int(strange[0]) + reduced}, but there are "
            f"{classes} classes, {int(reduced)} to {classes - 1 + reduced} "
            f"({'0 and ' if reduced else ''}{ignored} ignored); set --num-classes, or "
            "reduce_zero_label in the config"
        )
