"""Figures of others: as records, beside measured ones, never mixed with them."""

import pytest
import yaml

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.markdown import render_markdown
from simmim_bench.leaderboard.page import make_page
from simmim_bench.records.published import read_published

RESULT = {
    "method": "simmim",
    "backbone": "swin-toy",
    "protocol": "toy-detection",
    "metrics": {"box_ap": 46.0},
    "pretraining": {"dataset": "toy images", "epochs": 5},
}


@pytest.fixture
def folder(tmp_path, toy):
    """Function that writes one source, with changes, and returns its folder."""

    def write(*results, protocols=None, **changes):
        source = {
            "kind": "published",
            "table": "A paper, table 3",
            "url": "https://example.org/paper",
            "date": "2026-01-31T00:00:00+00:00",
            "results": list(results or [RESULT]),
            **changes,
        }
        (tmp_path / "paper.yml").write_text(yaml.safe_dump(source))
        listed = protocols or [toy.protocol(), toy.protocol(id="other-detection")]
        (tmp_path / "protocols.yml").write_text(yaml.safe_dump(listed))
        return tmp_path

    return write


def test_a_source_becomes_records(folder):
    [record] = read_published(folder(deviations=["batch 2048"]))
    assert record.metrics == {"box_ap": 46.0}
    assert (record.seed, record.cost, record.config) == (None, None, None)
    assert record.provenance.kind == "published"
    assert record.deviations == ["batch 2048"]
    assert record.pretraining.method == "simmim"


def test_a_source_need_not_say_how_long_it_trained(folder, toy, make_simmim):
    protocol = toy.protocol(id="quoted", epochs=None, image_size=None)
    where = folder({**RESULT, "protocol": "quoted"}, protocols=[protocol])
    text = render_markdown(make_page([], read_published(where)))
    assert "**quoted@1**: toy scenes (val)\n" in text
    with pytest.raises(ValueError, match="needs epochs or iterations"):
        make_simmim(protocol=protocol)  # a measured one does


def test_pretrainings_of_other_lengths_are_other_runs(folder):
    longer = {**RESULT, "pretraining": {"dataset": "toy images", "epochs": 50}}
    short, long = read_published(folder(RESULT, longer))
    assert short.run_id != long.run_id


def test_a_result_that_is_stated_twice_is_refused(folder):
    with pytest.raises(BenchError, match="simmim on swin-toy under toy-detection is stated twice"):
        read_published(folder(RESULT, {**RESULT, "metrics": {"box_ap": 47.0}}))


def test_several_values_are_seeds(folder):
    values = {"box_ap": [46.0, 47.0, 48.0]}
    records = read_published(folder({**RESULT, "metrics": values}))
    assert [(r.seed, r.metrics["box_ap"]) for r in records] == [(0, 46.0), (1, 47.0), (2, 48.0)]
    [row] = aggregate(records)[0].rows
    assert row.cells[ColumnKey("toy-detection", 1)].metrics["box_ap"].sd == pytest.approx(1.0)


def test_cited_rows_stand_beside_measured_ones_and_are_not_averaged(folder, make_simmim):
    measured = make_simmim(metrics={"box_ap": 40.0, "mask_ap": 30.0})
    page = make_page([measured], read_published(folder()))
    [section] = page.sections
    assert [row[0].text for row in section.grids[0].rows] == ["simmim", "simmim"]
    shown = {row[3].text for row in section.grids[0].rows}
    assert shown == {"40.0 (1)", "46.0"}
    assert "published, not measured here: A paper, table 3" in render_markdown(page)


def test_cited_figures_of_other_protocols_have_sections_of_their_own(folder, make_simmim):
    cited = read_published(folder({**RESULT, "protocol": "other-detection"}))
    page = make_page([make_simmim()], cited)
    assert [section.heading for section in page.sections] == ["Full runs", "Cited: detection"]
    assert page.count == 1
    headers = [entry.text for entry in page.sections[1].grids[0].headers]
    assert headers == ["method", "backbone", "pretraining", "protocol", "APᵇᵒˣ"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "measured"}, "kind is 'measured'"),
        ({"url": "paper.pdf"}, "url"),
        ({"table": None}, "table is None"),
        ({"sources": 3}, "sources is 3"),
        ({"results": [{**RESULT, "metrics": {"box_ap": 146.0}}]}, "146.0"),
        ({"results": [{**RESULT, "metrics": {"top1": 46.0}}]}, "metrics of its protocol"),
        (
            {"results": [{**RESULT, "protocol": "toy-detektion"}]},
            "'toy-detektion', which protocols.yml does not define; it defines toy-detection",
        ),
        (
            {"results": [{**RESULT, "metrics": {"box_ap": [1.0, 2.0], "mask_ap": 3.0}}]},
            "different numbers of values",
        ),
    ],
)
def test_a_bad_source_is_named(folder, changes, said):
    with pytest.raises(BenchError, match=r"paper\.yml") as caught:
        read_published(folder(**changes))
    assert said in str(caught.value)


def test_broken_yaml_and_missing_protocols(folder):
    where = folder()
    (where / "protocols.yml").unlink()
    with pytest.raises(BenchError, match=r"protocols\.yml does not exist"):
        read_published(where)
    folder()
    (where / "paper.yml").write_text("kind: [published")
    with pytest.raises(BenchError, match=r"paper\.yml is not valid YAML"):
        read_published(where)


def test_no_folder_is_no_figures(tmp_path):
    assert read_published(tmp_path / "nothing") == []


@pytest.mark.parametrize("name", ["other.yaml", "other.YML", "other.json"])
def test_a_source_that_would_not_be_read_is_refused(folder, name):
    where = folder()
    (where / name).write_text("kind: published")
    with pytest.raises(BenchError, match=rf"{name} would not be read.*rename it to other\.yml"):
        read_published(where)
    (where / name).unlink()
    (where / "README.md").write_text("Where figures come from.")
    (where / ".gitkeep").touch()
    assert len(read_published(where)) == 1


def test_protocols_of_one_id_are_refused(folder):
    place = folder() / "protocols.yml"
    place.write_text(place.read_text("utf-8") * 2, "utf-8")
    with pytest.raises(BenchError, match=r"defines .* twice; give one of them another id"):
        read_published(place.parent)
