"""Run an .onnx or .xml with OpenVINO."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from x3d.cores import count_cores
from x3d.errors import EngineError
from x3d.network.model_file import ModelFile
from x3d.network.precision import check_precision
from x3d.network.signature import Port, read_input, read_output

_CAPABILITIES = {"FP32": "f32", "BF16": "bf16", "FP16": "f16"}
"""OpenVINO's names of the types that a device computes in natively, among others -> those of precisions."""
_NUMPY_NAMES = {"f16": "float16", "f32": "float32", "f64": "float64", "u8": "uint8", "i32": "int32", "i64": "int64"}


class OpenVinoEngine:
    """OpenVINO on a CPU or another device it knows, such as GPU.

    On a CPU the views of a batch of dynamic size run one by one, several at once, as in OpenVINO's throughput mode: it
    is faster than a whole batch at a time, and the outputs do not depend on the batch size. Threads are not pinned to
    cores: the engines of several processes would all choose the same ones. The precision is set on every device: the
    default is bfloat16 on a CPU and float16 on a GPU that have them.
    """

    name = "openvino"
    packages: ClassVar[Mapping[str, str]] = {"openvino": "openvino"}

    def __init__(self, model: ModelFile, device: str, num_threads: int, precision: str) -> None:
        _ensure_home()
        import openvino

        self._core = openvino.Core()
        self._device = device.upper() or "CPU"
        self.device = self._device.partition(".")[0]
        self._check_device(device)
        self._check_capability(precision)
        self.precision = precision
        self._num_threads = 1
        self._properties: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
        if self.device == "CPU":
            self._properties["ENABLE_CPU_PINNING"] = False
            self._num_threads = num_threads or count_cores()
            self._properties["INFERENCE_NUM_THREADS"] = self._num_threads
        self._model = self._core.read_model(model.content, model.weights)
        self.batch_size, self.view_shape, self.input_dtype = read_input(model.path, _ports(self._model.inputs))
        outputs = _ports(self._fixed(self.batch_size or 1).outputs)
        self.num_classes = read_output(model.path, outputs, self.batch_size)
        self._queues: dict[tuple[int, int], Any] = {}
        if precision != "f32":
            self._queue(self.batch_size or 1, 1 if self.batch_size else self._num_threads)

    def infer(self, batch: np.ndarray) -> np.ndarray:
        size = 1 if self.device == "CPU" and self.batch_size is None else len(batch)
        parts = [np.empty(0, dtype=np.float32)] * (len(batch) // size)

        def keep(request: Any, number: int) -> None:
            parts[number] = np.array(request.output_tensors[0].data)

        queue = self._queue(size, min(len(parts), self._num_threads))
        queue.set_callback(keep)
        for number in range(len(parts)):
            queue.start_async([batch[number * size : (number + 1) * size]], number, share_inputs=True)
        queue.wait_all()
        return np.concatenate(parts)

    def _check_device(self, given: str) -> None:
        """Check that OpenVINO has a device; some plugins without one fail only when a model is compiled.

        A choice among devices, such as AUTO, is none: where it runs could not be recorded.
        """
        if self._device == "CPU":
            return
        available: list[str] = self._core.available_devices
        kinds = {name.partition(".")[0] for name in available}
        if self._device.removesuffix(".0") in kinds.union(available):
            return
        cuda = "; cuda and cann are devices of the engine onnxruntime" if given.lower()[:4] in ("cuda", "cann") else ""
        raise EngineError(f"device {given} is none that OpenVINO has here: {', '.join(available)}{cuda}")

    def _check_capability(self, precision: str) -> None:
        """Check that the device computes natively in a precision; a CPU would emulate it or run another."""
        capabilities: list[str] = self._core.get_property(self._device, "OPTIMIZATION_CAPABILITIES")
        offered = [name for capability, name in _CAPABILITIES.items() if capability in capabilities]
        processor = self._core.get_property(self._device, "FULL_DEVICE_NAME")
        check_precision(precision, offered, f"OpenVINO on {self._device} ({processor})")

    def _fixed(self, batch_size: int) -> Any:
        """Copy the model with fixed shapes: they run faster, and some files give the number of classes only then."""
        model = self._model.clone()
        model.reshape([batch_size, *self.view_shape])
        return model

    def _queue(self, size: int, num_requests: int) -> Any:
        """Compile the model, once for each way it is used, and check in what precision.

        Raises:
            EngineError: in another than was asked for.
        """
        from openvino import AsyncInferQueue

        if (size, num_requests) not in self._queues:
            model = self._fixed(size)
            properties = self._properties | {"PERFORMANCE_HINT_NUM_REQUESTS": num_requests}
            compiled = self._core.compile_model(model, self._device, properties)
            found = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
            if found != self.precision:
                raise EngineError(
                    f"precision {self.precision}: OpenVINO computes in {found} on {self._device}; set "
                    "X3D_EVALUATE.PRECISION or --precision to that"
                )
            self._queues[size, num_requests] = AsyncInferQueue(compiled)
        return self._queues[size, num_requests]


def _ensure_home() -> None:
    """Set HOME for a user unknown to the system; OpenVINO's telemetry fails at its import where there is none."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/nonexistent"


def _ports(ports: Sequence[Any]) -> list[Port]:
    """Describe OpenVINO's inputs or outputs."""
    return [Port(_name(port), _dtype(port), _axes(port.partial_shape)) for port in ports]


def _name(port: Any) -> str:
    return str(port.any_name) if port.names else "(no name)"


def _dtype(port: Any) -> str:
    name = str(port.element_type.get_type_name())
    return _NUMPY_NAMES.get(name, name)


def _axes(shape: Any) -> tuple[int | None, ...]:
    if shape.rank.is_dynamic:
        return ()
    return tuple(None if axis.is_dynamic else axis.get_length() for axis in shape)
