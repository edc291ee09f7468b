"""What every target, decoder and loss of SimMIM promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from simmim_bench.backbones import FeatureSpec
from simmim_bench.registry import MODELS
from simmim_bench.testing.pretraining import BACKBONE, LOSS, SIZE, build, raises, simmim

MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
SPEC = FeatureSpec(strides=(4, 8, 16, 32), channels=(8, 12, 16, 24))
STEPS = 3


class _Part(ABC):
    """A part of SimMIM, which is also tested inside it."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Config of the part."""

    def parts(self) -> dict[str, Any]:
        """Parts of SimMIM that differ from the paper's."""
        return {}

    def test_simmim_trains_with_it(self) -> None:
        """A few steps lower the loss; every parameter has a finite gradient."""
        scale = {"mean": list(MEAN), "std": list(STD)}
        preprocessor = {"type": "mmpretrain.SelfSupDataPreprocessor", **scale}
        model = build(simmim(BACKBONE, data_preprocessor=preprocessor, **self.parts()))
        if not model.decoder.all_levels:  # as trainings do, whose norms all have a gradient
            last = {**BACKBONE, "out_indices": (3,)}
            model = build(simmim(last, data_preprocessor=preprocessor, **self.parts()))
        images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
        masks = torch.zeros(2, SIZE[0] // 4, SIZE[1] // 4, dtype=torch.bool)
        masks[0, :6] = masks[1, :, 13:] = True
        samples = [BaseDataElement(mask=mask) for mask in masks]
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        values = []
        for _ in range(STEPS):
            found = model(images, samples, mode="loss")
            loss = torch.stack([value for name, value in found.items() if "loss" in name]).sum()
            optimizer.zero_grad()
            loss.backward()
            for name, value in model.named_parameters():
                assert value.grad is not None, f"{name} has no gradient"
                assert value.grad.isfinite().all(), f"the gradient of {name} is not finite"
            optimizer.step()
            values.append(loss.item())
        assert values[-1] < values[0], f"the loss does not become smaller: {values}"


class TargetContract(_Part):
    """Tests of a target.

    Attributes:
        loss: Config of a loss that goes with it; targets that are classes need
            ``simmim_bench.MaskedCrossEntropyLoss``.
    """

    loss: dict[str, Any] = LOSS

    def parts(self) -> dict[str, Any]:
        """The target and its loss."""
        return {"target": self.config(), "loss": self.loss}

    def build(self) -> Any:
        """The target for normalised RGB images."""
        return MODELS.build({"mean": MEAN, "std": STD, "channels": 3, **self.config()})

    def make_images(self) -> Tensor:
        """Normalised images, (2, 3, 64, 96)."""
        pixels = torch.randint(0, 256, (2, 3, *SIZE), generator=torch.Generator().manual_seed(0))
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
        return (pixels - mean) / std

    def test_the_target_is_on_the_grid_that_it_states(self) -> None:
        """Shape (B, out_channels, H / stride, W / stride), or class indices of fields."""
        target = self.build()
        found, grid = target(self.make_images()), tuple(side // target.stride for side in SIZE)
        assert tuple(found.shape[2:]) == grid, f"shape {tuple(found.shape)}, grid {grid}"
        if found.dtype == torch.int64:
            assert target.out_channels % found.shape[1] == 0, "fields do not divide out_channels"
            classes = target.out_channels // found.shape[1]
            assert found.min() >= 0
            assert found.max() < classes, f"a class of {int(found.max())}, expected < {classes}"
        else:
            assert found.shape[1] == target.out_channels
            assert found.isfinite().all()

    def test_the_target_is_fixed(self) -> None:
        """It has nothing to train, and the same images give the same target."""
        target, images = self.build(), self.make_images()
        assert list(target.parameters()) == [], "a target has no trainable parameters"
        assert torch.equal(target(images), target(images.clone())), "the target changes"
        assert not torch.equal(target(images), target(images.flip(3))), "it ignores the images"

    def test_predictions_become_images(self) -> None:
        """``to_images`` gives normalised images, or refuses if ``predicts_images`` is False."""
        target, images = self.build(), self.make_images()
        grid = tuple(side // target.stride for side in SIZE)
        prediction = torch.zeros(2, target.out_channels, *grid)
        if target.predicts_images:
            shown = target.to_images(prediction, images)
            assert shown.shape == images.shape, f"shape {tuple(shown.shape)}"
        else:
            with raises(ValueError, "a prediction that cannot be shown"):
                target.to_images(prediction, images)


class DecoderContract(_Part):
    """Tests of a decoder."""

    strides = (1, 8, 32, 64)
    """Target strides to test, in pixels; the features have stride 32."""

    def parts(self) -> dict[str, Any]:
        """The decoder."""
        return {"decoder": self.config()}

    def build(self, **arguments: Any) -> Any:
        """The decoder for features of strides 4 to 32."""
        torch.manual_seed(0)
        return MODELS.build({"feature_spec": SPEC, **self.config(), **arguments})

    def make_features(self, decoder: nn.Module) -> list[Tensor]:
        """Feature maps of images of 64 x 128: of all levels, or the last."""
        maps = [
            torch.randn(2, channels, 64 // stride, 128 // stride, requires_grad=True)
            for stride, channels in zip(SPEC.strides, SPEC.channels, strict=True)
        ]
        return maps if getattr(decoder, "all_levels", False) else maps[-1:]

    def test_output_is_on_the_targets_grid(self) -> None:
        """(B, out_channels, H / target_stride, W / target_stride) for finer and coarser targets."""
        for stride in self.strides:
            decoder = self.build(out_channels=5, target_stride=stride)
            found = _decode(decoder, self.make_features(decoder))
            expected = (2, 5, 64 // stride, 128 // stride)
            assert tuple(found.shape) == expected, f"target stride {stride}: {tuple(found.shape)}"

    def test_every_parameter_and_feature_is_used(self) -> None:
        """All have a gradient."""
        for stride in self.strides:
            decoder = self.build(target_stride=stride)
            features = self.make_features(decoder)
            _decode(decoder, features).square().sum().backward()
            unused = [key for key, value in decoder.named_parameters() if value.grad is None]
            assert unused == [], f"parameters without a gradient: {unused}"
            for level in features:
                assert level.grad is not None, "a feature map is not used"
                assert (level.grad.abs().sum(dim=(0, 1)) > 0).all(), "a position is not used"

    def test_a_stride_that_does_not_fit(self) -> None:
        """A target stride that neither divides 32 nor is a multiple of it is refused."""
        with raises(ValueError, "target stride 3 with features of stride 32"):
            self.build(target_stride=3)


class LossContract(_Part):
    """Tests of a loss ``loss(pred, target, mask)`` that compares values of the same shape."""

    def parts(self) -> dict[str, Any]:
        """The loss."""
        return {"loss": self.config()}

    def make_pair(self) -> tuple[Tensor, Tensor]:
        """Prediction and target, (2, 3, 4, 4)."""
        pred, target = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        return pred, target

    def make_mask(self) -> Tensor:
        """Bool, (2, 4, 4): the upper half of the first image."""
        mask = torch.zeros(2, 4, 4, dtype=torch.bool)
        mask[0, :2] = True
        return mask

    def test_it_is_one_number_that_is_smaller_for_a_better_prediction(self) -> None:
        """A scalar >= 0, nearly 0 for a perfect prediction."""
        loss, (pred, target), mask = MODELS.build(self.config()), self.make_pair(), self.make_mask()
        value, perfect = loss(pred, target, mask), loss(target.clone(), target, mask)
        assert value.ndim == 0, f"a loss is one number, got shape {tuple(value.shape)}"
        assert 0 <= perfect < value, f"perfect {perfect.item()}, random {value.item()}"

    def test_visible_positions_do_not_enter(self) -> None:
        """Only what is masked counts; a mask of bool or of shares gives the same."""
        loss, (pred, target), mask = MODELS.build(self.config()), self.make_pair(), self.make_mask()
        value = loss(pred, target, mask)
        assert torch.equal(loss(pred, target, mask.float()), value), "shares of 0 and 1 differ"
        shift = torch.where(mask.unsqueeze(1), 0.0, 9.0)
        assert torch.equal(loss(pred + shift, target, mask), value), "visible positions count"
        hidden = torch.where(mask.unsqueeze(1), 9.0, 0.0)
        assert loss(pred + hidden, target, mask) != value, "masked positions do not count"

    def test_nothing_masked_gives_zero_and_zero_gradients(self) -> None:
        """No NaN from a mean over nothing."""
        pred, target = self.make_pair()
        pred = pred.requires_grad_()
        value = MODELS.build(self.config())(pred, target, torch.zeros_like(self.make_mask()))
        value.backward()
        assert value.item() == 0
        assert pred.grad is not None
        assert not pred.grad.any(), "gradients are not 0"

    def test_shapes_that_disagree(self) -> None:
        """Are refused, not broadcast."""
        loss, (pred, target), mask = MODELS.build(self.config()), self.make_pair(), self.make_mask()
        with raises(ValueError, "a mask of another grid"):
            loss(pred, target, mask[:, :2])
        with raises(ValueError, "a target of one channel"):
            loss(pred, target[:, :1], mask)


def _decode(decoder: Any, features: list[Tensor]) -> Tensor:
    found: Tensor = decoder(features if getattr(decoder, "all_levels", False) else features[-1])
    return found
