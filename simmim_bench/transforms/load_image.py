"""Read an image, and say which one when it cannot be read."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import LoadImageFromFile

from simmim_bench.errors import BenchError
from simmim_bench.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """mmcv's loader through Pillow, the decoder of the original SimMIM.

    As there, a photograph's orientation tag is not followed, so that a label map stays aligned.
    OpenCV returns a truncated JPEG with grey in the place of what is missing; Pillow refuses it.
    """

    def __init__(self) -> None:
        super().__init__(imdecode_backend="pillow", color_type="color_ignore_orientation")

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load ``results['img_path']`` as (H, W, 3), uint8, BGR.

        Raises:
            BenchError: If the file is missing, truncated or no image.
        """
        try:
            return super().transform(results)
        except Exception as error:
            raise BenchError(
                f"image {results['img_path']} cannot be read ({error}); restore or remove it, and "
                "check the others with `python tools/prepare_data.py DATASET --verify`"
            ) from error
