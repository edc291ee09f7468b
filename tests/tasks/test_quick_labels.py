"""Label maps are those of mmseg, found in another way."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.models.decode_heads import FCNHead, UPerHead
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from simmim_bench.tasks.quick_labels import QuickEncoderDecoder, QuickLabels, label_quickly


class Stock(nn.Module):
    align_corners = False
    decode_head = nn.Identity()
    decode_head.threshold = 0.3
    postprocess_result = BaseSegmentor.postprocess_result


class Quick(QuickLabels, Stock):
    pass


class Seen(TorchFunctionMode):
    """Which functions are called in the end."""

    def __init__(self):
        super().__init__()
        self.functions = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.functions.add(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("classes", [1, 2, 11])
@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_labels_are_those_of_mmseg(classes, device):
    torch.manual_seed(0)
    scores = torch.randn(2, classes, 12, 16, device=device).round(decimals=1)  # with equal ones
    scores[0, :, 0] = 0.0
    sizes = {"img_shape": (10, 16), "ori_shape": (21, 33), "padding_size": [0, 0, 0, 2]}
    found, expected = (
        model.postprocess_result(scores.clone(), [SegDataSample(metainfo=sizes) for _ in scores])
        for model in (Quick(), Stock())
    )
    for mine, its in zip(found, expected, strict=True):
        assert mine.pred_sem_seg.data.dtype == its.pred_sem_seg.data.dtype
        assert torch.equal(mine.pred_sem_seg.data, its.pred_sem_seg.data)
        assert torch.equal(mine.seg_logits.data, its.seg_logits.data)


@pytest.mark.parametrize("kind", [FCNHead, UPerHead])
def test_losses_and_accuracy_are_those_of_mmseg(kind):
    torch.manual_seed(0)
    several = kind is UPerHead
    head = kind(
        in_channels=[4, 4] if several else 4, in_index=[0, 1] if several else -1, channels=4,
        num_classes=5, align_corners=False, norm_cfg={"type": "BN"},
        loss_decode={"type": "CrossEntropyLoss"},
    )  # fmt: skip
    labels = torch.randint(5, (3, 1, 12, 16))
    labels[:, :, :2] = 255
    samples = [SegDataSample(gt_sem_seg=PixelData(data=each)) for each in labels]
    scores = torch.randn(3, 5, 6, 8).requires_grad_()
    expected = head.loss_by_feat(scores, samples)
    gradient = torch.autograd.grad(expected["loss_ce"], scores)[0]
    label_quickly(head)
    assert type(head).__name__ == f"Quick{kind.__name__}"
    with Seen() as seen:
        found = head.loss_by_feat(scores, samples)
    assert torch.max in seen.functions
    assert Tensor.topk not in seen.functions
    assert found.keys() == expected.keys() == {"loss_ce", "acc_seg"}
    assert all(torch.equal(found[key], expected[key]) for key in found)
    assert torch.equal(torch.autograd.grad(found["loss_ce"], scores)[0], gradient)


def test_argmax_elsewhere_is_that_of_torch():
    scores = torch.tensor([[1.0, 5.0], [3.0, 2.0]])

    class Model(Quick):
        def postprocess_result(self, *args):
            return super().postprocess_result(*args), scores.argmax(), scores.argmax(dim=1)

    _, whole, rows = Model().postprocess_result(torch.zeros(1, 3, 4, 4), [SegDataSample(
        metainfo={"img_shape": (4, 4), "ori_shape": (4, 4)})])  # fmt: skip
    assert (whole.item(), rows.tolist()) == (1, [1, 0])


def test_only_the_class_of_mmseg_itself_is_replaced():
    class Own(EncoderDecoder):
        def __init__(self):
            nn.Module.__init__(self)

    own = Own()
    label_quickly(own)
    assert type(own) is Own
    own.__class__ = EncoderDecoder
    label_quickly(own)
    assert type(own) is QuickEncoderDecoder
