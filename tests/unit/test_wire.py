"""The wire: what goes in comes out, every cap holds, and no frame raises anything but WireError."""

from __future__ import annotations

import json
import math
import struct
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grader.contract.wire import (
    CAPS,
    DTYPES,
    HEAD,
    MAGIC,
    Caps,
    Decoder,
    Encoder,
    Frame,
    Unsendable,
    WireError,
    pack,
    unpack,
)

SMALL = Caps(frame_bytes=4096, json_bytes=1024, header_bytes=512, tensors=3, dims=2, depth=4, nodes=50, text=20)


def refuse(value: object) -> dict[str, Any]:
    raise Unsendable(f"{type(value).__name__} is not plain")


def unknown(tag: str, tree: dict[str, Any]) -> Any:
    raise WireError(f"the unknown tag {tag!r}")


def reader(data: bytes) -> Callable[[int], bytes]:
    place = 0

    def read(count: int) -> bytes:
        nonlocal place
        place += count
        if place > len(data):
            raise EOFError
        return data[place - count : place]

    return read


def sent(value: object, caps: Caps = CAPS) -> bytes:
    encoder = Encoder(refuse, caps)
    tree = encoder.encode(value)
    return pack(Frame({"value": tree}, encoder.tensors), caps)


def received(data: bytes, caps: Caps = CAPS) -> Any:
    frame = unpack(reader(data), caps)
    return Decoder(frame.tensors, unknown).decode(frame.message["value"])


def across(value: object) -> Any:
    return received(sent(value))


def raw(message: bytes = b"{}", block: bytes = b"") -> bytes:
    return HEAD.pack(MAGIC, len(message), len(block)) + message + block


def block(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: Any = "F32", shape: Any = (1,), place: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": place}


def same(one: Any, other: Any) -> bool:
    """Equal in value and exact type, NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


# ---------------------------------------------------------------- round trips

Pair = namedtuple("Pair", "first second")

PLAIN = [
    None,
    True,
    0,
    -(2**63),
    2**63 - 1,
    1.5,
    -0.0,
    math.nan,
    math.inf,
    -math.inf,
    "",
    "Grüße, \u2028 \x00 \ud800",
    [],
    (),
    {},
    set(),
    [1, (2, [3.0, None])],
    {"a": [1], 2: "b", None: 3, True: 4, 2.5: 5, (1, "x"): 6},
    {1, "a", (2, 3)},
    torch.float64,
    torch.bfloat16,
    torch.complex64,
    torch.device("cpu"),
    torch.device("cuda:1"),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_plain_values_come_back_as_they_were(value: object) -> None:
    assert same(across(value), value)


@pytest.mark.parametrize("name", DTYPES.values())
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)])
def test_tensors_come_back_with_dtype_and_shape(name: str, shape: tuple[int, ...]) -> None:
    tensor = (torch.arange(math.prod(shape)).reshape(shape) % 2).to(getattr(torch, name))
    back = across({"x": [tensor]})["x"][0]
    assert back.dtype == tensor.dtype and back.shape == tensor.shape and torch.equal(back, tensor)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?", ">f8", ">i4"])
def test_numpy_arrays_stay_numpy_arrays(dtype: str) -> None:
    array = np.array([[0, 1], [1, 0]], dtype)[::-1].T
    back = across(array)
    assert type(back) is np.ndarray and back.dtype == array.dtype.newbyteorder("=") and np.array_equal(back, array)


@pytest.mark.parametrize("scalar", [np.float32(0.1), np.int64(-3), np.bool_(True), np.array(7)], ids=repr)
def test_numpy_scalars_become_arrays_without_dimensions(scalar: Any) -> None:
    back = across(scalar)
    assert back.shape == () and back.dtype == scalar.dtype and back == scalar


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(12.0)[::3],
        torch.ones(1).expand(5),
        torch.arange(3.0, requires_grad=True),
        torch.nn.Parameter(torch.arange(3.0)),
        torch._neg_view(torch.arange(3.0)),
    ],
    ids=["transposed", "strided", "expanded", "with a graph", "parameter", "negated view"],
)
def test_tensors_of_every_kind_cross_as_plain_contiguous_ones(tensor: torch.Tensor) -> None:
    back = across(tensor)
    assert type(back) is torch.Tensor and back.is_contiguous() and not back.requires_grad
    assert torch.equal(back, tensor.detach())


def test_a_tensor_that_is_sent_twice_arrives_as_two() -> None:
    tensor = torch.zeros(2)
    first, second = across([tensor, tensor])
    first += 1
    assert second.tolist() == [0, 0] and tensor.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (torch.Size([2, 3]), (2, 3)),
        (Pair(1, [2]), (1, [2])),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (frozenset({1, 2}), {1, 2}),
        ({np.int64(3): 1, torch.tensor(4): 2}, {3: 1, 4: 2}),
        ({torch.tensor(1.5), np.float64(2.5)}, {1.5, 2.5}),
        (2**63, math.inf),
        (-(2**63) - 1, -math.inf),
    ],
    ids=repr,
)
def test_relatives_of_plain_data_become_plain(value: object, plain: object) -> None:
    assert same(across(value), plain)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(-5, 5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
@settings(max_examples=200, deadline=None)
def test_any_plain_structure_comes_back_as_it_was(value: object) -> None:
    assert same(across(value), value)


# ---------------------------------------------------------------- what cannot be sent


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def nested(depth: int, make: Callable[[Any], Any]) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = make(value)
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "object is not plain"),
        (1j, "complex is not plain"),
        ({object(): 1}, "a key of type object"),
        (torch.ones(2, dtype=torch.complex64), "complex64"),
        (np.ones(2, np.complex128), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([object()]), "object"),
        (np.array([1], np.uint32), "uint32"),
        (torch.ones(2).to_sparse(), "sparse"),
        (torch.ones(2, device="meta"), "without data"),
        (torch.ones(9 * [1]), "larger"),
        (np.ones(9 * [1]), "larger"),
        (torch.ones(1).expand(2**40), "larger"),
        (circle(), "nested"),
        ("x" * (CAPS.text + 1), "too long"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 50 else type(value).__name__,
)
def test_what_has_no_place_in_a_frame_is_named(value: object, said: str) -> None:
    with pytest.raises(Unsendable, match=said):
        sent(value)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ([torch.ones(1)] * 3, True),
        ([torch.ones(1)] * 4, False),
        (torch.ones(900), True),
        (torch.ones(1025), False),
        ([torch.ones(600), torch.ones(600)], False),
        (["x" * 20] * 40, True),
        ([[0] * 10] * 3, True),
        ([[0] * 10] * 5, False),
        ([{}] * 23, True),
        ([{}] * 25, False),
        (dict.fromkeys(range(15), 0), True),
        (dict.fromkeys(range(17), 0), False),
    ],
    ids=str,
)
def test_a_frame_larger_than_the_caps_is_not_sent(value: object, fits: bool) -> None:
    if fits:
        assert received(sent(value, SMALL), SMALL) is not None
    else:
        with pytest.raises(Unsendable):
            sent(value, SMALL)


@pytest.mark.parametrize(
    "make",
    [
        lambda depth: nested(depth, lambda value: [value]),
        lambda depth: nested(depth, lambda value: {"k": value}),
        lambda depth: {nested(depth, lambda value: (value,)): nested(depth, lambda value: {"k": value})},
    ],
    ids=["lists", "dicts", "keys"],
)
def test_the_deepest_value_that_can_be_sent_can_be_read(make: Callable[[int], Any]) -> None:
    for depth in range(40):
        try:
            data = sent(make(depth))
        except Unsendable:
            break
        assert same(received(data), make(depth))
    assert 12 <= depth < 39


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (HEAD.pack(b"SGW2", 2, 0) + b"{}", "begin"),
        (HEAD.pack(MAGIC, SMALL.json_bytes + 1, 0), "announces"),
        (HEAD.pack(MAGIC, 2, SMALL.frame_bytes - 1), "announces"),
        (HEAD.pack(MAGIC, 2, 2**64 - 1), "announces"),
        (raw(b"[]"), "no JSON object"),
        (raw(b""), "no JSON"),
        (raw(b"{"), "no JSON"),
        (raw(b"\xff"), "no JSON"),
        (raw(b'{"a":NaN}'), "no JSON"),
        (raw(b'{"a":-Infinity}'), "no JSON"),
        (raw(b'{"a":' + b"[" * 17 + b"]" * 17 + b"}"), "deeply"),
        (raw(json.dumps({"a": [0] * 60}).encode()), "more parts"),
        (raw(json.dumps({"a": "x" * 21}).encode()), "21 characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_frames_and_texts_beyond_a_cap_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        unpack(reader(data), SMALL)


@pytest.mark.parametrize("message", [b"[" * 200_000, b'{"a":' + b"9" * 5000 + b"}"], ids=["nesting", "digits"])
def test_hostile_json_is_refused_before_it_costs_anything(message: bytes) -> None:
    with pytest.raises(WireError):
        unpack(reader(raw(message)))


def test_a_huge_frame_is_refused_before_it_is_read() -> None:
    asked: list[int] = []

    def read(count: int) -> bytes:
        asked.append(count)
        return HEAD.pack(MAGIC, 2, CAPS.frame_bytes)

    with pytest.raises(WireError):
        unpack(read)
    assert asked == [HEAD.size]


TWICE = b'{"0":%s,"0":%s}' % (json.dumps(entry()).encode(), json.dumps(entry()).encode())


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"1234567", "no valid header"),
        (struct.pack("<Q", 2**63) + b"{}", "no valid header"),
        (struct.pack("<Q", 3) + b"{}", "no valid header"),
        (block(b"{}" + b" " * 600), "no valid header"),
        (block(b"\xff\xff"), "no valid header"),
        (block(b"{x}"), "no valid header"),
        (block([1]), "tensors"),
        (block([[1, 2], ["0", 3]]), "tensors"),
        (block("ab"), "tensors"),
        (block(12), "tensors"),
        (block({str(i): entry("U8", (0,), (0, 0)) for i in range(4)}), "more than 3"),
        (block(TWICE, b"1234"), "numbered"),
        (block({"1": entry()}, b"1234"), "numbered"),
        (block({"x": entry()}, b"1234"), "numbered"),
        (block({"__metadata__": {}, "0": entry()}, b"1234"), "numbered"),
        (block({"0": 5}), "dtype"),
        (block({"0": entry("F8_E4M3", (4,))}, b"1234"), "dtype"),
        (block({"0": entry([])}, b"1234"), "dtype"),
        (block({"0": entry(None)}, b"1234"), "dtype"),
        (block({"0": entry("U8", (1, 1, 1), (0, 1))}, b"1"), "2 dimensions"),
        (block({"0": entry(shape=(-1,))}, b"1234"), "shape"),
        (block({"0": entry(shape=(True,))}, b"1234"), "shape"),
        (block({"0": entry(shape=(1.0,))}, b"1234"), "shape"),
        (block({"0": entry(shape="1")}, b"1234"), "shape"),
        (block({"0": entry(shape=(2**40, 2**40), place=(0, 2**82))}), "place"),
        (block({"0": entry(shape=(2**50,), place=(0, 4))}, b"1234"), "shape"),
        (block({"0": entry(place=(0, 4, 8))}, b"1234"), "place"),
        (block({"0": entry(place=None)}, b"1234"), "place"),
        (block({"0": entry(place=(4, 0))}, b"1234"), "as long"),
        (block({"0": entry(shape=(2,))}, b"1234"), "as long"),
        (block({"0": entry(place=(4, 8))}, b"12345678"), "cannot be read"),
        (block({"0": entry(place=(4, 8)), "1": entry(place=(4, 8))}, b"12345678"), "cannot be read"),
        (block({"0": entry()}, b"12345678"), "cannot be read"),
        (block({"0": entry()}, b"12"), "cannot be read"),
        (block({"0": entry(shape={})}, b"1234"), "cannot be read"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_blocks_of_tensors_that_are_not_well_formed_are_refused(bad: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        unpack(reader(raw(block=bad)), SMALL)


def test_a_shape_whose_size_overflows_is_refused() -> None:
    with pytest.raises(WireError):
        unpack(reader(raw(block=block({"0": entry(shape=(0, 2**47, 2**47), place=(0, 0))}))))


def test_a_bool_of_value_2_becomes_true() -> None:
    frame = unpack(reader(raw(block=block({"0": entry("BOOL", (3,), (0, 3))}, b"\x00\x01\x02"))))
    assert frame.tensors[0].view(torch.uint8).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "tree",
    [
        {},
        [],
        [1],
        {"f": "1"},
        {"f": []},
        {"l": 5},
        {"s": [{"l": []}]},
        {"s": [{"d": []}]},
        {"d": 5},
        {"d": [[1]]},
        {"d": [[{"l": [1]}, 2]]},
        {"x": 1},
        {"x": -1},
        {"x": False},
        {"x": 0.0},
        {"x": "0"},
        {"n": 0},
        {"n": -1},
        {"dtype": "nn"},
        {"dtype": "_dynamo"},
        {"dtype": "\ud800"},
        {"device": "toaster"},
        {"device": "cuda:99999999999999999999"},
        {"device": None},
        {"q": 1},
    ],
    ids=repr,
)
def test_trees_that_are_not_well_formed_are_refused(tree: object) -> None:
    with pytest.raises(WireError):
        Decoder([torch.ones(2, dtype=torch.bfloat16)], unknown).decode(tree)


class Distant:
    """Stands for an object that stays in the player: looking at it is a question to the player."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


def test_an_object_of_the_player_is_not_asked_anything_while_it_is_decoded() -> None:
    distant = Distant()
    decoder = Decoder([], lambda tag, tree: distant)
    assert decoder.decode({"s": [{"h": 0}]}) == {distant}
    assert decoder.decode({"d": [[{"h": 0}, {"h": 0}]]}) == {distant: distant}


# ---------------------------------------------------------------- fuzz


def only_wire_errors(data: bytes, caps: Caps = CAPS) -> None:
    def extend(tag: str, tree: dict[str, Any]) -> Any:
        if tag == "h":
            return object()
        raise WireError("unknown tag")

    try:
        frame = unpack(reader(data), caps)
        Decoder(frame.tensors, extend).decode(frame.message.get("value"))
    except (WireError, EOFError):
        pass


RICH = sent(
    {
        "a": torch.arange(6.0).reshape(2, 3),
        "b": [np.arange(3), (1, 2.5, math.nan)],
        3: {True, None, "x"},
        "c": [torch.float32, torch.device("cuda:0"), torch.tensor([True, False]), 2**70],
    }
)

mutations = st.lists(
    st.tuples(st.integers(0, len(RICH) - 1), st.integers(0, 3), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=6,
)


@given(mutations)
@settings(max_examples=250, deadline=None)
def test_mutated_frames_raise_only_wire_errors(changes: list[tuple[int, int, bytes]]) -> None:
    data = bytearray(RICH)
    for place, removed, added in changes:
        data[place : place + removed] = added
    only_wire_errors(bytes(data))


tags = st.sampled_from(["f", "big", "l", "t", "s", "d", "x", "n", "dtype", "device", "h", "dev", "?"])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["nan", "cuda", "float32", "0", "", "+"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tags, inner, min_size=1, max_size=2),
    max_leaves=12,
)


@given(st.dictionaries(tags, json_values, min_size=1, max_size=2))
@settings(max_examples=250, deadline=None)
@example({"device": "+"})
@example({"t": [{"x": 0, "dev": "cuda"}]})
def test_random_trees_raise_only_wire_errors(tree: dict[str, Any]) -> None:
    only_wire_errors(raw(json.dumps({"value": tree}).encode(), block({"0": entry()}, b"1234")))


fields = st.sampled_from(["F32", "BOOL", "U8", "", [], {}, None, 1, [0, 4], [4], [0, 0], [1], [-1], [2**47], "1"])
headers = (
    st.dictionaries(
        st.sampled_from(["0", "1", "2", "__metadata__", ""]),
        st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "x"]), fields) | fields,
        max_size=3,
    )
    | st.lists(fields, max_size=3)
    | fields
)


@given(headers, st.binary(max_size=8))
@settings(max_examples=250, deadline=None)
def test_random_headers_raise_only_wire_errors(header: object, data: bytes) -> None:
    only_wire_errors(raw(block=block(header, data)))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=40))
@settings(max_examples=100, deadline=None)
def test_random_bytes_raise_only_wire_errors(text: int, tensors: int, rest: bytes) -> None:
    only_wire_errors(HEAD.pack(MAGIC, text, tensors) + rest)
    only_wire_errors(raw(rest, rest))
