"""The transformer: before training, and against a second, literal implementation."""

import math

import numpy as np
import pytest
import torch

from embshift.encoders.lite.blocks import BLOCKS, HEADS, LAYERS, WIDTH, make_initial_weights, run_transformer


def drawn(*, seed=3, scale=0.05):
    """Return weights that differ from the initial ones, so that every branch has an effect."""
    generator = torch.Generator().manual_seed(seed)
    weights = make_initial_weights(generator)
    return {name: v + scale * torch.randn(v.shape, generator=generator) for name, v in weights.items()}


def tokens(views, patches, *, seed=4):
    return torch.randn(views, patches, WIDTH, generator=torch.Generator().manual_seed(seed))


def literal(patches, weights):
    """Compute one image in float64, with loops over heads and places."""
    w = {name: values.double().numpy() for name, values in weights.items()}
    x0 = patches.double().numpy()
    x = np.concatenate([w["class_token"][None], x0])
    maps, states = [], []

    def normed(rows, name):
        mean, variance = rows.mean(1, keepdims=True), rows.var(1, keepdims=True)
        return (rows - mean) / np.sqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(rows, name):
        return rows @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def softmax(scores):
        powers = np.exp(scores - scores.max())
        return powers / powers.sum()

    part = WIDTH // HEADS
    for index in range(BLOCKS):
        name = f"layers.{index}"
        q, k, v = np.split(linear(normed(x, f"{name}.norm"), f"{name}.qkv"), 3, axis=1)
        heard = np.zeros_like(x)
        rows = []
        for head in range(HEADS):
            at = slice(head * part, (head + 1) * part)
            for place in range(len(x)):
                share = softmax(k[:, at] @ q[place, at] / math.sqrt(part))
                heard[place, at] = share @ v[:, at]
                if place == 0:
                    rows.append(share[1:])
        x = x + linear(heard, f"{name}.out")
        inner = linear(normed(x, f"{name}.inner_norm"), f"{name}.widen")
        gelu = 0.5 * inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = x + linear(gelu, f"{name}.narrow")
        maps.append(rows)
        states.append(x)
    n = normed(x, "last.norm")
    q, k = linear(n[:1], "last.query")[0], linear(n[1:], "last.key")
    last = []
    for head in range(HEADS):
        at = slice(head * part, (head + 1) * part)
        length = np.log(np.linalg.norm(x0, axis=1))
        last.append(softmax(k[:, at] @ q[at] / math.sqrt(part) + w["last.gain"][head] * length))
    embedding = np.mean(last, axis=0) @ x0
    return embedding, [*maps, last], [*states, np.concatenate([embedding[None], x0])]


def test_untrained_embedding_is_the_mean_of_the_patches():
    patches = tokens(3, 49)
    looked = run_transformer(patches, weights=make_initial_weights(torch.Generator().manual_seed(1)))
    torch.testing.assert_close(looked.embedding, patches.mean(1), rtol=1e-5, atol=1e-6)
    assert torch.equal(looked.tokens[-1][:, 1:], patches)


def test_it_equals_the_literal_implementation():
    patches, weights = tokens(2, 6), drawn()
    looked = run_transformer(patches, weights=weights)
    for row in range(2):
        embedding, maps, states = literal(patches[row], weights)
        np.testing.assert_allclose(looked.embedding[row], embedding, rtol=1e-4, atol=1e-5)
        for layer in range(LAYERS):
            np.testing.assert_allclose(looked.attention[layer][row], maps[layer], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(looked.tokens[layer][row], states[layer], rtol=1e-4, atol=1e-5)


def test_embedding_is_what_came_in_weighted_by_the_mean_map():
    patches = tokens(2, 9)
    looked = run_transformer(patches, weights=drawn())
    weighted = (looked.attention[-1].mean(1)[..., None] * patches).sum(1)
    torch.testing.assert_close(looked.embedding, weighted, rtol=1e-5, atol=1e-6)


def test_gain_turns_to_long_vectors():
    patches = tokens(1, 5)
    patches[0, 3] *= 4
    weights = make_initial_weights(torch.Generator().manual_seed(1))
    weights["last.gain"] = torch.tensor([0.0, 1.0, 2.0, 3.0])
    share = run_transformer(patches, weights=weights).attention[-1][0, :, 3]
    assert share[0] == pytest.approx(0.2)
    assert (share.diff() > 0).all()


def test_black_images_give_numbers():
    assert run_transformer(torch.zeros(1, 4, WIDTH), weights=drawn()).embedding.isfinite().all()


def test_order_of_the_patches_does_not_matter():
    patches, weights = tokens(2, 12), drawn()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(5))
    straight, shuffled = (
        run_transformer(patches, weights=weights),
        run_transformer(patches[:, order], weights=weights),
    )
    torch.testing.assert_close(shuffled.embedding, straight.embedding, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(shuffled.attention[0], straight.attention[0][..., order], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("patches", [1, 4, 49, 200])
def test_any_grid_is_taken(patches):
    looked = run_transformer(tokens(2, patches), weights=drawn())
    assert len(looked.attention) == len(looked.tokens) == LAYERS
    assert all(rows.shape == (2, HEADS, patches) for rows in looked.attention)
    assert all(states.shape == (2, patches + 1, WIDTH) for states in looked.tokens)
    torch.testing.assert_close(looked.attention[-1].sum(-1), torch.ones(2, HEADS))


def test_training_and_use_compute_the_same():
    patches, weights = tokens(2, 9), drawn()
    learning = {name: values.clone().requires_grad_() for name, values in weights.items()}
    torch.testing.assert_close(
        run_transformer(patches, weights=learning).embedding,
        run_transformer(patches, weights=weights).embedding,
        rtol=1e-5,
        atol=1e-5,
    )


def test_everything_that_can_be_trained_has_a_gradient_once_it_has_begun():
    learning = {name: values.clone().requires_grad_() for name, values in drawn().items()}
    run_transformer(tokens(2, 9), weights=learning).embedding.square().sum().backward()
    # The same addition to every key changes no attention.
    idle = {
        name for name, values in learning.items() if values.grad is None or not values.grad.abs().max() > 1e-9
    }
    assert idle <= {"last.key.bias"}
