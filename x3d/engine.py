"""Run a converted model: one small class an engine, one interface.

Every engine takes (N, 3, T, C, C) float32 and gives (N, NUM_CLASSES) float32, computed in float32.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

PROVIDERS = {"": "CPU", "cpu": "CPU", "cuda": "CUDA", "cann": "CANN"}


class Engine(Protocol):
    """What the scripts need of an engine."""

    name: str
    batch_size: int | None
    """Views a batch when the model fixes it, None when it is dynamic."""
    view_shape: tuple[int, ...]
    """Shape of one view, (3, T, C, C)."""

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run one batch and return every output of the model."""


class OpenVinoEngine:
    """OpenVINO on a CPU or another device it knows, such as GPU."""

    name = "openvino"

    def __init__(self, model_path: str, device: str = "", batch_size: int | None = None) -> None:
        import openvino

        properties = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        model = core.read_model(model_path)
        shape = model.input(0).partial_shape
        if batch_size and shape[0].is_dynamic:
            model.reshape([batch_size, *list(shape)[1:]])
        self._compiled = core.compile_model(model, device.upper() or "CPU", properties)
        self._request = self._compiled.create_infer_request()
        shape = self._compiled.input(0).partial_shape
        self.batch_size = None if shape[0].is_dynamic else shape[0].get_length()
        self.view_shape = tuple(axis.get_length() for axis in list(shape)[1:])

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        self._request.infer([batch], share_inputs=True)
        return [np.array(self._request.get_tensor(port).data) for port in self._compiled.outputs]


class OnnxRuntimeEngine:
    """ONNX Runtime with one execution provider; it is an error when the provider cannot run the model."""

    name = "onnxruntime"

    def __init__(self, model_path: str, device: str = "", batch_size: int | None = None) -> None:
        import onnxruntime

        provider, options = _provider(device, onnxruntime.get_available_providers())
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model_path, settings, providers=[(provider, options)])
        if provider not in self._session.get_providers():
            raise ValueError(f"ONNX Runtime could not start {provider}; check its driver and libraries")
        self._input = self._session.get_inputs()[0]
        self._outputs = [output.name for output in self._session.get_outputs()]
        batch, *view = self._input.shape
        self.batch_size = batch if isinstance(batch, int) else None
        self.view_shape = tuple(view)

    def infer(self, batch: np.ndarray) -> list[np.ndarray]:
        return self._session.run(self._outputs, {self._input.name: batch})


def _provider(device: str, available: list[str]) -> tuple[str, dict[str, Any]]:
    """Read `cpu`, `cuda:1` or `CANNExecutionProvider`; empty is the CPU."""
    name, _, number = device.partition(":")
    wanted = PROVIDERS.get(name.lower(), name)
    wanted = wanted if wanted.endswith("ExecutionProvider") else f"{wanted}ExecutionProvider"
    by_lower = {provider.lower(): provider for provider in available}
    if wanted.lower() not in by_lower:
        raise ValueError(f"--device {device}: this ONNX Runtime has no {wanted}; it has {', '.join(available)}")
    return by_lower[wanted.lower()], {"device_id": number} if number else {}


ENGINES: dict[str, Any] = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}


def open_engine(model_path: str, engine: str = "auto", device: str = "", batch_size: int | None = None) -> Engine:
    """Load a model into an engine.

    Args:
        model_path: an .onnx file, or OpenVINO's .xml.
        engine: a key of ENGINES, or auto: OpenVINO.
        device: as the engine names it; empty or a bare number is the engine's CPU.
        batch_size: of every batch to come, if that is known; a model of dynamic batch then runs faster in OpenVINO.
    Raises:
        ValueError: no such model, or the engine cannot load or run it there; the text names file and device.
    """
    if not Path(model_path).is_file():
        raise ValueError(f"model {model_path} is not there; export one with x3d_pth2onnx.py")
    suffix = Path(model_path).suffix
    if suffix == ".om":
        raise ValueError(f"model {model_path} runs on an Ascend NPU: use python -m ais_bench, or give the .onnx here")
    make = ENGINES["openvino" if engine == "auto" else engine]
    device = "" if device.isdigit() else device
    try:
        return make(model_path, device, batch_size)
    except ImportError as error:
        raise ValueError(f"engine {make.name} is not installed: {error}") from error
    except Exception as error:
        raise ValueError(f"engine {make.name} cannot load {model_path} on {device or 'CPU'}: {error}") from error
