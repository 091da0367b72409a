"""x3d_npu.py bench with stand-ins of npu-smi and ais_bench: a figure is of the right batch size on an idle NPU."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import x3d_npu
from test import npu_texts
from test.helpers import ROOT, error_of
from test.test_tools import assert_ended, wait_for_pids
from x3d.ascend import ais_bench, chips, power
from x3d.network.model_file import read_model
from x3d.pipeline import npu_bench
from x3d.storage.conversion_record import ConversionRecord, write_conversion

AIS_BENCH = f"""
if arguments == ["-c", "import aclruntime, ais_bench"]: sys.exit(0)
assert arguments[:2] == ["-m", "ais_bench"], arguments
given = dict(zip(arguments[2::2], arguments[3::2]))
assert " ".join(given) == "--model --device --loop --display_all_summary --output --output_dirname", given
size, loop, out = open(given["--model"], "rb").read()[5], int(given["--loop"]), given["--output"] + "/measured"
os.mkdir(out)
keys = {["min", "max", "mean", "median", "percentile(99%)"]!r}
def summary(mean, size=size):
    times = [mean - 1, mean + 1, mean, mean - 0.5, mean + 0.75]
    compute, copy = dict(zip(keys, times)), dict.fromkeys(keys, 0.25)
    return {{"NPU_compute_time": compute, "H2D_latency": copy, "D2H_latency": copy, "throughput": 1000 * size / mean}}
def show(summary, size=size):
    for name in ("H2D_latency", "NPU_compute_time", "D2H_latency"):
        print(f"[INFO] {{name}} (ms):", ", ".join(f"{{key}} = {{value}}" for key, value in summary[name].items()))
    mean = summary["NPU_compute_time"]["mean"]
    formula = f"throughput 1000*batchsize.mean({{size}})/NPU_compute_time.mean({{mean}})"
    print(f"[INFO] {{formula}}: {{summary['throughput']}}")
def write(summary, path=out + "_summary.json"):
    summary["NPU_compute_time"]["count"] = loop
    json.dump(summary, open(path, "w"))
"""
"""As ais_bench, with the batch size of the model; the sixth byte of the made-up .om."""
MEASURES = f"{AIS_BENCH}found = summary(2.5 * size); show(found); write(found)"
IDLE = f"sys.stdout.write({npu_texts.IDLE_310P!r})"
PROCESS = "| 24      0                 | 4711            | python3                  | 101                       |\n"
BUSY_310P = npu_texts.IDLE_310P.replace(
    "| No running processes found in NPU 24                                                                   |\n",
    PROCESS,
)


@pytest.fixture(autouse=True)
def _work(tmp_path, monkeypatch, stand_ins):
    """A folder with three .om, and an idle 310P3."""
    monkeypatch.chdir(tmp_path)
    for name in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH", "ASCEND_RT_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(npu_bench, "IDLE_SECONDS", 0)
    monkeypatch.setattr(npu_bench, "IDLE_ATTEMPTS", 2)
    monkeypatch.setattr(power, "INTERVAL_SECONDS", 0.01)
    for size in (1, 8, 16):
        write_om(f"x3d_s_bs{size}.om", size)
    stand_ins.add("npu-smi", IDLE)
    stand_ins.add("python", MEASURES)


def write_om(name, batch_size):
    Path(name).write_bytes(b"IMOD\0" + bytes([batch_size]))


def bench(*more, om="x3d_s_bs1.om,x3d_s_bs8.om"):
    return x3d_npu.main(["bench", "--om", om, "--output", "out", *more])


def content():
    return json.loads(Path("out/npu_bench.json").read_text())


def test_the_table(capsys, caplog):
    caplog.set_level("INFO")
    assert bench("--loop", "20") == 0
    assert "2 models, 20 batches each; ais_bench on 310P3, device 0; output out" in caplog.messages
    assert caplog.messages[-1] == "measurements: out/npu_bench.json"
    shown = capsys.readouterr().out
    assert Path("out/npu_bench.md").read_text() == shown
    assert shown.startswith(
        "## Throughput on `310P3`\n\n"
        "| model | precision | batch | views/s | published | mean, ms | median, ms | 99 %, ms | power, W |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
        "| `x3d_s_bs1.om` |  | 1 | 400.0 | 333.2 | 2.50 | 2.00 | 3.25 |  |\n"
        "| `x3d_s_bs8.om` |  | 8 | 400.0 | 386.8 | 20.00 | 19.50 | 20.75 |  |\n\n"
        "ais_bench on zeros, 20 batches; without copies and files. Published: views/s of X3D-S on an Ascend 310P3"
    )
    assert "\n\nNPU 24, chip 0, device 0, x3d-eval 0." in shown


def test_the_json():
    assert bench() == 0
    found = content()
    assert found["chip"] == {"name": "310P3", "npu": 24, "chip": 0, "device": 0}
    assert (found["loop"], found["cann"], found["driver"], found["failed"]) == (100, None, None, [])
    assert found["rows"][1] == {
        "om": "x3d_s_bs8.om",
        "om_digest": read_model("x3d_s_bs8.om").digest,
        "conversion": None,
        "batch_size": 8,
        "views_per_second": 400.0,
        "published_views_per_second": 386.8,
        "num_batches": 100,
        "compute": {"min_ms": 19.0, "max_ms": 21.0, "mean_ms": 20.0, "median_ms": 19.5, "p99_ms": 20.75},
        "to_device": dict.fromkeys(("min_ms", "max_ms", "mean_ms", "median_ms", "p99_ms"), 0.25),
        "from_device": dict.fromkeys(("min_ms", "max_ms", "mean_ms", "median_ms", "p99_ms"), 0.25),
        "power_watts": None,
        "log": "ais_bench_2.log",
        "warnings": [],
    }
    assert "NPU_compute_time (ms): min = 19.0" in Path("out/ais_bench_2.log").read_text()


def test_ais_bench_is_asked_for_the_batch_size(stand_ins):
    """A wrong --batchsize gives a wrong throughput without any error; so does an .om of another size."""
    assert bench() == 0
    for call in stand_ins.calls:
        assert "--batchsize" not in call


def test_the_device_is_that_of_npu_smi(stand_ins):
    stand_ins.prints("npu-smi", npu_texts.DUO_310P)
    assert bench("--device", "3") == 0
    assert (content()["chip"]["npu"], content()["chip"]["chip"]) == (3, 1)
    [call] = [call for call in stand_ins.calls if "x3d_s_bs1.om" in call]
    assert call[call.index("--device") + 1] == "3"


def test_the_record_of_a_conversion(tmp_path):
    digest = read_model("x3d_s_bs8.om").digest
    record = ConversionRecord("atc", "8.0.0", "Ascend310P3", "mixed_float16", "float32", 8, "1", digest, 1.5)
    write_conversion(Path("x3d_s_bs8.om"), record)
    assert bench() == 0
    assert content()["rows"][1]["conversion"]["precision_mode"] == "mixed_float16"
    assert "| `x3d_s_bs8.om` | `mixed_float16` | 8 | 400.0 |" in Path("out/npu_bench.md").read_text()


def test_an_om_that_was_replaced_after_its_conversion(caplog, stand_ins):
    record = ConversionRecord("atc", None, "Ascend310P3", "origin", "float32", 8, "1", "another", 1.5)
    write_conversion(Path("x3d_s_bs8.om"), record)
    assert bench() == 2
    assert error_of(caplog).startswith("x3d_s_bs8.json records the conversion of another model than x3d_s_bs8.om is")
    assert stand_ins.calls == []


def test_a_batch_size_that_contradicts_name_and_record(caplog, capsys):
    write_om("x3d_s_bs8.om", 4)
    digest = read_model("x3d_s_bs8.om").digest
    record = ConversionRecord("atc", None, "Ascend310P3", "origin", "float32", 16, "1", digest, 1.5)
    write_conversion(Path("x3d_s_bs8.om"), record)
    assert bench() == 1
    warnings = [
        "its batch size is 4, not 8 as in its name",
        "its batch size is 4, not 16 as in the record of its conversion",
    ]
    assert content()["rows"][1]["warnings"] == warnings
    assert content()["rows"][1]["published_views_per_second"] == 381.6
    listed = "\n".join(f"x3d_s_bs8.om: {text}" for text in warnings)
    remedy = "measure again on an idle NPU, with models that match their names and records"
    assert error_of(caplog) == f"1 measurement doubtful; {remedy}\n{listed}"
    assert "| 4 | 400.0 (doubtful) | 381.6 |" in capsys.readouterr().out


FAILURES = [
    ("print('[ERROR] load model failed'); sys.exit(1)", "python failed with exit status 1: [ERROR] load model failed"),
    (
        "os.kill(os.getpid(), signal.SIGKILL)",
        "python was ended by signal 9 (Killed), perhaps because the memory was full: it",
    ),
    ("print('[INFO] done')", "ais_bench did not print a throughput: [INFO] done"),
    ("pass", "ais_bench did not print a throughput: it printed nothing"),
    ("os.write(1, bytes(range(128, 256)))", "ais_bench did not print a throughput: \\x80"),
    ("show(summary(20.0), size=4)", "throughput and mean time give 8 views per batch"),
    ("show(summary(20.0, size=8.5))", "throughput and mean time give 8.500 views per batch"),
    ("show(summary(20.0)); write(summary(30.0))", "measured more than one throughput: 400.0, 266.7 views/s"),
    ("show(summary(20.0)); show(summary(21.0))", "measured more than one throughput: 400.0, 381.0 views/s"),
    ("show(summary(20.0)); open(out + '_summary.json', 'w').write('{')", "measured_summary.json is not a summary"),
    ("show(summary(20.0)); write({'NPU_compute_time': {}})", "measured_summary.json is not a summary"),
    (
        "print('[INFO] warm up 1 done', flush=True); time.sleep(60)",
        "python did not end within 1 s and was ended: [INFO",
    ),
]


@pytest.mark.parametrize(("body", "message"), FAILURES, ids=[message for _, message in FAILURES])
def test_what_cannot_be_measured_does_not_stop_the_others(stand_ins, caplog, monkeypatch, body, message):
    if "sleep" in body:
        monkeypatch.setattr(npu_bench, "START_SECONDS", 1)
        monkeypatch.setattr(npu_bench, "BATCH_SECONDS", 0)
    stand_ins.add("python", f"{AIS_BENCH}\nif size == 8:\n    {body}\nelse: found = summary(40.0); show(found)")
    assert bench(om="x3d_s_bs1.om,x3d_s_bs8.om,x3d_s_bs16.om") == 1
    assert [row["batch_size"] for row in content()["rows"]] == [1, 16]
    [failed] = content()["failed"]
    assert failed["om"] == "x3d_s_bs8.om"
    assert message in failed["reason"]
    assert failed["reason"].endswith("; log: out/ais_bench_2.log")
    assert error_of(caplog).startswith("1 model not measured\nx3d_s_bs8.om: ")
    assert "\n### Not measured\n\n- `x3d_s_bs8.om`: `" in Path("out/npu_bench.md").read_text()


def test_the_summary_of_the_older_generation(stand_ins):
    stand_ins.add("python", f"{AIS_BENCH}found = summary(20.0); show(found); write(found, out + '/sumary.json')")
    assert bench() == 0
    assert content()["rows"][1]["num_batches"] == 100


def test_without_any_summary(stand_ins):
    stand_ins.add("python", f"{AIS_BENCH}show(summary(20.0))")
    assert bench() == 0
    assert content()["rows"][1]["num_batches"] is None


@pytest.mark.parametrize(
    ("table", "device", "message"),
    [
        (BUSY_310P, 0, "NPU 24, chip 0 (310P3, device 0) is used by python3 (4711); wait until it is idle and healthy"),
        (
            npu_texts.DUO_310P,
            4,
            "NPU 5, chip 0 (310P3, device 4) is used by python3 (904545), mindie_llm_back (917047); wait",
        ),
        (npu_texts.BUSY_910B, 1, "NPU 1, chip 0 (910B3, device 1) has a load of 42 %; wait until"),
        (npu_texts.ALARM_310B, 0, "(310B4, device 0) is in state Alarm; wait until it is idle and healthy, or give"),
        (npu_texts.DUO_310P, 7, "--device 7: npu-smi lists the devices 2, 3, 4, 5; give one of these"),
        (npu_texts.RECIPE[:700], 0, "the table of npu-smi cannot be read at '"),
    ],
)
def test_an_npu_that_is_not_fit(stand_ins, caplog, table, device, message):
    stand_ins.prints("npu-smi", table)
    assert bench("--device", str(device)) == 2
    assert message in error_of(caplog)
    assert not Path("out").exists()
    assert all("-c" in call or call[0] == "npu-smi" for call in stand_ins.calls)


def test_an_npu_that_became_busy_during_the_run(stand_ins, caplog):
    body = f"busy = os.path.exists('stop_idling')\nsys.stdout.write({BUSY_310P!r} if busy else {npu_texts.IDLE_310P!r})"
    stand_ins.add("npu-smi", body)
    stand_ins.add("python", f"{MEASURES}\nif size == 8: open('stop_idling', 'w')")
    assert bench(om="x3d_s_bs1.om,x3d_s_bs8.om,x3d_s_bs16.om") == 1
    state = "the run: NPU 24, chip 0 (310P3, device 0) is used by python3 (4711)"
    assert [row["warnings"] for row in content()["rows"]] == [
        [],
        [f"after {state}"],
        [f"before {state}", f"after {state}"],
    ]
    assert "names and records\nx3d_s_bs8.om: after the run: NPU 24" in error_of(caplog)


def test_an_npu_whose_load_lags_behind_is_idle(stand_ins):
    loaded = npu_texts.IDLE_310P.replace("04:00.0    | 0  ", "04:00.0    | 97 ")
    body = f"text = {npu_texts.IDLE_310P!r}\nif os.path.exists('ran'): os.remove('ran'); text = {loaded!r}"
    stand_ins.add("npu-smi", f"{body}\nsys.stdout.write(text)")
    stand_ins.add("python", f"{MEASURES}\nopen('ran', 'w')")
    assert bench() == 0


@pytest.mark.parametrize(
    ("table", "state"),
    [
        (BUSY_310P, "is used by python3 (4711)"),
        (npu_texts.IDLE_310P.replace("| OK   ", "| Alarm"), "is in state Alarm"),
    ],
)
def test_a_process_or_an_alarm_gets_no_time_to_end(stand_ins, table, state):
    body = f"text = {npu_texts.IDLE_310P!r}\nif os.path.exists('ran'): os.remove('ran'); text = {table!r}"
    stand_ins.add("npu-smi", f"{body}\nsys.stdout.write(text)")
    stand_ins.add("python", f"{MEASURES}\nopen('ran', 'w')")
    assert bench(om="x3d_s_bs8.om") == 1
    assert content()["rows"][0]["warnings"] == [f"after the run: NPU 24, chip 0 (310P3, device 0) {state}"]


def test_npu_smi_that_fails_after_the_run(stand_ins):
    stand_ins.add("npu-smi", f"if os.path.exists('ran'): sys.exit('dcmi module initialize failed')\n{IDLE}")
    stand_ins.add("python", f"{MEASURES}\nopen('ran', 'w')")
    assert bench(om="x3d_s_bs8.om") == 1
    [row] = content()["rows"]
    assert row["views_per_second"] == 400
    assert row["warnings"] == [
        "after the run: `npu-smi info` failed (dcmi module initialize failed); check driver and permissions"
    ]


UNTIL_READ = (
    "open('busy', 'w'); [time.sleep(0.05) for _ in range(600) if not os.path.exists('read')]; os.remove('busy')"
)
"""A run that lasts until npu-smi was called during it."""


def test_power_is_measured_in_a_further_run(stand_ins, monkeypatch):
    hot = npu_texts.IDLE_910B.replace("88.9 ", "143.2")
    body = f"busy = os.path.exists('busy')\nsys.stdout.write({hot!r} if busy else {npu_texts.IDLE_910B!r})"
    stand_ins.add("npu-smi", f"{body}\nif busy: open('read', 'w')")
    stand_ins.add("python", f"{MEASURES}\nif loop != 100: {UNTIL_READ}")
    assert bench(om="x3d_s_bs8.om") == 0
    assert content()["rows"][0]["power_watts"] == 143.2
    assert "| 20.75 | 143.2 |" in Path("out/npu_bench.md").read_text()
    loops = [call[call.index("--loop") + 1] for call in stand_ins.calls if "--loop" in call]
    assert loops == ["100", "750"]


def test_an_npu_smi_that_hangs_during_the_power_run_is_not_waited_for(stand_ins, monkeypatch):
    monkeypatch.setattr(power, "READING_SECONDS", 0.2)
    hangs = "if os.path.exists('busy'): open('read', 'w'); time.sleep(300)"
    stand_ins.add("npu-smi", f"{hangs}\nsys.stdout.write({npu_texts.IDLE_910B!r})")
    stand_ins.add("python", f"{MEASURES}\nif loop != 100: {UNTIL_READ}")
    monkeypatch.setattr(chips, "TIMEOUT_SECONDS", 299)
    assert bench(om="x3d_s_bs8.om") == 0
    [row] = content()["rows"]
    assert (row["views_per_second"], row["power_watts"]) == (400.0, None)


def test_a_power_run_that_fails(stand_ins, caplog):
    stand_ins.prints("npu-smi", npu_texts.IDLE_910B)
    stand_ins.add("python", f"{MEASURES}\nif loop != 100: sys.exit('[ERROR] no memory')")
    assert bench(om="x3d_s_bs8.om") == 0
    assert content()["rows"][0]["power_watts"] is None
    [warning] = [one.getMessage() for one in caplog.records if "power" in one.getMessage()]
    assert warning.startswith("x3d_s_bs8.om: its power is unknown: python failed with exit status 1: ")
    assert "log: " not in warning


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ModuleNotFoundError: No module named 'ais_bench'", "No module named 'ais_bench'); activate the environment"),
        ("ImportError: libascendcl.so: cannot open shared object file", "libascendcl.so: cannot open shared object"),
    ],
)
def test_an_ais_bench_that_cannot_be_imported(stand_ins, caplog, error, message):
    stand_ins.add("python", f"sys.exit('Traceback\\n' + {error!r})")
    assert bench() == 2
    assert message in error_of(caplog)
    assert "and run `source /usr/local/Ascend/ascend-toolkit/set_env.sh`" in error_of(caplog)
    assert not Path("out").exists()


def test_a_python_that_hangs(stand_ins, caplog, monkeypatch):
    monkeypatch.setattr(ais_bench, "TIMEOUT_SECONDS", 1)
    stand_ins.add("python", "time.sleep(60)")
    assert bench() == 2
    assert error_of(caplog) == (
        "python did not end within 1 s and was ended: it printed nothing; check it with `python -c 'import aclruntime, "
        "ais_bench'`"
    )


def test_an_npu_smi_that_hangs(stand_ins, caplog, monkeypatch):
    monkeypatch.setattr(chips, "TIMEOUT_SECONDS", 1)
    stand_ins.add("npu-smi", "time.sleep(60)")
    assert bench() == 2
    assert error_of(caplog) == (
        "npu-smi did not end within 1 s and was ended: it printed nothing; check it with `npu-smi info`"
    )
    assert not Path("out").exists()


def test_missing_tools(monkeypatch, tmp_path, caplog, stand_ins):
    (stand_ins.folder / "npu-smi").unlink()
    monkeypatch.setenv("PATH", str(stand_ins.folder))
    assert bench() == 2
    assert error_of(caplog).startswith("npu-smi is not on PATH; install the driver")
    caplog.clear()
    (stand_ins.folder / "python").unlink()
    assert bench() == 2
    assert error_of(caplog) == "python is not on PATH; activate the environment that has ais_bench"


def test_devices_that_the_environment_renumbers(monkeypatch, caplog):
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "2,3")
    assert bench() == 2
    assert error_of(caplog).startswith("ASCEND_RT_VISIBLE_DEVICES is set, so that device 0 may be any; unset it")


@pytest.mark.parametrize(
    ("om", "message"),
    [
        ("x3d_s.onnx", "--om 'x3d_s.onnx': a file that ATC writes is expected, such as x3d_s_bs8.om"),
        ("x3d_s_bs1.om,", "--om '': a file that ATC writes is expected"),
        ("missing.om", "model missing.om does not exist"),
        ("x3d_s_bs1.om,./x3d_s_bs1.om", "--om x3d_s_bs1.om, ./x3d_s_bs1.om: the same model; give each once"),
    ],
)
def test_wrong_models(om, message, caplog):
    assert bench(om=om) == 2
    assert message in error_of(caplog)
    assert not Path("out").exists()


@pytest.mark.parametrize("option", ["--loop", "--device"])
@pytest.mark.parametrize("number", ["-1", "a", "", "1.5", "²", "1000000"])
def test_wrong_numbers(option, number, capsys):
    with pytest.raises(SystemExit) as ended:
        bench(option, number)
    assert ended.value.code == 2
    assert f"argument {option}: a number from" in capsys.readouterr().err


def test_an_earlier_measurement_is_replaced_and_nothing_else():
    assert bench(om="x3d_s_bs1.om,x3d_s_bs8.om,x3d_s_bs16.om") == 0
    assert bench(om="x3d_s_bs16.om") == 0
    assert sorted(os.listdir("out")) == ["ais_bench_1.log", "npu_bench.json", "npu_bench.md"]
    assert [row["batch_size"] for row in content()["rows"]] == [16]


def test_a_folder_with_anything_else(caplog):
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    assert bench() == 2
    assert error_of(caplog) == "--output out holds notes.txt and no npu_bench.json; give another folder"


def start(tmp_path):
    """Start a run whose second model is being measured when this returns."""
    options = ["--om", "x3d_s_bs1.om,x3d_s_bs8.om", "--output", "out"]
    command = [sys.executable, str(ROOT / "x3d_npu.py"), "bench", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    return process, wait_for_pids(tmp_path / "pids")


def test_a_stop_loses_no_measurement(stand_ins, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    waits = "print(os.getpid(), file=open('pids', 'w'), flush=True); time.sleep(60)"
    stand_ins.add("python", f"{MEASURES}\nif size == 8: {waits}")
    process, pids = start(tmp_path)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert_ended(pids)
    assert [row["batch_size"] for row in content()["rows"]] == [1]
    assert sorted(os.listdir("out")) == ["ais_bench_1.log", "ais_bench_2.log", "npu_bench.json", "npu_bench.md"]
    assert os.listdir(tmp_path / "tmp") == []


def test_two_runs_into_one_folder(stand_ins, tmp_path, caplog):
    waits = (
        "print(os.getpid(), file=open('pids', 'w'), flush=True)\n    while not os.path.exists('go'): time.sleep(0.01)"
    )
    stand_ins.add("python", f"{MEASURES}\nif size == 8:\n    {waits}")
    process, _ = start(tmp_path)
    assert bench(om="x3d_s_bs1.om") == 2
    assert "out/.npu_bench.json.lock is in use by another run, which is writing there" in error_of(caplog)
    Path("go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert [row["batch_size"] for row in content()["rows"]] == [1, 8]
