"""Attention pooling against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from simmim_bench.models.multi_view import AttentionPool


def test_attention_pooling_by_hand():
    torch.manual_seed(0)
    pool = AttentionPool(channels=8, heads=2)
    nn.init.normal_(pool.query)
    nn.init.normal_(pool.attention.in_proj_bias)
    maps = torch.randn(2, 8, 3, 2)
    found = pool(maps).detach().double().numpy()
    state = {key: value.double().numpy() for key, value in pool.state_dict().items()}
    weight, bias = state["attention.in_proj_weight"], state["attention.in_proj_bias"]
    for image, pooled in zip(maps.double().numpy(), found, strict=True):
        tokens = image.reshape(8, -1).T
        tokens = tokens - tokens.mean(1, keepdims=True)
        tokens /= np.sqrt((tokens**2).mean(1, keepdims=True) + 1e-5)
        q, k, v = (
            rows @ weight[8 * n : 8 * n + 8].T + bias[8 * n : 8 * n + 8]
            for n, rows in enumerate((state["query"][0], tokens, tokens))
        )
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            scores = np.exp(k[:, head] @ q[0, head] / 2)
            heads.append(scores / scores.sum() @ v[:, head])
        wanted = state["attention.out_proj.weight"] @ np.concatenate(heads)
        np.testing.assert_allclose(pooled, wanted + state["attention.out_proj.bias"], rtol=1e-4)
    with pytest.raises(ValueError, match="channels 8 must be divisible by heads 3"):
        AttentionPool(channels=8, heads=3)
