"""Make the tables of inference as Markdown: rates by batch size, engine and precision, and agreement with float32."""

from collections.abc import Callable

from benchmarks.labels import AGREEMENTS, ENGINES, Results
from benchmarks.result_tables import NOT_MEASURED, figure, table
from x3d.ascend.published import PUBLISHED


def batches(results: Results) -> str:
    """Views per second by batch size: published for the NPU, measured for the host."""
    measured = {row["batch_size"]: row for row in results.get("inference", {"batches": ()})["batches"]}
    sizes = sorted(PUBLISHED.keys() | measured.keys())
    published = " | ".join(str(PUBLISHED.get(size, "")) for size in sizes)
    rows = [f"views/s on Ascend 310P3, as the original recipe reports; not measured here | {published}"]
    for name, label in ENGINES.items():
        rates = [
            f"{row[name]['views_a_second']:.1f}" if name in (row := measured.get(size, {})) else "" for size in sizes
        ]
        if any(rates) or not (measured or "_" in name):
            rates[0] = rates[0] if measured else NOT_MEASURED
            rows.append(f"views/s on the host, {label} | {' | '.join(rates)}")
    header = " | ".join(["batch", *map(str, sizes)])
    return table(header, rows, results.get("inference")) + figure(results, "inference")


def inference(results: Results) -> str:
    """Rate, latency and share of the matrix-product rate, by engine and batch size."""
    result = results.get("inference", {})
    row = (
        "{label} | {batch_size} | {views_a_second:.1f} | "
        "{latency_ms[p50]:.1f} | {latency_ms[p90]:.1f} | {latency_ms[p99]:.1f} | {calls} | "
        "{share_of_gemm:.0%} of {gemm_gflop_a_second:.0f} GFLOP/s | "
        "{ratio} of {openvino_throughput_mode_views_a_second:.1f} views/s"
    )
    rows = [
        row.format(label=label, ratio=spread(batch[name], "over_throughput_mode"), **(batch | batch[name]))
        for name, label in ENGINES.items()
        for batch in result.get("batches", ())
        if name in batch
    ]
    return table(
        "engine | batch | views/s | latency ms: median | 90 % | 99 % | calls | "
        "of the matrix-product rate | rate / OpenVINO's throughput mode in f32",
        rows,
        result,
    )


def precisions(results: Results) -> str:
    """Rate of each precision compared with float32, by batch size, and how far its probabilities agree."""
    result = results.get("inference", {})
    rows = []
    for name in result.get("precisions", ["f32"])[1:]:
        agreements = " | ".join(agreement(result["agreement"][clips][name]) for clips in AGREEMENTS)
        for batch in result["batches"]:
            measured = batch[f"openvino_{name}"]
            rate, ratio = measured["views_a_second"], spread(measured, "over_f32")
            rows.append(f"{name} | {batch['batch_size']} | {rate:.1f} | {ratio} | {agreements}")
    columns = " | ".join(
        f"{label}: largest difference | same top-1 (of how many classes)" for label in AGREEMENTS.values()
    )
    return table(f"OpenVINO in | batch | views/s | rate / f32 | {columns}", rows, result)


def agreement(found: Results) -> str:
    """Format the largest difference of a probability and the share of views with the same best class."""
    share = found["same_top1"] / found["views"]
    return f"{found['largest_difference']:.2g} | {share:.2%} of {found['views']} views ({found['classes']})"


def spread(measured: Results, ratio: str) -> str:
    """Format the median of a ratio and its quartiles."""
    lower, upper = measured[f"{ratio}_quartiles"]
    return f"{measured[ratio]:.2f} ({lower:.2f} to {upper:.2f})"


def verdicts(results: Results) -> str:
    """What x3d_compare.py finds between float32 and each other precision, on the demo's clips."""
    result = results.get("precision", {})
    row = (
        "{name} | {num_videos} | {shares} | {lost} | {gained} | "
        "{drop_points:.2f} ({low_points:.2f} to {high_points:.2f}) | {verdict} | {views_percent:.2f} % | "
        "{largest_difference:.2g}"
    )
    rows = []
    for name, found in result.get("comparisons", {}).items():
        shares = (f"{found[run]['percent']:.2f} % ({found[run]['num_correct']})" for run in ("reference_top1", "top1"))
        rows.append(row.format(name=name, shares=" | ".join(shares), **found))
    return table(
        "precision | videos | top-1 of f32 | top-1 | lost | gained | drop in points, one-sided 95 % limits | verdict | "
        "views with the same top-1 | largest difference of a probability",
        rows,
        result,
    )


TABLES: dict[str, Callable[[Results], str]] = {
    make.__name__: make for make in (batches, inference, precisions, verdicts)
}
