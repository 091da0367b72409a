"""Small ONNX models with the input and the output of an exported one, and nothing of X3D between them."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info


def write_onnx(
    path: Path,
    shape: Sequence[int | str] = ("N", 3, 13, 182, 182),
    name: str = "image",
    element: int = TensorProto.FLOAT,
) -> Path:
    """Write a model whose classes are the means of the three channels."""
    mean = make_node("ReduceMean", [name], ["class"], axes=[2, 3, 4], keepdims=0)
    ports = make_tensor_value_info(name, element, shape), make_tensor_value_info("class", element, [shape[0], 3])
    model = make_model(
        make_graph([mean], "g", ports[:1], ports[1:]), opset_imports=[make_opsetid("", 11)], ir_version=7
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
