"""Read the names of an ONNX model's inputs and outputs, and the types of the former, from its bytes.

An engine may drop an input that nothing uses. The onnx package takes as long to import as an engine to open a model.
"""

from collections.abc import Iterator

from x3d.errors import InputError

GRAPH = 7
"""Field of ModelProto."""
INITIALIZER, INPUT, OUTPUT = 5, 11, 12
"""Fields of GraphProto, of messages TensorProto and ValueInfoProto."""
NAME = {INITIALIZER: 8, INPUT: 1, OUTPUT: 1}
"""Field of those messages."""
TYPE, TENSOR, ELEMENT, SHAPE, AXIS, LENGTH = 2, 1, 1, 2, 1, 1
"""Fields from ValueInfoProto down: TypeProto, its tensor, type of the elements, shape, an axis of it, its length."""
ELEMENT_TYPES = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}


def graph_inputs(content: bytes) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    """Return type and shape of each input by its name; None is an axis of any length.

    Raises:
        InputError: not an ONNX model, or not whole.
    """
    inputs, _ = graph_ports(content)
    found: dict[str, tuple[str, tuple[int | None, ...]]] = {}
    for graph in _messages(memoryview(content), GRAPH):
        for port in _messages(graph, INPUT):
            tensors = [tensor for kind in _messages(port, TYPE) for tensor in _messages(kind, TENSOR)]
            for name in _messages(port, NAME[INPUT]):
                found[str(name, errors="replace")] = _read_tensor(tensors[0] if tensors else memoryview(b""))
    return {name: found[name] for name in inputs}


def _read_tensor(tensor: memoryview) -> tuple[str, tuple[int | None, ...]]:
    """Read the type of the elements, and the shape."""
    [element, *_] = [number for field, number in _fields(tensor) if field == ELEMENT and isinstance(number, int)] or [0]
    axes = []
    for axis in (axis for shape in _messages(tensor, SHAPE) for axis in _messages(shape, AXIS)):
        lengths = [number for field, number in _fields(axis) if field == LENGTH and isinstance(number, int)]
        axes.append(lengths[0] if lengths and 0 < lengths[0] < 2**63 else None)
    return ELEMENT_TYPES.get(element, f"ONNX's type {element}"), tuple(axes)


def graph_ports(content: bytes) -> tuple[list[str], list[str]]:
    """Return the names of the inputs, without those that have a constant value, and of the outputs.

    Raises:
        InputError: not an ONNX model, or not whole.
    """
    names: dict[int, list[str]] = {number: [] for number in NAME}
    for graph in _messages(memoryview(content), GRAPH):
        for part, message in _fields(graph):
            if part in NAME and isinstance(message, memoryview):
                names[part] += [str(name, errors="replace") for name in _messages(message, NAME[part])]
    if not names[OUTPUT]:
        raise InputError("it has no graph with an output")
    return [name for name in names[INPUT] if name not in names[INITIALIZER]], names[OUTPUT]


def _messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the content of each field of that number that has a length."""
    for field, content in _fields(message):
        if field == number and isinstance(content, memoryview):
            yield content


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield number and content of the fields of a protobuf message: bytes, or an integer; others are passed over."""
    position = 0
    while position < len(message):
        tag, position = _read_number(message, position)
        size = {1: 8, 5: 4}.get(tag & 7, 0)
        if tag & 7 in (0, 2):
            size, position = _read_number(message, position)
        if tag & 7 == 0:
            yield tag >> 3, size
        if tag & 7 not in (0, 1, 2, 5) or (tag & 7 and position + size > len(message)):
            raise InputError("it is not protobuf, or not whole")
        if tag & 7 == 2:
            yield tag >> 3, message[position : position + size]
        position += size if tag & 7 else 0


def _read_number(message: memoryview, position: int) -> tuple[int, int]:
    """Read a number of seven bits per byte, the lowest first; return it and the position after it."""
    number = shift = 0
    while position < len(message) and shift < 70:
        byte = message[position]
        number |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return number, position
    raise InputError("it ends within a number")
