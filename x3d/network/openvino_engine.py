"""Run an .onnx or .xml with OpenVINO."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from x3d.cores import count_cores


class OpenVinoEngine:
    """OpenVINO on a CPU or another device it knows, such as GPU.

    On a CPU the views of a batch of dynamic size run one by one, several at once, as in OpenVINO's throughput mode: it
    is faster than a whole batch at a time, and the outputs do not depend on the batch size. Threads are not pinned to
    cores: the engines of several processes would all choose the same ones.
    """

    name = "openvino"
    packages: ClassVar[Mapping[str, str]] = {"openvino": "openvino"}

    def __init__(self, model_path: str, device: str, num_threads: int) -> None:
        import openvino

        self._core = openvino.Core()
        self._device = device.upper() or "CPU"
        self.device = self._device.partition(".")[0]
        self._properties: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        if self.device == "CPU":
            self._properties["ENABLE_CPU_PINNING"] = False
            self._properties["INFERENCE_NUM_THREADS"] = num_threads or count_cores()
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
