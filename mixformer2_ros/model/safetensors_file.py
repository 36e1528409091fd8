# Copyright 2026 mixformer2_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The safetensors format with torch alone, for training machines that hold nothing else.

Format (https://github.com/huggingface/safetensors): 8 bytes of header length, little endian; the
header, JSON of name -> dtype, shape and place; the tensors' bytes, little endian, row-major.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MAX_HEADER = 100_000_000


def write_safetensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors, in the order of their names.

    Args:
        tensors: On any device; their dtypes are kept.
        path: File to write.
    """
    header: dict[str, object] = {}
    place = 0
    for name, tensor in sorted(tensors.items()):
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [place, place + size],
        }
        place += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in sorted(tensors.items()):
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            file.write(flat.view(torch.uint8).numpy().tobytes())


def parse_safetensors(content: bytes) -> dict[str, Tensor]:
    """Return all tensors of a file's content.

    Raises:
        ValueError: It is not in the safetensors format, or cut off.
    """
    data = bytearray(content)
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    if len(data) < 8 or length > min(_MAX_HEADER, len(data) - 8):
        raise ValueError("its header is cut off")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: _tensor(data, start, entry, name) for name, entry in header.items()}


def _tensor(data: bytearray, start: int, entry: Mapping, name: str) -> Tensor:
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"{name} has the unknown type {entry['dtype']}")
    dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
    first, last = entry["data_offsets"]
    count = 1
    for side in shape:
        count *= side
    if not 0 <= first <= last <= len(data) - start:
        raise ValueError(f"{name} lies beyond its end: it is cut off")
    if min(shape, default=0) < 0 or last - first != count * dtype.itemsize:
        raise ValueError(f"{name} has another size than its shape {shape}")
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    # A copy, so that every tensor stands at an address fit for its type.
    raw = torch.frombuffer(data, dtype=torch.uint8, count=last - first, offset=start + first)
    return raw.clone().view(dtype).reshape(shape)
