"""Make the table of float16 views as Markdown, as result_tables.py makes the others."""

from collections.abc import Callable

from benchmarks.labels import Results
from benchmarks.result_tables import table
from x3d.video.dtype import DTYPES

KINETICS_VIEWS = 592_830


def float16(results: Results) -> str:
    """Bytes, scores and costs of float16 views beside those of float32 ones."""
    result = results.get("float16")
    header = "views | float32 | float16"
    if not result:
        return table(header, ())
    sizes, compared, read = result["bytes_per_view"], result["comparison"], result["read_ms_per_view"]
    terabytes = [f"{KINETICS_VIEWS * sizes[dtype] / 1e12:.2f}" for dtype in DTYPES]
    correct = [
        "{num_correct} of {num_videos}".format(**share) for share in (compared["top1"][dtype] for dtype in DTYPES)
    ]
    differences, seconds = result["largest_difference"], result["preprocess_seconds"]
    rows = [
        f"bytes per view | {sizes['float32']} | {sizes['float16']}",
        f"whole validation set, TB | {' | '.join(terabytes)}",
        f"right of the demo's hard clips | {' | '.join(correct)}",
        f"largest difference of a value |  | {differences['value']:.6f}",
        f"largest difference of a probability, of a view |  | {differences['probability_of_a_view']:.5f}",
        f"largest difference of a probability, of a video |  | {compared['max_difference']:.5f}",
        "views with the same best class |  | {num_agreeing} of {num_views}".format(**compared["views"]),
        f"x3d_compare.py's verdict |  | {compared['verdict']}",
        f"reading for a float32 input, CPU ms per view | {read['float32']:.2f} | {read['float16']:.2f}",
        f"reading for a float16 input, CPU ms per view |  | {read['float16_for_float16']:.2f}",
        f"x3d_preprocess.py, one worker, s | {seconds['float32']:.1f} | {seconds['float16']:.1f}",
        f"x3d_preprocess.py, time over float32 |  | {result['preprocess_over_float32']:.2f}",
    ]
    return table(header, rows, result)


TABLES: dict[str, Callable[[Results], str]] = {"float16": float16}
