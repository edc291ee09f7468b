# What a pretraining paints on held-out images, photographs of COCO: nothing is learned.
protocol = dict(
    id="coco-painting",
    version=2,
    task="generation",
    dataset="COCO 2017, own subset",
    split="val2017, the first 100 by name",
    image_size=64,
    epochs=1,  # one look at each image
    metrics=dict(
        inpaint_psnr="inpaint/psnr",
        inpaint_ssim="inpaint/ssim",
        inpaint_features="inpaint/features",
        mean_psnr="mean/psnr",
        mean_ssim="mean/ssim",
        mean_features="mean/features",
        super_psnr="super/psnr",
        super_ssim="super/ssim",
        super_features="super/features",
        bicubic_psnr="bicubic/psnr",
        bicubic_ssim="bicubic/ssim",
        bicubic_features="bicubic/features",
    ),
    primary="inpaint_psnr",
)
painting = dict(
    count=100,
    square=16,  # px, marked whatever the method's patches; 32 would leave 6 masks, each of half
    ratio=0.4,  # of the squares, rounded up: 7 of 16
    scale=2,
    seed=0,
)
test_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/coco", data_prefix="val2017")
)
