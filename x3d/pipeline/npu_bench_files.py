"""Write measurements of .om models as JSON and Markdown, beside what the original recipe reports."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from x3d.pipeline.markdown import code, table
from x3d.storage.atomic import replace_file, write_all, write_json
from x3d.storage.output_folder import open_output

NAMES = ("npu_bench.json", "npu_bench.md")
OWN_KEYS = frozenset(["chip", "loop", "rows", "failed"])
"""Of every npu_bench.json, to recognise a file of the user by."""
COLUMNS = ("model", "precision", "batch", "views/s", "published", "mean, ms", "median, ms", "99 %, ms", "power, W")
ABOUT = (
    "ais_bench on zeros, {loop} batches; without copies and files. Published: views/s of X3D-S on an Ascend 310P3, as "
    "the original recipe reports; not measured here. Power: the highest that npu-smi shows during a further run."
)
VERSIONS = (("CANN", "cann"), ("driver", "driver"), ("x3d-eval", "x3d_eval"))


@contextmanager
def open_bench(folder: str) -> Iterator[Path]:
    """Open a folder for measurements until the block ends, and remove earlier ones from it.

    Raises:
        InputError: as open_output.
    """
    with open_output(folder, NAMES, OWN_KEYS) as root:
        for log in root.glob("ais_bench_*.log"):
            log.unlink()
        yield root


def write_bench(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the files, each of them whole.

    Raises:
        OSError: a file cannot be written; the error names it.
    """
    write_json(folder / NAMES[0], content)
    with replace_file(folder / NAMES[1]) as file:
        write_all(file.fileno(), format_bench(content).encode())


def format_bench(content: Mapping[str, Any]) -> str:
    """Format measurements as Markdown."""
    chip = content["chip"]
    lines = [f"## Throughput on {code(chip['name'])}", "", *table(COLUMNS, map(_row, content["rows"])), ""]
    lines.append(ABOUT.format(loop=content["loop"]))
    versions = (f"{name} {content[key]}" for name, key in VERSIONS if content[key])
    where = f"NPU {chip['npu']}, chip {chip['chip']}, device {chip['device']}"
    lines += ["", f"{', '.join([where, *versions])}."]
    warnings = [f"{code(row['om'])}: {code(text)}" for row in content["rows"] for text in row["warnings"]]
    failed = [f"{code(one['om'])}: {code(one['reason'])}" for one in content["failed"]]
    for title, texts in (("Doubtful", warnings), ("Not measured", failed)):
        if texts:
            lines += ["", f"### {title}", "", *(f"- {text}" for text in texts)]
    return "\n".join([*lines, ""])


def _row(row: Mapping[str, Any]) -> Sequence[object]:
    times = (f"{row['compute'][key]:.2f}" for key in ("mean_ms", "median_ms", "p99_ms"))
    precision = code(row["conversion"]["precision_mode"]) if row["conversion"] else ""
    rate = f"{row['views_per_second']:.1f}{' (doubtful)' if row['warnings'] else ''}"
    published, power = ("" if row[key] is None else row[key] for key in ("published_views_per_second", "power_watts"))
    return code(row["om"]), precision, row["batch_size"], rate, published, *times, power
