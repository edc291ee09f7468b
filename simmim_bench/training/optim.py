"""Learning-rate schedules and parameter groups of the original SimMIM.

References: https://github.com/microsoft/SimMIM/blob/main/lr_scheduler.py and
https://github.com/microsoft/SimMIM/blob/main/optimizer.py

The schedules are in closed form. They differ from mmengine's schedulers in five ways:

- the warm-up counts as a part of the cosine, which starts at its value for the end of the warm-up,
  unless ``warmup_prefix`` is set;
- gradients accumulated over several iterations do not change the learning rate of an update;
- all parameter groups start the warm-up, and end the cosine, with the same learning rate,
  whatever their layer-wise factor;
- an iteration uses the value of the iteration before, because the original updates the learning
  rate after the step, with the index of that step;
- no value is computed from the previous one, so that rounding errors do not add up.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, ClassVar

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from torch import Tensor, nn
from typing_extensions import Self

from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.registry import OPTIM_WRAPPER_CONSTRUCTORS, PARAM_SCHEDULERS
from simmim_bench.weights.files import PREFIX

FUSED = ("Adam", "AdamW")  # whose fused kernels update all parameters in one pass
MASK_TOKEN = "mask_token"  # noqa: S105  (name of a parameter)


def use_fused_kernel(optim_wrapper: dict[str, Any]) -> dict[str, Any]:
    """A config of an optimizer wrapper whose Adam or AdamW uses PyTorch's fused kernel.

    Weights differ from those of the other kernels by rounding, 1e-7 of their size in a step. A
    config that states ``fused``, ``foreach``, ``capturable`` or ``differentiable`` is kept.

    Args:
        optim_wrapper: The config; not changed.
    """
    optimizer = optim_wrapper.get("optimizer") or {}
    stated = {"fused", "foreach", "capturable", "differentiable"} & set(optimizer)
    if optimizer.get("type") not in FUSED or stated:
        return optim_wrapper
    return {**optim_wrapper, "optimizer": {**optimizer, "fused": True}}


class WarmupSchedule(_ParamScheduler):
    """Linear warm-up to the learning rate of each group; a subclass defines what follows.

    Args:
        optimizer: Optimizer wrapper or optimizer.
        warmup: Length of the warm-up, in the unit of ``end``; 0: no warm-up.
        warmup_factor: Learning rate at the start of the warm-up in every group, relative to the
            highest group, so that linear scaling of the learning rate applies to it too.
        end: Length of the schedule including the warm-up, in epochs or iterations.
        last_step: See mmengine's schedulers, also for ``by_epoch`` and ``verbose``.

    Raises:
        ValueError: If warm-up is longer than the schedule.
    """

    lengths: ClassVar[tuple[str, ...]] = ("warmup", "end")
    """Arguments that count epochs or iterations."""

    def __init__(
        self,
        optimizer: Any,
        *,
        warmup: int,
        warmup_factor: float,
        end: int,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if not 0 <= warmup <= end:
            raise ValueError(f"warmup must be from 0 to end={end}, got {warmup}")
        self.warmup = warmup
        self.warmup_factor = warmup_factor
        # mmengine steps a schedule at every iteration, the original once for 2048 images.
        accumulated = getattr(optimizer, "_accumulative_counts", 1)
        self.iterations_per_update = 1 if by_epoch else accumulated
        # mmengine's wrapper appends a group for logging, which linear scaling ignores.
        self.real_groups = len(getattr(optimizer, "optimizer", optimizer).param_groups)
        super().__init__(
            optimizer, "lr", end=end, last_step=last_step, by_epoch=by_epoch, verbose=verbose
        )

    @classmethod
    def build_iter_from_epoch(cls, *args: Any, epoch_length: int, **kwargs: Any) -> Self:
        """Build the schedule by iterations from lengths in epochs of ``epoch_length``."""
        kwargs["by_epoch"] = False
        for name in cls.lengths:
            value = kwargs[name]
            many = isinstance(value, Sequence)
            kwargs[name] = [v * epoch_length for v in value] if many else value * epoch_length
        return cls(*args, **kwargs)

    @abstractmethod
    def value(self, step: int, base: float, highest: float) -> float:
        """Learning rate after the warm-up.

        Args:
            step: Steps since the start of the warm-up.
            base: Initial learning rate of the group.
            highest: Initial learning rate of the highest group.
        """

    def _get_value(self) -> list[float]:
        updates = self.last_step // self.iterations_per_update
        step = max(updates - 1, 0) * self.iterations_per_update
        highest = max(self.base_values[: self.real_groups])
        if step >= self.warmup:
            return [self.value(step, base, highest) for base in self.base_values]
        start = self.warmup_factor * highest
        return [start + (base - start) * step / self.warmup for base in self.base_values]


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(WarmupSchedule):
    """Warm-up, then a cosine.

    Args:
        min_factor: Final learning rate of every group, relative to the highest group.
        warmup_prefix: The cosine starts after the warm-up, as in
            https://github.com/microsoft/Swin-Transformer/blob/main/lr_scheduler.py#L23-L33. By
            default it starts with the warm-up, and its rest follows.
        kwargs: See ``WarmupSchedule``.
    """

    def __init__(
        self, optimizer: Any, *, min_factor: float, warmup_prefix: bool = False, **kwargs: Any
    ) -> None:
        self.min_factor = min_factor
        self.warmup_prefix = warmup_prefix
        super().__init__(optimizer, **kwargs)

    def value(self, step: int, base: float, highest: float) -> float:
        """See ``WarmupSchedule.value``."""
        low = self.min_factor * highest
        start = self.warmup if self.warmup_prefix else 0
        phase = (step - start) / (self.end - start)
        return low + (base - low) * (1 + math.cos(math.pi * phase)) / 2


@PARAM_SCHEDULERS.register_module()
class WarmupMultiStepLR(WarmupSchedule):
    """Warm-up, then multiplication by ``gamma`` at each milestone.

    Args:
        milestones: Steps since the start of the warm-up, in the unit of ``end``.
        gamma: Factor at each milestone.
        kwargs: See ``WarmupSchedule``.
    """

    lengths = (*WarmupSchedule.lengths, "milestones")

    def __init__(
        self, optimizer: Any, *, milestones: Sequence[int], gamma: float, **kwargs: Any
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, **kwargs)

    def value(self, step: int, base: float, highest: float) -> float:  # noqa: ARG002
        """See ``WarmupSchedule.value``."""
        return base * self.gamma ** bisect_right(self.milestones, step)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Optimizer wrapper with two parameter groups per layer: with and without weight decay.

    The learning rate of a backbone layer is ``lr * layer_decay ** d``, where d counts layers
    from the end of the backbone; the rest of the model has ``lr``. Parameters of one dimension,
    biases and the parameters that the backbone's adapter names (position parameters, class token,
    mask token; other ones in pretraining than in tasks) have no weight decay.

    Args:
        optim_wrapper_cfg: Wrapper config; its optimizer must state ``lr`` and ``weight_decay``.
        paramwise_cfg: ``dict(layer_decay=0.9)``; with 1.0, the default, every layer has the same
            learning rate.

    Raises:
        ValueError: If ``paramwise_cfg`` has another key, ``layer_decay`` is not in (0, 1], or
            the optimizer states no ``lr`` or no ``weight_decay``.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        options = {"layer_decay": 1.0, **(paramwise_cfg or {})}
        if set(options) != {"layer_decay"}:
            raise ValueError(f"paramwise_cfg may only have layer_decay, got {', '.join(options)}")
        if not 0 < options["layer_decay"] <= 1:
            raise ValueError(f"layer_decay must be in (0, 1], got {options['layer_decay']}")
        super().__init__(optim_wrapper_cfg, options)
        if self.base_lr is None or self.base_wd is None:
            raise ValueError(
                f"optimizer must state lr and weight_decay, got {self.base_lr} and {self.base_wd}"
            )

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = "",  # noqa: ARG002  (mmengine's signature; one call gets the whole model)
        is_dcn_module: int | float | None = None,  # noqa: ARG002
    ) -> None:
        """Append the groups of all trainable parameters, highest learning rate first.

        mmengine logs the learning rate of the first group.
        """
        adapter = adapter_for(module.backbone)
        rate = self.paramwise_cfg["layer_decay"]
        pretraining = hasattr(module, MASK_TOKEN)
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                lr = self.base_lr * rate ** _layers_after(adapter, name)
                decays = _decays(adapter, name, parameter, pretraining=pretraining)
                weight_decay = self.base_wd if decays else 0.0
                groups.setdefault((lr, weight_decay), []).append(parameter)
        for lr, weight_decay in sorted(groups, reverse=True):
            group = groups[lr, weight_decay]
            params.append({"params": group, "lr": lr, "weight_decay": weight_decay})


def _layers_after(adapter: BackboneAdapter, name: str) -> int:
    if not name.startswith(PREFIX):
        return 0
    return adapter.num_layers - 1 - adapter.layer_id(name.removeprefix(PREFIX))


def _decays(adapter: BackboneAdapter, name: str, parameter: Tensor, *, pretraining: bool) -> bool:
    if parameter.ndim <= 1 or name.endswith(".bias"):
        return False
    if not name.startswith(PREFIX) and name != MASK_TOKEN:
        return True
    return not adapter.no_weight_decay(name.removeprefix(PREFIX), pretraining=pretraining)
