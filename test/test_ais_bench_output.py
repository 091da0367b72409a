"""What ais_bench and ais_infer measured is read from text and JSON alike, and what is no measurement is an error."""

import contextlib
import json
from typing import Any

import pytest

from test import npu_texts
from test.npu_texts import damaged
from x3d.ascend.ais_bench_output import Latency, parse_output, parse_summary
from x3d.errors import RunError
from x3d.storage.ais_bench_summary import Summary

SUMMARY: dict[str, Any] = {
    "filesinfo": {"0": {"infiles": ["prep_data/0_1.npy"], "outfiles": ["result_bs8/0_1_0.bin"]}},
    "args": ["-m", "--model", "x3d_s_bs8.om", "--batchsize", "8", "--loop", "3"],
    "NPU_compute_time": {"min": 20.0, "max": 21.0, "mean": 20.5, "median": 20.5, "percentile(99%)": 20.99, "count": 3},
    "H2D_latency": {"min": 1.0, "max": 3.0, "mean": 2.0, "median": 2.0, "percentile(99%)": 2.98, "count": 3},
    "D2H_latency": {"min": 0.1, "max": 0.3, "mean": 0.2, "median": 0.2, "percentile(99%)": 0.298, "count": 3},
    "throughput": 8000 / 20.5,
    "npu_compute_time_list": [20.0, 20.5, 21.0],
    "pid": 4711,
}


def summary_of(**changes: object) -> bytes:
    return json.dumps(SUMMARY | changes).encode()


def test_printed_text():
    [one] = parse_output(npu_texts.AIS_BENCH)
    assert (one.batch_size, one.throughput) == (64, 148.1286544184991)
    assert one.compute == Latency(
        431.9490051269531, 432.24200439453125, 432.0568511962891, 432.0480041503906, 432.2307962036133
    )
    assert (one.to_device, one.from_device, one.count, one.device) == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "batch_size", "throughput", "to_device", "from_device"),
    [
        (npu_texts.AIS_BENCH_ALL, 16, 1503.6005924204671, 11.305984884205431, 19.492230793037038),
        (npu_texts.AIS_INFER, 1, 171.5691219234638, 0.2384185791015625, 0.08606910705566406),
    ],
)
def test_earlier_generations_print_the_copies(text, batch_size, throughput, to_device, from_device):
    [one] = parse_output(text)
    assert (one.batch_size, one.throughput) == (batch_size, throughput)
    assert (one.to_device.mean_ms, one.from_device.mean_ms) == (to_device, from_device)


def test_several_devices():
    first, second = parse_output(npu_texts.AIS_BENCH_DEVICES)
    assert (first.device, first.throughput, first.compute.max_ms) == (1, 281.38893494131406, 3.937000036239624)
    assert (second.device, second.throughput, second.compute.max_ms) == (2, 276.54867008654026, 3.9230000972747803)


@pytest.mark.parametrize(
    ("order", "with_copies"),
    [
        ("0000011111", {0, 1}),
        ("1111100000", {0, 1}),
        ("0111110000", {0, 1}),
        ("0011010101", set()),
        ("0101010101", set()),
        ("0010111001", set()),
        ("0001111100", set()),
        ("0001100111", set()),
    ],
)
def test_blocks_of_devices_that_mingle_are_told_apart_by_their_means(order, with_copies):
    """Two processes write to one stdout; one that ends as another reports writes between its lines."""
    lines = npu_texts.AIS_BENCH_UPSTREAM_DEVICES.splitlines()
    starts = [number for number, line in enumerate(lines) if "Performance" in line]
    blocks = [iter(lines[at : at + 5]) for at in starts]
    mingled = [next(blocks[int(which)]) for which in order]
    text = "\n".join([*lines[: starts[0]], *mingled, *lines[starts[1] + 5 :]])
    found = {one.device: one for one in parse_output(text)}
    means = {device: one.compute.mean_ms for device, one in found.items()}
    assert means == {1: 6.449101664960229, 0: 146.97273466542052}
    assert {device for device, one in found.items() if one.to_device} == with_copies


def test_what_the_upstream_front_end_printed():
    [one] = parse_output(npu_texts.AIS_BENCH_UPSTREAM)
    assert (one.batch_size, one.throughput, one.device) == (8, 81.32021564745335, None)
    assert [one.device for one in parse_output(npu_texts.AIS_BENCH_UPSTREAM_DEVICES)] == [1, 0]
    with pytest.raises(RunError, match=r"did not print a throughput: .*RuntimeError"):
        parse_output(npu_texts.AIS_BENCH_UPSTREAM_SPLIT)


def test_later_releases_log_the_devices():
    text = npu_texts.AIS_BENCH_DEVICES.replace("i:0 dev", "[INFO] i:0 dev").replace("i:1 dev", "[INFO] i:1 dev")
    assert [one.device for one in parse_output(text)] == [1, 2]


def test_devices_of_the_same_throughput_stay_apart():
    text = npu_texts.AIS_BENCH_DEVICES.replace("3.616000032424927", "3.5538000106811523")
    text = text.replace("276.54867008654026", "281.38893494131406")
    assert [one.device for one in parse_output(text)] == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "did not print a throughput: it printed nothing"),
        ("\x00\x1b[2J garbage\n", r"did not print a throughput: \\x00\\x1b\[2J garbage"),
        (npu_texts.AIS_BENCH.partition("[INFO] throughput")[0], "did not print a throughput: .*NPU_compute_time"),
        (npu_texts.AIS_BENCH.replace(": 148.1286544184991", ": fast"), "did not print a throughput"),
        (npu_texts.AIS_BENCH.replace(": 148.1286544184991", ": nan"), "no measurement: .*a throughput of nan"),
        (npu_texts.AIS_BENCH.replace(": 148.1286544184991", ": 0"), "no measurement: .*a throughput of 0.0"),
        (npu_texts.AIS_BENCH.replace("min = 431.9490051269531", "min = inf"), "times are not finite"),
        (npu_texts.AIS_BENCH.replace("mean(64)", "mean(32)"), "throughput and mean time give 64 views per batch"),
        (npu_texts.AIS_BENCH.replace("mean(64)", "mean(64.5)"), "throughput and mean time give 64 views per batch"),
        (npu_texts.AIS_BENCH.replace(": 148.1", ": 149.9"), "give 64.778 views per batch"),
        (
            npu_texts.AIS_BENCH.replace("NPU_compute", "GPU_compute", 1),
            "no measurement: .*no NPU_compute_time with min, max, mean,",
        ),
        (
            npu_texts.AIS_BENCH_THREADS,
            "no measurement: .*no NPU_compute_time with min, max, mean, median, perc.* before it",
        ),
        (
            "NPU_compute_time (ms): min = 1, max = 1, mean = 1e308, median = 1, percentile(99%) = 1\n"
            "throughput 1000*batchsize.mean(8)/NPU_compute_time.mean(1e308): 1e308\n",
            "no measurement: throughput .*1e308 .cannot convert",
        ),
        (npu_texts.AIS_BENCH_DEVICES.partition("i:1 ")[0], "a throughput of every device"),
        (npu_texts.AIS_BENCH_DEVICES.partition("i:0 ")[0], "a throughput of every device"),
        (npu_texts.AIS_BENCH_DEVICES.replace("throughput:281.38", "throughput:281.i8"), "no throughput: i:0 device_1"),
    ],
)
def test_what_is_no_measurement(text, message):
    with pytest.raises(RunError, match=message) as caught:
        parse_output(text)
    assert "\n" not in str(caught.value)


def test_a_summary():
    one = parse_summary(summary_of(), "result_bs8_summary.json")
    assert (one.batch_size, one.throughput, one.count) == (8, 8000 / 20.5, 3)
    assert one.compute == Latency(20.0, 21.0, 20.5, 20.5, 20.99)
    assert one.to_device == Latency(1.0, 3.0, 2.0, 2.0, 2.98)
    assert one.from_device == Latency(0.1, 0.3, 0.2, 0.2, 0.298)


@pytest.mark.parametrize(
    ("batch_size", "throughput", "median_ms", "to_device_ms"),
    [
        (16, 3438.7935677393734, 3.9760000705718994, 4.154865646362305),
        (1, 62.17950873049252, 15.99884033203125, 0.9730440616607666),
    ],
)
def test_a_summary_of_ais_infer(batch_size, throughput, median_ms, to_device_ms):
    one = parse_summary(npu_texts.AIS_INFER_SUMMARIES[batch_size].encode(), "sumary.json")
    assert (one.batch_size, one.throughput, one.count) == (batch_size, throughput, None)
    assert (one.compute.median_ms, one.to_device.mean_ms) == (median_ms, to_device_ms)


def test_batches_are_counted_by_their_times_where_there_is_no_count():
    times = {key: value for key, value in SUMMARY["NPU_compute_time"].items() if key != "count"}
    assert parse_summary(summary_of(NPU_compute_time=times), "summary.json").count == 3


def test_copies_that_were_not_measured_are_none():
    zeros = dict.fromkeys(SUMMARY["H2D_latency"], 0)
    one = parse_summary(summary_of(H2D_latency=zeros, D2H_latency={}), "summary.json")
    assert (one.to_device, one.from_device) == (None, None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        b'{"throughput": 1}',
        summary_of()[:-20],
        summary_of(throughput="fast"),
        summary_of(throughput=None),
        summary_of(throughput=0),
        summary_of(throughput=391),
        summary_of(throughput=10**400),
        summary_of(throughput=1e308, NPU_compute_time=SUMMARY["NPU_compute_time"] | {"mean": 1e308}),
        summary_of(NPU_compute_time=SUMMARY["NPU_compute_time"] | {"count": float("inf")}),
        summary_of(NPU_compute_time=SUMMARY["NPU_compute_time"] | {"count": -1}),
        summary_of(NPU_compute_time=[1, 2]),
        summary_of(NPU_compute_time={"min": 1}),
        b"[" * 100_000,
    ],
)
def test_what_is_no_summary(content):
    with pytest.raises(RunError, match=r"bs8_summary.json is not a summary of ais_bench: .*; measure again"):
        parse_summary(content, "bs8_summary.json")


def test_the_words_of_x3d_infer_are_ais_bench_s():
    summary = Summary(4)
    summary.compute_ms = [20.0, 30.0, 40.0]
    [printed] = parse_output("\n".join(summary.lines(with_transfers=True)))
    read = parse_summary(json.dumps(summary.to_dict([])).encode(), "summary.json")
    assert (printed.batch_size, read.batch_size, read.count) == (4, 4, 3)
    assert printed.throughput == pytest.approx(read.throughput, rel=1e-5)
    assert printed.compute.median_ms == read.compute.median_ms == 30.0


@pytest.mark.parametrize("name", ["AIS_BENCH", "AIS_BENCH_ALL", "AIS_INFER", "AIS_BENCH_DEVICES"])
def test_damaged_text_is_an_error_or_read(name):
    for text in damaged(getattr(npu_texts, name), 500):
        with contextlib.suppress(RunError):
            assert all(one.throughput > 0 for one in parse_output(text))
