# Two augmented views of each unlabelled demo image, for methods that compare views. Values: SimCLR
# for CIFAR-10 (https://arxiv.org/abs/2002.05709, appendix B.9), colours at half the strength, no
# blur. No flip, which would change a digit, and only crops that keep it (ours).
two_views = dict(
    type="MultiView",
    num_views=[2],
    transforms=[
        [
            dict(
                type="RandomResizedCrop",
                scale=64,
                crop_ratio_range=(0.4, 1.0),
                interpolation="bicubic",
            ),
            dict(
                type="RandomApply",
                transforms=[
                    dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
                ],
                prob=0.8,
            ),
            dict(
                type="RandomGrayscale",
                prob=0.2,
                keep_channels=True,
                channel_weights=(0.114, 0.587, 0.2989),
            ),
        ]
    ],
)
