# Measures what a pretrained model predicts on held-out images, masked or enlarged. Nothing is
# trained.
protocol = dict(
    task="generation",
    image_size=64,
    epochs=1,  # each image is read once
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
    square=16,  # px, masked whatever the method's patches; 32 would leave 6 masks, each of half
    ratio=0.4,  # of the squares, rounded up: 7 of 16
    scale=2,
    seed=0,
)
