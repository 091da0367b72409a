"""Run an .onnx with ONNX Runtime."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from x3d.errors import EngineError
from x3d.network.model_file import ModelFile
from x3d.network.signature import Port, read_input, read_output

FLOAT32_ONLY = {"CUDA": {"use_tf32": "0"}, "CANN": {"precision_mode": "must_keep_origin_dtype"}}
"""Settings of ONNX Runtime's providers that would otherwise compute float32 in a narrower type."""

_PACKAGES = {"cuda": "onnxruntime-gpu", "tensorrt": "onnxruntime-gpu", "cann": "onnxruntime-cann"}
"""Distributions of ONNX Runtime with the providers that `onnxruntime` does not have."""
_PROVIDER = "ExecutionProvider"
_NUMPY_NAMES = {"float": "float32", "double": "float64"}


class OnnxRuntimeEngine:
    """ONNX Runtime with one execution provider, which has to start.

    Operators that the provider does not know run on the CPU, as ONNX Runtime does it.
    """

    name = "onnxruntime"
    packages: ClassVar[Mapping[str, str]] = {"onnxruntime": "onnxruntime"}

    def __init__(self, model: ModelFile, device: str, num_threads: int) -> None:
        import onnxruntime

        provider, options = _provider(device, onnxruntime.get_available_providers())
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        settings.intra_op_num_threads = num_threads
        self._session = onnxruntime.InferenceSession(model.content, settings, providers=[(provider, options)])
        if provider not in self._session.get_providers():
            raise EngineError(f"ONNX Runtime could not start {provider}; check its driver and libraries")
        self.device = provider.removesuffix(_PROVIDER)
        inputs = _ports(self._session.get_inputs())
        self.batch_size, self.view_shape, self.input_dtype = read_input(model.path, inputs)
        self._input = inputs[0].name
        self.num_classes = read_output(model.path, self._outputs(), self.batch_size)

    def infer(self, batch: np.ndarray) -> np.ndarray:
        scores: np.ndarray = self._session.run(None, {self._input: batch})[0]
        return scores

    def _outputs(self) -> list[Port]:
        """Describe the outputs; where the model does not state their shapes, run it once on zeros."""
        ports = _ports(self._session.get_outputs())
        if all(port.shape and None not in port.shape[1:] for port in ports):
            return ports
        zeros = np.zeros((self.batch_size or 1, *self.view_shape), self.input_dtype)
        found = self._session.run(None, {self._input: zeros})
        return [Port(port.name, port.dtype, np.shape(array)) for port, array in zip(ports, found, strict=True)]


def _ports(ports: Sequence[Any]) -> list[Port]:
    """Describe ONNX Runtime's inputs or outputs, whose types are such as tensor(float)."""
    found = []
    for port in ports:
        dtype = re.sub(r"^tensor\((.*)\)$", r"\1", port.type)
        axes = tuple(axis if isinstance(axis, int) else None for axis in port.shape or [])
        found.append(Port(port.name, _NUMPY_NAMES.get(dtype, dtype), axes))
    return found


def _provider(device: str, available: list[str]) -> tuple[str, dict[str, str]]:
    """Read `cpu`, `cuda:1` or `CANNExecutionProvider`; empty is the CPU."""
    name, _, number = device.partition(":")
    kind = (name or "cpu").lower().removesuffix(_PROVIDER.lower())
    provider = next((known for known in available if known.lower() == kind + _PROVIDER.lower()), None)
    if provider is None:
        has, package = ", ".join(available), _PACKAGES.get(kind)
        remedy = f"install {package} in place of onnxruntime" if package else "name one of these, such as cpu"
        raise EngineError(
            f"device {device}: this ONNX Runtime has no {kind.upper()}{_PROVIDER}; it has {has}; {remedy}"
        )
    if number and not number.isdigit():
        raise EngineError(f"device {device}: a number is expected after the colon, as in {name}:0")
    options = FLOAT32_ONLY.get(provider.removesuffix(_PROVIDER), {})
    return provider, options | ({"device_id": number} if number else {})
