"""The precision of engines: what they run, what they refuse. GPUs, NPUs and their drivers have stand-ins."""

import ctypes
import re
import sys
import types

import numpy as np
import onnx
import onnxruntime
import pytest

import x3d_infer
from test.test_engine import AVAILABLE, CONTENT, SHAPE, Core, RuntimeSession, core, om, onnx_file, opened_from
from x3d.errors import EngineError, PrecisionError
from x3d.network import onnxruntime_engine, precision
from x3d.network.model_file import read_model
from x3d.network.precision import check_gpu, check_precision, compute_capability

__all__ = ["core", "om", "onnx_file"]
BATCH = np.random.RandomState(0).standard_normal((2, *SHAPE)).astype(np.float32)


def capabilities() -> list[str]:
    import openvino

    found: list[str] = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return found


HAS_BF16 = pytest.mark.skipif("BF16" not in capabilities(), reason="the processor has no native bfloat16")
HAS_NO_F16 = pytest.mark.skipif("FP16" in capabilities(), reason="the processor has native float16")


def test_what_is_offered_is_named_with_device_and_remedy():
    check_precision("f32", ["f32"], "x")
    match = (
        r"^precision f16: x on CPU \(y\) has no native support for it; set X3D_EVALUATE\.PRECISION or --precision to "
    )
    with pytest.raises(PrecisionError, match=match + "what it has, f32 or bf16$"):
        check_precision("f16", ["f32", "bf16"], "x on CPU (y)")


@HAS_BF16
def test_bf16_is_run_natively_and_differs_a_little_from_f32(small_onnx):
    exact, opened = (opened_from(str(small_onnx), num_threads=1, precision=name) for name in ("f32", "bf16"))
    assert (exact.precision, opened.precision) == ("f32", "bf16")
    found = opened.infer(BATCH)
    assert {
        str(queue[0].get_compiled_model().get_property("INFERENCE_PRECISION_HINT")) for queue in queues(opened)
    } == {"<Type: 'bfloat16'>"}
    difference = np.abs(found - exact.infer(BATCH)).max()
    assert 1e-6 < difference < 0.02


def queues(engine):
    return engine._queues.values()


@HAS_NO_F16
@pytest.mark.parametrize("name", ["f16", "tf32"])
def test_a_processor_without_a_type_refuses_it(name, small_onnx, caplog):
    match = rf"^precision {name}: OpenVINO on CPU \(.+\) has no native support for it; .* to what it has, f32"
    with pytest.raises(EngineError, match=match):
        opened_from(str(small_onnx), precision=name)
    assert x3d_infer.main(["--model", str(small_onnx), "--precision", name]) == 2
    assert f"precision {name}: OpenVINO on CPU" in caplog.text


@pytest.mark.parametrize(
    ("device", "name", "hint"), [("CPU", "bf16", "bf16"), ("GPU.1", "f16", "f16"), ("GPU.0", "f32", "f32")]
)
def test_the_precision_is_set_on_every_device(device, name, hint, core, onnx_file, monkeypatch):
    monkeypatch.setattr(Core, "capabilities", ["FP32", "BF16", "FP16"])
    opened = opened_from(onnx_file, device=device, precision=name)
    opened.infer(np.zeros((1, *SHAPE), np.float32))
    assert opened.precision == name
    assert {asked[2]["INFERENCE_PRECISION_HINT"] for asked in core.asked if asked[0] == "compile"} == {hint}


@pytest.mark.parametrize(
    ("has", "name", "offered"),
    [(["FP32", "INT8"], "bf16", "f32"), (["FP32", "BF16"], "f16", "f32 or bf16"), (["FP16", "INT8"], "f32", "f16")],
)
def test_a_precision_that_openvino_does_not_list_is_refused(has, name, offered, core, onnx_file, monkeypatch):
    monkeypatch.setattr(Core, "capabilities", has)
    match = rf"precision {name}: OpenVINO on GPU\.0 \(made-up GPU\.0\) has no native .* to what it has, {offered}$"
    with pytest.raises(EngineError, match=match):
        opened_from(onnx_file, device="GPU.0", precision=name)
    assert not any(asked[0] == "compile" for asked in core.asked)


def test_a_precision_that_openvino_replaces_is_refused_before_a_batch_runs(core, onnx_file, monkeypatch):
    monkeypatch.setattr(Core, "capabilities", ["FP32", "FP16"])
    monkeypatch.setattr(Core, "computes_in", {"f16": "bf16"})
    match = "precision f16: OpenVINO computes in bf16 on CPU; set X3D_EVALUATE.PRECISION or --precision to that$"
    with pytest.raises(EngineError, match=match):
        opened_from(onnx_file, precision="f16")


@pytest.mark.parametrize(
    ("device", "name", "options"),
    [
        ("cuda", "tf32", {"use_tf32": "1"}),
        ("cuda:1", "f16", {"use_tf32": "0", "device_id": "1"}),
        ("tensorrt", "tf32", {}),
        ("tensorrt", "f16", {"trt_fp16_enable": "1"}),
        ("cann", "f16", {"precision_mode": "force_fp16"}),
    ],
)
def test_a_provider_gets_the_options_of_a_precision(device, name, options, monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    assert onnxruntime_engine._provider(device, [*AVAILABLE, "TensorrtExecutionProvider"], name)[1] == options


@pytest.mark.parametrize(
    ("device", "name", "offered"),
    [
        ("cpu", "bf16", "f32"),
        ("cuda", "bf16", "f32 or tf32 or f16"),
        ("tensorrt", "f32", "tf32 or f16"),
        ("cann", "tf32", "f32 or f16"),
        ("rocm", "f16", "f32"),
    ],
)
def test_a_precision_that_a_provider_does_not_have_is_refused(device, name, offered, monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    match = f"precision {name}: {device}ExecutionProvider of ONNX Runtime has no native .* to what it has, {offered}$"
    with pytest.raises(EngineError, match=re.compile(match, re.IGNORECASE)):
        onnxruntime_engine._provider(device, [*AVAILABLE, "TensorrtExecutionProvider"], name)


def test_tf32_that_is_turned_off_for_all_libraries_is_not_offered(monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with pytest.raises(EngineError, match=r"what it has, f32 or f16$"):
        onnxruntime_engine._provider("cuda", AVAILABLE, "tf32")
    assert onnxruntime_engine._provider("cuda", AVAILABLE, "f32")[1] == {"use_tf32": "0"}
    assert onnxruntime_engine._provider("tensorrt", ["TensorrtExecutionProvider"], "f32")[1] == {}


def test_a_provider_of_unknown_precision_is_refused():
    match = "device CoreML: it is not known in what precision CoreMLExecutionProvider computes; name one of CPU, CUDA, "
    with pytest.raises(EngineError, match=match):
        onnxruntime_engine._provider("coreml", ["CoreMLExecutionProvider"], "f32")


GPUS = ((7, 5), (9, 0), (8, 0), (5, 2))
"""The compute capabilities of the stand-in's GPUs."""


def _get(device, number):
    device._obj.value = number
    return 0 if number < len(GPUS) else 101


def _get_attribute(value, attribute, device):
    value._obj.value = GPUS[device.value][{75: 0, 76: 1}[attribute]]
    return 0


DRIVER = types.SimpleNamespace(cuInit=lambda flags: 0, cuDeviceGet=_get, cuDeviceGetAttribute=_get_attribute)
"""A stand-in for the driver of CUDA."""


@pytest.fixture
def driver(monkeypatch):
    monkeypatch.setattr(precision.ctypes, "CDLL", lambda name: {"libcuda.so.1": DRIVER}[name])


def test_the_driver_knows_what_a_gpu_can_do(driver):
    assert (compute_capability(0), compute_capability(1)) == GPUS[:2]
    with pytest.raises(
        EngineError, match=r"the driver of CUDA has no device 4 \(error 101\); nvidia-smi -L lists them"
    ):
        compute_capability(4)


def test_a_gpu_without_tf32_refuses_it(driver):
    for name, number in (("f32", 3), ("f16", 0), ("tf32", 1), ("tf32", 2)):
        check_gpu(name, ["f32", "tf32", "f16"], number)
    match = r"precision tf32: CUDA device 0, of compute capability 7\.5, has no native .* to what it has, f32 or f16$"
    with pytest.raises(EngineError, match=match):
        check_gpu("tf32", ["f32", "tf32", "f16"], 0)
    with pytest.raises(EngineError, match=r"precision tf32: CUDA device 0, .* to what it has, f16$"):
        check_gpu("tf32", ["tf32", "f16"], 0)
    with pytest.raises(EngineError, match=r"precision f16: CUDA device 3, .* to what it has, f32$"):
        check_gpu("f16", ["f32", "tf32", "f16"], 3)


def test_a_machine_without_the_driver_is_an_error(monkeypatch):
    def fail(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", fail)
    check_gpu("f32", ["f32", "tf32"], 0)
    with pytest.raises(
        EngineError, match=r"the driver of CUDA cannot be loaded \(libcuda\.so\.1: .*or give device cpu"
    ):
        check_gpu("tf32", ["f32", "tf32"], 0)


@pytest.mark.parametrize(
    ("device", "name", "is_converted"), [("cuda:1", "tf32", False), ("cuda:1", "f16", True), ("cann", "f16", False)]
)
def test_cuda_gets_a_model_of_float16_and_other_providers_convert_it(
    device, name, is_converted, driver, onnx_file, monkeypatch
):
    runtime = types.SimpleNamespace(
        get_available_providers=lambda: [*AVAILABLE, "TensorrtExecutionProvider"],
        SessionOptions=types.SimpleNamespace,
        InferenceSession=RuntimeSession,
    )
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    monkeypatch.setattr(onnxruntime_engine, "to_float16", lambda content: b"float16 of " + content)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    opened = opened_from(onnx_file, "onnxruntime", device, precision=name)
    assert RuntimeSession.opened[0] == (b"float16 of " if is_converted else b"") + CONTENT
    assert opened.precision == name
    for device in ("cuda:0", "tensorrt:0"):
        with pytest.raises(EngineError, match="precision tf32: CUDA device 0, of compute capability"):
            opened_from(onnx_file, "onnxruntime", device, precision="tf32")


def test_a_model_is_converted_to_float16_but_for_input_and_output(small_onnx):
    exact = read_model(str(small_onnx)).content
    converted = onnxruntime_engine.to_float16(exact)
    types_of = {tensor.data_type for tensor in onnx.load_model_from_string(converted).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in types_of
    assert onnx.TensorProto.FLOAT not in types_of
    runs = [onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]) for content in (exact, converted)]
    assert [run.get_inputs()[0].type for run in runs] == ["tensor(float)"] * 2
    expected, found = (run.run(None, {run.get_inputs()[0].name: BATCH})[0] for run in runs)
    assert found.dtype == np.float32
    assert 1e-7 < np.abs(found - expected).max() < 5e-3


def test_an_om_has_the_precision_of_its_conversion(om):
    assert opened_from(om).precision == "om"
    match = (
        r"precision f16: .*x\.om has the precision that was chosen when it was converted; leave out X3D_EVALUATE\.PREC"
    )
    with pytest.raises(EngineError, match=match):
        opened_from(om, precision="f16")
