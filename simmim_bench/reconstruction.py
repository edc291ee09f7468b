"""Reconstructions of a pretraining model: how it predicts given images, their quality, a picture.

The images are always cropped and masked in the same way, so that models and epochs compare.
Quality is PSNR and SSIM (Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861; Gaussian
window of 11 pixels, sigma 1.5) of the masked part, by torchmetrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, default_collate
from PIL import Image, ImageDraw
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from simmim_bench.data.reading import reading_of
from simmim_bench.data.shown_bands import KEY, Stretch, chosen_bands
from simmim_bench.errors import BenchError
from simmim_bench.fonts import font_for
from simmim_bench.io import atomic_path
from simmim_bench.masking.strategies import for_evaluation
from simmim_bench.registry import TRANSFORMS

MASK_STEP = "simmim_bench.GenerateMask"
TITLES = ("image", "masked", "prediction", "pasted")
MASK_GREY = 0.5
GAP = 4  # pixels between tiles


def predicts_images(model: Any) -> bool:
    """Whether a built model predicts images: it needs a target, and one in colours."""
    return bool(getattr(getattr(model, "target", None), "predicts_images", False))


def evaluation_pipeline(cfg: Any, *, seed: int) -> Compose:
    """Pipeline without augmentation: load, resize the short edge, crop the centre, mask.

    Args:
        cfg: Config of a pretraining, whose image size and masks are used (``for_evaluation``).
        seed: Seed of the masks; a mask depends on it and on the number of the image.

    Raises:
        BenchError: If the config does not draw masks in one step.
    """
    stated = cfg.pretraining.image_size
    height, width = (stated, stated) if isinstance(stated, int) else stated
    steps = cfg.train_dataloader.dataset.pipeline
    reading = reading_of(steps)
    masks = [step for step in steps if step["type"] == MASK_STEP]
    if len(masks) != 1:
        raise BenchError(
            f"the pipeline of the config has {len(masks)} steps {MASK_STEP}, expected one; give a "
            f"pretraining that draws masks"
        )
    bicubic = {"backend": "pillow", "interpolation": "bicubic"}
    library = "mmpretrain" if reading.is_plain else "simmim_bench"
    pipeline = [
        {"type": "simmim_bench.LoadImage", **asdict(reading)},
        {"type": f"{library}.ResizeEdge", "scale": max(height, width), "edge": "short", **bicubic},
        {"type": "mmpretrain.CenterCrop", "crop_size": (width, height)},
        {**for_evaluation(masks[0]), "seed": seed},
        {"type": "mmpretrain.PackInputs", "algorithm_keys": ["mask"]},
    ]
    return Compose([TRANSFORMS.build(step) for step in pipeline])


def picture_bands(cfg: Any) -> tuple[int, ...] | None:
    """Indices of the bands that pictures of a pretraining show; None for 8-bit RGB.

    Raises:
        BenchError: If ``picture_bands`` of the config names others than there are.
    """
    reading, given = reading_of(cfg.train_dataloader.dataset.pipeline), cfg.get(KEY)
    if reading.is_plain and given is None:
        return None
    return chosen_bands(reading.channels, given)


@torch.no_grad()
def predict(
    model: Any, pipeline: Compose, paths: Sequence[Path | str], *, first: int = 0
) -> Prediction:
    """Reconstruct images with ``model``, in evaluation mode; then restore its mode.

    Args:
        model: A pretraining model.
        pipeline: Result of ``evaluation_pipeline``.
        paths: Files or addresses of images.
        first: Number of the first image, on which its mask depends.

    Raises:
        BenchError: If an image cannot be read.
        ValueError: If the model does not predict images.
    """
    samples = [
        pipeline({"img_path": str(path), "sample_idx": number})
        for number, path in enumerate(paths, first)
    ]
    was_training = model.training
    model.eval()
    try:
        data = model.data_preprocessor(default_collate(samples), False)
        shown = model(data["inputs"], data["data_samples"], mode="predict")
    finally:
        model.train(was_training)
    normalisation = model.data_preprocessor
    return denormalised(shown, mean=normalisation.mean, std=normalisation.std)


@dataclass(frozen=True)
class Prediction:
    """Images and their reconstructions, in [0, 1].

    Args:
        images: (B, C, H, W).
        reconstruction: Same shape.
        mask: Bool, (B, H, W); True = masked.
    """

    images: Tensor
    reconstruction: Tensor
    mask: Tensor

    def grid(self, bands: tuple[int, ...] | None = None) -> np.ndarray:
        """Rows of image | masked | prediction | prediction pasted into the visible part.

        Args:
            bands: Indices of three bands, each stretched as ``Stretch`` does for the images; None:
                RGB as it is.

        Returns:
            (B * (H + gap), 4 * (W + gap), 3), uint8.
        """
        masked = self.mask[:, None]
        images, reconstruction = self.images, self.reconstruction
        if bands is not None:
            stretch = Stretch.of(_bands_last(images), bands)
            images, reconstruction = (
                _stretched(each, stretch) for each in (images, reconstruction)
            )
        columns = [
            images,
            images.masked_fill(masked, MASK_GREY),
            reconstruction,
            torch.where(masked, reconstruction, images),
        ]
        tiles = torch.stack(columns, dim=1)  # (B, 4, 3, H, W)
        padded = torch.nn.functional.pad(tiles, (0, GAP, 0, GAP), value=1.0)
        batch, count, channels, height, width = padded.shape
        grid = padded.permute(0, 3, 1, 4, 2).reshape(batch * height, count * width, channels)
        return (grid * 255).round().byte().cpu().numpy()

    def psnr(self) -> Tensor:
        """PSNR of each image on its masked part, (B,), dB."""
        return masked_psnr(self.reconstruction, self.images, self.mask)

    def ssim(self) -> Tensor:
        """SSIM of each image on its masked part, (B,)."""
        return masked_ssim(self.reconstruction, self.images, self.mask)


def denormalised(shown: dict[str, Tensor], *, mean: Tensor, std: Tensor) -> Prediction:
    """Convert the result of a model's ``predict`` mode to [0, 1].

    Args:
        shown: ``images`` and ``reconstruction``, (B, C, H, W), normalised; ``mask``.
        mean: Mean of the normalisation, a value of each channel, 0 to 255.
        std: Standard deviation, same.
    """
    return Prediction(
        images=_to_unit(shown["images"], mean, std),
        reconstruction=_to_unit(shown["reconstruction"], mean, std),
        mask=shown["mask"],
    )


def save_png(pixels: np.ndarray, path: Path, *, scale: int = 1, titles: Sequence[str] = ()) -> None:
    """Write pixels as PNG, atomically.

    Args:
        pixels: (H, W, 3), uint8.
        path: File to write.
        scale: Enlargement, without smoothing.
        titles: Title above each column of the picture, if any.
    """
    image = Image.fromarray(pixels)
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    if titles:
        image = _with_titles(image, titles)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def _with_titles(grid: Image.Image, titles: Sequence[str]) -> Image.Image:
    column = grid.width // len(titles)
    size = max(8, min(16, column // 6))
    titled = Image.new("RGB", (grid.width, grid.height + 2 * size), "white")
    titled.paste(grid, (0, 2 * size))
    draw = ImageDraw.Draw(titled)
    for number, title in enumerate(titles):
        middle = (number * column + column // 2, size)
        draw.text(middle, title, fill="black", font=font_for(title, size), anchor="mm")
    return titled


def _to_unit(normalised: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    mean, std = mean.to(normalised).view(1, -1, 1, 1), std.to(normalised).view(1, -1, 1, 1)
    return ((normalised.float() * std + mean) / 255).clamp(0, 1)


def _bands_last(images: Tensor) -> np.ndarray:
    return images.permute(0, 2, 3, 1).cpu().numpy()


def _stretched(images: Tensor, stretch: Stretch) -> Tensor:
    """Shown bands of ``images`` (B, C, H, W), in [0, 1]."""
    shown = torch.from_numpy(stretch.apply(_bands_last(images)))
    return shown.permute(0, 3, 1, 2).to(images) / 255


def masked_psnr(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over the masked pixels of each image, in dB.

    Args:
        prediction: (B, C, H, W), in [0, 1].
        image: Same shape and scale.
        mask: Bool, (B, H, W); True = masked.

    Returns:
        (B,), float32; NaN if an image has no masked pixel, infinite if the images are equal.
    """
    triples = zip(prediction.float(), image.float(), mask, strict=True)
    return torch.stack(
        [
            peak_signal_noise_ratio(predicted[:, masked], original[:, masked], data_range=1.0)
            for predicted, original, masked in triples
        ]
    )


def masked_ssim(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Structural similarity at the masked pixels of each image.

    The prediction is pasted into the visible part; then the local similarities are averaged over
    masked pixels and channels.

    Args:
        prediction: (B, C, H, W), in [0, 1]; H and W at least 11.
        image: Same shape and scale.
        mask: Bool, (B, H, W); True = masked.

    Returns:
        (B,), float32, at most 1; NaN if an image has no masked pixel.
    """
    pasted = torch.where(mask.unsqueeze(1), prediction, image).float()
    _, local = structural_similarity_index_measure(
        pasted, image.float(), data_range=1.0, reduction="none", return_full_image=True
    )
    local = local.mean(dim=1)  # (B, H, W)
    return (local * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))
