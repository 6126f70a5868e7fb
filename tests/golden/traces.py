# SPDX-License-Identifier: Apache-2.0
"""Ten training steps of seven models, from weights that are kept, so that the plugins of plugins/models can take the same steps.

usage: python traces.py      writes traces.json, traces/MODEL.safetensors with each model's initial weights, and those of a GPT that writes

Two epochs of 28 samples in batches of 6: the last one of an epoch is short. Samples are a formula of their index and place
(tests/integration/plugins/traces has the same). Options of model and optimizer are those of tests/integration/traces/MODEL.ini.
"""

import copy

import torch
from common import HERE, made_by, write_json
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

SAMPLES, BATCH, EPOCHS = 28, 6, 2


# --- samples --------------------------------------------------------------------------------------------------------------------
def mixed(count, start=0):
    """(SAMPLES, count) integers in 0..96."""
    i, k = torch.arange(SAMPLES)[:, None], torch.arange(start, start + count)[None]
    return (31 * i * i + 17 * k + 7 * i * k + 5 * k * k) % 97


def numbers(*shape, start=0):
    count = torch.Size(shape).numel()
    return (mixed(count, start).double() / 48 - 1).float().view(SAMPLES, *shape)


def tokens(length, vocabulary):
    return mixed(length) % vocabulary


def padded(length, vocabulary):
    """Tokens 1..vocabulary - 1; the last i % 4 of sample i are 0."""
    x = 1 + mixed(length) % (vocabulary - 1)
    return x * (torch.arange(length)[None] < length - torch.arange(SAMPLES)[:, None] % 4)


def classes(count):
    return (7 * torch.arange(SAMPLES) + 3) % count


# --- a CNN with batch norm and residuals ----------------------------------------------------------------------------------------
class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + (self.downsample(x) if self.downsample else x))


class Resnet(nn.Module):
    def __init__(self, channels, width, blocks, stem_stride, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stem_stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = len(blocks)
        inputs = width
        for stage, count in enumerate(blocks):
            layer = []
            for i in range(count):
                layer.append(Block(inputs, width << stage, 2 if stage and i == 0 else 1))
                inputs = width << stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


# --- an LSTM --------------------------------------------------------------------------------------------------------------------
class Lstm(nn.Module):
    def __init__(self, inputs, hidden, layers, outputs):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


# --- GPT: the names and the arithmetic of nanoGPT, without biases ---------------------------------------------------------------
class GptAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.c_proj = nn.Linear(width, width, bias=False)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in self.c_attn(x).split(c, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, t, c))


class GptMlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width, bias=False)
        self.c_proj = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x)))


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, bias=False)
        self.attn = GptAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width, bias=False)
        self.mlp = GptMlp(width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    def __init__(self, vocabulary, context, width, heads, layers):
        super().__init__()
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(vocabulary, width),
            "wpe": nn.Embedding(context, width),
            "h": nn.ModuleList(GptBlock(width, heads) for _ in range(layers)),
            "ln_f": nn.LayerNorm(width, bias=False),
        })
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, 0, 0.02 / (2 * layers) ** 0.5 if name.endswith("c_proj.weight") else 0.02)

    def forward(self, x):
        t = self.transformer
        h = t.wte(x) + t.wpe(torch.arange(x.shape[1]))
        for block in t.h:
            h = block(h)
        return F.linear(t.ln_f(h), t.wte.weight)


# --- an encoder that looks away from padding ------------------------------------------------------------------------------------
class Encoder(nn.Module):
    def __init__(self, vocabulary, context, width, heads, layers, outputs):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.position = nn.Embedding(context, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.fc = nn.Linear(width, outputs)

    def forward(self, x):
        seen = x != 0
        h = self.embedding(x) + self.position(torch.arange(x.shape[1]))
        h = self.encoder(h, src_key_padding_mask=~seen)
        weight = seen[:, :, None].to(h.dtype)
        return self.fc((h * weight).sum(1) / weight.sum(1))


# --- an autoencoder with transposed convolutions --------------------------------------------------------------------------------
class AutoencoderHalf(nn.Module):
    def __init__(self, channels, width, size, latent, decode):
        super().__init__()
        self.size, self.width, self.decode = size // 4, width, decode
        flat = 2 * width * self.size**2
        if decode:
            self.fc = nn.Linear(latent, flat)
            self.conv1 = nn.ConvTranspose2d(2 * width, width, 4, 2, 1)
            self.conv2 = nn.ConvTranspose2d(width, channels, 4, 2, 1)
        else:
            self.conv1 = nn.Conv2d(channels, width, 4, 2, 1)
            self.conv2 = nn.Conv2d(width, 2 * width, 4, 2, 1)
            self.fc = nn.Linear(flat, latent)

    def forward(self, x):
        if self.decode:
            h = F.relu(self.fc(x)).view(-1, 2 * self.width, self.size, self.size)
            return self.conv2(F.relu(self.conv1(h)))
        return self.fc(F.relu(self.conv2(F.relu(self.conv1(x)))).flatten(1))


class Autoencoder(nn.Module):
    def __init__(self, channels, width, size, latent):
        super().__init__()
        self.encoder = AutoencoderHalf(channels, width, size, latent, False)
        self.decoder = AutoencoderHalf(channels, width, size, latent, True)

    def forward(self, x):
        return self.decoder(self.encoder(x))


# --- a GAN ----------------------------------------------------------------------------------------------------------------------
class Perceptron(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.fc2(F.leaky_relu(self.fc1(x), 0.2))


class Gan(nn.Module):
    def __init__(self, inputs, hidden, latent):
        super().__init__()
        self.generator, self.discriminator = Perceptron(latent, hidden, inputs), Perceptron(inputs, hidden, 1)


# --- rotary embedding, grouped heads, RMS norm and SwiGLU: the names of Hugging Face's Llama ------------------------------------
class LlamaAttention(nn.Module):
    def __init__(self, width, heads, groups):
        super().__init__()
        self.heads, self.groups, head = heads, groups, width // heads
        self.q_proj = nn.Linear(width, heads * head, bias=False)
        self.k_proj = nn.Linear(width, groups * head, bias=False)
        self.v_proj = nn.Linear(width, groups * head, bias=False)
        self.o_proj = nn.Linear(heads * head, width, bias=False)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (p(x).view(b, t, n, -1).transpose(1, 2) for p, n in
                   ((self.q_proj, self.heads), (self.k_proj, self.groups), (self.v_proj, self.groups)))
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


def rotate(x):
    t, d = x.shape[-2:]
    angle = torch.arange(t, dtype=torch.float64)[:, None] * 10000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., : d // 2], x[..., d // 2:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class LlamaMlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaLayer(nn.Module):
    def __init__(self, width, hidden, heads, groups):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(width, 1e-5)
        self.self_attn = LlamaAttention(width, heads, groups)
        self.post_attention_layernorm = nn.RMSNorm(width, 1e-5)
        self.mlp = LlamaMlp(width, hidden)

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self, vocabulary, width, hidden, heads, groups, layers):
        super().__init__()
        self.model = nn.ModuleDict({
            "embed_tokens": nn.Embedding(vocabulary, width),
            "layers": nn.ModuleList(LlamaLayer(width, hidden, heads, groups) for _ in range(layers)),
            "norm": nn.RMSNorm(width, 1e-5),
        })
        self.lm_head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, x):
        h = self.model.embed_tokens(x)
        for layer in self.model.layers:
            h = layer(h)
        return self.lm_head(self.model.norm(h))


# --- training -------------------------------------------------------------------------------------------------------------------
def classify(model, batch):
    return F.cross_entropy(model(batch["x"]), batch["y"])


def next_token(model, batch):
    logits = model(batch["x"])
    return F.cross_entropy(logits.flatten(0, 1), batch["y"].flatten())


def reconstruct(model, batch):
    return F.mse_loss(model(batch["x"]), batch["x"])


def adamw_on_matrices(model, lr, decay, **options):
    groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": decay},
              {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0}]
    return torch.optim.AdamW(groups, lr=lr, **options)


def steps(batch_of):
    for _ in range(EPOCHS):
        for begin in range(0, SAMPLES, BATCH):
            yield batch_of(slice(begin, min(begin + BATCH, SAMPLES)))


def supervised(model, batches, loss_of, optimizer, clip):
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    return {"train_loss": losses}


def adversarial(model, batches, optimizers):
    generate, tell = model.generator, model.discriminator
    losses = {"g_loss": [], "d_loss": []}
    for batch in batches:
        x, z = batch["x"], batch["z"]
        real, fake = torch.ones(len(x), 1, dtype=x.dtype), torch.zeros(len(x), 1, dtype=x.dtype)
        g_loss = F.binary_cross_entropy_with_logits(tell(generate(z)), real)
        optimizers[0].zero_grad()
        g_loss.backward()
        optimizers[0].step()
        d_loss = (F.binary_cross_entropy_with_logits(tell(x), real)
                  + F.binary_cross_entropy_with_logits(tell(generate(z).detach()), fake)) / 2
        optimizers[1].zero_grad()
        d_loss.backward()
        optimizers[1].step()
        losses["g_loss"].append(g_loss.item())
        losses["d_loss"].append(d_loss.item())
    return losses


def train_gan(model, batches):
    adam = [torch.optim.Adam(part.parameters(), lr=2e-3, betas=(0.5, 0.999)) for part in (model.generator, model.discriminator)]
    return adversarial(model, batches, adam)


def trainer(loss_of, make, clip=0):
    return lambda model, batches: supervised(model, batches, loss_of, make(model), clip)


def cases():
    """name -> model, samples, how it is trained"""
    torch.manual_seed(20)
    text = mixed(17) % 11  # 16 tokens and the one after them
    return {
        "resnet": (Resnet(1, 4, (1, 2), 1, 5), {"x": numbers(1, 8, 8), "y": classes(5)},
                   trainer(classify, lambda m: torch.optim.SGD(m.parameters(), 0.05, 0.9, weight_decay=1e-4, nesterov=True))),
        "lstm": (Lstm(6, 12, 2, 5), {"x": numbers(9, 6), "y": classes(5)},
                 trainer(classify, lambda m: torch.optim.Adam(m.parameters(), 5e-3), clip=0.5)),
        "gpt": (Gpt(11, 16, 24, 3, 2), {"x": text[:, :-1], "y": text[:, 1:]},
                trainer(next_token, lambda m: adamw_on_matrices(m, 3e-3, 0.1, betas=(0.9, 0.99)), clip=1)),
        "encoder": (Encoder(13, 10, 16, 4, 2, 5), {"x": padded(10, 13), "y": classes(5)},
                    trainer(classify, lambda m: torch.optim.AdamW(m.parameters(), 2e-3))),
        "autoencoder": (Autoencoder(1, 4, 8, 6), {"x": numbers(1, 8, 8)},
                        trainer(reconstruct, lambda m: torch.optim.Adam(m.parameters(), 3e-3))),
        "gan": (Gan(20, 16, 6), {"x": numbers(20), "z": numbers(6, start=100)}, train_gan),
        "llama": (Llama(11, 24, 40, 6, 2, 2), {"x": text[:, :-1], "y": text[:, 1:]},
                  trainer(next_token, lambda m: torch.optim.AdamW(m.parameters(), 3e-3, (0.9, 0.95), weight_decay=0.1), clip=1)),
    }


def trace(model, data, train, dtype):
    model = copy.deepcopy(model).to(dtype)
    cast = {name: value.to(dtype) if value.is_floating_point() else value for name, value in data.items()}
    return train(model, steps(lambda rows: {name: value[rows] for name, value in cast.items()}))


# --- writing on -----------------------------------------------------------------------------------------------------------------
def write_on(model, text, count, context):
    """Greedily, with the windows of plugins/models/gpt/generate.c: a full one begins again with its last half. fp64."""
    again = context // 2
    fresh, closest = context - again, float("inf")
    for _ in range(count):
        n = text.shape[1]
        start = 0 if n <= context else (n - 1 - again) // fresh * fresh
        best = model(text[:, start:])[:, -1].topk(2)
        closest = min(closest, (best.values[:, 0] - best.values[:, 1]).min().item())
        text = torch.cat((text, best.indices[:, :1]), 1)
    assert closest > 1e-4, closest  # else fp32 might choose the other
    return text


def write_samples():
    """What a GPT of great weights, so that its text is none that repeats itself, writes on from four samples."""
    torch.manual_seed(7)
    model = Gpt(11, 16, 24, 3, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter *= 15
        save_file(model.state_dict(), HERE / "traces" / "gpt_written.safetensors")
        return write_on(model.double(), tokens(16, 11)[:4], 60, 16).tolist()


def main():
    (HERE / "traces").mkdir(exist_ok=True)
    written = write_samples()
    document = []
    for name, (model, data, train) in cases().items():
        save_file(model.state_dict(), HERE / "traces" / f"{name}.safetensors")
        exact, single = (trace(model, data, train, dtype) for dtype in (torch.float64, torch.float32))
        worst = max(abs(a - b) / abs(b) for key in exact for a, b in zip(single[key], exact[key]))
        print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters, fp32 within {worst:.1e} of fp64")
        assert worst < 3e-6, name  # a trace that is not well conditioned would test nothing at 1e-5
        document.append({"model": name, "losses": single, "losses_fp64": exact})
    write_json("traces.json", made_by("traces.py") | {"written": written}, "cases", document)


if __name__ == "__main__":
    main()
