# SPDX-License-Identifier: Apache-2.0
"""The batches of plugins/data (bench_data), bit for bit, and the weights that lthost begins with."""
import configparser
import json

import numpy as np

STREAM_X, STREAM_Y, STREAM_NOISE = range(3)


def words(stream, count):
    z = (np.uint64(stream << 40) + np.arange(1, count + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return z ^ z >> np.uint64(31)


def floats(stream, shape):
    numbers = (words(stream, int(np.prod(shape))) >> np.uint64(40)).astype(np.float32)
    return ((numbers - np.float32(8388608)) / np.float32(4194304)).reshape(shape)


def whole(stream, count, below):
    return (words(stream, count) % np.uint64(below)).astype(np.int64)


def read_row(path):
    """A run file as a dictionary of sections."""
    file = configparser.ConfigParser(comment_prefixes=(";",))
    file.read(path)
    return {name: dict(file[name]) for name in file.sections()}


def batches(row):
    """The batches that differ, in their order, each a tuple of fields."""
    data = row["data"]
    shape = [int(n) for n in data["shape"].split(",")]
    samples, size, classes = int(data["samples"]), int(data["batch_size"]), int(data.get("classes", 10))
    kind = data.get("kind", "images")
    if kind == "tokens":
        text = whole(STREAM_X, samples * (shape[0] + 1), classes).reshape(samples, shape[0] + 1)
        fields = [np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])]
    else:
        fields = [floats(STREAM_X, [samples] + shape)]
        if kind == "diffusion":
            fields.append(floats(STREAM_NOISE, [samples] + shape))
        fields.append(whole(STREAM_Y, samples, classes))
    return [tuple(f[i:i + size] for f in fields) for i in range(0, samples, size)]


def read_weights(path):
    """A .safetensors file: its tensors by name."""
    kinds = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "I32": np.int32}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(body[t["data_offsets"][0]:t["data_offsets"][1]], kinds[t["dtype"]]).reshape(t["shape"]).copy()
            for name, t in header.items()}
