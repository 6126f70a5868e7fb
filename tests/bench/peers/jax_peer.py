# SPDX-License-Identifier: Apache-2.0
"""JAX: the whole step, optax's AdamW in it, is one jitted function whose arguments are donated."""
import time

import jax
import jax.numpy as jnp
import optax

import batches


def linear(p, name, x):
    x = x @ p[name + ".weight"].T
    return x + p[name + ".bias"] if name + ".bias" in p else x


def layer_norm(p, name, x):
    mean = x.mean(-1, keepdims=True)
    x = (x - mean) * jax.lax.rsqrt(jnp.square(x - mean).mean(-1, keepdims=True) + 1e-5) * p[name + ".weight"]
    return x + p[name + ".bias"] if name + ".bias" in p else x


def cross_entropy(logits, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def mlp(row):
    def loss(p, x, y):
        h = jax.nn.relu(linear(p, "fc2", jax.nn.relu(linear(p, "fc1", x))))
        return cross_entropy(linear(p, "fc3", h), y)
    return loss


def gpt(row):
    layers, heads = int(row["model"]["layers"]), int(row["model"]["heads"])

    def loss(p, tokens, y):
        x = p["transformer.wte.weight"][tokens] + p["transformer.wpe.weight"][:tokens.shape[1]]
        B, T, C = x.shape
        for i in range(layers):
            at = f"transformer.h.{i}."
            parts = jnp.split(linear(p, at + "attn.c_attn", layer_norm(p, at + "ln_1", x)), 3, -1)
            q, k, v = (part.reshape(B, T, heads, C // heads) for part in parts)
            seen = jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(B, T, C)
            x = x + linear(p, at + "attn.c_proj", seen)
            wide = jax.nn.gelu(linear(p, at + "mlp.c_fc", layer_norm(p, at + "ln_2", x)), approximate=False)
            x = x + linear(p, at + "mlp.c_proj", wide)
        return cross_entropy(layer_norm(p, "transformer.ln_f", x) @ p["transformer.wte.weight"].T, y)
    return loss


MODELS = {"bench_mlp": mlp, "gpt": gpt}


class Peer:
    def __init__(self, job):
        row = batches.read_row(job["file"])
        loss = MODELS[row["model"]["use"]](row)
        optimizer = optax.adamw(float(row["optimizer"]["lr"]), weight_decay=1e-2)

        def step(p, state, *batch):
            value, gradients = jax.value_and_grad(loss)(p, *batch)
            updates, state = optimizer.update(gradients, state, p)
            return optax.apply_updates(p, updates), state, value
        self.step_ = jax.jit(step, donate_argnums=(0, 1))
        self.parameters = {name: jnp.asarray(value) for name, value in batches.read_weights(job["weights"]).items()}
        self.state = optimizer.init(self.parameters)
        self.batches = [tuple(jnp.asarray(f) for f in b) for b in batches.batches(row)]
        self.at = 0

    def step(self):
        batch = self.batches[self.at % len(self.batches)]
        self.parameters, self.state, loss = self.step_(self.parameters, self.state, *batch)
        self.at += 1
        return loss

    def losses(self, count):
        return [float(self.step()) for _ in range(count)]

    def run(self, steps):
        """Milliseconds a step."""
        start = time.perf_counter()
        for _ in range(steps):
            loss = self.step()
        jax.block_until_ready((self.parameters, loss))
        return (time.perf_counter() - start) / steps * 1e3
