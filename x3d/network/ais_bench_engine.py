"""Run an .om on an Ascend NPU with ais_bench."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from x3d.errors import EngineError
from x3d.files import read_regular
from x3d.network.model_file import ModelFile
from x3d.network.signature import Port, read_input, read_output


class AisBenchEngine:
    """An .om on an Ascend NPU, through the session of ais_bench."""

    name = "ais_bench"
    packages: ClassVar[Mapping[str, str]] = {"aclruntime": "", "ais_bench": ""}
    device = "NPU"
    precision = "om"

    def __init__(self, model: ModelFile, device: str, num_threads: int, precision: str) -> None:
        try:
            from ais_bench.infer.interface import InferSession
        except ImportError as error:
            raise EngineError(
                f"{model.path} needs ais_bench and aclruntime ({error}); install both from github.com/Ascend/tools, "
                "ais-bench_workload/tool/ais_bench, on a machine with CANN, or give the .onnx"
            ) from error
        if device and not device.isdigit():
            raise EngineError(
                f"device {device}: ais_bench takes the number of an NPU, such as 0, and X3D_EVALUATE.DEVICE several, "
                "such as 0,1"
            )
        if precision != "f32":
            raise EngineError(
                f"precision {precision}: {model.path} has the precision that was chosen when it was converted; leave "
                "out X3D_EVALUATE.PRECISION, or convert it again with another --precision_mode"
            )
        path = os.path.realpath(model.path)  # later releases take no links
        self._session = InferSession(int(device or 0), path)
        if read_regular(path) != model.content:
            raise EngineError(f"{model.path} was replaced while it was opened; run the same command again")
        batch_size, self.view_shape, self.input_dtype = read_input(model.path, _ports(self._session.get_inputs()))
        if batch_size is None:
            raise EngineError(f"{model.path} has a dynamic batch; convert it with --input_shape of a fixed one")
        self.batch_size: int | None = batch_size
        outputs = _ports(self._session.get_outputs())
        self.num_classes = read_output(model.path, outputs, batch_size, ("float32", "float16"))

    def infer(self, batch: np.ndarray) -> np.ndarray:
        outputs = self._session.infer([np.ascontiguousarray(batch)])
        return np.asarray(outputs[0], dtype=np.float32)


def _ports(ports: Sequence[Any]) -> list[Port]:
    """Describe aclruntime's inputs or outputs; the types are such as dtype.float32, a dynamic axis is -1."""
    return [
        Port(
            port.name,
            str(port.datatype).rpartition(".")[2],
            tuple(int(axis) if axis > 0 else None for axis in port.shape),
        )
        for port in ports
    ]
