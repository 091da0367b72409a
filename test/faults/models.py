"""Faults of ONNX files and of engines."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from test import world
from test.faults.row import Fault, edit, flip_bit, nothing, write

VIEW = (3, 4, 40, 40)


def _network(
    input_type: str = "FLOAT",
    output_type: str = "FLOAT",
    view: tuple[int, ...] = VIEW,
    more_sides: tuple[int, ...] = (),
    num_inputs: int = 1,
    num_outputs: int = 1,
) -> Callable[[], object]:
    """Make an ONNX file that returns the same probabilities for every view; it is valid, and not of this suite."""

    def make() -> None:
        import onnx
        from onnx import helper, numpy_helper

        takes, returns = (getattr(onnx.TensorProto, name) for name in (input_type, output_type))
        sides = [world.NUM_CLASSES, *more_sides]
        inputs = [helper.make_tensor_value_info(f"in{n}", takes, ["N", *view]) for n in range(num_inputs)]
        outputs = [helper.make_tensor_value_info(f"out{n}", returns, ["N", *sides]) for n in range(num_outputs)]
        weights = np.zeros((int(np.prod(view)), world.NUM_CLASSES), np.float32)
        constants = {"weights": weights, "shape": np.array([0, *sides])}
        nodes = [
            *(helper.make_node("Cast", [each.name], [f"{each.name}f"], to=onnx.TensorProto.FLOAT) for each in inputs),
            helper.make_node("Sum", [f"{each.name}f" for each in inputs], ["sum"]),
            helper.make_node("Flatten", ["sum"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"]),
            helper.make_node("Reshape", ["scores", "shape"], ["shaped"]),
            *(helper.make_node("Cast", ["shaped"], [output.name], to=returns) for output in outputs),
        ]
        tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
        graph = helper.make_graph(nodes, "network", inputs, outputs, tensors)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), "odd.onnx")

    return make


def infer(engine: str) -> Callable[[], world.Ran]:
    return lambda: world.infer("odd.onnx", "prep", "new", "BIN", "--engine", engine)


def evaluate() -> world.Ran:
    return world.evaluate("odd.onnx", "new")


WRONG = {
    "uint8 input": (_network(input_type="UINT8"), "float32"),
    "double input": (_network(input_type="DOUBLE"), "float32"),
    "float16 output": (_network(output_type="FLOAT16"), "float32"),
    "double output": (_network(output_type="DOUBLE"), "float32"),
    "output of four dimensions": (_network(more_sides=(1, 1)), "output"),
    "two outputs": (_network(num_outputs=2), "output"),
    "two inputs": (_network(num_inputs=2), "input"),
    "views of another size": (_network(view=(3, 4, 32, 32)), "3, 4, 32, 32"),
}
"""A model that does not take the views or does not return class scores, and a word of the message."""

CONTENT = {
    "a checkpoint as model": (lambda: shutil.copy("small.pyth", "odd.onnx"), "x3d_pth2onnx.py"),
    "a web page": (write("odd.onnx", "<!DOCTYPE html><html></html>"), "HTML"),
    "a git-LFS pointer": (write("odd.onnx", "version https://git-lfs.github.com/spec/v1\n"), "git-LFS"),
    "an empty file": (write("odd.onnx", ""), "empty"),
    "text": (write("odd.onnx", "this is a model\n" * 9), "text"),
    "a folder": (lambda: Path("odd.onnx").mkdir(), "odd.onnx"),
    "no file": (nothing, "odd.onnx"),
    "half a file": (lambda: Path("odd.onnx").write_bytes(Path("small.onnx").read_bytes()[:9000]), "odd.onnx"),
}
"""What stands where a model should, and a piece of the message."""

FAULTS = (
    *(
        Fault(f"{name}, {engine}", make, infer(engine), 2, [word], absent=["new"])
        for name, (make, word) in WRONG.items()
        for engine in ("openvino", "onnxruntime")
    ),
    *(
        Fault(f"{name}, evaluated", make, evaluate, 2, [r"odd\.onnx", word], absent=["new"])
        for name, (make, word) in (WRONG | CONTENT).items()
    ),
    *(
        Fault(f"{name}, inferred", make, infer("auto"), 2, [r"odd\.onnx", word], absent=["new"])
        for name, (make, word) in CONTENT.items()
    ),
    Fault(
        "weights in a second file replaced after rows were made",
        edit("outside/small.onnx.data", flip_bit),
        lambda: world.evaluate("outside/small.onnx", "eval_outside"),
        2,
        [r"outside/small\.onnx"],
    ),
    Fault(
        "model replaced after rows were made",
        lambda: shutil.copy("foreign.onnx", "small.onnx"),
        lambda: world.evaluate("small.onnx", "eval"),
        2,
        ["model_digest"],
    ),
    Fault(
        "weights in a second file are missing",
        lambda: Path("outside/small.onnx.data").unlink(),
        lambda: world.evaluate("outside/small.onnx", "new"),
        2,
        [r"small\.onnx\.data"],
    ),
    Fault(
        "a flipped bit in a weight",
        edit("small.onnx", flip_bit),
        lambda: world.infer("small.onnx", "prep", "new"),
        2,
        [r"small\.onnx"],
    ),
    Fault(
        "no GPU",
        nothing,
        lambda: world.infer("small.onnx", "prep", "new", "BIN", "--device", "GPU"),
        2,
        ["GPU"],
    ),
)
