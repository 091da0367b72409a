"""A stand-in for ais_bench's session: an .om that ONNX Runtime runs, with a change that a conversion made."""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

Change = Callable[[np.ndarray], np.ndarray]


class Session:
    """Runs an ONNX model in batches of one size, and changes its outputs."""

    def __init__(self, model: Path, batch_size: int, change: Change, dtype: str) -> None:
        self._session = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
        self._batch_size, self._change, self._dtype = batch_size, change, dtype

    def get_inputs(self) -> list[types.SimpleNamespace]:
        return [self._describe(port, self._dtype) for port in self._session.get_inputs()]

    def get_outputs(self) -> list[types.SimpleNamespace]:
        return [self._describe(port, "float32") for port in self._session.get_outputs()]

    def _describe(self, port, dtype: str) -> types.SimpleNamespace:
        shape = [self._batch_size, *port.shape[1:]]
        return types.SimpleNamespace(name=port.name, datatype=f"dtype.{dtype}", shape=shape)

    def infer(self, feeds: list[np.ndarray]) -> list[np.ndarray]:
        [batch] = feeds
        assert batch.dtype == self._dtype
        assert len(batch) == self._batch_size
        [port] = self._session.get_inputs()
        return [self._change(self._session.run(None, {port.name: batch.astype(np.float32)})[0]).astype(np.float32)]


def install(
    patches: pytest.MonkeyPatch,
    model: Path,
    change: Change = lambda rows: rows,
    batch_size: int = 8,
    dtype: str = "float32",
) -> list[int]:
    """Let every .om be a conversion of a model; return the numbers of the devices that are opened."""
    devices: list[int] = []

    def open_session(device: int, path: str) -> Session:
        devices.append(device)
        return Session(model, batch_size, change, dtype)

    interface = types.ModuleType("ais_bench.infer.interface")
    interface.InferSession = open_session  # type: ignore[attr-defined]
    for name in ("ais_bench", "ais_bench.infer"):
        patches.setitem(sys.modules, name, types.ModuleType(name))
    patches.setitem(sys.modules, "ais_bench.infer.interface", interface)
    return devices
