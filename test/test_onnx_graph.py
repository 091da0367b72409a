"""Names of inputs and outputs, read from the bytes of an ONNX model."""

import contextlib
import random

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_tensor_value_info

from x3d.errors import InputError
from x3d.network.onnx_graph import graph_inputs, graph_ports


def model(inputs: list[str], outputs: list[str], constants: list[str]) -> bytes:
    ports = {name: make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in (*inputs, *outputs)}
    nodes = [make_node("Sum", inputs, [name]) for name in outputs]
    values = [onnx.numpy_helper.from_array(np.ones(300, np.float32), name) for name in constants]
    graph = make_graph(nodes, "g", [ports[name] for name in inputs], [ports[name] for name in outputs], values)
    found: bytes = make_model(graph).SerializeToString()
    return found


@pytest.mark.parametrize(
    ("inputs", "outputs", "constants", "expected"),
    [
        (["a"], ["b"], [], (["a"], ["b"])),
        (["a", "w"], ["b"], ["w"], (["a"], ["b"])),
        (["a", "b" * 200], ["c", "d"], ["w"], (["a", "b" * 200], ["c", "d"])),
    ],
)
def test_constants_are_no_inputs(inputs, outputs, constants, expected):
    assert graph_ports(model(inputs, outputs, constants)) == expected


def test_an_exported_model_has_one_of_each(small_onnx):
    assert graph_ports(small_onnx.read_bytes()) == (["image"], ["class"])


def test_what_is_cut_short_is_an_error():
    content = model(["a"], ["b"], ["w"])
    for size in range(len(content) - 20):
        with pytest.raises(ValueError, match="it "):
            graph_ports(content[:size])


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 30, b"\x08\x07", b"\x3a\x00", b"\x0b\x0c"])
def test_what_is_no_model_is_an_error(content):
    with pytest.raises(ValueError, match="it "):
        graph_ports(content)


def test_random_bytes_and_changes_end_in_a_result_or_an_error():
    draw = random.Random(0)
    content = bytearray(model(["a"], ["b"], ["w"]))
    for _ in range(2000):
        changed = bytearray(content)
        for _ in range(draw.randint(1, 4)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        try:
            inputs, outputs = graph_ports(bytes(changed))
        except ValueError:
            continue
        assert all(isinstance(name, str) for name in [*inputs, *outputs])


@pytest.mark.parametrize(
    ("element", "shape", "expected"),
    [
        (TensorProto.FLOAT, ["N", 3, 13, 182, 182], ("float32", (None, 3, 13, 182, 182))),
        (TensorProto.FLOAT16, [8, 3, 13, 160, 160], ("float16", (8, 3, 13, 160, 160))),
        (TensorProto.INT64, [-1, 300], ("ONNX's type 7", (None, 300))),
        (TensorProto.DOUBLE, [], ("float64", ())),
        (TensorProto.FLOAT, None, ("float32", ())),
    ],
)
def test_type_and_shape_of_an_input(element, shape, expected):
    ports = [make_tensor_value_info(name, element, shape) for name in ("a", "b")]
    content = make_model(
        make_graph([make_node("Identity", ["a"], ["b"])], "g", ports[:1], ports[1:])
    ).SerializeToString()
    assert graph_inputs(content) == {"a": expected}


def test_the_exported_model_s_input(small_onnx):
    assert graph_inputs(small_onnx.read_bytes()) == {"image": ("float32", (None, 3, 4, 40, 40))}


def test_a_constant_has_no_type():
    assert list(graph_inputs(model(["a", "w"], ["b"], ["w"]))) == ["a"]


def test_damaged_types_are_an_error_or_read():
    content, generator = model(["a" * 30], ["b"], []), random.Random(0)
    for _ in range(2000):
        damaged = bytearray(content)
        damaged[generator.randrange(len(content))] = generator.randrange(256)
        with contextlib.suppress(InputError):
            graph_inputs(bytes(damaged))
