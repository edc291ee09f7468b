# A backbone that comes with the weights of --pretrained: class, architecture, channels and strides
# are those of their card (simmim_bench/recipe/any_backbone.py).
of_weights = dict(type="simmim_bench.BackboneOfWeights")

# Values that differ between backbones, by the adapter in the card, or by the number of strides:
# `by_backbone` of the leaves.
no_drop_path = dict(
    swin={"model.backbone.drop_path_rate": 0.0},
    swinv2={"model.backbone.drop_path_rate": 0.0},
    vit={"model.backbone.drop_path_rate": 0.0},
    plain_vit={"model.backbone.drop_path_rate": 0.0},
    convnext={"model.backbone.drop_path_rate": 0.0},
)
