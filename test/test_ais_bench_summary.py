import io
import json
import sys
from pathlib import Path

import pytest

from x3d.storage.ais_bench_summary import Summary, read_summaries, read_summary, summary_path


@pytest.fixture
def summary() -> Summary:
    summary = Summary(4)
    summary.compute_ms += [1.0, 2.0, 3.0, 10.0]
    summary.add_file(0, "views/61_7.npy", ["res/61_7_0.bin", "res/61_7_1.bin"])
    summary.add_file(1, "views/62_7.npy", ["res/62_7_0.bin", "res/62_7_1.bin"])
    return summary


COMPUTE = "min = 1.0, max = 10.0, mean = 4.0, median = 2.5, percentile(99%) = 9.79"


def test_the_lines_are_those_of_ais_bench(summary, capsys):
    summary.report([], None, False)
    assert capsys.readouterr().out.splitlines() == [
        "[INFO] -----------------Performance Summary------------------",
        f"[INFO] NPU_compute_time (ms): {COMPUTE}",
        "[INFO] throughput 1000*batchsize.mean(4)/NPU_compute_time.mean(4.0): 1000.0",
        "[INFO] ------------------------------------------------------",
    ]


def test_the_lines_are_printed_at_once(summary, monkeypatch):
    class Output(io.StringIO):
        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    monkeypatch.setattr(sys, "stdout", output := Output())
    summary.report([], None, False)
    assert output.flushed == output.getvalue() != ""


def test_transfers_are_printed_when_asked_for(summary, capsys):
    summary.report([], None, True)
    zeros = "min = 0.0, max = 0.0, mean = 0.0, median = 0.0, percentile(99%) = 0.0"
    assert capsys.readouterr().out.splitlines()[1:4] == [
        f"[INFO] H2D_latency (ms): {zeros}",
        f"[INFO] NPU_compute_time (ms): {COMPUTE}",
        f"[INFO] D2H_latency (ms): {zeros}",
    ]


def test_the_file_has_ais_benchs_keys(summary, tmp_path, capsys):
    summary.report(["x3d_infer.py", "--loop", "2"], tmp_path / "s.json", False)
    content = json.loads((tmp_path / "s.json").read_text())
    assert content.pop("pid") > 0
    zeros = {"min": 0, "max": 0, "mean": 0, "median": 0, "percentile(99%)": 0, "count": 0}
    assert content == {
        "filesinfo": {
            "0": {"infiles": ["views/61_7.npy"], "outfiles": ["res/61_7_0.bin", "res/61_7_1.bin"]},
            "1": {"infiles": ["views/62_7.npy"], "outfiles": ["res/62_7_0.bin", "res/62_7_1.bin"]},
        },
        "args": ["x3d_infer.py", "--loop", "2"],
        "NPU_compute_time": {
            "min": 1,
            "max": 10,
            "mean": 4,
            "median": 2.5,
            "percentile(99%)": pytest.approx(9.79),
            "count": 4,
        },
        "H2D_latency": zeros,
        "D2H_latency": zeros,
        "throughput": 1000,
        "npu_compute_time_list": [1, 2, 3, 10],
    }


def test_a_run_of_nothing_has_no_throughput(capsys):
    Summary(4).report([], None, False)
    assert "mean(0.0): 0.0" in capsys.readouterr().out


def test_the_first_outputs_are_read_back(summary, tmp_path, capsys):
    summary.report([], tmp_path / "s.json", False)
    assert read_summary(tmp_path / "s.json") == [(61, 7), (62, 7)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"filesinfo": 3}', '{"filesinfo": {"0": {"outfiles": 1}}}'])
def test_another_file_is_rejected(text, tmp_path):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(ValueError, match=r"s.json is not a summary of ais_bench: .*; remove it"):
        read_summary(tmp_path / "s.json")
    with pytest.raises(ValueError, match=r"none.json is not a summary of ais_bench"):
        read_summary(tmp_path / "none.json")


def write_summary(path: Path, *names: str) -> None:
    path.write_text(json.dumps({"filesinfo": {str(i): {"outfiles": [name]} for i, name in enumerate(names)}}))


def test_a_summary_lies_beside_its_folder():
    assert summary_path(Path("out/res.d")) == Path("out/res.d_summary.json")


def test_the_summary_beside_a_folder_is_read(tmp_path, monkeypatch):
    (tmp_path / "res").mkdir()
    write_summary(tmp_path / "res_summary.json", "res/1_7_0.bin", "res/0_7_0.bin", "res/0_7_1.bin")
    assert read_summaries(str(tmp_path / "res")) == {0: 7, 1: 7}
    monkeypatch.chdir(tmp_path)
    assert read_summaries("res/") == {0: 7, 1: 7}
    monkeypatch.chdir(tmp_path / "res")
    assert read_summaries(".") == {0: 7, 1: 7}


def test_the_summaries_of_several_devices_are_read(tmp_path):
    write_summary(tmp_path / "device0_summary.json", "0_7_0.bin", "2_5_0.bin")
    write_summary(tmp_path / "device1_summary.json", "1_7_0.bin")
    write_summary(tmp_path / "other_summary.json", "9_7_0.bin")
    assert read_summaries(str(tmp_path)) == {0: 7, 1: 7, 2: 5}


def test_the_summary_beside_counts_before_those_of_devices(tmp_path):
    (tmp_path / "res").mkdir()
    write_summary(tmp_path / "res_summary.json", "0_7_0.bin")
    write_summary(tmp_path / "res" / "device0_summary.json", "1_7_0.bin")
    assert read_summaries(str(tmp_path / "res")) == {0: 7}


def test_a_view_that_is_named_twice_is_rejected(tmp_path):
    for device in range(2):
        write_summary(tmp_path / f"device{device}_summary.json", "4_7_0.bin")
    with pytest.raises(ValueError, match=r"device1_summary.json names view 4 twice; remove it, or set DATA.PATH_TO"):
        read_summaries(str(tmp_path))


def test_without_a_summary_or_names_in_it_nothing_is_known(tmp_path):
    assert read_summaries(str(tmp_path)) is None
    write_summary(tmp_path / "device0_summary.json", "notes.txt")
    assert read_summaries(str(tmp_path)) is None
