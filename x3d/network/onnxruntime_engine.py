"""Run an .onnx with ONNX Runtime."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from x3d.errors import EngineError

FLOAT32_ONLY = {"CUDA": {"use_tf32": "0"}, "CANN": {"precision_mode": "must_keep_origin_dtype"}}
"""Settings of ONNX Runtime's providers that would otherwise compute float32 in a narrower type."""

_PROVIDER = "ExecutionProvider"


class OnnxRuntimeEngine:
    """ONNX Runtime with one execution provider, which has to start.

    Operators that the provider does not know run on the CPU, as ONNX Runtime does it.
    """

    name = "onnxruntime"
    packages: ClassVar[Mapping[str, str]] = {"onnxruntime": "onnxruntime"}

    def __init__(self, model_path: str, device: str, num_threads: int) -> None:
        import onnxruntime

        provider, options = _provider(device, onnxruntime.get_available_providers())
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        settings.intra_op_num_threads = num_threads
        self._session = onnxruntime.InferenceSession(model_path, settings, providers=[(provider, options)])
        if provider not in self._session.get_providers():
            raise EngineError(f"ONNX Runtime could not start {provider}; check its driver and libraries")
        self._input = self._session.get_inputs()[0]
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.device = provider.removesuffix(_PROVIDER)
        self.num_classes = self._session.get_outputs()[0].shape[1]
        batch, *view = self._input.shape
        self.batch_size: int | None = batch if isinstance(batch, int) else None
        self.view_shape = tuple(view)

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        outputs: list[np.ndarray] = self._session.run(self._outputs, {self._input.name: batch})
        return outputs


def _provider(device: str, available: list[str]) -> tuple[str, dict[str, str]]:
    """Read `cpu`, `cuda:1` or `CANNExecutionProvider`; empty is the CPU."""
    name, _, number = device.partition(":")
    kind = (name or "cpu").lower().removesuffix(_PROVIDER.lower())
    provider = next((known for known in available if known.lower() == kind + _PROVIDER.lower()), None)
    if provider is None:
        has = ", ".join(available)
        raise EngineError(f"device {device}: this ONNX Runtime has no {kind.upper()}{_PROVIDER}; it has {has}")
    options = FLOAT32_ONLY.get(provider.removesuffix(_PROVIDER), {})
    return provider, options | ({"device_id": number} if number else {})
