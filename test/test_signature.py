"""Inputs and outputs that a model may have, through every engine that opens ONNX."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from x3d.errors import EngineError
from x3d.network.engine import open_engine, run_batch
from x3d.network.model_file import read_model

FLOAT, HALF, BYTE, INT = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT64
VIEWS = ("batch", 3, 4, 8, 8)
MEAN = make_node("ReduceMean", ["image"], ["class"], axes=[2, 3, 4], keepdims=0)


def value(name: str, shape: Sequence[str | int], dtype: int = FLOAT) -> onnx.ValueInfoProto:
    return make_tensor_value_info(name, dtype, shape)


def write(path: Path, nodes, inputs, outputs, initializers=()) -> str:
    model = make_model(
        make_graph(nodes, "g", inputs, outputs, list(initializers)), opset_imports=[make_opsetid("", 11)]
    )
    model.ir_version = 7
    path.write_bytes(model.SerializeToString())
    return str(path)


def cast(name: str, to: int, then: str = "class"):
    return make_node("Cast", [name], [then], to=to)


IMAGE, CLASS = value("image", VIEWS), value("class", ("batch", 3))
MEAN_OF_X = make_node("ReduceMean", ["x"], ["class"], axes=[2, 3, 4], keepdims=0)

REJECTED = {
    "uint8 views": (
        [cast("image", FLOAT, "x"), MEAN_OF_X],
        [value("image", VIEWS, BYTE)],
        [CLASS],
        "input image uint8",
    ),
    "float64 views": (
        [cast("image", FLOAT, "x"), MEAN_OF_X],
        [value("image", VIEWS, TensorProto.DOUBLE)],
        [CLASS],
        "input image float64",
    ),
    "frames vary": ([MEAN], [value("image", ("batch", 3, "t", 8, 8))], [CLASS], r"float32 \(\?, 3, \?, 8, 8\)"),
    "four axes": (
        [make_node("ReduceMean", ["image"], ["class"], axes=[2, 3], keepdims=0)],
        [value("image", ("batch", 3, 8, 8))],
        [CLASS],
        r"the input image float32 \(\?, 3, 8, 8\)",
    ),
    "two inputs": (
        [make_node("Add", ["image", "more"], ["x"]), MEAN_OF_X],
        [IMAGE, value("more", VIEWS)],
        [CLASS],
        "2 inputs .image, more.",
    ),
    "an input that nothing uses": ([MEAN], [IMAGE, value("more", VIEWS)], [CLASS], "2 inputs .image, more."),
    "no input": (
        [make_node("Constant", [], ["class"], value=onnx.numpy_helper.from_array(np.ones((1, 3), np.float32)))],
        [],
        [CLASS],
        "0 inputs",
    ),
    "two outputs": (
        [MEAN, make_node("Identity", ["class"], ["more"])],
        [IMAGE],
        [CLASS, value("more", ("batch", 3))],
        "2 outputs",
    ),
    "float16 scores": (
        [make_node("ReduceMean", ["image"], ["x"], axes=[2, 3, 4], keepdims=0), cast("x", HALF)],
        [IMAGE],
        [value("class", ("batch", 3), HALF)],
        "output class float16",
    ),
    "class numbers": (
        [
            make_node("ReduceMean", ["image"], ["x"], axes=[2, 3, 4], keepdims=0),
            make_node("ArgMax", ["x"], ["class"], axis=1),
        ],
        [IMAGE],
        [value("class", ("batch", 1), INT)],
        "output class int64",
    ),
    "four axes of scores": (
        [make_node("ReduceMean", ["image"], ["class"], axes=[2])],
        [IMAGE],
        [value("class", ("batch", 3, 1, 8, 8))],
        r"output class float32 \(.*, 3, 1, 8, 8\)",
    ),
    "a scalar": (
        [make_node("ReduceMean", ["image"], ["class"], keepdims=0)],
        [IMAGE],
        [value("class", ())],
        "without axes",
    ),
}


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("case", REJECTED)
def test_other_inputs_and_outputs_are_rejected_by_every_engine_alike(case, engine, tmp_path):
    nodes, inputs, outputs, found = REJECTED[case]
    path = write(tmp_path / "x.onnx", nodes, inputs, outputs)
    needed = r"one input, float32 or float16 \(N, 3, T, C, C\) .* and one output, float32 \(N, classes\), are needed"
    with pytest.raises(EngineError, match=rf"x\.onnx has .*{found}.*; {needed}"):
        open_engine(read_model(path), engine)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("batch_size", ["batch", 2])
def test_a_float16_input_gets_the_nearest_float16(batch_size, engine, tmp_path):
    inputs, outputs = [value("image", (batch_size, *VIEWS[1:]), HALF)], [value("class", (batch_size, 3))]
    path = write(tmp_path / "x.onnx", [cast("image", FLOAT, "x"), MEAN_OF_X], inputs, outputs)
    opened = open_engine(read_model(path), engine)
    assert (opened.input_dtype, opened.view_shape, opened.num_classes) == ("float16", VIEWS[1:], 3)
    batch = np.full((2, *VIEWS[1:]), 2.0004, np.float32)
    batch[1] = 2.0016
    assert run_batch(opened, batch)[:, 0].tolist() == [2, 2 + 2**-9], "2 and 2 + 2^-9 are neighbours"
    assert run_batch(opened, batch.astype(np.float16))[:, 0].tolist() == [2, 2 + 2**-9]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_float32_input_gets_float32(engine, tmp_path):
    opened = open_engine(read_model(write(tmp_path / "x.onnx", [MEAN], [IMAGE], [CLASS])), engine)
    assert opened.input_dtype == "float32"
    halves = np.full((2, *VIEWS[1:]), 0.5, np.float16)
    assert run_batch(opened, halves).tolist() == [[0.5] * 3] * 2


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("batch_size", ["batch", 2])
def test_the_number_of_classes_need_not_be_stated(batch_size, engine, tmp_path):
    untyped = onnx.ValueInfoProto(name="class")
    untyped.type.tensor_type.elem_type = FLOAT
    opened = open_engine(
        read_model(write(tmp_path / "x.onnx", [MEAN], [value("image", (batch_size, *VIEWS[1:]))], [untyped])), engine
    )
    assert (opened.batch_size, opened.num_classes) == (None if batch_size == "batch" else 2, 3)
    assert run_batch(opened, np.ones((2, *VIEWS[1:]), np.float32)).tolist() == [[1, 1, 1]] * 2


def test_an_output_whose_shape_depends_on_the_values_is_an_engine_error(tmp_path):
    """One row of scores for each view whose mean is not zero."""
    nodes = [
        make_node("ReduceMean", ["image"], ["x"], axes=[2, 3, 4], keepdims=0),
        make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=0),
        cast("mean", TensorProto.BOOL, "keep"),
        make_node("Compress", ["x", "keep"], ["class"], axis=0),
    ]
    opened = open_engine(
        read_model(write(tmp_path / "x.onnx", nodes, [IMAGE], [value("class", ("rows", 3))])), "onnxruntime"
    )
    batch = np.ones((2, *VIEWS[1:]), np.float32)
    assert run_batch(opened, batch).shape == (2, 3)
    batch[1] = 0
    with pytest.raises(EngineError, match=r"onnxruntime returned float32 \(1, 3\) for a batch, not float32 \(2, 3\)"):
        run_batch(opened, batch)
