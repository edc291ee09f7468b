"""A method: SimMIM with one more loss."""

from simmim_bench.models.simmim import SimMIM
from simmim_bench.registry import MODELS


@MODELS.register_module()
class SmallFeatures(SimMIM):
    """SimMIM that also keeps the features small."""

    def losses(self, images, mask, features, prediction):
        """Losses by name; those whose names begin with ``loss`` are summed."""
        found = super().losses(images, mask, features, prediction)
        return {**found, "loss_size": 0.01 * features.square().mean()}
