"""Check the inputs and outputs of a model, for all engines alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from x3d.errors import EngineError, InputError, counted, one_line
from x3d.network.onnx_graph import graph_ports
from x3d.video.dtype import DTYPES

REQUIRED = (
    "one input, float32 or float16 (N, 3, T, C, C) of which only N may vary, and one output, float32 (N, classes), are "
    "needed, as x3d_pth2onnx.py exports them"
)


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Attributes:
        dtype: numpy's name of the type, or the engine's where numpy has none.
        shape: None: an axis of any length. Empty: of any shape, or a scalar.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        axes = ", ".join("?" if axis is None else str(axis) for axis in self.shape)
        return f"{one_line(self.name)} {self.dtype} " + (f"({axes})" if axes else "without axes")


def check_names(path: str, content: bytes) -> None:
    """Check that an .onnx is whole and declares one input and one output, whatever an engine makes of others.

    Raises:
        EngineError: it is not, or does not.
    """
    try:
        inputs, outputs = graph_ports(content)
    except InputError as error:
        raise EngineError(
            f"model {path} is damaged or not an ONNX model ({error}); export one with x3d_pth2onnx.py"
        ) from error
    for names, noun in ((inputs, "input"), (outputs, "output")):
        if len(names) != 1:
            listed = f" ({one_line(', '.join(names[:4]))})" if names else ""
            raise EngineError(f"model {path} has {counted(len(names), noun)}{listed}; {REQUIRED}")


def read_input(path: str, ports: Sequence[Port]) -> tuple[int | None, tuple[int, ...], str]:
    """Check a model's inputs.

    Returns:
        The batch size, None if it may vary, the shape of a view, and the type of its values.
    Raises:
        EngineError: not one float32 or float16 of five axes, of which only the first may vary.
    """
    if len(ports) == 1 and ports[0].dtype in DTYPES and len(ports[0].shape) == 5:
        batch_size, *axes = ports[0].shape
        view = tuple(axis for axis in axes if axis)
        if batch_size != 0 and len(view) == len(axes):
            return batch_size, view, ports[0].dtype
    raise EngineError(f"model {path} has {_listed(ports, 'input')}; {REQUIRED}")


def read_output(path: str, ports: Sequence[Port], batch_size: int | None, dtypes: Sequence[str] = ("float32",)) -> int:
    """Check a model's outputs.

    Returns:
        The number of classes.
    Raises:
        EngineError: not one output of two axes, of an allowed type and the input's batch size.
    """
    if len(ports) == 1 and ports[0].dtype in dtypes and len(ports[0].shape) == 2:
        found_size, num_classes = ports[0].shape
        if num_classes and (batch_size is None or found_size in (None, batch_size)):
            return num_classes
    raise EngineError(f"model {path} has {_listed(ports, 'output')}; {REQUIRED}")


def _listed(ports: Sequence[Port], noun: str) -> str:
    if len(ports) == 1:
        return f"the {noun} {ports[0]}"
    return f"{len(ports)} {noun}s" + (f" ({', '.join(map(str, ports[:4]))})" if ports else "")
