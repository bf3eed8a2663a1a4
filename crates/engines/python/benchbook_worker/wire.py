"""The wire (ARCHITECTURE.md, "The wire"): frames of a JSON header and the bytes of arrays. The standard library serves."""

import json
import math
import struct
import sys
from dataclasses import dataclass

PROTOCOL = 3
MAGIC = b"bbw3"
HEAD = struct.Struct("<4sIQ")  # the magic, bytes of the header, bytes of the body
BYTES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "i64": 8, "i32": 4, "i8": 1, "u8": 1, "bool": 1}


@dataclass
class Array:
    """Elements in row-major order, little-endian, of a dtype by its name on the wire."""

    dtype: str
    shape: tuple
    data: bytearray


def arrays_of(header, body):
    """The arrays of a frame by their names: each lies in the body, after the one before it, or in a file."""
    arrays, at = {}, 0
    for told in header.get("arrays", []):
        if told["dtype"] not in BYTES:
            raise ValueError(f"the array `{told['name']}` is {told['dtype']}, which this worker cannot read")
        size = BYTES[told["dtype"]] * math.prod(told["shape"])
        if "file" in told:
            data = bytearray(size)
            with open(told["file"], "rb") as file:
                file.seek(told["at"])
                if file.readinto(data) != size:
                    raise ValueError(f"the file of the array `{told['name']}` is too short")
        else:
            data, at = bytearray(body[at : at + size]), at + size
        arrays[told["name"]] = Array(told["dtype"], tuple(told["shape"]), data)
    return arrays


def receive(pipe):
    """The next frame: its header and its arrays; nothing once the controller is gone."""
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    magic, header_bytes, body_bytes = HEAD.unpack(head)
    if magic != MAGIC:
        sys.exit(f"a frame begins with {MAGIC.decode()}, not with {magic}")
    header = json.loads(pipe.read(header_bytes))
    return header, pipe.read(body_bytes)


def send(pipe, header, arrays=()):
    """Sends a frame; `arrays` are pairs of a name, which may be empty, and an `Array`."""
    told = [{"name": name, "dtype": array.dtype, "shape": list(array.shape)} for name, array in arrays]
    text = json.dumps({**header, "arrays": told}).encode()
    pipe.write(HEAD.pack(MAGIC, len(text), sum(len(array.data) for _, array in arrays)) + text)
    for _, array in arrays:
        pipe.write(array.data)
    pipe.flush()
