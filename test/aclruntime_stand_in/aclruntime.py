"""A stand-in for Huawei's aclruntime on ONNX Runtime: the names that the upstream ais_bench package calls.

An `.om` is an .onnx of a fixed batch size. As on an NPU an input is bytes without type or shape, and has to be as long
as the model's input.
"""

import ctypes
import importlib.util
import math
import time

import numpy as np
import onnxruntime

DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}
OF_2025 = importlib.util.find_spec("ais_bench.infer.infer_process") is not None
"""Its ais_bench takes start and end of each run, that of 2023 the duration; all in ms."""


class session_options:  # noqa: N801 (aclruntime's name)
    acl_json_path, log_level, loop = "", 2, 1


class Description:
    def __init__(self, port):
        self.name, self.shape, self.datatype = port.name, port.shape, DTYPES[port.type]
        self.size = self.realsize = math.prod(port.shape) * np.dtype(self.datatype).itemsize


class BaseTensor:
    def __init__(self, address, num_bytes):
        self.content = ctypes.string_at(address, num_bytes)


class Tensor:
    def __init__(self, array):
        self.array = np.asarray(array)

    @property
    def content(self):
        return self.array.tobytes()

    def to_device(self, device):
        pass

    def to_host(self):
        pass

    def __array__(self, dtype=None, copy=None):
        return self.array


class Times:
    def __init__(self):
        self.exec_time_list = []


class InferenceSession:
    def __init__(self, path, device, options):
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._options, self._times = options, Times()

    def get_inputs(self):
        return [Description(port) for port in self._session.get_inputs()]

    def get_outputs(self):
        return [Description(port) for port in self._session.get_outputs()]

    def options(self):
        return self._options

    def set_staticbatch(self):
        pass

    def get_dym_aipp_input_exist(self):
        return 0

    def check_dym_aipp_input_exist(self):
        pass

    def free_resource(self):
        pass

    def reset_sumaryinfo(self):
        self._times = Times()

    def sumary(self):
        return self._times

    def run(self, names, tensors):
        given = {}
        for port, tensor in zip(self.get_inputs(), tensors, strict=True):
            if len(tensor.content) != port.realsize:
                raise RuntimeError(f"input {port.name}: {len(tensor.content)} bytes for {port.realsize}")
            given[port.name] = np.frombuffer(tensor.content, port.datatype).reshape(port.shape)
        for _ in range(self._options.loop):
            start = time.perf_counter()
            outputs = self._session.run(names, given)
            start_ms, end_ms = 1000 * start, 1000 * time.perf_counter()
            self._times.exec_time_list.append((start_ms, end_ms) if OF_2025 else end_ms - start_ms)
        return [Tensor(output) for output in outputs]
