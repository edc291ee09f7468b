# ViT-B fine-tuned on 10 % of ImageNet's labels at 224 px, the same images for everyone; the
# recipe is that of all labels (imagenet/vit-b_8xb128_ft-100e.py): methods are compared, not tuned.
_base_ = ["../imagenet/vit-b_8xb128_ft-100e.py"]
protocol = dict(
    id="imagenet-10percent-finetune-224-100e", dataset="ImageNet-1k, 10 % of the labels"
)
train_dataloader = dict(dataset=dict(type="simmim_bench.FewShotDataset", share=0.1, list_number=0))
