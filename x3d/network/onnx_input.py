"""Read what the input of an ONNX model takes, without an engine."""

from dataclasses import dataclass

from x3d.errors import EngineError
from x3d.network.model_file import ModelFile, read_model
from x3d.network.onnx_graph import graph_inputs
from x3d.network.signature import Port, check_names, read_input


@dataclass(frozen=True)
class OnnxInput:
    """The input of an ONNX model.

    Attributes:
        batch_size: None: any.
        view_shape: (3, T, C, C).
        dtype: float32 or float16.
    """

    name: str
    batch_size: int | None
    view_shape: tuple[int, ...]
    dtype: str = "float32"


def read_onnx_input(path: str) -> tuple[ModelFile, OnnxInput]:
    """Read an ONNX model and check its input.

    Raises:
        EngineError: it is no .onnx, is damaged, or has another input than x3d.network.signature allows.
    """
    if not path.lower().endswith(".onnx"):
        raise EngineError(f"model {path}: ATC converts an .onnx; give the file that x3d_pth2onnx.py writes")
    model = read_model(path)
    check_names(path, model.content)
    [(name, (dtype, shape))] = graph_inputs(model.content).items()
    return model, OnnxInput(name, *read_input(path, [Port(name, dtype, shape)]))
