"""A result on images that the pretraining has seen says so."""

import pytest

from simmim_bench.leaderboard.markdown import render_markdown
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.web.page import render_web
from simmim_bench.records.manifest import DataIdentity
from tests.records.conftest import sha


def overlap(name, content, part="train", of="val", **changes):
    return {
        "name": name,
        "sha256": content,
        "method": "pHash, 64 bits",
        "threshold": 6,
        "part": part,
        "of": of,
        "images": 50,
        "share": 0.125,
        "back": 40,
        "share_back": 0.2,
        **changes,
    }


def data(name, *overlaps, content=None):
    return {"name": name, "sha256": sha(name), "content": content, "overlaps": list(overlaps)}


SAID = (
    "50 images of the pretraining (photos train, 12 %) are nearly 40 of birds val (20 %; pHash, "
    "64 bits, up to 6 differ)"
)


def test_the_overlap_of_the_pretraining_images(make_simmim):
    birds = data("birds", content=sha("b"))
    photos = data("photos", overlap("birds", sha("b")), overlap("trees", sha("t")))
    record = make_simmim(data=birds, pretraining_data=photos)
    assert record.leaks == [SAID]
    for text in (render_markdown(make_page([record])), render_web([record])):
        assert f"seen in pretraining: {SAID}" in text.replace("\\", "") or SAID in text


def test_the_overlap_that_the_data_of_the_task_state(make_simmim):
    turned = {"images": 40, "share": 0.2, "back": 50, "share_back": 0.125}
    birds = data("birds", overlap("photos", sha("p"), "val", "train", **turned))
    record = make_simmim(data=birds, pretraining_data=data("photos", content=sha("p")))
    assert record.leaks == [SAID]


@pytest.mark.parametrize(
    "first",
    [
        data("photos"),
        data("photos", overlap("trees", sha("b"))),
        data("photos", overlap("birds", sha("other birds"))),
        data("photos", overlap("birds", sha("b"), images=0, share=0, back=0, share_back=0)),
        None,
    ],
    ids=["none known", "other data", "other content", "no image", "not stated"],
)
def test_nothing_is_said_without_need(first, make_simmim):
    record = make_simmim(data=data("birds", content=sha("b")), pretraining_data=first)
    assert record.leaks == []
    assert "seen in pretraining" not in render_markdown(make_page([record]))


def test_data_without_a_content_are_known_by_their_name():
    photos = DataIdentity.model_validate(data("photos", overlap("birds", sha("b"))))
    assert photos.shared_with(DataIdentity.model_validate(data("birds")))
