"""Text encoder, aligner and answerer: what they see, what they predict, what they refuse."""

import math

import pytest
import torch
from mmpretrain.structures import DataSample

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.tasks.retrieval import ImageTextAligner
from simmim_bench.tasks.text_encoder import ByteTextEncoder
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

FUSIONS = {
    "concatenation": {"type": "simmim_bench.ConcatenationFusion", "channels": 8},
    "attention": {
        "type": "simmim_bench.CrossAttentionFusion",
        "channels": 8,
        "depth": 1,
        "num_heads": 2,
    },
}


@pytest.fixture(params=FUSIONS)
def answerer(request, swin, text):
    torch.manual_seed(0)
    model = {
        "type": "simmim_bench.QuestionAnswerer",
        "backbone": swin,
        "text": text,
        "fusion": FUSIONS[request.param],
        "num_classes": 5,
    }
    return MODELS.build(model).eval()


@pytest.fixture
def aligner(swin, text):
    torch.manual_seed(0)
    return ImageTextAligner(
        backbone=swin,
        text=text,
        embed_dims=6,
        class_names=("cat", "dog", "cow"),
        templates=("a {}", "one {} here"),
    ).eval()


def encoder(text):
    torch.manual_seed(0)
    return ByteTextEncoder(**{k: v for k, v in text.items() if k != "type"}).eval()


def asked(*questions, label=1):
    samples = [DataSample().set_gt_label(label) for _ in questions]
    for sample, question in zip(samples, questions, strict=True):
        sample.set_field(question, "question")
    return samples


def test_a_sentence_does_not_depend_on_its_neighbours(text):
    model = encoder(text)
    alone = model.pooled(["a 3"])
    beside = model.pooled(["a 3", "a much longer one"])
    torch.testing.assert_close(alone[0], beside[0])
    assert not torch.allclose(beside[0], beside[1])


def test_order_of_words_counts_and_capitals_do_not(text):
    model = encoder(text)
    one, turned, capital = model.pooled(["3 left of 7", "7 left of 3", "3 LEFT of 7"])
    assert not torch.allclose(one, turned, atol=1e-6)
    assert torch.equal(one, capital)


def test_long_sentences_are_cut_and_other_alphabets_are_bytes(text):
    model = encoder(text)
    assert model.tokenize(["x" * 50]).shape == (1, 1 + 20)
    assert model.tokenize(["é"]).tolist() == [[257, 0xC3, 0xA9]]


@pytest.mark.parametrize("sentence", ["", "  "])
def test_an_empty_sentence_is_refused(text, sentence):
    with pytest.raises(BenchError, match="a caption or question is empty"):
        encoder(text).tokenize(["a 3", sentence])


def test_zero_shot_prediction_is_the_nearest_class(aligner):
    images = torch.randn(4, 3, 64, 64)
    samples = [DataSample() for _ in range(4)]
    with torch.no_grad():
        found = aligner(images, samples, mode="predict")
        own = [
            torch.stack([aligner.embed_texts([t.format(n)])[0] for t in aligner.templates]).mean(0)
            for n in aligner.class_names
        ]
        embedded = aligner(images)
    for image, sample in zip(embedded, found, strict=True):
        cosines = torch.stack([torch.cosine_similarity(image, each, dim=0) for each in own])
        assert int(sample.pred_label) == int(cosines.argmax())
        torch.testing.assert_close(sample.pred_score, (cosines / 0.07).softmax(0))


def test_classes_are_embedded_anew_after_training(aligner):
    before = aligner.class_embeddings()
    aligner.train()
    with torch.no_grad():
        aligner.text_projection.weight.mul_(torch.randn(6, 16))
    assert not torch.allclose(aligner.eval().class_embeddings(), before)


@pytest.mark.parametrize(("names", "templates"), [(["a"], []), ([], ["{}"]), (["a"], ["word"])])
def test_prompts_that_do_not_fit_are_refused(swin, text, names, templates):
    with pytest.raises(BenchError, match="zero-shot classification needs class_names"):
        ImageTextAligner(
            backbone=swin, text=text, embed_dims=6, class_names=names, templates=templates
        )


def test_the_temperature_is_learned_and_bounded(aligner):
    samples = [DataSample() for _ in range(2)]
    for sample, caption in zip(samples, ("a cat", "a dog"), strict=True):
        sample.set_field([caption], "captions")
    images = torch.randn(2, 3, 64, 64)
    aligner(images, samples, mode="loss")["loss"].backward()
    assert aligner.log_scale.grad.abs() > 0
    with torch.no_grad():
        aligner.log_scale.fill_(9.0)
    assert aligner(images, samples, mode="loss")["temperature"].item() == pytest.approx(0.01)


def test_a_temperature_beyond_its_bound_comes_back(aligner):
    """One caption for two images: the likelihood grows as the scale falls."""
    samples = [DataSample() for _ in range(2)]
    for sample in samples:
        sample.set_field(["a cat"], "captions")
    with torch.no_grad():
        aligner.log_scale.fill_(9.0)
    optimizer = torch.optim.SGD([aligner.log_scale], lr=0.1)
    aligner(torch.randn(2, 3, 64, 64), samples, mode="loss")["loss"].backward()
    assert aligner.log_scale.item() == pytest.approx(math.log(100))
    assert aligner.log_scale.grad > 0
    optimizer.step()
    assert aligner.log_scale.item() < math.log(100) - 1e-4


def test_an_answer_depends_on_image_and_question(answerer):
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        same = answerer(images[[0, 0, 1]], asked("how many?", "which one?", "how many?"))
    assert not torch.allclose(same[0], same[1], atol=1e-5)
    assert not torch.allclose(same[0], same[2], atol=1e-6)


def test_padding_of_a_question_changes_nothing(answerer):
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        alone = answerer(images, asked("how many?"))
        beside = answerer(images.repeat(2, 1, 1, 1), asked("how many?", "which is the one?"))
    torch.testing.assert_close(alone[0], beside[0])


def test_it_learns_a_question_by_heart(answerer):
    images = torch.randn(2, 3, 64, 64)
    samples = asked("how many?", label=3) + asked("which one?", label=4)
    optimizer = torch.optim.AdamW(answerer.parameters(), lr=3e-3)
    for _ in range(25):
        optimizer.zero_grad()
        answerer(images, samples, mode="loss")["loss"].backward()
        optimizer.step()
    found = answerer(images, samples, mode="predict")
    assert [int(sample.pred_label) for sample in found] == [3, 4]


def test_a_pooling_backbone_has_no_places(text):
    pooling = {
        "type": "mmpretrain.ConvNeXt",
        "arch": {"depths": [1, 1, 1, 1], "channels": [8, 8, 8, 8]},
        "gap_before_final_norm": True,
    }
    model = {"backbone": pooling, "text": text, "fusion": FUSIONS["attention"], "num_classes": 5}
    built = MODELS.build({"type": "simmim_bench.QuestionAnswerer", **model})
    with pytest.raises(ValueError, match=r"must return a map \(B, C, H, W\), got \(1, 8\)"):
        built(torch.randn(1, 3, 64, 64), asked("how many?"))


def test_a_pretrained_backbone_is_loaded_strictly(swin, aligner, answerer, save_pretraining):
    weights = export_backbone(save_pretraining(swin), save_pretraining(swin).parent / "e").weights
    exported = torch.load(weights)
    for model in (aligner, answerer):
        report = load_pretrained(model.backbone, weights)
        assert not report.missing
        key = "patch_embed.projection.weight"
        assert torch.equal(model.backbone.state_dict()[key], exported[key])
