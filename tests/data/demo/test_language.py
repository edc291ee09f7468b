"""Captions and questions say what the scenes hold; older data get them without being rebuilt."""

import json
import re
from collections import Counter, defaultdict

import pytest

from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.verify import verify_demo

FOLDER = "coco/annotations"


def load(built, kind, split="train2017"):
    return json.loads((built.folder / FOLDER / f"{kind}_{split}.json").read_text())


@pytest.fixture
def scenes(built):
    """Image id to (value, centre x, centre y, area) of each digit."""
    found = defaultdict(list)
    for each in load(built, "instances")["annotations"]:
        x, y, width, height = each["bbox"]
        centre = x + width / 2, y + height / 2
        found[each["image_id"]].append((each["category_id"] - 1, *centre, each["area"]))
    return found


def test_every_image_has_five_captions_that_name_its_digits(built, scenes):
    written = load(built, "captions")
    assert written["images"] == load(built, "instances")["images"]
    count = Counter(each["image_id"] for each in written["annotations"])
    assert count == dict.fromkeys(scenes, 5)
    for each in written["annotations"]:
        values = sorted(int(digit) for digit in re.findall(r"\d", each["caption"]))
        assert values == sorted(scene[0] for scene in scenes[each["image_id"]])
        assert "a 8" not in each["caption"]


def test_captions_have_the_order_and_the_places_of_the_scene(built, scenes):
    orders = {"from left to right": 1, "from top to bottom": 2}
    for each in load(built, "captions")["annotations"]:
        scene, text = scenes[each["image_id"]], each["caption"]
        for start, axis in orders.items():
            if text.startswith(start):
                expected = [digit[0] for digit in sorted(scene, key=lambda d: d[axis])]
                assert [int(d) for d in re.findall(r"\d", text)] == expected
        if "largest" in text and re.search(r"at the \w* ?left", text):
            largest = max(scene, key=lambda digit: digit[3])
            assert largest[1] < 48
            assert text.split()[1] == str(largest[0])


def test_answers_are_right(built, scenes):
    asked = load(built, "vqa_questions")["questions"]
    answered = load(built, "vqa_annotations")["annotations"]
    assert [each["question_id"] for each in asked] == [each["question_id"] for each in answered]
    seen = Counter()
    for question, truth in zip(asked, answered, strict=True):
        scene = scenes[question["image_id"]]
        named = [int(digit) for digit in re.findall(r"\d", question["question"])]
        middles = {digit[0]: digit[1] for digit in scene}
        kind = truth["question_type"]
        expected = {
            "count": lambda scene=scene: str(len(scene)),
            "presence": lambda m=middles, n=named: "yes" if n[0] in m else "no",
            "leftmost": lambda scene=scene: str(min(scene, key=lambda d: d[1])[0]),
            "largest": lambda scene=scene: str(max(scene, key=lambda d: d[3])[0]),
            "comparison": lambda m=middles, n=named: "yes" if m[n[0]] < m[n[1]] else "no",
        }[kind]()
        assert truth["multiple_choice_answer"] == expected
        assert truth["answers"][0]["answer"] == expected
        seen[kind, expected] += 1
    assert seen["presence", "yes"] > 0
    assert seen["presence", "no"] > 0


def test_older_data_get_their_texts_and_keep_everything_else(breakable, built, tiny):
    removed = [p for p in (breakable / FOLDER).iterdir() if not p.name.startswith("instances")]
    assert len(removed) == 6
    times = {path: path.stat().st_mtime_ns for path in breakable.rglob("*.jpg")}
    for path in removed:
        path.unlink()
    again = build_demo(breakable.parent, tiny, processes=1)
    assert again.seconds == 0.0
    for path in removed:
        assert path.read_bytes() == (built.folder / FOLDER / path.name).read_bytes()
    assert times == {path: path.stat().st_mtime_ns for path in breakable.rglob("*.jpg")}


def test_a_changed_answer_is_found(breakable):
    path = breakable / FOLDER / "vqa_annotations_val2017.json"
    document = json.loads(path.read_text())
    document["annotations"][0]["multiple_choice_answer"] = "9"
    path.write_text(json.dumps(document))
    problems = [problem for part in verify_demo(breakable) for problem in part.problems]
    assert problems == [f"{path}: does not agree with instances_val2017.json"]
