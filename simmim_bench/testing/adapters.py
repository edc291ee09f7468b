"""What every adapter of a backbone promises."""

from __future__ import annotations

import copy
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.backbones import FeatureSpec
from simmim_bench.registry import MODELS
from simmim_bench.testing.pretraining import SIZE, build, raises, save_pretraining, simmim
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

SHIFT = 7.0


class AdapterContract(ABC):
    """Tests of a backbone and its adapter: masking, gradients, layers, export and loading.

    Attributes:
        adapter: Name of the adapter that must serve the backbone.
        ends_with_blocks: Whether no parameter of the backbone comes after its last block.
    """

    adapter: str
    ends_with_blocks = False

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Config of a small backbone for RGB images of 64 x 96 pixels."""

    def stem(self, backbone: nn.Module) -> tuple[nn.Module, str]:
        """First module with a weight matrix, and the start of its parameters' names."""
        for name, module in backbone.named_modules():
            if any(value.ndim > 1 for value in module.parameters(recurse=False)):
                return module, f"{name}." if name else ""
        raise AssertionError("the backbone has no weights")

    def make_model(self) -> Any:
        """SimMIM with the backbone, in evaluation mode."""
        return build(simmim(self.config()))

    def make_images(self) -> Tensor:
        """Images, (2, 3, 64, 96)."""
        return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))

    def make_mask(self, model: Any) -> Tensor:
        """Bool, (2, rows, columns): left half of the first image, top half of the second."""
        size = model.adapter.token_size
        mask = torch.zeros(2, SIZE[0] // size, SIZE[1] // size, dtype=torch.bool)
        mask[0, :, : mask.shape[2] // 2] = True
        mask[1, : mask.shape[1] // 2] = True
        return mask

    def _make(self) -> tuple[Any, Tensor, Tensor]:
        model = self.make_model()
        return model, self.make_images(), self.make_mask(model)

    def test_the_adapter(self) -> None:
        """The adapter with the given name serves the backbone."""
        assert self.make_model().adapter.name == self.adapter

    def test_an_all_visible_mask_gives_the_bare_backbone_to_the_bit(self) -> None:
        """Without masked tokens, nothing changes; with them, the features do."""
        model, images, mask = self._make()
        visible = model.encode(images, torch.zeros_like(mask))
        bare = model.adapter.last_feature_map(model.backbone(images))
        assert torch.equal(visible, bare), "an all-visible mask changes the features"
        assert not torch.equal(visible, model.encode(images, mask)), "a mask changes nothing"

    def test_masked_pixels_do_not_reach_the_features(self) -> None:
        """Other pixels where masked give the same features; where visible, others."""
        model, images, mask = self._make()
        hidden = model.pixel_mask(mask).unsqueeze(1)
        features = model.encode(images, mask)
        other = torch.where(hidden, torch.randn_like(images), images)
        assert torch.equal(features, model.encode(other, mask)), "the backbone sees masked pixels"
        seen = torch.where(hidden, images, images + 1)
        assert not torch.equal(features, model.encode(seen, mask)), "visible pixels are not seen"

    def test_visible_pixels_do_not_enter_the_loss(self) -> None:
        """The loss depends on the prediction where masked alone."""
        model, images, mask = self._make()
        pixels = model.pixel_mask(mask)
        prediction = model.decoder(model.encode(images, mask))
        loss = model.criterion(prediction, images, pixels)
        visible = torch.where(pixels.unsqueeze(1), prediction, prediction + SHIFT)
        farther = prediction + SHIFT * torch.sign(prediction - images)
        hidden = torch.where(pixels.unsqueeze(1), farther, prediction)
        assert torch.equal(model.criterion(visible, images, pixels), loss)
        shifted = model.criterion(hidden, images, pixels)
        torch.testing.assert_close(shifted, loss + SHIFT, rtol=1e-5, atol=0)

    def test_gradients_reach_mask_token_backbone_and_decoder(self) -> None:
        """Every parameter learns in pretraining."""
        model, images, mask = self._make()
        prediction = model.decoder(model.encode(images, mask))
        model.criterion(prediction, images, model.pixel_mask(mask)).backward()
        without = [name for name, value in model.named_parameters() if value.grad is None]
        assert without == [], f"parameters without a gradient: {without}"
        assert model.mask_token.grad.abs().sum() > 0, "the mask token has no gradient"
        stem, name = self.stem(model.backbone)
        weight = next(value for value in stem.parameters() if value.ndim > 1)
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0, f"{name} has no gradient"

    def test_the_mask_leaves_no_hook_behind(self) -> None:
        """After a masked pass, also one that fails, the backbone is as before."""
        model, images, mask = self._make()
        before = _hooks(model.backbone)
        model.encode(images, mask)
        assert _hooks(model.backbone) == before, "a hook is left on the backbone"
        with raises(ValueError, "a mask with a column too few"):
            model.encode(images, mask[:, :-1])
        assert _hooks(model.backbone) == before, "a hook is left after an error"

    def test_a_mask_that_is_not_bool(self) -> None:
        """Numbers are refused: 1 could mean masked or visible."""
        model, images, mask = self._make()
        with raises(ValueError, "a mask of integers"):
            model.encode(images, mask.long())

    def test_the_feature_spec_states_what_comes_out(self) -> None:
        """Channels and strides of every level are those of the outputs."""
        model, images, _ = self._make()
        spec = model.adapter.feature_spec
        assert isinstance(spec, FeatureSpec)
        found = [tuple(output.shape) for output in model.backbone(images)]
        stated = [
            (2, channels, SIZE[0] // stride, SIZE[1] // stride)
            for stride, channels in zip(spec.strides, spec.channels, strict=True)
        ]
        assert found == stated

    def test_a_copied_model_masks_its_own_backbone(self) -> None:
        """As an average of the weights does."""
        model, images, mask = self._make()
        copied = copy.deepcopy(model)
        assert copied.adapter.backbone is copied.backbone
        assert torch.equal(copied.encode(images, mask), model.encode(images, mask))

    def test_layers_are_numbered_from_stem_to_end(self) -> None:
        """Layer decay: the stem is 0, no number is left out."""
        model = self.make_model()
        adapter = model.adapter
        ids = {name: adapter.layer_id(name) for name, _ in model.backbone.named_parameters()}
        last = adapter.num_layers - self.ends_with_blocks
        found = sorted(set(ids.values()))
        assert found == list(range(last)), (
            f"layers are {found}, expected 0 to {last - 1}; num_layers counts the stem, the blocks "
            "and what comes after them"
            + (
                ""
                if self.ends_with_blocks
                else "; set ends_with_blocks = True in the test if no parameter comes after the "
                "last block"
            )
        )
        _, stem = self.stem(model.backbone)
        at_stem = {name: ids[name] for name in ids if name.startswith(stem)}
        assert at_stem, f"no parameter starts with {stem!r}"
        assert set(at_stem.values()) == {0}, f"the stem is not layer 0: {at_stem}"

    def test_weights_survive_export_and_loading(self) -> None:
        """Export, card and strict loading give the same features to the bit."""
        model, images, _ = self._make()
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder, "run", "epoch_2.pth")
            save_pretraining(checkpoint, self.config(), state=model.state_dict())
            files = export_backbone(checkpoint, Path(folder, "export"))
            fresh = MODELS.build(self.config())
            fresh.eval()
            report = load_pretrained(fresh, files.weights)
        loaded = fresh.state_dict()
        assert all(torch.equal(loaded[k], v) for k, v in model.backbone.state_dict().items())
        assert torch.equal(fresh(images)[-1], model.backbone(images)[-1])
        assert (report.missing, report.unexpected, report.resized) == ((), (), ())
        assert len(report.matched) + len(report.recomputed) == len(loaded)

    def test_initial_weights_are_drawn_again_from_the_seed(self) -> None:
        """The same seed gives the same weights; biases of linear layers are 0."""
        model = self.make_model()

        def weights(seed: int) -> Tensor:
            torch.manual_seed(seed)
            model.adapter.init_weights(pretraining=True)
            return torch.cat([value.flatten() for value in model.backbone.parameters()])

        first, again, other = weights(0), weights(0), weights(1)
        assert torch.equal(first, again), "the same seed gives other weights"
        assert not torch.equal(first, other), "another seed gives the same weights"
        linear = [m for m in model.backbone.modules() if isinstance(m, nn.Linear)]
        assert all(m.bias is None or not m.bias.any() for m in linear), "a bias is not 0"


def _hooks(backbone: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in backbone.modules()
    )
