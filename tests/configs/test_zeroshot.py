"""Sentences about classes are what the captions of the training say about a single digit."""

from pathlib import Path

from simmim_bench.data.demo.language import Digit, captions_of
from tests.configs.reader import read_config

CONFIG = Path(__file__).parents[2] / "configs" / "demo" / "zeroshot_swin-demo.py"


def test_every_sentence_is_a_caption_of_its_digit():
    model = read_config(CONFIG).model
    assert len(model.class_names) == 10
    for value, name in enumerate(model.class_names):
        captions = captions_of([Digit(value, 0.5, 0.5, 100)])
        assert {template.format(name) for template in model.templates} <= set(captions)
