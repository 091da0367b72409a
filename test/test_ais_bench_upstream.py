"""The Ascend route with the upstream ais_bench package, over an aclruntime that runs ONNX.

AIS_BENCH_DIR names the folder ais-bench_workload/tool/ais_bench of a checkout of github.com/Ascend/tools (9d6da90, of
2023) or gitee.com/ascend/tools (630d2696, of 2025); without it these tests are skipped.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from test import npu_texts
from test.helpers import ROOT
from test.in_process import Ran, run_script
from test.stand_ins import StandIns
from x3d.ascend.ais_bench import pure_command, results_command
from x3d.ascend.ais_bench_output import parse_output, parse_summary
from x3d.storage.score_reader import read_scores

pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")

NUM_VIEWS = 30
CFG = ["--cfg", "cfg.yaml"]

ATC = """
import onnx
given = dict(word.lstrip("-").split("=", 1) for word in arguments)
model = onnx.load(given["model"])
for port in (*model.graph.input, *model.graph.output):
    port.type.tensor_type.shape.dim[0].dim_value = int(given["input_shape"].split(":")[1].split(",")[0])
onnx.save(model, given["output"] + ".om")
print("ATC run success, welcome to the next use.")
"""
"""A conversion that only fixes the batch size."""


@pytest.fixture
def work(intact, tmp_path, monkeypatch, stand_ins) -> Iterator[Path]:
    """A folder with views, model and configuration, as the working folder; `python` on PATH has ais_bench."""
    upstream = os.environ.get("AIS_BENCH_DIR")
    if not upstream:
        pytest.skip("AIS_BENCH_DIR is not set; it names ais-bench_workload/tool/ais_bench of Ascend/tools")
    for name in ("small.onnx", "cfg.yaml"):
        shutil.copy(intact / name, tmp_path / name)
    shutil.copytree(intact / "prep", tmp_path / "prep")
    path = os.pathsep.join([upstream, str(ROOT / "test/aclruntime_stand_in")])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for entry in reversed(path.split(os.pathsep)):
        monkeypatch.syspath_prepend(entry)
    python = stand_ins.folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("ais_bench", "aclruntime")]:
        del sys.modules[name]  # other tests run without


def convert(om: str, batch_size: int, float16_input: bool = False) -> str:
    """Write a model of a fixed batch size, and let it take float16."""
    model = onnx.load("small.onnx")
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = batch_size
    if float16_input:
        [port] = model.graph.input
        port.type.tensor_type.elem_type = TensorProto.FLOAT16
        for node in model.graph.node:
            node.input[:] = ["as_float32" if name == port.name else name for name in node.input]
        model.graph.node.insert(0, helper.make_node("Cast", [port.name], ["as_float32"], to=TensorProto.FLOAT))
    onnx.save(model, om)
    return om


def ais_bench(command: list[str], *more: str) -> str:
    """Run a command of ais_bench; return what it printed."""
    ran = subprocess.run([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
    return ran.stdout


def infer(batch_size: int, name: str, *more: str, views: str = "prep", float16_input: bool = False) -> str:
    """Run the views through ais_bench into a folder of results; return what it printed."""
    om = convert(f"small_bs{batch_size}.om", batch_size, float16_input)
    return ais_bench(results_command(om, batch_size, views, "./", name), *more)


def compare(candidate: str) -> Ran:
    """Compare results with those of x3d_infer.py."""
    options = ["--model", "small.onnx", "--input", "prep", "--output", ".", "--output_dirname", "result_onnx"]
    assert run_script("x3d_infer", options).status == 0
    return run_script("x3d_compare", [*CFG, "--reference", "result_onnx", "--candidate", candidate])


def largest_difference(folder: str) -> float:
    """Compare the scores of every view in a folder, and below it, with those of x3d_infer.py."""
    paths = sorted(path for path in Path(folder).rglob("*_0.*") if path.suffix in (".bin", ".npy", ".txt"))
    assert len(paths) == NUM_VIEWS
    pairs = [(read_scores(str(path), 9), read_scores(f"result_onnx/{path.stem}.bin", 9)) for path in paths]
    return max(float(np.abs(one - other).max()) for one, other in pairs)


@pytest.mark.parametrize(("batch_size", "outfmt"), [(1, "BIN"), (4, "NPY"), (8, "TXT"), (8, "BIN")])
def test_results_of_every_batch_size_and_format_are_those_of_x3d_infer(batch_size, outfmt, work):
    [measured] = parse_output(infer(batch_size, "result", "--outfmt", outfmt))
    assert measured.batch_size == batch_size
    written = parse_summary(Path("result_summary.json").read_bytes(), "result_summary.json")
    assert (written.throughput, written.count) == (measured.throughput, -(-NUM_VIEWS // batch_size))
    assert run_script("x3d_postprocess", [*CFG, "X3D_POSTPROCESS.OM_OUTPUT_PATH", "result"]).status == 0
    ran = compare("result")
    assert json.loads(ran.out.splitlines()[-1])["agreement_percent"] == 100
    assert largest_difference("result") < 2e-6


def test_the_results_of_several_devices_are_read(work):
    later = (Path(os.environ["AIS_BENCH_DIR"]) / "ais_bench/infer/infer_process.py").exists()
    names = ("device0_0", "device1_1", "device3_2") if later else ("device0", "device1", "device3")
    measured = parse_output(infer(4, "result", "--device", "0,1,3", *(["--divide_input", "1"] if later else [])))
    assert sorted(one.device or 0 for one in measured) == [0, 1, 3]
    assert {one.batch_size for one in measured} == {4}
    assert sorted(path.name for path in Path("result").iterdir()) == [
        f"{name}{suffix}" for name in names for suffix in ("", "_summary.json")
    ]
    ran = run_script("x3d_postprocess", [*CFG, "X3D_POSTPROCESS.OM_OUTPUT_PATH", "result"])
    assert ran.status == 0, ran.err
    assert "30 views expected" in ran.err
    assert json.loads(compare("result").out.splitlines()[-1])["agreement_percent"] == 100
    assert largest_difference("result") < 1e-6


@pytest.mark.parametrize("device", ["0", "0,1"])
def test_pure_throughput(device, work):
    om = convert("small_bs8.om", 8)
    measured = parse_output(ais_bench(pure_command(om, 8, 100), "--device", device))
    assert [one.batch_size for one in measured] == [8] * len(device.split(","))


def test_bench_measures_with_it(work, stand_ins):
    stand_ins.prints("npu-smi", npu_texts.IDLE_310P)
    oms = ",".join(convert(f"small_bs{size}.om", size) for size in (1, 8))
    ran = run_script("x3d_npu", ["bench", "--om", oms, "--loop", "30", "--output", "bench"])
    assert ran.status == 0, ran.err
    rows = json.loads(Path("bench/npu_bench.json").read_text())["rows"]
    assert [(row["batch_size"], row["num_batches"], row["warnings"]) for row in rows] == [(1, 30, []), (8, 30, [])]


def half_views() -> str:
    """Write the views as float16, without a manifest."""
    Path("half").mkdir()
    for path in Path("prep").glob("*.npy"):
        np.save(Path("half") / path.name, np.load(path).astype(np.float16))
    return "half"


def check(om: str, views: str) -> Ran:
    return run_script("x3d_npu", ["check", "--model", "small.onnx", "--om", om, "--input", views])


def test_float16_views(work):
    infer(8, "result", views=half_views(), float16_input=True)
    compare("result")
    assert largest_difference("result") < 1e-3
    ran = check("small_bs8.om", "half")
    assert ran.status == 0, ran.err


@pytest.mark.parametrize("batch_size", [1, 7, 8])
def test_check_by_its_command_line(batch_size, work, monkeypatch):
    monkeypatch.setitem(sys.modules, "ais_bench.infer.interface", None)
    om = convert("small.om", batch_size)
    ran = check(om, "prep")
    assert ran.status == 0, ran.err
    assert "its command line is used" in ran.err
    assert f"--candidate result_bs{batch_size}\n" in ran.err
    ran = check(convert("half.om", batch_size, float16_input=True), "prep")
    assert ran.status == 2
    assert ("ais_bench failed on" if batch_size % 2 else "cut the float32 views in two") in ran.err


def test_a_conversion_and_its_check(work, stand_ins):
    stand_ins.add("atc", ATC)
    options = ["--model", "small.onnx", "--soc", "310P3", "--batchsize", "4,8", "--output", "om"]
    ran = run_script("x3d_npu", ["convert", *options])
    assert ran.status == 0, ran.err
    for batch_size in (4, 8):
        ran = check(f"om/small_bs{batch_size}.om", "prep")
        assert ran.status == 0, ran.err
    shutil.copy("om/small_bs8.om", "om/small_bs4.om")
    ran = check("om/small_bs4.om", "prep")
    assert ran.status == 2
    assert "records the conversion of another model than om/small_bs4.om is" in ran.err


def test_float32_views_that_it_cuts_in_two_are_refused(work):
    infer(8, "result", float16_input=True)
    ran = run_script("x3d_postprocess", [*CFG, "X3D_POSTPROCESS.OM_OUTPUT_PATH", "result"])
    assert ran.status == 2
    assert "ais_bench cut the float32 views" in ran.err
    ran = check("small_bs8.om", "prep")
    assert ran.status == 2
    assert "takes float16 and the views are float32: ais_bench would cut each in two" in ran.err


def test_float16_views_for_float32_end_it(work):
    with pytest.raises(AssertionError, match="RuntimeError"):
        infer(8, "result", views=half_views())


def test_the_planned_script_runs_from_the_chip_to_the_verdict(work: Path, stand_ins: StandIns, monkeypatch):
    stand_ins.prints("npu-smi", npu_texts.IDLE_310P)
    stand_ins.add("atc", ATC)
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(work / "cann"))
    (work / "cann").mkdir()
    (work / "cann/set_env.sh").write_text("export CANN_IS_SET=1\n")
    options = ["--model", "small.onnx", "--batchsize", "1,4,8", "--input", "prep/", "--shell"]
    planned = run_script("x3d_npu", ["plan", *CFG, *options])
    assert planned.status == 0, planned.err
    for script in ROOT.glob("x3d_*.py"):
        (work / script.name).symlink_to(script)
    Path("ascend.sh").write_text(planned.out)
    ran = subprocess.run(["bash", "ascend.sh"], capture_output=True, text=True, check=False)
    assert ran.returncode == 3, ran.stderr[-3000:]  # UNDECIDED: one video is too few
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    verdicts = [line["verdict"] for line in lines if "num_agreeing" in line]
    assert verdicts == ["PASS"] * 3
    assert [line["agreement_percent"] for line in lines if "drop_points" in line] == [100] * 3
    assert len([line for line in lines if line.get("split") == "test_final"]) == 3
    assert [tool for tool, *_ in stand_ins.calls] == ["npu-smi", "npu-smi", "atc", "atc", "atc"]
    for batch_size in (1, 4, 8):
        assert len(list(Path(f"result_bs{batch_size}").iterdir())) == NUM_VIEWS
