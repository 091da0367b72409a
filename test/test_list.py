"""x3d_list.py over made-up trees of every layout: the same labels everywhere, and no order of the classes but the right one."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import x3d_list
from test.helpers import ROOT
from test.layouts import LAYOUTS, NAMES, Clip, detoxed, list_of, make_clips, official_csv, underscored, unlabelled_csv
from x3d.config.loading import get_cfg
from x3d.dataset.annotations import ListFormat, read_list, read_list_file
from x3d.dataset.video_files import video_id

CLIPS = make_clips()
EXPECTED = {clip.video_id: clip.label for clip in CLIPS}


@pytest.fixture(autouse=True)
def _logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def make_list(folder: Path, output: Path, *annotations: Path, more: Sequence[str] = ()) -> int:
    files = [argument for path in annotations for argument in ("--annotations", str(path))]
    return x3d_list.main(["--videos", str(folder), *files, *more, "--output", str(output)])


def labels_of(path: Path) -> dict[str, int]:
    videos = read_list_file(path, ListFormat(" ", "", 400))
    assert [video.listed for video in videos] == sorted(video.listed for video in videos)
    return {video_id(video.listed): video.label for video in videos}


def ledger_of(path: Path) -> list[dict[str, str]]:
    with open(path.with_name(f"{path.stem}.ledger.csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[1:]


def states_of(path: Path) -> dict[str, str]:
    return {row["path"]: row["state"] for row in ledger_of(path)}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_every_layout_gives_the_same_labels_and_one_tree_the_same_bytes(layout, tmp_path):
    folder = layout.write(tmp_path, CLIPS)
    made = []
    given: list[tuple[Path, ...]] = [(write(tmp_path, CLIPS),) for write in layout.writers]
    given += [tuple(path for paths in given for path in paths)] + [()] * layout.by_class
    for number, annotations in enumerate(given):
        output = tmp_path / str(number) / "test.csv"
        assert make_list(folder, output, *annotations) == 0
        made.append(output.read_bytes())
        assert {row["state"] for row in ledger_of(output)} == {"found"}
    assert set(made) == {made[0]}
    assert labels_of(tmp_path / "0/test.csv") == EXPECTED


@pytest.mark.parametrize("copy", ["CVDF, arranged", "GluonCV", "Non-local networks' mirror"])
def test_every_annotation_of_any_layout_gives_the_same_bytes_for_one_tree(copy, tmp_path):
    clips = make_clips(2, range(0, 400, 40))
    folder = LAYOUTS[copy].write(tmp_path, clips)
    assert make_list(folder, tmp_path / "out/test.csv") == 0
    for other in LAYOUTS.values():
        for write in other.writers:
            output = tmp_path / "out2" / "test.csv"
            assert make_list(folder, output, write(tmp_path, clips)) == 0
            assert output.read_bytes() == (tmp_path / "out/test.csv").read_bytes()


def test_the_list_is_read_with_the_keys_that_the_log_names(tmp_path, caplog):
    folder = LAYOUTS["official csv"].write(tmp_path, CLIPS)
    assert make_list(folder, tmp_path / "data/test.csv") == 0
    assert f"DATA.PATH_TO_DATA_DIR {tmp_path / 'data'} DATA.PATH_PREFIX {folder}" in caplog.text
    cfg = get_cfg()
    cfg.DATA.PATH_TO_DATA_DIR, cfg.DATA.PATH_PREFIX = str(tmp_path / "data"), str(folder)
    assert all(os.path.isfile(video.path) for video in read_list(cfg))


def sorted_labels(key) -> dict[int, int]:
    """Number the classes in the order of a key of their names."""
    return {NAMES.index(name): number for number, name in enumerate(sorted(NAMES, key=key))}


WRONG = {
    "names sorted with the quotes of a csv file": sorted_labels(lambda name: f'"{name}"' if " " in name else name),
    "names sorted by a locale that ignores spaces and punctuation": sorted_labels(
        lambda name: "".join(filter(str.isalnum, name)).lower()
    ),
    "names sorted without their parentheses": sorted_labels(lambda name: re.sub("[()]", "", name)),
    "class folders without 'abseiling'": {label: label - 1 for label in range(400)},
    "class folders without 'folding napkins'": {label: label - (label > 132) for label in range(400)},
    "class folders without 'air drumming', 'applauding', 'archery' and 2 more": {
        label: label - sum(missing < label for missing in (1, 3, 5, 7, 9)) for label in range(400)
    },
}


@pytest.mark.parametrize("by_csv", [False, True], ids=["folders", "csv"])
@pytest.mark.parametrize(("order", "labels"), WRONG.items(), ids=list(WRONG))
def test_a_list_in_a_wrong_order_is_rejected_and_the_order_named(order, labels, by_csv, tmp_path, caplog):
    missing = {name for name in NAMES if f"{name!r}" in order.replace(" and 2 more", ", 'arm wrestling', 'auctioning'")}
    clips = [clip for clip in CLIPS if clip.name not in missing]
    folder = LAYOUTS["CVDF, flat" if by_csv else "mmaction2"].write(tmp_path, clips)
    given = [list_of(lambda clip: f"{clip.video_id} {labels[clip.label]}")(tmp_path, clips)]
    given += [official_csv(tmp_path, clips)] * by_csv
    assert make_list(folder, tmp_path / "test.csv", *given) == 2
    assert f"they follow the order of {order}: leave the file out" in caplog.text
    assert not (tmp_path / "test.csv").exists()


def test_the_wrong_orders_move_as_many_classes_as_is_known():
    moved = [sum(label != listed for label, listed in labels.items()) for labels in list(WRONG.values())[:3]]
    assert moved == [395, 15, 2]


def test_spellings_that_are_sorted_give_the_right_order(tmp_path):
    """Underscores, lower case, detox and parentheses dropped with what they hold move no class."""
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS)
    for number, spell in enumerate((underscored, str.lower, detoxed, lambda name: re.sub(r" \(.*\)", "", name))):
        labels = sorted_labels(spell)
        given = list_of(lambda clip, labels=labels: f"{clip.video_id} {labels[clip.label]}")(tmp_path, CLIPS)
        assert make_list(folder, tmp_path / f"{number}/test.csv", given) == 0


def test_one_wrong_number_is_rejected_with_its_line(tmp_path, caplog):
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS)
    given = list_of(lambda clip: f"{clip.video_id} {clip.label if clip.label != 7 else 9}")(tmp_path, CLIPS)
    assert make_list(folder, tmp_path / "test.csv", given) == 2
    assert f"{given} line 8 label 9, 'auctioning', contradicts folder 'arranging_flowers'" in caplog.text
    assert f"1 of 400 labels of {given} contradict names; they follow no known order: leave" in caplog.text


@pytest.mark.parametrize("missing", [0, 132, 399])
def test_a_class_folder_that_is_missing_moves_no_index(missing, tmp_path, caplog):
    clips = [clip for clip in CLIPS if clip.label != missing]
    for layout in ("official csv", "mmaction2", "GluonCV"):
        folder = LAYOUTS[layout].write(tmp_path / layout, clips)
        assert make_list(folder, tmp_path / layout / "test.csv") == 0
        assert labels_of(tmp_path / layout / "test.csv") == {clip.video_id: clip.label for clip in clips}
    assert f"classes without a video: 1 of 400: {NAMES[missing]}" in caplog.text


def test_the_ledger_has_every_state(tmp_path, caplog):
    names = "found replaced missing empty unreadable twice conflict unlisted".split()
    clips = {name: Clip(f"{name:_<11}", 0, 4) for name in names}
    folder = LAYOUTS["mmaction2"].write(tmp_path, [clip for name, clip in clips.items() if name != "missing"])
    place = folder / underscored(NAMES[4])
    (place / f"{clips['empty'].timed}.mp4").write_bytes(b"")
    (place / f"{clips['unreadable'].timed}.mp4").unlink()
    (place / f"{clips['unreadable'].timed}.mp4").symlink_to("nowhere")
    (place / f"{clips['twice'].video_id}.mkv").write_bytes(b"x")
    (folder / "readme.txt").write_text("text")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / f"{clips['replaced'].video_id}.mp4").write_bytes(b"x")
    listed = [clip for name, clip in clips.items() if name != "unlisted"]
    given = official_csv(tmp_path, listed)
    (tmp_path / "more").mkdir()
    other = official_csv(tmp_path / "more", [Clip(clips["conflict"].video_id, 0, 5)])
    output = tmp_path / "test.csv"
    assert make_list(folder, output, given, other, more=["--replacements", str(tmp_path / "damaged")]) == 1
    assert output.read_text() == (
        f"../damaged/replaced___.mp4 4\napplying_cream/found_______000000_000010.mp4 4\n"
        "applying_cream/twice______.mkv 4\n"
    )
    rows = [(row["state"], row["path"], row["label"], row["class"], row["detail"]) for row in ledger_of(output)]
    videos = {name: f"applying_cream/{clip.timed}.mp4" for name, clip in clips.items()}
    cream = ("4", "applying cream")
    assert rows == [
        ("found", videos["found"], *cream, ""),
        ("found", "applying_cream/twice______.mkv", *cream, ""),
        ("replaced", "../damaged/replaced___.mp4", *cream, f"instead of {videos['replaced']}"),
        ("missing", "applying cream/missing____", *cream, f"{given} line 4"),
        ("empty", videos["empty"], *cream, ""),
        ("unreadable", videos["unreadable"], *cream, "No such file or directory, a broken link"),
        ("twice", videos["twice"], *cream, "as applying_cream/twice______.mkv"),
        ("conflict", videos["conflict"], "", "", f"{given} line 8 'applying cream'; {other} line 2 'archery'"),
        ("unlisted", videos["unlisted"], "", "", "folder 'applying_cream'"),
        ("ignored", "*.txt", "", "", "1 file"),
    ]
    errors = [record.getMessage().split("\n")[0] for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["missing: 1", "empty: 1", "unreadable: 1", "twice: 1", "conflict: 1"]
    assert "videos listed: 7, no known copy of the validation set" in caplog.text
