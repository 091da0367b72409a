"""Run an .om on an Ascend NPU with ais_bench."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from x3d.errors import EngineError


class AisBenchEngine:
    """An .om on an Ascend NPU, through the session of ais_bench."""

    name = "ais_bench"
    packages: ClassVar[Mapping[str, str]] = {}
    device = "NPU"

    def __init__(self, model_path: str, device: str, num_threads: int) -> None:
        try:
            from ais_bench.infer.interface import InferSession
        except ImportError as error:
            raise EngineError(
                f"{model_path} needs ais_bench and aclruntime ({error}); install both from github.com/Ascend/tools, "
                "ais-bench_workload/tool/ais_bench, on a machine with CANN, or give the .onnx"
            ) from error
        if device and not device.isdigit():
            raise EngineError(f"device {device}: ais_bench takes the number of an NPU, such as 0")
        self._session = InferSession(int(device or 0), model_path)
        described = self._session.get_inputs()[0]
        batch, *view = (int(axis) for axis in described.shape)
        if batch < 1:
            raise EngineError(f"{model_path} has a dynamic batch; convert it with --input_shape of a fixed one")
        if described.realsize != 4 * math.prod(described.shape):
            raise EngineError(f"{model_path} takes {described.realsize} bytes for {described.shape}: not float32")
        self.batch_size: int | None = batch
        self.view_shape = tuple(view)
        self.num_classes = self.infer(np.zeros((batch, *view), np.float32))[0].shape[1]

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        outputs = self._session.infer([np.ascontiguousarray(batch)])
        return [np.asarray(output, dtype=np.float32).reshape(len(batch), -1) for output in outputs]
