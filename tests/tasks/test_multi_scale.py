"""A segmentor that averages over scales and flips wherever its pipeline makes them."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmseg.models import SegTTAModel
from mmseg.structures import SegDataSample

from simmim_bench.registry import MODELS

MODEL = {
    "type": "simmim_bench.MultiScaleSegmentor",
    "data_preprocessor": {"type": "SegDataPreProcessor", "size_divisor": 4},
    "backbone": {
        "type": "mmpretrain.SwinTransformer",
        "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
        "img_size": 64,
        "window_size": 2,
        "pad_small_map": True,
        "out_indices": (3,),
    },
    "decode_head": {
        "type": "FCNHead",
        "in_channels": 64,
        "in_index": 0,
        "channels": 8,
        "num_convs": 1,
        "num_classes": 5,
        "norm_cfg": {"type": "BN"},
    },
    "test_cfg": {"mode": "whole"},
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(ConfigDict(MODEL)).eval()


def view(image, *, flip):
    """A batch of one image as the pipeline packs it: ``inputs`` and ``data_samples``."""
    sample = SegDataSample(
        metainfo={
            "img_shape": tuple(image.shape[1:]),
            "ori_shape": (64, 96),
            "img_path": "a.png",
            "flip": flip,
            "flip_direction": "horizontal" if flip else None,
        }
    )
    return {"inputs": [image.flip(-1) if flip else image], "data_samples": [sample]}


@pytest.fixture
def views():
    image = torch.randint(256, (3, 64, 96), generator=torch.Generator().manual_seed(1)).byte()
    half = image[:, ::2, ::2]
    return [view(each, flip=flip) for each in (image, half) for flip in (False, True)]


def joined(views):
    return {key: [each[key] for each in views] for key in views[0]}


@torch.no_grad()
def test_it_predicts_what_mmsegs_wrapper_predicts(model, views):
    [expected] = SegTTAModel(module=model).test_step(joined(views))
    for step in (model.val_step, model.test_step):
        [found] = step(joined(views))
        assert torch.equal(found.pred_sem_seg.data, expected.pred_sem_seg.data)
        assert found.pred_sem_seg.data.shape[-2:] == (64, 96)
    one = model.val_step(views[0])[0].pred_sem_seg.data
    assert not torch.equal(one[0], expected.pred_sem_seg.data)


@torch.no_grad()
def test_the_prediction_is_the_mean_over_views(model, views):
    shares = [model.val_step(each)[0].seg_logits.data.softmax(dim=0) for each in views]
    [found] = model.val_step(joined(views))
    assert torch.equal(found.pred_sem_seg.data[0], sum(shares).argmax(dim=0))


@torch.no_grad()
def test_flips_are_undone(model, views):
    """A mirrored image has the mirrored prediction, up to cells whose two best classes tie."""
    both = joined(views[:2])
    mirrored = joined([view(views[1]["inputs"][0], flip=flip) for flip in (False, True)])
    found = model.val_step(both)[0].pred_sem_seg.data
    other = model.val_step(mirrored)[0].pred_sem_seg.data
    assert (found == other.flip(-1)).float().mean() > 0.99


def test_it_has_the_weights_of_a_plain_segmentor(model):
    with DefaultScope.overwrite_default_scope("mmseg"):
        plain = MODELS.build(ConfigDict({**MODEL, "type": "EncoderDecoder"}))
    assert model.state_dict().keys() == plain.state_dict().keys()
