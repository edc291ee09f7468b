"""A Gradio page: draw over an image and let a pretraining paint it, or enlarge it."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from rich.console import Console

from simmim_bench.analysis.images import Marks, Pixels
from simmim_bench.analysis.painting.inpaint import inpaint
from simmim_bench.analysis.painting.painter import Painter, load_painter
from simmim_bench.analysis.painting.super_resolve import SCALES, super_resolve
from simmim_bench.errors import BenchError

MOST_PIXELS = 1024 * 1024  # of an image to enlarge: windows of the model's size are many


def serve(args: argparse.Namespace, console: Console) -> None:
    """Serve the page until it is interrupted.

    Args:
        args: Namespace of ``tools/analyze.py page``.
        console: Where the address goes.

    Raises:
        BenchError: If Gradio is missing, config or checkpoint are not usable, or the port is not
            free.
    """
    page = make_page(load_painter(args.config, args.checkpoint, args.cfg_options))
    where = {"server_name": args.host, "server_port": args.port or None}
    try:
        page.launch(**where, quiet=True, prevent_thread_lock=True)
    except OSError as error:
        raise BenchError(
            f"{args.host}:{args.port} cannot be served from: the port is in use, or not this "
            f"machine's; give another --port or --host"
        ) from error
    console.print(f"serving: http://{args.host}:{page.server_port}", soft_wrap=True)
    page.block_thread()


def make_page(painter: Painter) -> Any:
    """The page, not yet served.

    Raises:
        BenchError: If Gradio is not installed.
    """
    try:
        import gradio
    except ImportError as error:
        raise BenchError("Gradio is missing; pip install 'simmim_bench[page]'") from error

    def answer(function: Any, *given: Any) -> Pixels:
        try:
            result: Pixels = function(painter, *given)
        except BenchError as error:
            raise gradio.Error(str(error), print_exception=False) from error
        return result

    with gradio.Blocks(title="simmim_bench: painting", analytics_enabled=False) as page:
        gradio.Markdown("# Painting by a masked image model")
        with gradio.Tab("Inpainting"):
            brush = gradio.Brush(colors=["#ffffff"], color_mode="fixed")
            drawn = gradio.ImageEditor(
                type="numpy", image_mode="RGBA", brush=brush, label="Draw over the image"
            )
            painted = gradio.Image(format="png", label="Painted", interactive=False)
            gradio.Button("Paint", variant="primary").click(
                lambda value: answer(paint_drawn, value), drawn, painted, api_name="paint"
            )
        with gradio.Tab("Super-resolution"):
            small = gradio.Image(type="numpy", image_mode="RGB", label="Small image")
            scale = gradio.Radio(list(SCALES), value=SCALES[0], label="Scale")
            large = gradio.Image(format="png", label="Enlarged", interactive=False)
            gradio.Button("Enlarge", variant="primary").click(
                lambda *values: answer(enlarge, *values), [small, scale], large, api_name="enlarge"
            )
    return page


def paint_drawn(painter: Painter, drawn: dict[str, Any] | None) -> Pixels:
    """Paint what was drawn over an image.

    Args:
        painter: Who paints.
        drawn: What Gradio's editor gives: ``background`` and ``layers``, (H, W, 4), uint8.

    Raises:
        BenchError: If there is no image, or nothing or all of it is drawn over.
    """
    if drawn is None or drawn["background"] is None or not drawn["background"].any():
        raise BenchError("there is no image; upload one first")
    image = np.ascontiguousarray(drawn["background"][..., :3])
    marks: Marks = np.zeros(image.shape[:2], dtype=bool)
    for layer in drawn["layers"]:
        marks |= layer[..., 3] > 0
    return inpaint(painter, image, marks, name="what is drawn")


def enlarge(painter: Painter, image: Pixels | None, scale: int) -> Pixels:
    """Enlarge an image.

    Raises:
        BenchError: If there is none, or it is too large for a page.
    """
    if image is None:
        raise BenchError("there is no image; upload one first")
    height, width = image.shape[:2]
    if height * width > MOST_PIXELS:
        raise BenchError(f"the image is {width}x{height}; give one of at most 1024x1024 pixels")
    return super_resolve(painter, image, scale=scale)
