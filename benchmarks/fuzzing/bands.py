"""Classes of inputs: images of many bands."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import strategies as st

from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import damaged
from benchmarks.fuzzing.worker import Case, LieError

SIDE = 20


def valid_bands() -> list[bytes]:
    """Small TIFFs and files of NumPy: types, numbers of bands, arrangements, compressions."""
    generator = np.random.default_rng(0)
    arrangements = ({}, {"tile": (16, 16)}, {"compression": "zlib"}, {"byteorder": ">"})
    found = []
    for dtype in (np.uint8, np.uint16, np.int16, np.float32):
        for bands in (1, 3, 4, 16):
            values = (generator.random((SIDE, SIDE, bands)) * 100).astype(dtype)
            for options in arrangements:
                stream = io.BytesIO()
                shaped = {"planarconfig": "contig"} if bands > 1 else {}
                shown = values if bands > 1 else values[..., 0]
                tifffile.imwrite(stream, shown, photometric="minisblack", **shaped, **options)
                found.append(stream.getvalue())
            stream = io.BytesIO()
            np.save(stream, values)
            found.append(stream.getvalue())
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.ones((4, SIDE, SIDE), np.uint16), photometric="minisblack")
    return [*found, stream.getvalue()]


def images_of_bands(folder: Path) -> Prepared:
    """Files of many bands: their headers, their values, and pictures of them."""
    from simmim_bench.data.bands import read_band_header, read_bands, read_values
    from simmim_bench.data.pixels import UnreadableImageError
    from simmim_bench.data.shown_bands import read_picture
    from simmim_bench.errors import BenchError

    valid, path = valid_bands(), folder / "a.tif"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        try:
            header = read_band_header(path)
            values = read_values(path)
            if values.shape != (*header.size[::-1], header.channels):
                raise LieError(f"the header says {header}, the values are {values.shape}")
            scaled = read_bands(path, channels=values.shape[2], value_range=(0, 100))
            read_picture(path)
        except UnreadableImageError as error:
            raise BenchError(str(error)) from error
        if not np.isfinite(scaled).all():
            raise LieError("values that are not finite")

    return st.one_of(st.sampled_from(valid), st.sampled_from(valid).flatmap(damaged)), read


CASES = (Case("images of bands", 2, images_of_bands),)
