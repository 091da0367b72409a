"""Run an .onnx with ONNX Runtime."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from x3d.errors import EngineError
from x3d.network.model_file import ModelFile
from x3d.network.precision import check_gpu, check_precision
from x3d.network.signature import Port, read_input, read_output

PRECISIONS: dict[str, dict[str, dict[str, str]]] = {
    "CPU": {"f32": {}},
    "CUDA": {"f32": {"use_tf32": "0"}, "tf32": {"use_tf32": "1"}, "f16": {"use_tf32": "0"}},
    "Tensorrt": {"tf32": {}, "f16": {"trt_fp16_enable": "1"}},
    "CANN": {"f32": {"precision_mode": "must_keep_origin_dtype"}, "f16": {"precision_mode": "force_fp16"}},
    "ROCM": {"f32": {}},
    "MIGraphX": {"f32": {}},
}
"""ONNX Runtime's providers -> the precisions that each has, with its options; several would not take f32 by default."""

_PACKAGES = {"cuda": "onnxruntime-gpu", "tensorrt": "onnxruntime-gpu", "cann": "onnxruntime-cann"}
"""Distributions of ONNX Runtime with the providers that `onnxruntime` does not have."""
_PROVIDER = "ExecutionProvider"
_NUMPY_NAMES = {"float": "float32", "double": "float64"}


class OnnxRuntimeEngine:
    """ONNX Runtime with one execution provider, which has to start.

    Operators that the provider does not know run on the CPU, as ONNX Runtime does it. For f16 CUDA takes a model of
    float16, into which ONNX Runtime's own tool converts it; the other providers convert it themselves.
    """

    name = "onnxruntime"
    packages: ClassVar[Mapping[str, str]] = {"onnxruntime": "onnxruntime"}

    def __init__(self, model: ModelFile, device: str, num_threads: int, precision: str) -> None:
        import onnxruntime

        provider, options = _provider(device, onnxruntime.get_available_providers(), precision)
        self.device = provider.removesuffix(_PROVIDER)
        self.precision = precision
        if self.device in ("CUDA", "Tensorrt"):
            check_gpu(precision, _offered(provider), int(options.get("device_id", 0)))
        is_float16 = self.device == "CUDA" and precision == "f16"
        content = to_float16(model.content) if is_float16 else model.content
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        settings.intra_op_num_threads = num_threads
        self._session = onnxruntime.InferenceSession(content, settings, providers=[(provider, options)])
        if provider not in self._session.get_providers():
            raise EngineError(f"ONNX Runtime could not start {provider}; check its driver and libraries")
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


def to_float16(content: bytes) -> bytes:
    """Convert an .onnx to compute in float16; its input and output stay float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    converted = convert_float_to_float16(onnx.load_model_from_string(content), keep_io_types=True)
    return bytes(converted.SerializeToString())


def _provider(device: str, available: list[str], precision: str) -> tuple[str, dict[str, str]]:
    """Read `cpu`, `cuda:1` or `CANNExecutionProvider`, and choose its options; empty is the CPU."""
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
    offered = _offered(provider)
    check_precision(precision, offered, f"{provider} of ONNX Runtime")
    return provider, offered[precision] | ({"device_id": number} if number else {})


def _offered(provider: str) -> dict[str, dict[str, str]]:
    """Look up the precisions of a provider; NVIDIA_TF32_OVERRIDE=0 turns TF32 off in every library of NVIDIA.

    Raises:
        EngineError: it is a provider whose precision is not known.
    """
    kind = provider.removesuffix(_PROVIDER)
    if kind not in PRECISIONS:
        raise EngineError(
            f"device {kind}: it is not known in what precision {provider} computes; name one of {', '.join(PRECISIONS)}"
        )
    offered = dict(PRECISIONS[kind])
    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0" and "tf32" in offered:
        offered.setdefault("f32", offered.pop("tf32"))
    return offered
