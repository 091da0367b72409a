import json
from pathlib import Path

import pytest
import xxhash

from x3d.scoring.table import Failure
from x3d.storage.ais_bench_summary import Summary, summary_path


@pytest.fixture
def summary() -> Summary:
    summary = Summary(4)
    summary.compute_ms += [1.0, 2.0, 3.0, 10.0]
    summary.add_file(0, "views/61_7.npy", "res/61_7_0.bin", "0123456789abcdef")
    summary.add_file(1, "views/62_7.npy", "res/62_7_0.bin", "fedcba9876543210")
    summary.provenance = {"engine": "openvino"}
    summary.missing_videos = {3: Failure("empty", "3.mp4: the file has no bytes")}
    return summary


COMPUTE = "min = 1.0, max = 10.0, mean = 4.0, median = 2.5, percentile(99%) = 9.79"


def test_the_lines_are_those_of_ais_bench(summary):
    assert summary.lines(with_transfers=False) == [
        "[INFO] -----------------Performance Summary------------------",
        f"[INFO] NPU_compute_time (ms): {COMPUTE}",
        "[INFO] throughput 1000*batchsize.mean(4)/NPU_compute_time.mean(4.0): 1000.0",
        "[INFO] ------------------------------------------------------",
    ]


def test_transfers_are_printed_when_asked_for(summary):
    zeros = "min = 0.0, max = 0.0, mean = 0.0, median = 0.0, percentile(99%) = 0.0"
    assert summary.lines(with_transfers=True)[1:4] == [
        f"[INFO] H2D_latency (ms): {zeros}",
        f"[INFO] NPU_compute_time (ms): {COMPUTE}",
        f"[INFO] D2H_latency (ms): {zeros}",
    ]


def test_the_file_has_ais_benchs_keys(summary):
    content = json.loads(json.dumps(summary.to_dict(["x3d_infer.py", "--loop", "2"])))
    assert content.pop("pid") > 0
    zeros = {"min": 0, "max": 0, "mean": 0, "median": 0, "percentile(99%)": 0, "count": 0}
    assert content == {
        "filesinfo": {
            "0": {"infiles": ["views/61_7.npy"], "outfiles": ["res/61_7_0.bin"], "digest": "0123456789abcdef"},
            "1": {"infiles": ["views/62_7.npy"], "outfiles": ["res/62_7_0.bin"], "digest": "fedcba9876543210"},
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
        "provenance": {"engine": "openvino"},
        "videos_without_views": {"3": {"reason": "empty", "text": "3.mp4: the file has no bytes"}},
    }


def test_a_run_of_nothing_has_no_throughput():
    assert Summary(4).throughput == 0
    assert "mean(0.0): 0.0" in Summary(4).lines(with_transfers=False)[2]


def test_a_summary_lies_beside_its_folder():
    assert summary_path(Path("out/res.d")) == Path("out/res.d_summary.json")


def test_the_saved_file_ends_with_a_digest_of_what_is_before_it(summary, tmp_path):
    path = tmp_path / "s.json"
    path.write_text("an earlier one")
    summary.save(path, [])
    text = path.read_text()
    before, digest = text[:-31], text[-31:]
    assert digest == f', "digest": "{xxhash.xxh3_64_hexdigest(before.encode())}"}}'
    content = json.loads(text)
    del content["digest"]
    assert content == json.loads(json.dumps(summary.to_dict([])))
