"""Engines: what they reject, and how they read a model and split threads. ais_bench's session has a stand-in."""

import math
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest

from test.helpers import ROOT
from x3d.errors import EngineError
from x3d.network import engine, onnxruntime_engine
from x3d.network.engine import Engine, EngineInfo, device_kind, infer_padded, open_engine, run_batch, split_devices
from x3d.network.model_file import ModelFile, read_model

SHAPE = (3, 4, 40, 40)


def opened_from(
    path: str, name: str = "auto", device: str = "", num_threads: int = 0, precision: str = "f32"
) -> Engine:
    return open_engine(read_model(path), name, device, num_threads, precision)


class Session:
    """A stand-in for ais_bench's session: three float16 scores per view, the largest value of the view first."""

    shape: ClassVar = [2, *SHAPE]
    datatype: ClassVar = "dtype.float32"
    classes: ClassVar = [3]
    opened: ClassVar[list[tuple[int, str, bytes]]] = []

    def __init__(self, device_id, model_path):
        self.opened.append((device_id, model_path, Path(model_path).read_bytes()))

    def get_inputs(self):
        return [types.SimpleNamespace(name="image", shape=self.shape, datatype=self.datatype)]

    def get_outputs(self):
        shape = [self.shape[0], *self.classes]
        return [types.SimpleNamespace(name="class", shape=shape, datatype="dtype.float16")]

    def infer(self, feeds):
        [array] = feeds
        assert array.flags.c_contiguous
        assert f"dtype.{array.dtype}" == self.datatype
        return [np.array([[view.max(), 1, 2] for view in array], dtype=np.float16)]


@pytest.fixture
def om(tmp_path, monkeypatch):
    """The path of an .om, which `Session` runs."""
    interface = types.ModuleType("ais_bench.infer.interface")
    monkeypatch.setattr(Session, "shape", [2, *SHAPE])
    monkeypatch.setattr(Session, "opened", [])
    monkeypatch.setattr(interface, "InferSession", Session, raising=False)
    for name in ("ais_bench", "ais_bench.infer"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "ais_bench.infer.interface", interface)
    path = tmp_path / "x.om"
    path.write_bytes(b"IMOD\0")
    return str(path)


@pytest.mark.parametrize(("device", "number"), [("", 0), ("3", 3)])
def test_an_om_is_read_and_its_float16_scores_become_float32(device, number, om):
    opened = opened_from(om, device=device)
    assert Session.opened == [(number, os.path.realpath(om), b"IMOD\0")]
    assert (opened.name, opened.device, opened.batch_size, opened.view_shape) == ("ais_bench", "NPU", 2, SHAPE)
    assert opened.num_classes == 3
    batch = np.zeros((2, *SHAPE), np.float32)
    batch[1] = 5
    scores = opened.infer(batch)
    assert scores.dtype == np.float32
    assert scores.tolist() == [[0, 1, 2], [5, 1, 2]]
    assert infer_padded(opened, batch[1:]).tolist() == [[5, 1, 2]]


def test_a_link_to_an_om_is_resolved(om, tmp_path):
    (tmp_path / "link.om").symlink_to(om)
    opened_from(str(tmp_path / "link.om"))
    assert Session.opened == [(0, os.path.realpath(om), b"IMOD\0")]


def test_an_om_that_is_replaced_while_it_is_opened(om):
    model = read_model(om)
    Path(om).write_bytes(b"IMOD\1")
    with pytest.raises(EngineError, match=r"x\.om was replaced while it was opened; run the same command again"):
        open_engine(model)


def test_an_om_with_a_float16_input_gets_float16(om, monkeypatch):
    monkeypatch.setattr(Session, "datatype", "dtype.float16")
    opened = opened_from(om)
    assert opened.input_dtype == "float16"
    batch = np.full((2, *SHAPE), 2.0004, np.float32)
    assert run_batch(opened, batch).tolist() == [[2, 1, 2]] * 2


@pytest.mark.parametrize("batch", [0, -1])
def test_an_om_of_dynamic_batch_is_rejected(batch, om, monkeypatch):
    monkeypatch.setattr(Session, "shape", [batch, *SHAPE])
    with pytest.raises(EngineError, match=r"x\.om has a dynamic batch; convert it with --input_shape of a fixed one"):
        opened_from(om)


def test_an_om_of_batch_one_runs(om, monkeypatch):
    monkeypatch.setattr(Session, "shape", [1, *SHAPE])
    assert opened_from(om).batch_size == 1


@pytest.mark.parametrize(
    ("attribute", "value", "found"),
    [
        ("datatype", "dtype.int8", r"the input image int8 \(2, 3, 4, 40, 40\)"),
        ("shape", [2, 3, 4, 40], r"the input image float32 \(2, 3, 4, 40\)"),
        ("classes", [3, 1, 1], r"the output class float16 \(2, 3, 1, 1\)"),
    ],
)
def test_an_om_of_other_inputs_or_outputs_is_rejected(attribute, value, found, om, monkeypatch):
    monkeypatch.setattr(Session, attribute, value)
    with pytest.raises(EngineError, match=rf"x\.om has {found}; one input, float32 or float16 .* are needed"):
        opened_from(om)


def test_an_npu_is_a_number(om):
    with pytest.raises(EngineError, match=r"cuda:0: ais_bench takes the number of an NPU, such as 0, and .*0,1$"):
        opened_from(om, device="cuda:0")


def test_an_om_without_ais_bench_is_an_error_that_names_the_package(om, monkeypatch):
    monkeypatch.setitem(sys.modules, "ais_bench.infer.interface", None)
    with pytest.raises(EngineError, match=r"x\.om needs ais_bench and aclruntime .*give the \.onnx"):
        opened_from(om)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_only_ais_bench_runs_an_om(name, om):
    with pytest.raises(EngineError, match=f"engine ais_bench runs .om files and only it does; {name} was asked for"):
        opened_from(om, name)


def test_ais_bench_runs_nothing_but_an_om(small_onnx):
    with pytest.raises(EngineError, match="ais_bench was asked for"):
        opened_from(str(small_onnx), "ais_bench")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_file_that_is_no_model_is_rejected(name, tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"\0\1 no model")
    with pytest.raises(
        EngineError, match=r"x.onnx is damaged or not an ONNX model .*; export one with x3d_pth2onnx.py$"
    ):
        opened_from(str(tmp_path / "x.onnx"), name, "0")


@pytest.mark.parametrize(
    ("device", "advice"),
    [
        *((name, "$") for name in ("NOSUCH", "GPU.0", "AUTO", "AUTO:CPU", "MULTI:CPU", "HETERO:CPU", "BATCH:CPU")),
        ("cuda:0", "; cuda and cann are devices of the engine onnxruntime$"),
    ],
)
def test_a_device_that_openvino_does_not_have_is_named_with_those_it_has(device, advice, small_onnx):
    with pytest.raises(EngineError, match=rf"^device {device} is none that OpenVINO has here: CPU{advice}"):
        opened_from(str(small_onnx), device=device)


def test_an_engine_that_is_not_installed_is_named(small_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match="engine openvino is not installed: "):
        opened_from(str(small_onnx))


def test_an_engine_whose_import_fails_is_not_called_missing(small_onnx, monkeypatch):
    def fail(*given):
        raise ImportError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setitem(engine.ENGINES, "openvino", fail)
    with pytest.raises(EngineError, match=r"engine openvino cannot be imported: libtbb\.so\.12: cannot open shared"):
        opened_from(str(small_onnx))


def test_a_user_without_home_folder_can_run_openvino(small_onnx):
    """As in a container whose user id has no name."""
    code = (
        "import pwd, sys; pwd.getpwuid = lambda uid: {}[uid]; "
        "from x3d.network.engine import open_engine; from x3d.network.model_file import read_model; "
        "print(open_engine(read_model(sys.argv[1])).num_classes)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HOME"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(small_onnx)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, "9\n"), ran.stderr


AVAILABLE = ["CUDAExecutionProvider", "CANNExecutionProvider", "ROCMExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("", ("CPUExecutionProvider", {})),
        ("cpu", ("CPUExecutionProvider", {})),
        ("cuda", ("CUDAExecutionProvider", {"use_tf32": "0"})),
        ("cuda:1", ("CUDAExecutionProvider", {"use_tf32": "0", "device_id": "1"})),
        ("CANN:0", ("CANNExecutionProvider", {"precision_mode": "must_keep_origin_dtype", "device_id": "0"})),
        ("ROCMExecutionProvider", ("ROCMExecutionProvider", {})),
    ],
)
def test_a_device_names_provider_and_number(device, expected):
    assert onnxruntime_engine._provider(device, AVAILABLE, "f32") == expected


def test_a_provider_that_is_not_built_in_is_rejected_with_those_that_are():
    match = r"device cuda:0: .* has no CUDAExecutionProvider; it has A, B; install onnxruntime-gpu in place of onnxrun"
    with pytest.raises(EngineError, match=match):
        onnxruntime_engine._provider("cuda:0", ["A", "B"], "f32")
    with pytest.raises(EngineError, match=r"it has A, B; name one of these, such as cpu$"):
        onnxruntime_engine._provider("GPU", ["A", "B"], "f32")


def test_the_number_of_a_device_is_a_number():
    with pytest.raises(EngineError, match="device cuda:a: a number is expected after the colon, as in cuda:0"):
        onnxruntime_engine._provider("cuda:a", AVAILABLE, "f32")


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("", "CPU"),
        ("0", "CPU"),
        ("cpu", "CPU"),
        ("CPUExecutionProvider", "CPU"),
        ("cuda:1", "CUDA"),
        ("CUDAExecutionProvider", "CUDA"),
        ("cann:0", "CANN"),
        ("gpu.1", "GPU"),
        ("GPU", "GPU"),
        ("0,1,2", "CPU"),
        ("cuda:0,cuda:1", "CUDA"),
    ],
)
def test_the_kind_of_a_device_is_known_from_its_name(device, expected):
    assert device_kind("x.onnx", device) == expected
    assert device_kind("x.OM", device) == "NPU"


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("", [""]),
        ("0", ["0"]),
        ("3,0,12", ["3", "0", "12"]),
        ("0, 1", ["0", "1"]),
        ("cuda:0,cuda:1", ["cuda:0", "cuda:1"]),
        ("GPU.0,GPU.1", ["GPU.0", "GPU.1"]),
        ("AUTO:GPU,CPU", ["AUTO:GPU,CPU"]),
        ("MULTI:GPU.0,GPU.1", ["MULTI:GPU.0,GPU.1"]),
        ("0,", ["0,"]),
    ],
)
def test_several_numbered_devices_are_split(device, expected):
    assert split_devices(device) == expected


@pytest.mark.parametrize("device", ["0,1,0", "cuda:0,cuda:0", "cuda:0,cann:0", "0,cuda:1"])
def test_devices_named_twice_or_of_two_kinds_are_rejected(device):
    with pytest.raises(EngineError, match=f"devices {device}: different ones of one kind are expected, such as 0,1"):
        split_devices(device)


def test_an_open_engine_describes_itself_as_a_value(small_onnx):
    opened = opened_from(str(small_onnx), "openvino")
    described = EngineInfo.of(opened, {"openvino": "1"})
    assert described == pickle.loads(pickle.dumps(described))
    assert described == EngineInfo("openvino", {"openvino": "1"}, "CPU", "f32", None, (3, 4, 40, 40), 9)


def test_only_openvino_runs_an_xml(tmp_path):
    with pytest.raises(
        EngineError, match=r"x\.xml: engine openvino runs \.xml files and only it does; onnxruntime was"
    ):
        open_engine(ModelFile("x.xml", b"", b"", ""), "onnxruntime")


def test_a_provider_that_does_not_start_is_an_error(small_onnx, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    session = types.SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *given, providers: session)
    with pytest.raises(EngineError, match="could not start CUDAExecutionProvider; check its driver"):
        opened_from(str(small_onnx), "onnxruntime", "cuda")


@pytest.mark.parametrize(("num_threads", "expected"), [(0, len(os.sched_getaffinity(0))), (1, 1)])
def test_threads_are_those_asked_for_or_one_per_core(num_threads, expected, small_onnx):
    opened = opened_from(str(small_onnx), num_threads=num_threads)
    assert opened._properties["INFERENCE_NUM_THREADS"] == expected
    opened.infer(np.zeros((5, *SHAPE), np.float32))
    assert list(opened._queues) == [(1, min(5, expected))]
    compiled = next(iter(opened._queues.values()))[0].get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == expected
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert str(compiled.get_property("INFERENCE_PRECISION_HINT")) == "<Type: 'float32'>"
    runtime = opened_from(str(small_onnx), "onnxruntime", num_threads=num_threads)
    assert runtime._session.get_session_options().intra_op_num_threads == num_threads


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_model_of_dynamic_batch_is_read(name, small_onnx):
    opened = opened_from(str(small_onnx), name, "7")
    assert (opened.name, opened.device, opened.batch_size) == (name, "CPU", None)
    assert (opened.view_shape, opened.num_classes) == (SHAPE, 9)


def test_an_engine_that_fails_is_named_with_its_device(om, monkeypatch):
    opened = opened_from(om)
    monkeypatch.setattr(Session, "infer", lambda self, feeds: 1 // 0)
    for run in (run_batch, infer_padded):
        with pytest.raises(EngineError, match="engine ais_bench failed on NPU: integer division"):
            run(opened, np.zeros((2, *SHAPE), np.float32))


class Queue:
    """A stand-in for OpenVINO's AsyncInferQueue: the first value of each view, as one class."""

    def __init__(self, compiled):
        self.compiled, self.sizes = compiled, []

    def set_callback(self, callback):
        self.callback = callback

    def start_async(self, inputs, number, share_inputs):
        [batch] = inputs
        assert share_inputs, "a copy takes time"
        self.sizes.append(len(batch))
        scores = types.SimpleNamespace(data=batch[:, :1, 0, 0, 0])
        self.callback(types.SimpleNamespace(output_tensors=[scores]), number)

    def wait_all(self):
        pass


class Axis(int):
    is_dynamic = property(lambda axis: axis < 0)
    get_length = int.__int__


class Shape(tuple):
    rank = types.SimpleNamespace(is_dynamic=False)


def tiny_onnx() -> bytes:
    """A graph with an input and an output, enough for what is read before an engine opens it."""
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("image", "class")]
    node = onnx.helper.make_node("Relu", ["image"], ["class"])
    return onnx.helper.make_model(onnx.helper.make_graph([node], "g", ports[:1], ports[1:])).SerializeToString()


def port(name, *axes):
    dtype = types.SimpleNamespace(get_type_name=lambda: "f32")
    shape = Shape(Axis(axis) for axis in axes)
    return types.SimpleNamespace(any_name=name, names={name}, element_type=dtype, partial_shape=shape)


class Core:
    """A stand-in for OpenVINO's Core: a model of dynamic or fixed batch, and what it was compiled with."""

    batch = -1
    asked: ClassVar[list[tuple[str, ...]]] = []
    capabilities: ClassVar[list[str]] = ["FP32", "BF16", "INT8", "BIN"]
    computes_in: ClassVar[dict[str, str]] = {}

    def read_model(self, content, weights):
        assert (content, weights) == (CONTENT, b"")
        return types.SimpleNamespace(
            inputs=[port("image", self.batch, *SHAPE)],
            outputs=[port("class", max(self.batch, 1), 1)],
            clone=lambda: self.read_model(content, weights),
            reshape=lambda shape: self.asked.append(("reshape", shape)),
        )

    def compile_model(self, model, device, properties):
        self.asked.append(("compile", device, properties))
        hint = properties["INFERENCE_PRECISION_HINT"]
        found = {
            "INFERENCE_PRECISION_HINT": types.SimpleNamespace(get_type_name=lambda: self.computes_in.get(hint, hint))
        }
        return types.SimpleNamespace(get_property=found.__getitem__)

    def get_property(self, device, name):
        return {"OPTIMIZATION_CAPABILITIES": self.capabilities, "FULL_DEVICE_NAME": f"made-up {device}"}[name]

    available_devices = ("CPU", "GPU.0", "GPU.1")


@pytest.fixture
def core(monkeypatch):
    """OpenVINO with any device."""
    monkeypatch.setattr(Core, "asked", [])
    monkeypatch.setitem(sys.modules, "openvino", types.SimpleNamespace(Core=Core, AsyncInferQueue=Queue))
    return Core


CONTENT = tiny_onnx()
FAST_IN_FLOAT32 = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}


@pytest.fixture
def onnx_file(tmp_path):
    (tmp_path / "x.onnx").write_bytes(CONTENT)
    return str(tmp_path / "x.onnx")


def test_openvino_runs_the_views_of_a_dynamic_batch_one_by_one_on_a_cpu(core, onnx_file):
    opened = opened_from(onnx_file, num_threads=2)
    batch = np.arange(5, dtype=np.float32).repeat(math.prod(SHAPE)).reshape(5, *SHAPE)
    scores = opened.infer(batch)
    assert scores.tolist() == [[0], [1], [2], [3], [4]]
    assert [queue.sizes for queue in opened._queues.values()] == [[1] * 5]
    opened.infer(batch)
    opened.infer(batch[:1])
    on_a_cpu = {"ENABLE_CPU_PINNING": False, "INFERENCE_NUM_THREADS": 2}
    assert core.asked == [
        ("reshape", [1, *SHAPE]),
        ("reshape", [1, *SHAPE]),
        ("compile", "CPU", FAST_IN_FLOAT32 | on_a_cpu | {"PERFORMANCE_HINT_NUM_REQUESTS": 2}),
        ("reshape", [1, *SHAPE]),
        ("compile", "CPU", FAST_IN_FLOAT32 | on_a_cpu | {"PERFORMANCE_HINT_NUM_REQUESTS": 1}),
    ], "a model is compiled once for each number of requests"


def test_openvino_runs_whole_batches_on_another_device(core, onnx_file):
    opened = opened_from(onnx_file, device="gpu.1")
    assert (opened.device, opened.batch_size, opened.view_shape, opened.num_classes) == ("GPU", None, SHAPE, 1)
    assert opened.infer(np.ones((5, *SHAPE), np.float32)).tolist() == [[1]] * 5
    assert [queue.sizes for queue in opened._queues.values()] == [[5]]
    assert core.asked[-1] == ("compile", "GPU.1", FAST_IN_FLOAT32 | {"PERFORMANCE_HINT_NUM_REQUESTS": 1})


def test_openvino_runs_a_fixed_batch_as_a_whole(core, onnx_file, monkeypatch):
    monkeypatch.setattr(Core, "batch", 4)
    opened = opened_from(onnx_file, num_threads=2)
    assert opened.batch_size == 4
    assert core.asked[0] == ("reshape", [4, *SHAPE])
    assert opened.infer(np.ones((4, *SHAPE), np.float32)).shape == (4, 1)
    assert [queue.sizes for queue in opened._queues.values()] == [[4]]


class RuntimeSession:
    """A stand-in for ONNX Runtime's session; twice the first value of each view."""

    opened: ClassVar[tuple[object, ...]] = ()
    batch: ClassVar[object] = "batch"
    classes: ClassVar[object] = 1

    def __init__(self, content, settings, providers):
        type(self).opened = content, settings, providers

    def get_providers(self):
        return [self.opened[2][0][0], "CPUExecutionProvider"]

    def get_inputs(self):
        return [types.SimpleNamespace(name="image", type="tensor(float)", shape=[self.batch, *SHAPE])]

    def get_outputs(self):
        return [types.SimpleNamespace(name="class", type="tensor(float)", shape=[self.batch, self.classes])]

    def run(self, names, feeds):
        assert names is None
        return [feeds["image"][:, 0, 0, 0, :1] * 2]


@pytest.mark.parametrize(("batch", "batch_size"), [("batch", None), (4, 4)])
def test_onnx_runtime_is_set_up_and_read(batch, batch_size, onnx_file, monkeypatch):
    settings = types.SimpleNamespace()
    monkeypatch.setattr(RuntimeSession, "batch", batch)
    runtime = types.SimpleNamespace(
        get_available_providers=lambda: AVAILABLE, SessionOptions=lambda: settings, InferenceSession=RuntimeSession
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    opened = opened_from(onnx_file, "onnxruntime", "cuda:1", 3)
    providers = [("CUDAExecutionProvider", {"use_tf32": "0", "device_id": "1"})]
    assert RuntimeSession.opened == (CONTENT, settings, providers)
    assert vars(settings) == {"log_severity_level": 3, "intra_op_num_threads": 3}
    assert (opened.name, opened.device, opened.batch_size) == ("onnxruntime", "CUDA", batch_size)
    assert (opened.view_shape, opened.num_classes) == (SHAPE, 1)
    assert opened.infer(np.ones((2, *SHAPE), np.float32)).tolist() == [[2], [2]]


def test_an_engine_uses_all_cores_of_the_default_device_unless_told_otherwise(monkeypatch):
    given = []
    monkeypatch.setitem(engine.ENGINES, "openvino", lambda *more: given.append(more))
    model = ModelFile("x.onnx", CONTENT, b"", "")
    open_engine(model)
    open_engine(model, "openvino", "0", 3)
    open_engine(model, "auto", "GPU", 0)
    open_engine(model, precision="bf16")
    assert given == [(model, "", 0, "f32"), (model, "", 3, "f32"), (model, "GPU", 0, "f32"), (model, "", 0, "bf16")]


def test_the_packages_that_decide_outputs_are_those_of_the_engine():
    assert dict(engine.ENGINES["openvino"].packages) == {"openvino": "openvino"}
    assert dict(engine.ENGINES["onnxruntime"].packages) == {"onnxruntime": "onnxruntime"}
    assert dict(engine.ENGINES["ais_bench"].packages) == {"aclruntime": "", "ais_bench": ""}
    assert list(engine.ENGINES) == ["openvino", "onnxruntime", "ais_bench"]
