"""Read the names of an ONNX model's inputs and outputs from its bytes.

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


def graph_ports(content: bytes) -> tuple[list[str], list[str]]:
    """Return the names of the inputs, without those that have a constant value, and of the outputs.

    Raises:
        InputError: not an ONNX model, or not whole.
    """
    names: dict[int, list[str]] = {number: [] for number in NAME}
    for number, graph in _fields(memoryview(content)):
        for part, message in _fields(graph) if number == GRAPH else ():
            if part in NAME:
                names[part] += [str(name, errors="replace") for field, name in _fields(message) if field == NAME[part]]
    if not names[OUTPUT]:
        raise InputError("it has no graph with an output")
    return [name for name in names[INPUT] if name not in names[INITIALIZER]], names[OUTPUT]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of the fields of a protobuf message that have a length; other fields are passed over."""
    position = 0
    while position < len(message):
        tag, position = _read_number(message, position)
        size = {1: 8, 5: 4}.get(tag & 7, 0)
        if tag & 7 in (0, 2):
            size, position = _read_number(message, position)
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
