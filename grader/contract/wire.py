"""What crosses the wall between judge and player: capped frames of plain JSON and safetensors.

A frame is a 16-byte head (magic, version, length of the JSON, length of the tensors), the JSON text and a safetensors
block. Nothing is executed on either side: no pickle, no object, no label crosses. Lengths, counts and dimensions are
checked *before* anything is parsed, because safetensors itself accepts duplicate names, shapes of 2**40 entries and
200,000 empty tensors.

Values are written as a tree of JSON: ``None``, ``bool``, ``int`` and ``str`` stand for themselves, everything else is
an object with a single tag:

=========  =====================================================================================
``f``      a float that JSON lacks: ``nan``, ``inf``, ``-inf``
``l t s``  list, tuple, set: a list of values
``d``      dict, whatever its sort: a list of ``[key, value]`` pairs
``x``      torch.Tensor, by its index in the frame; ``dev`` is the device it belongs on
``n``      numpy array or numpy scalar, by its index in the frame
``dtype``  torch.dtype, by name
``device`` torch.device, by name
``h``      an object that stays in the player, by its number; ``c`` is the name of its class
``p``      an attribute of a loaded module, by its dotted path
``j``      an object that stays in the judge, by its number; ``call``, ``attrs`` say what may be asked of it
``m``      an entry ``k`` of a read-only safetensors file ``m`` that the player maps
=========  =====================================================================================
"""

from __future__ import annotations

import json
import math
import struct
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MAGIC = b"SGW1"
HEAD = struct.Struct("<4sIQ")

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_TAGS = {f"torch.{name}": tag for tag, name in DTYPES.items()}
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class WireError(Exception):
    """A frame that breaks the format or one of the caps; says which."""


class Unsendable(Exception):
    """A value that has no place in a frame; says why."""


@dataclass(frozen=True)
class Caps:
    """Upper bounds of a frame. ``frame_bytes`` bounds JSON and tensors together."""

    frame_bytes: int = 512 * 2**20
    json_bytes: int = 8 * 2**20
    header_bytes: int = 64 * 2**10
    tensors: int = 512
    dims: int = 8
    depth: int = 24
    nodes: int = 400_000
    text: int = 2**20


CAPS = Caps()


@dataclass(frozen=True)
class Frame:
    """A decoded frame: a JSON object and the tensors that it refers to by index."""

    message: dict[str, Any]
    tensors: Sequence[torch.Tensor] = ()


# ---------------------------------------------------------------------------------------------- frames


def pack(frame: Frame, caps: Caps = CAPS) -> bytes:
    """The bytes of a frame. Raises :class:`Unsendable` when it is larger than the caps allow."""
    text = json.dumps(frame.message, allow_nan=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    block = _save(frame.tensors, caps) if frame.tensors else b""
    if len(text) > caps.json_bytes or len(text) + len(block) > caps.frame_bytes:
        raise Unsendable(
            f"the answer is too large: {len(text) + len(block):,} bytes, where {caps.frame_bytes:,} bytes "
            f"({caps.json_bytes:,} of them outside tensors) are allowed"
        )
    return HEAD.pack(MAGIC, len(text), len(block)) + text + block


def unpack(read: Callable[[int], bytes | bytearray], caps: Caps = CAPS) -> Frame:
    """The next frame from ``read``, which returns exactly as many bytes as it is asked for, or raises.

    Raises:
        WireError: for anything that is not a well-formed frame within the caps.
    """
    magic, text_length, block_length = HEAD.unpack(read(HEAD.size))
    if magic != MAGIC:
        raise WireError("the answer does not begin as a frame does")
    if text_length > caps.json_bytes or text_length + block_length > caps.frame_bytes:
        raise WireError(f"the answer announces {text_length + block_length:,} bytes, more than is allowed")
    text = bytes(read(text_length))
    block = read(block_length) if block_length else b""
    return Frame(_parse(text, caps), _load(bytes(block), caps) if block_length else ())


def _parse(text: bytes, caps: Caps) -> dict[str, Any]:
    try:
        message = json.loads(text.decode("utf-8", "surrogatepass"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the answer is no JSON: {type(error).__name__}") from None
    if not isinstance(message, dict):
        raise WireError("the answer is no JSON object")
    for count, (depth, leaf) in enumerate(_walk(message)):
        if count > caps.nodes or depth > 2 * caps.depth + 8:
            raise WireError("the answer has more parts, or is more deeply nested, than is allowed")
        if isinstance(leaf, str) and len(leaf) > caps.text:
            raise WireError(f"the answer holds a text of {len(leaf):,} characters")
    return message


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _walk(tree: object) -> Iterator[tuple[int, object]]:
    stack: list[tuple[int, object]] = [(0, tree)]
    while stack:
        depth, node = stack.pop()
        yield depth, node
        if isinstance(node, dict):
            stack.extend((depth + 1, child) for child in node.values())
        elif isinstance(node, list):
            stack.extend((depth + 1, child) for child in node)


def _save(tensors: Sequence[torch.Tensor], caps: Caps) -> bytes:
    """A safetensors block of contiguous CPU tensors.

    Written here, since safetensors' own ``save`` makes new types of ctypes each time: in a fresh fork, that copies
    hundreds of pages and takes longer than the check.
    """
    if len(tensors) > caps.tensors:
        raise Unsendable(f"the answer holds {len(tensors)} tensors, where {caps.tensors} are allowed")
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    start = 0
    # As in safetensors' own files, long items come first, so that every tensor is aligned to its items.
    for index, tensor in sorted(enumerate(tensors), key=lambda each: -each[1].element_size()):
        data = _bytes_of(tensor)
        place = [start, start + len(data)]
        header[str(index)] = {"dtype": _TAGS[str(tensor.dtype)], "shape": list(tensor.shape), "data_offsets": place}
        parts.append(data)
        start += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, *parts))


def _bytes_of(tensor: torch.Tensor) -> bytes:
    import torch

    data: bytes = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
    return data


def _load(block: bytes, caps: Caps) -> Sequence[torch.Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    count = _check_header(block, caps)
    try:
        loaded = load(block)
    except (SafetensorError, ValueError, RuntimeError, TypeError) as error:
        raise WireError(f"the tensors of the answer cannot be read: {type(error).__name__}") from None
    tensors = [loaded[str(index)] for index in range(count)]
    # A bool of value 2 is neither true nor false to later operations.
    return [t.view(torch.uint8).ne(0) if t.dtype == torch.bool else t for t in tensors]


def _check_header(block: bytes, caps: Caps) -> int:
    """The number of tensors in a safetensors block, after every field of its header was checked."""
    length = int.from_bytes(block[:8], "little") if len(block) >= 8 else -1
    if not 2 <= length <= min(caps.header_bytes, len(block) - 8):
        raise WireError("the tensors of the answer have no valid header")
    try:
        pairs = json.loads(block[8 : 8 + length].decode("utf-8"), object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise WireError("the tensors of the answer have no valid header") from None
    if not _is_object(pairs) or len(pairs) > caps.tensors:
        raise WireError(f"the answer holds more than {caps.tensors} tensors, or no list of them")
    names = [name for name, _ in pairs]
    if sorted(names) != sorted(str(index) for index in range(len(names))):
        raise WireError("the tensors of the answer are not numbered from 0")
    for name, fields in pairs:
        _check_entry(name, fields, caps)
    return len(pairs)


def _is_object(value: Any) -> bool:
    """Whether a value is a JSON object, read as a list of pairs: the only source of tuples."""
    return isinstance(value, list) and all(isinstance(pair, tuple) for pair in value)


def _check_entry(name: str, fields: Any, caps: Caps) -> None:
    entry = dict(fields) if _is_object(fields) else {}
    shape: Any = entry.get("shape")
    offsets: Any = entry.get("data_offsets")
    dtype = entry.get("dtype")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise WireError(f"tensor {name} of the answer has the unknown dtype {str(dtype)[:20]!r}")
    if not _are_sizes(shape) or len(shape) > caps.dims:
        raise WireError(f"tensor {name} of the answer has no valid shape of at most {caps.dims} dimensions")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise WireError(f"tensor {name} of the answer has no valid place")
    if math.prod(shape) * ITEM_BYTES[dtype] != offsets[1] - offsets[0]:
        raise WireError(f"tensor {name} of the answer is not as long as its shape says")


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < 2**48 for size in value)


# ---------------------------------------------------------------------------------------------- values


class Encoder:
    """Turns values into a tree of JSON and a list of tensors.

    ``extend`` is asked about every value that is not plain data; it returns a tagged object, or raises
    :class:`Unsendable`.
    """

    def __init__(self, extend: Callable[[object], dict[str, Any]], caps: Caps = CAPS) -> None:
        self.extend = extend
        self.caps = caps
        self.tensors: list[torch.Tensor] = []
        self.bytes = 0
        self.nodes = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        """The tree of ``value``, which stands ``depth`` levels of JSON below the first."""
        if depth > 2 * self.caps.depth:
            raise Unsendable(f"the value is nested more than {self.caps.depth} deep")
        self.nodes += 1 if value is None or type(value) in _SCALARS else 2
        if self.nodes > self.caps.nodes - self.caps.nodes // 50:  # the rest of the frame has parts, too
            raise Unsendable(f"the value has more than {self.nodes:,} parts")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind in _SCALARS:
            return _SCALARS[kind](self, value)
        if kind in _SEQUENCES:
            return {_SEQUENCES[kind]: [self.encode(item, depth + 2) for item in value]}
        if kind in _DICTS:
            self.nodes += len(value)
            return {"d": [[self._key(key, depth + 3), self.encode(item, depth + 3)] for key, item in value.items()]}
        return self._other(value, depth)

    def _key(self, key: Any, depth: int) -> Any:
        if type(key) in (str, int, float, bool) or key is None:
            return self.encode(key, depth)
        if isinstance(key, tuple):
            return self.encode(tuple(key), depth)
        return self.encode(key, depth) if hasattr(key, "dtype") else self._refuse_key(key)

    @staticmethod
    def _refuse_key(key: Any) -> Any:
        raise Unsendable(f"a dict has a key of type {type(key).__name__}")

    def _text(self, value: str) -> str:
        if len(value) > self.caps.text:
            raise Unsendable(f"a text of {len(value):,} characters is too long")
        return value

    @staticmethod
    def _integer(value: int) -> Any:
        return value if -(2**63) <= value < 2**63 else {"big": "+" if value > 0 else "-"}

    @staticmethod
    def _float(value: float) -> Any:
        return value if math.isfinite(value) else {"f": repr(value)}

    def _other(self, value: Any, depth: int) -> Any:
        import numpy
        import torch

        if isinstance(value, torch.Tensor):
            return {"x": self._add(value), **({"dev": str(value.device)} if value.device.type != "cpu" else {})}
        if isinstance(value, numpy.ndarray | numpy.generic):
            return {"n": self._add(_from_numpy(value))}
        if isinstance(value, torch.Size):
            return {"t": [int(size) for size in value]}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"device": str(value)}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self.encode(tuple(value), depth)
        return self.extend(value)

    def _add(self, tensor: torch.Tensor) -> int:
        import torch

        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type == "meta":
            raise Unsendable("a tensor is sparse, quantized or without data")
        if str(tensor.dtype).removeprefix("torch.") not in DTYPES.values():
            raise Unsendable(f"a tensor has the dtype {tensor.dtype}, which no answer needs")
        self.bytes += tensor.numel() * tensor.element_size()
        if self.bytes > self.caps.frame_bytes or tensor.dim() > self.caps.dims:
            raise Unsendable(f"a tensor of shape {tuple(tensor.shape)} is larger than an answer may be")
        plain = tensor.detach().as_subclass(torch.Tensor)
        self.tensors.append(plain.cpu().clone(memory_format=torch.contiguous_format).resolve_neg())
        return len(self.tensors) - 1


_SCALARS: dict[type, Callable[[Encoder, Any], Any]] = {
    str: Encoder._text,
    int: lambda _, value: Encoder._integer(value),
    float: lambda _, value: Encoder._float(value),
}
_SEQUENCES: dict[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "s"}
_DICTS = (dict, OrderedDict, defaultdict)


def _from_numpy(value: Any) -> torch.Tensor:
    import numpy
    import torch

    try:
        native = value.dtype.newbyteorder("=")
        return torch.from_numpy(numpy.array(value, native, order="C", copy=True, subok=False))
    except TypeError:
        raise Unsendable(f"a numpy array has the dtype {value.dtype}, which no answer needs") from None


class Decoder:
    """Turns a tree of JSON and its tensors back into values.

    ``extend`` is asked about the tags that only one side knows (``h``, ``p``, ``j``, ``m``).
    """

    def __init__(self, tensors: Sequence[torch.Tensor], extend: Callable[[str, dict[str, Any]], Any]) -> None:
        self.tensors = tensors
        self.extend = extend

    def decode(self, tree: Any) -> Any:
        """The value of ``tree``. Raises :class:`WireError` where the tree is not well formed."""
        try:
            return self._decode(tree)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise WireError(f"the answer is not well formed: {type(error).__name__}") from None

    def _decode(self, tree: Any) -> Any:
        if tree is None or isinstance(tree, bool | int | float | str):
            return tree
        if not isinstance(tree, dict) or not tree:
            raise WireError("the answer holds a value without a tag")
        tag = next(iter(tree))
        read = _READERS.get(tag)
        return self.extend(tag, tree) if read is None else read(self, tree[tag], tree)

    def _tensor(self, index: int, tree: dict[str, Any]) -> torch.Tensor:
        tensor = self.tensors[_index(index)]
        device = tree.get("dev")
        moved: torch.Tensor = tensor if device is None else self.extend("dev", {"tensor": tensor, "dev": device})
        return moved

    def _dict(self, pairs: list[Any], _: object) -> dict[Any, Any]:
        return {_hashable(self._decode(key)): self._decode(value) for key, value in pairs}


def _index(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise WireError("the answer refers to a tensor that it does not hold")
    return value


def _hashable(key: Any) -> Any:
    # A tensor or an array is hashed by identity: as a key it would be lost to every look-up. They are known by their
    # types' names, since an attribute of an object that stays in the player cannot be looked for without asking it.
    is_array = type(key).__name__ in ("Tensor", "ndarray")
    return key.item() if is_array and key.ndim == 0 else key


def _named(kind: str) -> Callable[[Decoder, Any, Any], Any]:
    def read(_: Decoder, name: Any, __: object) -> Any:
        import torch

        if kind == "device":
            try:
                return torch.device(str(name))
            except RuntimeError:
                raise WireError("the answer names an unknown device") from None
        # Not getattr, which imports parts of torch that are loaded on demand.
        dtype = vars(torch).get(str(name))
        if not isinstance(dtype, torch.dtype):
            raise WireError("the answer names an unknown dtype")
        return dtype

    return read


def _big(_: Decoder, sign: Any, __: object) -> float:
    return math.inf if sign == "+" else -math.inf


_READERS: dict[str, Callable[[Decoder, Any, Any], Any]] = {
    "f": lambda _, name, __: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[name],
    "big": _big,
    "l": lambda self, items, _: [self._decode(item) for item in items],
    "t": lambda self, items, _: tuple(self._decode(item) for item in items),
    "s": lambda self, items, _: {_hashable(self._decode(item)) for item in items},
    "d": Decoder._dict,
    "x": Decoder._tensor,
    "n": lambda self, index, _: self.tensors[_index(index)].numpy(),
    "dtype": _named("dtype"),
    "device": _named("device"),
}
