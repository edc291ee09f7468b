"""The contrastive loss against NumPy, and two processes against one."""

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from torch import nn
from torch.nn import functional

from simmim_bench.models.losses.similarity import symmetric_cross_entropy

SCALE = 7.0


def unit(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(rows, columns, generator=generator), dim=1)


def by_hand(images, texts, scale):
    """CLIP's figure 3, entry by entry."""
    images, texts = images.double().numpy(), texts.double().numpy()
    total = 0.0
    for k in range(len(images)):
        to_texts = [scale * float(images[k] @ text) for text in texts]
        to_images = [scale * float(texts[k] @ image) for image in images]
        for logits in (to_texts, to_images):
            total += np.log(np.sum(np.exp(logits))) - logits[k]
    return total / (2 * len(images))


def test_it_is_the_mean_of_both_cross_entropies():
    images, texts = unit(6, 5, 0), unit(6, 5, 1)
    loss = symmetric_cross_entropy(images, texts, torch.tensor(SCALE))
    assert loss.item() == pytest.approx(by_hand(images, texts, SCALE), rel=1e-5)


def test_both_directions_count():
    """All images alike: the images tell nothing about the texts, in one direction only."""
    images, texts = unit(1, 5, 0).repeat(4, 1), unit(4, 5, 1)
    loss = symmetric_cross_entropy(images, texts, torch.tensor(SCALE))
    there = functional.cross_entropy(SCALE * images @ texts.T, torch.arange(4))
    assert loss.item() == pytest.approx((there.item() + np.log(4)) / 2, rel=1e-5)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"must both be \(B, D\), got \(4, 5\) and \(3, 5\)"):
        symmetric_cross_entropy(unit(4, 5, 0), unit(3, 5, 1), torch.tensor(SCALE))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.text = nn.Linear(5, 3), nn.Linear(5, 3)
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        for k, parameter in enumerate(self.parameters()):
            values = torch.arange(parameter.numel()).reshape(parameter.shape)
            parameter.data = torch.sin(values + k)

    def forward(self, images, texts):
        pair = (
            functional.normalize(self.image(images), dim=1),
            functional.normalize(self.text(texts), dim=1),
        )
        return symmetric_cross_entropy(*pair, self.log_scale.exp())


def gradients(model):
    return [parameter.grad.clone() for parameter in model.parameters()]


def one_of_two(rank, port, images, texts, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    model = nn.parallel.DistributedDataParallel(Pair())
    part = slice(4 * rank, 4 * rank + 4)
    loss = model(images[part], texts[part])
    loss.backward()
    torch.save((loss.detach(), gradients(model)), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_have_the_loss_and_the_gradients_of_one(tmp_path, free_port):
    images, texts = unit(8, 5, 0), unit(8, 5, 1)
    single = Pair()
    whole = single(images, texts)
    whole.backward()
    work = (free_port, images, texts, tmp_path)
    mp.start_processes(one_of_two, args=work, nprocs=2, start_method="spawn")
    losses, found = zip(*(torch.load(tmp_path / f"{rank}.pt") for rank in range(2)), strict=True)
    assert losses[0] != losses[1]
    torch.testing.assert_close(sum(losses) / 2, whole.detach())
    for rank in range(2):
        torch.testing.assert_close(found[rank], gradients(single))
