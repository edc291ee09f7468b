"""Optimiser groups of the original SimMIM: layer-wise learning rates, and who has weight decay.

Reference: https://github.com/microsoft/SimMIM/blob/main/optimizer.py
"""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import Tensor, nn

from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.registry import OPTIM_WRAPPER_CONSTRUCTORS

PREFIX = "backbone."
MASK_TOKEN = "mask_token"  # noqa: S105  (a parameter's name)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Optimizer wrapper with at most two parameter groups a layer: with and without decay.

    The learning rate of a backbone layer is ``lr * layer_decay ** d``, where d counts layers
    from the end of the backbone; what follows the backbone has ``lr``. Without weight decay
    are parameters of one dimension, biases, and what the backbone's adapter names (position
    parameters, class token, mask token), which differs between pretraining and tasks.

    Args:
        optim_wrapper_cfg: Wrapper config; its optimizer states ``lr`` and ``weight_decay``.
        paramwise_cfg: ``dict(layer_decay=0.9)``; 1.0, the default, keeps the decay rules and
            gives every layer the same learning rate.

    Raises:
        ValueError: If ``paramwise_cfg`` has another key, ``layer_decay`` is not in (0, 1], or
            the optimizer states no ``lr`` or no ``weight_decay``.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        options = {"layer_decay": 1.0, **(paramwise_cfg or {})}
        if set(options) != {"layer_decay"}:
            raise ValueError(
                f"paramwise_cfg has {', '.join(options)}; this constructor takes layer_decay only"
            )
        if not 0 < options["layer_decay"] <= 1:
            raise ValueError(f"layer_decay {options['layer_decay']} is not in (0, 1]")
        super().__init__(optim_wrapper_cfg, options)
        if self.base_lr is None or self.base_wd is None:
            raise ValueError(
                f"optimizer has lr {self.base_lr} and weight_decay {self.base_wd}; state both"
            )

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = "",  # noqa: ARG002  (upstream's signature; the whole model comes at once)
        is_dcn_module: int | float | None = None,  # noqa: ARG002
    ) -> None:
        """Append the groups of all trainable parameters of the model, highest rate first.

        mmengine logs the learning rate of the first group, which so is the full one.
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
