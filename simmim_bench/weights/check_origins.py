"""Check weights that are to be converted, as far as this works without a download.

``python -m simmim_bench.weights.check_origins`` reads ``[[PLACE, WEIGHTS], ...]`` from stdin and
prints a JSON list of places and messages as its last line. Suites run it as a process, since it
imports torch.
"""

from __future__ import annotations

import json
import sys

from simmim_bench import ops
from simmim_bench.errors import BenchError
from simmim_bench.weights.address import parse_address


def problem_of(given: str) -> str | None:
    """What is wrong with weights; None if nothing is known to be."""
    from simmim_bench.weights.convert.sniff import check_whole, recognise
    from simmim_bench.weights.fetch import fetch, torchvision_weights
    from simmim_bench.weights.foreign import read_fetched
    from simmim_bench.weights.timm_models import pretrained_config

    try:
        address = parse_address(given)
        if address.kind == "timm":
            pretrained_config(address.name)
        elif address.kind == "torchvision":
            torchvision_weights(address.name)
        elif address.kind == "file":
            source = read_fetched(fetch(address))
            if "architecture" not in source.config:  # timm's repositories are read by timm
                check_whole(recognise(source.content, source.config)[0])
    except BenchError as error:
        return str(error)
    return None


def main() -> None:
    """Read, check, print."""
    ops.install()  # before the libraries are imported
    found = [(place, problem_of(given)) for place, given in json.load(sys.stdin)]
    sys.stdout.write(json.dumps([each for each in found if each[1]]) + "\n")


if __name__ == "__main__":
    main()
