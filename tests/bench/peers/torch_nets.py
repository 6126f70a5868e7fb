# SPDX-License-Identifier: Apache-2.0
"""The rows' models in PyTorch, as its users write them. Names of parameters are those of the plugins, so that lthost's weights
load. Each: make(row) -> (module, loss), with loss(module, *batch) the mean loss of a batch."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class MLP(nn.Module):
    def __init__(self, inputs, hidden, classes=10):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, classes)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        for i in range(1, 5):
            first = Residual(widths[i - 1], widths[i], 1 if i == 1 else 2)
            setattr(self, f"layer{i}", nn.Sequential(first, Residual(widths[i], widths[i], 1)))
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width, heads, bias):
        super().__init__()
        self.c_attn, self.c_proj, self.heads = nn.Linear(width, 3 * width, bias), nn.Linear(width, width, bias), heads

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in self.c_attn(x).split(C, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self, width, heads, bias):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, bias=bias), nn.LayerNorm(width, bias=bias)
        self.attn = Attention(width, heads, bias)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width, bias), "c_proj": nn.Linear(4 * width, width, bias)})

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary, context, layers, heads, width, bias):
        super().__init__()
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(vocabulary, width), "wpe": nn.Embedding(context, width),
            "h": nn.ModuleList(Block(width, heads, bias) for _ in range(layers)), "ln_f": nn.LayerNorm(width, bias=bias)})

    def forward(self, tokens):
        t = self.transformer
        x = t["wte"](tokens) + t["wpe"](torch.arange(tokens.shape[1]))
        for block in t["h"]:
            x = block(x)
        return F.linear(t["ln_f"](x), t["wte"].weight)


class LSTM(nn.Module):
    def __init__(self, inputs, hidden, layers):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(inputs, hidden, layers, batch_first=True), nn.Linear(hidden, 10)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class ViT(nn.Module):
    def __init__(self, width, heads, layers, patch, side):
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (side // patch) ** 2, width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.encoder(x)[:, 0])


class UNetBlock(nn.Module):
    def __init__(self, inputs, outputs, time, attentive):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(32, inputs), nn.GroupNorm(32, outputs)
        self.conv1, self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.time = nn.Linear(time, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attentive = attentive
        if attentive:
            self.norm = nn.GroupNorm(32, outputs)
            self.qkv, self.proj = nn.Linear(outputs, 3 * outputs), nn.Linear(outputs, outputs)

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(time))[:, :, None, None]
        x = self.conv2(F.silu(self.norm2(h))) + self.shortcut(x)
        if self.attentive:
            B, C, H, W = x.shape
            q, k, v = self.qkv(self.norm(x).flatten(2).transpose(1, 2)).view(B, 1, H * W, 3 * C).split(C, 3)
            h = self.proj(F.scaled_dot_product_attention(q, k, v).reshape(B, H * W, C))
            x = x + h.transpose(1, 2).reshape(B, C, H, W)
        return x


class UNet(nn.Module):
    def __init__(self, C):
        super().__init__()
        widths, kept, now = (C, 2 * C, 2 * C, 2 * C), [C], C
        self.C, self.time1, self.time2 = C, nn.Linear(C, 4 * C), nn.Linear(4 * C, 4 * C)
        self.conv_in = nn.Conv2d(3, C, 3, padding=1)
        self.down, self.smaller = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(widths):
            self.down.append(nn.ModuleList())
            for _ in range(2):
                self.down[i].append(UNetBlock(now, width, 4 * C, i == 1))
                now = width
                kept.append(now)
            if i < 3:
                self.smaller.append(nn.Conv2d(now, now, 3, 2, 1))
                kept.append(now)
        self.mid = nn.ModuleList([nn.ModuleList([UNetBlock(now, now, 4 * C, True), UNetBlock(now, now, 4 * C, False)])])
        self.up, self.larger = nn.ModuleList(nn.ModuleList() for _ in widths), nn.ModuleList(nn.Identity() for _ in widths)
        for i in (3, 2, 1, 0):
            for _ in range(3):
                self.up[i].append(UNetBlock(now + kept.pop(), widths[i], 4 * C, i == 1))
                now = widths[i]
            if i:
                self.larger[i] = nn.Conv2d(now, now, 3, padding=1)
        self.norm_out, self.conv_out = nn.GroupNorm(32, now), nn.Conv2d(now, 3, 3, padding=1)

    def forward(self, x, t):
        half = self.C // 2
        angle = t[:, None] * torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
        time = self.time2(F.silu(self.time1(torch.cat([angle.sin(), angle.cos()], 1))))
        x = self.conv_in(x)
        kept = [x]
        for i in range(4):
            for block in self.down[i]:
                x = block(x, time)
                kept.append(x)
            if i < 3:
                x = self.smaller[i](x)
                kept.append(x)
        for block in self.mid[0]:
            x = block(x, time)
        for i in (3, 2, 1, 0):
            for block in self.up[i]:
                x = block(torch.cat([x, kept.pop()], 1), time)
            if i:
                x = self.larger[i](F.interpolate(x, scale_factor=2, mode="nearest"))
        return self.conv_out(F.silu(self.norm_out(x)))


def classes(module, x, y):
    return F.cross_entropy(module(x), y)


def tokens(module, x, y):
    return F.cross_entropy(module(x).flatten(0, 1), y.flatten())


def noise(module, x, noise_, t):
    t = t.float()
    u = t[:, None, None, None] / 1000
    a = torch.exp(-(0.1 * u + 9.95 * u.square()))
    return F.mse_loss(module(x * a.sqrt() + noise_ * (1 - a).sqrt(), t), noise_)


def make(row):
    m = {key: value for key, value in row["model"].items()}
    shape = [int(n) for n in row["data"]["shape"].split(",")]
    n = lambda key: int(m[key])
    makers = {
        "bench_mlp": lambda: (MLP(shape[0], n("hidden")), classes),
        "bench_lenet": lambda: (LeNet(), classes),
        "resnet": lambda: (ResNet18(), classes),
        "gpt": lambda: (GPT(int(row["data"]["classes"]), n("context"), n("layers"), n("heads"), n("width"),
                            m.get("bias", "false") == "true"), tokens),
        "lstm": lambda: (LSTM(shape[1], n("hidden"), n("layers")), classes),
        "bench_vit": lambda: (ViT(n("width"), n("heads"), n("layers"), n("patch"), shape[1]), classes),
        "bench_unet": lambda: (UNet(n("width")), noise),
    }
    return makers[m["use"]]()
