# Image classifier of SimMIM's fine-tuning: its config.py and models/swin_transformer.py.
model = dict(
    type="ImageClassifier",
    neck=dict(type="GlobalAveragePooling"),
    head=dict(
        type="LinearClsHead",
        num_classes=1000,
        init_cfg=dict(type="TruncNormal", layer="Linear", std=0.02, bias=0.0),
        # MODEL.LABEL_SMOOTHING: 0.1
        loss=dict(type="LabelSmoothLoss", label_smooth_val=0.1, mode="original"),
    ),
    # AUG.MIXUP: 0.8, AUG.CUTMIX: 1.0, AUG.MIXUP_PROB: 1.0, AUG.MIXUP_SWITCH_PROB: 0.5
    train_cfg=dict(
        # with the reversed batch
        augments=[
            dict(type="simmim_bench.Mixup", alpha=0.8),
            dict(type="simmim_bench.CutMix", alpha=1.0),
        ],
        probs=[0.5, 0.5],
    ),
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        num_classes=1000,
        to_onehot=True,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
