"""One set of made-up videos, as each copy and tool of Kinetics-400 lays it out and lists it."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from x3d.dataset.class_names import kinetics400_names

NAMES = kinetics400_names()
ALPHABET = "-_ABCXYZabcxyz0189"


@dataclass(frozen=True)
class Clip:
    """A made-up video: its id of 11 characters, where it starts, and its class."""

    video_id: str
    start: int
    label: int

    @property
    def name(self) -> str:
        return NAMES[self.label]

    @property
    def timed(self) -> str:
        """The stem of most copies: id, start and end in seconds."""
        return f"{self.video_id}_{self.start:06d}_{self.start + 10:06d}"


def make_clips(num_per_class: int = 1, labels: Iterable[int] = range(len(NAMES))) -> list[Clip]:
    """Make up clips; ids begin with every character of ALPHABET in turn."""
    clips = []
    for label in labels:
        for number in range(num_per_class):
            count = label * num_per_class + number
            digits = [count // len(ALPHABET) ** place % len(ALPHABET) for place in range(11)]
            clips.append(Clip("".join(ALPHABET[digit] for digit in digits), count, label))
    return clips


def underscored(name: str) -> str:
    return name.replace(" ", "_")


def detoxed(name: str) -> str:
    """Spell a name as `detox -r` does: `hurling (sport)` as `hurling_-sport-`."""
    return re.sub(r"[()]", "-", name.replace(" ", "_")).replace("'", "_")


Write = Callable[[Path, Sequence[Clip]], Path]


@dataclass(frozen=True)
class Layout:
    """How a copy names its files, and the annotation files that go with it."""

    path_of: Callable[[Clip], str]
    writers: tuple[Write, ...]
    by_class: bool = True

    def write(self, root: Path, clips: Iterable[Clip]) -> Path:
        """Write a file of one byte for each clip; return the folder of the videos."""
        folder = root / "val"
        for clip in clips:
            path = folder / self.path_of(clip)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        return folder


def official_csv(path: Path, clips: Sequence[Clip]) -> Path:
    return write_official(path / "validate.csv", clips, ["label", "youtube_id", "time_start", "time_end", "split"])


def old_csv(path: Path, clips: Sequence[Clip]) -> Path:
    columns = ["label", "youtube_id", "time_start", "time_end", "split", "is_cc"]
    return write_official(path / "kinetics_val.csv", clips, columns)


def unlabelled_csv(path: Path, clips: Sequence[Clip]) -> Path:
    return write_official(path / "test.csv", clips, ["youtube_id", "time_start", "time_end", "split"])


def write_official(path: Path, clips: Sequence[Clip], columns: Sequence[str]) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for clip in clips:
            times = {"time_start": clip.start, "time_end": clip.start + 10, "split": "validate", "is_cc": 0}
            writer.writerow({"label": clip.name, "youtube_id": clip.video_id, **times})
    return path


def official_json(path: Path, clips: Sequence[Clip]) -> Path:
    entries = {}
    for clip in clips:
        annotations = {"label": clip.name, "segment": [float(clip.start), clip.start + 10.0]}
        entry = {"annotations": annotations, "duration": 10.0, "subset": "validate"}
        entries[clip.video_id] = {**entry, "url": f"https://www.youtube.com/watch?v={clip.video_id}"}
    (path / "validate.json").write_text(json.dumps(entries))
    return path / "validate.json"


def list_of(row: Callable[[Clip], str]) -> Write:
    """Write a text file with a row per clip."""

    def write(path: Path, clips: Sequence[Clip]) -> Path:
        (path / "list.txt").write_text("".join(f"{row(clip)}\n" for clip in clips))
        return path / "list.txt"

    return write


def mmaction_json(path: Path, clips: Sequence[Clip]) -> Path:
    items = [{"filename": f"{underscored(clip.name)}/{clip.timed}.mp4", "label": clip.label} for clip in clips]
    (path / "list.json").write_text(json.dumps(items))
    return path / "list.json"


def spaced_path(clip: Clip) -> str:
    return f"{clip.name}/{clip.timed}.mp4"


def underscored_path(clip: Clip) -> str:
    return f"{underscored(clip.name)}/{clip.timed}.mp4"


def detoxed_path(clip: Clip) -> str:
    return f"{detoxed(clip.name)}/{clip.timed}.mp4"


def mirrored_path(clip: Clip) -> str:
    return f"{underscored(clip.name)}/{clip.video_id}.{'mkv' if clip.label % 3 else 'mp4'}"


LAYOUTS = {
    "official csv": Layout(spaced_path, (official_csv, official_json)),
    "older official csv": Layout(spaced_path, (old_csv, unlabelled_csv)),
    "CVDF, flat": Layout(lambda clip: f"{clip.timed}.mp4", (official_csv, old_csv, official_json), by_class=False),
    "CVDF, arranged": Layout(spaced_path, (official_csv,)),
    "mmaction2": Layout(
        underscored_path, (list_of(lambda clip: f"{underscored_path(clip)} {clip.label}"), mmaction_json)
    ),
    "mmaction2, frames": Layout(
        underscored_path, (list_of(lambda clip: f"{underscored(clip.name)}/{clip.timed} 300 {clip.label}"),)
    ),
    "PaddleVideo": Layout(underscored_path, (list_of(lambda clip: f"{underscored_path(clip)} {clip.label}"),)),
    "GluonCV": Layout(
        detoxed_path,
        (
            list_of(lambda clip: f"{detoxed_path(clip)} {clip.label}"),
            list_of(lambda clip: f"{detoxed(clip.name)}/{clip.timed} 250 {clip.label}"),
        ),
    ),
    "PySlowFast": Layout(spaced_path, (list_of(lambda clip: f"/data/val/{spaced_path(clip)} {clip.label}"),)),
    "PySlowFast, commas and quotes": Layout(
        spaced_path, (list_of(lambda clip: f'"/data/val/{spaced_path(clip)}",{clip.label}'),)
    ),
    "TimeSformer": Layout(spaced_path, (list_of(lambda clip: f"{clip.video_id} {clip.label}"),)),
    "Non-local networks' mirror": Layout(
        mirrored_path, (list_of(lambda clip: f"val_256/{mirrored_path(clip)} {clip.label}"), official_csv)
    ),
    "paths alone": Layout(underscored_path, (list_of(underscored_path),)),
}
