# Corrupted images of the demo, five corruptions at five severities, made by torchvision.
# Strengths are those of Tiny-ImageNet-C, whose images have 64 px as well:
# https://github.com/hendrycks/robustness/blob/master/ImageNet-C/create_c/make_tinyimagenet_c.py.
# Contrast is torchvision's: it moves values to the mean brightness, not to that of each colour.
_base_ = ["../_base_/runtime/default.py", "../_base_/tasks/robustness.py"]
protocol = dict(
    id="demo-c",
    version=1,
    dataset="simmim_bench demo, digits on photographs",
    split="val, 5 corruptions",
    image_size=64,
    epochs=5,
)
robustness = dict(trained_by="demo-classification")
test_dataloader = dict(
    batch_size=100,
    num_workers=0,
    pin_memory=False,
    dataset=dict(
        type="simmim_bench.CorruptedImages",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/imagenet",
        data_prefix="val",
        classes=[
            "digit_0", "digit_1", "digit_2", "digit_3", "digit_4",
            "digit_5", "digit_6", "digit_7", "digit_8", "digit_9",
        ],
        corruptions=dict(
            gaussian_noise=[0.04, 0.08, 0.12, 0.15, 0.18],  # standard deviation, share of white
            gaussian_blur=[0.5, 0.75, 1.0, 1.25, 1.5],  # standard deviation, px
            contrast=[0.4, 0.3, 0.2, 0.1, 0.05],  # share that stays
            pixelate=[0.9, 0.8, 0.7, 0.6, 0.5],  # share of each side
            jpeg_compression=[65, 58, 50, 40, 25],  # quality
        ),
    ),
)  # fmt: skip
