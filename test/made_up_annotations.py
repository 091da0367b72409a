"""Annotation files of made-up videos, for the faults and the fuzz."""

import json
from pathlib import Path

from test.in_process import Ran, run_script


def write_annotations(num_classes: int) -> None:
    """Write what x3d_list.py reads: videos named by ids, names of the classes, and three annotation files."""
    rows = [(f"class {chr(97 + number)}", f"{number:_>11}") for number in range(num_classes)]
    entries = {video: {"annotations": {"label": name}, "subset": "val"} for name, video in rows}
    files = {f"videos/{video}.mp4": "x" for _, video in rows} | {
        "names.txt": "".join(f"{name}\n" for name, _ in rows),
        "a.csv": "label,youtube_id,split\n" + "".join(f"{name},{video},val\n" for name, video in rows),
        "a.json": json.dumps(entries),
        "a.txt": "".join(f"{name}/{video}.mp4 {number}\n" for number, (name, video) in enumerate(rows)),
    }
    Path("given/videos").mkdir(parents=True)
    for name, content in files.items():
        Path("given", name).write_text(content)


def make_list(videos: str, annotations: str, names: str, output: str, *more: str) -> Ran:
    files = ["--videos", videos, "--annotations", annotations, "--output", output]
    return run_script("x3d_list", ["--cfg", "cfg.yaml", *files, *more, "DATA.CLASS_NAMES", names])
