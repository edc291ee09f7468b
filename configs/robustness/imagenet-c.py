# ImageNet-C, the validation set with 15 corruptions at five severities, as JPEGs of 224 px.
# Top-1 is the mean over corruptions and severities; the mean corruption error (mCE), in the log and
# in test.json, divides by the errors of AlexNet: https://arxiv.org/abs/1903.12261. These are as in
# https://github.com/google-research/augmix/blob/master/imagenet.py (ALEXNET_ERR), in percent.
_base_ = ["../_base_/runtime/full_size.py", "../_base_/tasks/robustness.py"]
protocol = dict(id="imagenet-c", version=1, dataset="ImageNet-C", split="15 corruptions")
robustness = dict(is_cropped=True)
test_dataloader = dict(
    dataset=dict(
        type="simmim_bench.CorruptionFolders",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet-c",
        data_prefix=dict(
            gaussian_noise="gaussian_noise",
            shot_noise="shot_noise",
            impulse_noise="impulse_noise",
            defocus_blur="defocus_blur",
            glass_blur="glass_blur",
            motion_blur="motion_blur",
            zoom_blur="zoom_blur",
            snow="snow",
            frost="frost",
            fog="fog",
            brightness="brightness",
            contrast="contrast",
            elastic_transform="elastic_transform",
            pixelate="pixelate",
            jpeg_compression="jpeg_compression",
        ),
    )
)
test_evaluator = dict(
    reference_errors=dict(
        gaussian_noise=88.6428,
        shot_noise=89.4468,
        impulse_noise=92.2640,
        defocus_blur=81.9880,
        glass_blur=82.6268,
        motion_blur=78.5948,
        zoom_blur=79.8360,
        snow=86.6816,
        frost=82.6572,
        fog=81.9324,
        brightness=56.4592,
        contrast=85.3204,
        elastic_transform=64.6056,
        pixelate=71.7840,
        jpeg_compression=60.6500,
    )
)
