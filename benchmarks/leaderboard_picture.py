"""Photograph the leaderboard page of the committed results: docs/images/leaderboard.png.

Needs Chromium and the tests' packages (``make dev``). The picture is the README's: the table of
measured results.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from simmim_bench import cli
from simmim_bench.leaderboard.build import render

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "images" / "leaderboard.png"
WIDTH = 1280
COLOURS = 64  # a third of the file, no visible difference


def main() -> None:
    """Build the page in a temporary folder, open it, and keep the top of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=cli.output_file, default=OUT, metavar="OUT.png")
    out = parser.parse_args().out
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        results = shutil.copytree(ROOT / "results", Path(folder) / "results")
        render(results, published=results / "published", everything_cited=True)
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
        page.goto((results / "leaderboard" / "index.html").as_uri())
        height = page.evaluate(
            "document.querySelector('#measured').getBoundingClientRect().bottom + 12"
        )
        page.screenshot(
            path=out, clip={"x": 0, "y": 0, "width": WIDTH, "height": height}, full_page=True
        )
        browser.close()
    with Image.open(out) as picture:
        fewer = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    fewer.save(out, optimize=True)
    print(f"{out}: {out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
