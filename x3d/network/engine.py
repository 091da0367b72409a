"""Run a converted model: one small class per engine, one interface.

Every engine takes (N, 3, T, C, C) float32 and returns (N, NUM_CLASSES) float32. It computes in float32 on a CPU, with
CUDA and with CANN; an .om runs in the precision chosen at conversion.
"""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from x3d.errors import EngineError

FLOAT32_ONLY = {"CUDA": {"use_tf32": "0"}, "CANN": {"precision_mode": "must_keep_origin_dtype"}}
"""Settings of ONNX Runtime's providers that would otherwise compute float32 in a narrower type."""


class Engine(Protocol):
    """The interface of every engine."""

    name: str
    packages: ClassVar[Mapping[str, str]]
    """Packages that decide its outputs, as x3d.storage.provenance.versions takes them."""
    device: str
    """The kind of device it runs on, without a number: CPU, GPU, CUDA, CANN, NPU."""
    batch_size: int | None
    """Views per batch if the model fixes it, None if it is dynamic."""
    view_shape: tuple[int, ...]
    """Shape of one view, (3, T, C, C)."""
    num_classes: int

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run one batch and return every output of the model."""


class OpenVinoEngine:
    """OpenVINO on a CPU or another device it knows, such as GPU.

    On a CPU the views of a batch of dynamic size run one by one, several at once, as in OpenVINO's throughput mode: it
    is faster than a whole batch at a time, and the outputs do not depend on the batch size. Threads are not pinned to
    cores: the engines of several processes would all choose the same ones.
    """

    name = "openvino"
    packages: ClassVar[Mapping[str, str]] = {"openvino": "openvino"}

    def __init__(self, model_path: str, device: str = "", num_threads: int = 0) -> None:
        import openvino

        self._core = openvino.Core()
        self._device = device.upper() or "CPU"
        self.device = self._device.partition(".")[0]
        self._properties: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        if self.device == "CPU":
            self._properties["ENABLE_CPU_PINNING"] = False
            self._properties["INFERENCE_NUM_THREADS"] = num_threads or len(os.sched_getaffinity(0))
        self._model = self._core.read_model(model_path)
        shape = self._model.input(0).partial_shape
        self.batch_size: int | None = None if shape[0].is_dynamic else shape[0].get_length()
        self.view_shape = tuple(axis.get_length() for axis in list(shape)[1:])
        self.num_classes = self._fixed(self.batch_size or 1).output(0).shape[1]
        self._queues: dict[tuple[int, int], Any] = {}
        self._core.get_property(self._device, "SUPPORTED_PROPERTIES")

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        size = 1 if self.device == "CPU" and self.batch_size is None else len(batch)
        parts: list[list[np.ndarray]] = [[]] * (len(batch) // size)

        def keep(request: Any, number: int) -> None:
            parts[number] = [np.array(tensor.data) for tensor in request.output_tensors]

        queue = self._queue(size, min(len(parts), self._properties.get("INFERENCE_NUM_THREADS", 1)))
        queue.set_callback(keep)
        for number in range(len(parts)):
            queue.start_async([batch[number * size : (number + 1) * size]], number, share_inputs=True)
        queue.wait_all()
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    def _fixed(self, batch_size: int) -> Any:
        """Copy the model with fixed shapes: they run faster, and some files give the number of classes only then."""
        model = self._model.clone()
        model.reshape([batch_size, *self.view_shape])
        return model

    def _queue(self, size: int, num_requests: int) -> Any:
        """Compile the model, once for each way it is used."""
        from openvino import AsyncInferQueue

        if (size, num_requests) not in self._queues:
            model = self._fixed(size)
            properties = self._properties | {"PERFORMANCE_HINT_NUM_REQUESTS": num_requests}
            compiled = self._core.compile_model(model, self._device, properties)
            self._queues[size, num_requests] = AsyncInferQueue(compiled)
        return self._queues[size, num_requests]


_PROVIDER = "ExecutionProvider"


class OnnxRuntimeEngine:
    """ONNX Runtime with one execution provider, which has to start.

    Operators that the provider does not know run on the CPU, as ONNX Runtime does it.
    """

    name = "onnxruntime"
    packages: ClassVar[Mapping[str, str]] = {"onnxruntime": "onnxruntime"}

    def __init__(self, model_path: str, device: str = "", num_threads: int = 0) -> None:
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


class AisBenchEngine:
    """An .om on an Ascend NPU, through the session of ais_bench."""

    name = "ais_bench"
    packages: ClassVar[Mapping[str, str]] = {}
    device = "NPU"

    def __init__(self, model_path: str, device: str = "", num_threads: int = 0) -> None:
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


ENGINES: dict[str, Callable[[str, str, int], Engine]] = {
    "openvino": OpenVinoEngine,
    "onnxruntime": OnnxRuntimeEngine,
    "ais_bench": AisBenchEngine,
}
ONNX_ENGINES = ("openvino", "onnxruntime")


def open_engine(model_path: str, engine: str = "auto", device: str = "", num_threads: int = 0) -> Engine:
    """Load a model into an engine.

    Args:
        model_path: an .onnx file, OpenVINO's .xml, or an .om.
        engine: a key of ENGINES, or auto: ais_bench for an .om, else OpenVINO.
        device: as the engine names it; a bare number is the NPU's for ais_bench, and the CPU for the others.
        num_threads: on a CPU; 0: all cores.
    Raises:
        EngineError: no such model, or the engine cannot load or run it there; the text names file and device.
    """
    if not Path(model_path).is_file():
        raise EngineError(f"model {model_path or '(none given)'} is not there; export one with x3d_pth2onnx.py")
    is_om = Path(model_path).suffix == ".om"
    if engine == "auto":
        engine = "ais_bench" if is_om else "openvino"
    if is_om != (engine == "ais_bench"):
        raise EngineError(
            f"model {model_path}: engine ais_bench runs .om files and only it does; {engine} was asked for"
        )
    if device.isdigit() and not is_om:
        device = ""
    try:
        opened: Engine = ENGINES[engine](model_path, device, num_threads)
        return opened
    except EngineError:
        raise
    except ImportError as error:
        raise EngineError(f"engine {engine} is not installed: {error}") from error
    except Exception as error:
        raise EngineError(
            f"engine {engine} cannot load {model_path} on {device or 'its default device'}: {error}"
        ) from error


def pad_batch(batch: np.ndarray, batch_size: int) -> np.ndarray:
    """Pad a batch with copies of its first view; the caller drops their outputs.

    Args:
        batch: (N, 3, T, C, C), 1 <= N <= batch_size.
    Returns:
        (batch_size, 3, T, C, C).
    """
    missing = batch_size - len(batch)
    return np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)]) if missing else batch


def run_batch(engine: Engine, batch: np.ndarray) -> list[np.ndarray]:
    """Run one batch of the model's size.

    Raises:
        EngineError: the engine fails.
    """
    try:
        return engine.infer(batch)
    except Exception as error:
        raise EngineError(f"engine {engine.name} failed on {engine.device}: {error}") from error


def infer_padded(engine: Engine, batch: np.ndarray) -> list[np.ndarray]:
    """Run a batch that may be shorter than the model's fixed batch size; it is padded, and the extra outputs dropped.

    Raises:
        EngineError: the engine fails.
    """
    padded = pad_batch(batch, engine.batch_size or len(batch))
    return [output[: len(batch)] for output in run_batch(engine, padded)]
