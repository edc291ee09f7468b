# ViT-B fine-tuned on five labelled images of each of ImageNet's classes at 224 px, the same for
# everyone; the recipe is that of all labels (imagenet/vit-b_8xb128_ft-100e.py). Other numbers:
# --cfg-options train_dataloader.dataset.shots=10; other images: ...dataset.list_number=1.
_base_ = ["../imagenet/vit-b_8xb128_ft-100e.py"]
protocol = dict(id="imagenet-5shot-finetune-224-100e", dataset="ImageNet-1k, 5 labels a class")
train_dataloader = dict(dataset=dict(type="simmim_bench.FewShotDataset", shots=5, list_number=0))
