"""A Gradio page: draw a mask over an image to inpaint it, or enlarge an image."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from rich.console import Console

from simmim_bench.analysis.images import PixelMask, Pixels
from simmim_bench.analysis.painting.inpaint import inpaint
from simmim_bench.analysis.painting.predictor import Predictor, load_predictor
from simmim_bench.analysis.painting.super_resolve import SCALES, super_resolve
from simmim_bench.errors import BenchError

MOST_PIXELS = 1024 * 1024  # of an image to enlarge, which the model predicts window by window


def serve(args: argparse.Namespace, console: Console) -> None:
    """Serve the page until the process is interrupted.

    Args:
        args: Namespace of ``simmim-bench analyze page``.
        console: Prints the address.

    Raises:
        BenchError: If Gradio is missing, config or checkpoint is not usable, or the port is in use.
    """
    page = make_page(
        load_predictor(args.config, args.checkpoint, args.cfg_options, image_size=args.image_size)
    )
    where = {"server_name": args.host, "server_port": args.port or None}
    try:
        page.launch(**where, quiet=True, prevent_thread_lock=True)
    except OSError as error:
        raise BenchError(
            f"cannot serve at {args.host}:{args.port}: the port is in use, or the host is not this "
            f"machine; give another --port or --host"
        ) from error
    console.print(f"serving: http://{args.host}:{page.server_port}", soft_wrap=True)
    page.block_thread()


def make_page(predictor: Predictor) -> Any:
    """Build the page without serving it.

    Raises:
        BenchError: If Gradio is not installed.
    """
    try:
        import gradio
    except ImportError as error:
        raise BenchError(
            "Gradio is not installed; run `pip install 'simmim_bench[page]'`"
        ) from error

    def answer(function: Any, *given: Any) -> Pixels:
        try:
            result: Pixels = function(predictor, *given)
        except BenchError as error:
            raise gradio.Error(str(error), print_exception=False) from error
        return result

    with gradio.Blocks(title="simmim_bench: inpainting", analytics_enabled=False) as page:
        gradio.Markdown("# Inpainting by a masked image model")
        with gradio.Tab("Inpainting"):
            brush = gradio.Brush(colors=["#ffffff"], color_mode="fixed")
            drawn = gradio.ImageEditor(
                type="numpy", image_mode="RGBA", brush=brush, label="Draw over the image"
            )
            result = gradio.Image(format="png", label="Inpainted", interactive=False)
            gradio.Button("Inpaint", variant="primary").click(
                lambda value: answer(inpaint_drawn, value), drawn, result, api_name="paint"
            )
        with gradio.Tab("Super-resolution"):
            small = gradio.Image(type="numpy", image_mode="RGB", label="Small image")
            scale = gradio.Radio(list(SCALES), value=SCALES[0], label="Scale")
            large = gradio.Image(format="png", label="Enlarged", interactive=False)
            gradio.Button("Enlarge", variant="primary").click(
                lambda *values: answer(enlarge, *values), [small, scale], large, api_name="enlarge"
            )
    return page


def inpaint_drawn(predictor: Predictor, drawn: dict[str, Any] | None) -> Pixels:
    """Inpaint the part of an image that was drawn over.

    Args:
        predictor: The model.
        drawn: Value of Gradio's editor: ``background`` and ``layers``, (H, W, 4), uint8.

    Raises:
        BenchError: If there is no image, or none or all of it is drawn over.
    """
    if drawn is None or drawn["background"] is None or not drawn["background"].any():
        raise BenchError("there is no image; upload one first")
    image = np.ascontiguousarray(drawn["background"][..., :3])
    mask: PixelMask = np.zeros(image.shape[:2], dtype=bool)
    for layer in drawn["layers"]:
        mask |= layer[..., 3] > 0
    return inpaint(predictor, image, mask, name="the drawn mask")


def enlarge(predictor: Predictor, image: Pixels | None, scale: int) -> Pixels:
    """Enlarge an image.

    Raises:
        BenchError: If there is no image, or it is too large.
    """
    if image is None:
        raise BenchError("there is no image; upload one first")
    height, width = image.shape[:2]
    if height * width > MOST_PIXELS:
        raise BenchError(f"the image is {width}x{height}; give one of at most 1024x1024 pixels")
    return super_resolve(predictor, image, scale=scale)
