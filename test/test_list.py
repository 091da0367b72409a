"""x3d_list.py over made-up trees of every layout: the same labels everywhere, in the right order of the classes."""

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import x3d_list
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
    "numbers that begin with 1": {label: label + 1 for label in range(399)} | {399: -1},
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
    assert f"1 of 400 classes without a video: {NAMES[missing]}" in caplog.text


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
        "../damaged/replaced___.mp4 4\napplying_cream/found_______000000_000010.mp4 4\n"
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
        ("twice", videos["twice"], *cream, "as applying_cream/twice______.mkv, by the id 'twice______'"),
        ("conflict", videos["conflict"], "", "", f"{given} line 8 'applying cream'; {other} line 2 'archery'"),
        ("unlisted", videos["unlisted"], "", "", "folder 'applying_cream'"),
        ("ignored", "*.txt", "", "", "1 file"),
    ]
    errors = [record.getMessage().split("\n")[0] for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["missing: 1", "empty: 1", "unreadable: 1", "twice: 1", "conflict: 1"]
    assert "7 videos named by the annotations: no known copy of the validation set" in caplog.text
    assert "3 videos listed: no known copy of the validation set" in caplog.text


def test_without_annotations_a_folder_that_is_no_class_is_reported(tmp_path, caplog):
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS[:3])
    (folder / "zumbar").mkdir()
    (folder / "zumbar" / "___________.mp4").write_bytes(b"x")
    assert make_list(folder, tmp_path / "test.csv") == 1
    assert "no class: 1\nzumbar/___________.mp4 (folder 'zumbar')" in caplog.text
    assert labels_of(tmp_path / "test.csv") == {clip.video_id: clip.label for clip in CLIPS[:3]}


def test_a_video_in_folders_of_two_classes_is_a_conflict(tmp_path, caplog):
    folder = LAYOUTS["mmaction2"].write(tmp_path, [*CLIPS[:2], Clip(CLIPS[0].video_id, 0, 9)])
    assert make_list(folder, tmp_path / "test.csv") == 1
    assert "conflict: 2" in caplog.text
    assert caplog.text.count("(folder 'abseiling'; folder 'auctioning')") == 2
    assert labels_of(tmp_path / "test.csv") == {CLIPS[1].video_id: 1}


def test_videos_numbered_in_each_class_are_different_videos(tmp_path):
    expected = "air drumming/1.mp4 1\narchery/1.mp4 5\narchery/2.mp4 5\n"
    for path in ("air drumming/1.mp4", "archery/1.mp4", "archery/2.mp4"):
        (tmp_path / "val" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "val" / path).write_bytes(b"x")
    given = tmp_path / "val.list"
    given.write_text(expected.replace("air drumming", "val/air_drumming"))
    for number, annotations in enumerate(([], [given])):
        assert make_list(tmp_path / "val", tmp_path / f"{number}/test.csv", *annotations) == 0
        assert (tmp_path / f"{number}/test.csv").read_text() == expected


def test_the_annotations_of_one_split_choose_among_the_folders_of_several(tmp_path):
    for split, clips in (("train", CLIPS[:4]), ("val", CLIPS[4:8])):
        LAYOUTS["mmaction2"].write(tmp_path / "all", clips)
        (tmp_path / "all" / "val").rename(tmp_path / "all" / f"{split}_")
    assert make_list(tmp_path / "all", tmp_path / "test.csv") == 2
    assert make_list(tmp_path / "all", tmp_path / "test.csv", official_csv(tmp_path, CLIPS[4:8])) == 0
    assert labels_of(tmp_path / "test.csv") == {clip.video_id: clip.label for clip in CLIPS[4:8]}


@pytest.mark.parametrize("folder", ["training dog", "training_dog", "trainspotting", "testifying", "valley"])
def test_the_name_of_a_class_is_no_split(folder, tmp_path):
    for path in (f"val/{folder}/a.mp4", "val/yoga/b.mp4"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(b"x")
    assert make_list(tmp_path, tmp_path / "test.csv") == int(folder in ("trainspotting", "valley"))


def test_a_list_without_labels_has_those_of_the_folders_or_none(tmp_path, caplog):
    given = unlabelled_csv(tmp_path, CLIPS)
    flat = LAYOUTS["CVDF, flat"].write(tmp_path / "flat", CLIPS)
    assert make_list(flat, tmp_path / "flat/test.csv", given) == 0
    assert set(labels_of(tmp_path / "flat/test.csv").values()) == {-1}
    assert "400 of 400 videos unlabelled (-1), left out of the accuracy" in caplog.text
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS)
    assert make_list(folder, tmp_path / "out/test.csv", given) == 0
    assert labels_of(tmp_path / "out/test.csv") == EXPECTED


def test_numbers_that_no_name_confirms_are_taken_with_a_warning(tmp_path, caplog):
    flat = LAYOUTS["CVDF, flat"].write(tmp_path, CLIPS)
    given = list_of(lambda clip: f"{clip.video_id} {clip.label}")(tmp_path, CLIPS)
    assert make_list(flat, tmp_path / "test.csv", given) == 0
    assert labels_of(tmp_path / "test.csv") == EXPECTED
    assert f"no name confirms most numbers of {given}; give the official csv too, to check their order" in caplog.text


def test_a_line_that_repeats_a_video_is_reported(tmp_path, caplog):
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS[:2])
    given = official_csv(tmp_path, [*CLIPS[:2], CLIPS[0]])
    assert make_list(folder, tmp_path / "test.csv", given) == 1
    assert f"twice: 1\n./{CLIPS[0].video_id} ({given} line 4, as line 2)" in caplog.text
    assert labels_of(tmp_path / "test.csv") == {clip.video_id: clip.label for clip in CLIPS[:2]}


@pytest.mark.parametrize("place", ["beside", "within", "elsewhere"])
def test_one_prefix_serves_videos_and_replacements(place, tmp_path):
    """The folder of the videos may be a link, which `..` does not lead back over."""
    folder = LAYOUTS["CVDF, flat"].write(tmp_path / "disk", CLIPS[:4])
    new = {"beside": folder.parent / "new", "within": folder / "new", "elsewhere": tmp_path / "a" / "new"}[place]
    new.mkdir(parents=True)
    (new / f"{CLIPS[2].timed}.mp4").write_bytes(b"new")
    (new / f"{CLIPS[3].timed}.mp4").write_bytes(b"")
    (new / "not_listed_.mp4").write_bytes(b"x")
    (tmp_path / "val").symlink_to(folder)
    output = tmp_path / "test.csv"
    more = ["--replacements", str(new)]
    assert make_list(tmp_path / "val", output, official_csv(tmp_path, CLIPS[:4]), more=more) == 1
    assert labels_of(output) == {clip.video_id: clip.label for clip in CLIPS[:4]}
    videos = read_list_file(output, ListFormat(" ", str(tmp_path / "val"), 400))
    assert sorted(Path(video.path).read_bytes() for video in videos) == [b"new", b"x", b"x", b"x"]
    assert [row["state"] for row in ledger_of(output)] == [*["found"] * 3, "replaced", "empty", "unlisted"]


def test_names_of_any_kind_are_listed_and_read_back(tmp_path):
    names = ["-a.mp4", "a b  c.mp4", 'say "hi".mkv', "it's.mp4", "=1+1.webm", "跳舞.mp4", "a,b;c.avi", "#a\x1b[2J.mov"]
    folder = tmp_path / "val" / "air drumming"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    assert make_list(tmp_path / "val", tmp_path / "test.csv") == 0
    videos = read_list_file(tmp_path / "test.csv", ListFormat(" ", str(tmp_path / "val"), 400))
    assert {video.path for video in videos} == {str(folder / name) for name in names}
    assert "\x1b" not in (tmp_path / "test.ledger.csv").read_text()


@pytest.mark.parametrize("name", [b"a\nb.mp4", b"\xff.mp4", b"a\rb.mp4"])
def test_a_name_that_no_list_can_hold_is_an_error(name, tmp_path, caplog):
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS[:1])
    Path(os.fsdecode(bytes(folder) + b"/abseiling/" + name)).write_bytes(b"x")
    assert make_list(folder, tmp_path / "test.csv") == 2
    assert "test.csv cannot hold 1 path, such as 'abseiling/" in caplog.text
    assert not (tmp_path / "test.csv").exists()


def test_another_data_set_has_its_own_names_and_separator(tmp_path, caplog):
    (tmp_path / "names.txt").write_text("wave\nbow (deep)\njump\n")
    for path in ("bow_deep/clip number one.mp4", "bow_deep/made_up_video_1.mp4", "wave/made_up_video_2.mp4"):
        (tmp_path / "val" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "val" / path).write_bytes(b"x")
    keys = ["DATA.CLASS_NAMES", str(tmp_path / "names.txt"), "MODEL.NUM_CLASSES", "3", "DATA.PATH_LABEL_SEPARATOR", ","]
    assert make_list(tmp_path / "val", tmp_path / "test.csv", more=keys) == 0
    assert (tmp_path / "test.csv").read_text() == (
        "bow_deep/clip number one.mp4,1\nbow_deep/made_up_video_1.mp4,1\nwave/made_up_video_2.mp4,0\n"
    )
    assert "3 videos in folders of classes\n" in caplog.text
    output, ledger = tmp_path / "test.csv", tmp_path / "test.ledger.csv"
    assert "copy of the validation set" not in caplog.text
    assert f"list: {output}, sorted by path; ledger: {ledger}; set DATA.PATH_TO_DATA_DIR" in caplog.text
    caplog.clear()
    assert make_list(tmp_path / "val", tmp_path / "mine.csv", more=keys) == 0
    assert "the scripts read a list named test.csv: rename it, and set DATA.PATH_TO_DATA_DIR" in caplog.text


def test_a_list_of_another_origin_stays_and_one_of_ours_is_replaced(tmp_path, caplog):
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS[:3])
    output = tmp_path / "test.csv"
    output.write_text("mine.mp4 3\n")
    assert make_list(folder, output) == 2
    assert "test.csv exists with other rows, and is not as x3d_list.py wrote it; move it" in caplog.text
    assert output.read_text() == "mine.mp4 3\n"
    output.unlink()
    assert make_list(folder, output) == 0
    LAYOUTS["mmaction2"].write(tmp_path, CLIPS[:4])
    assert make_list(folder, output) == 0
    assert len(labels_of(output)) == 4


def test_a_subset_is_written_with_what_it_decides(tmp_path, caplog):
    folder = LAYOUTS["mmaction2"].write(tmp_path, CLIPS)
    whole, part = tmp_path / "test.csv", tmp_path / "smoke" / "test.csv"
    assert make_list(folder, whole) == 0
    given = ["--from", str(whole), "--subset", "40", "--output", str(part)]
    assert x3d_list.main(given) == 0
    first = part.read_bytes()
    chosen = labels_of(part)
    assert chosen.items() < EXPECTED.items()
    assert len(chosen) == len(set(chosen.values())) == 40
    assert "40 of 400 videos listed, of 40 classes" in caplog.text
    assert f"list: {part}, sorted by path" in caplog.text
    assert "40 videos: a top-1 of 73.5 % has a 95 % interval from 57.2 to 83.9 %" in caplog.text
    assert x3d_list.main([*given, "--seed", "1"]) == 0
    assert part.read_bytes() != first
    assert x3d_list.main([*given, "--seed", "0"]) == 0
    assert part.read_bytes() == first


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--videos", "empty"], "empty holds no video files; give the folder of the videos as --videos"),
        (["--videos", "none"], "none does not exist; give a folder of videos"),
        (
            ["--videos", "flat"],
            "no video in flat lies in the folder of a class, such as ___________.mp4 (folder 'flat'); give the annota",
        ),
        (
            ["--videos", "flat", "--annotations", "other.csv"],
            "no video in flat is listed, such as abseiling/-_-_-_-_-_- (other.csv line 2); give",
        ),
        (["--videos", "flat", "--annotations", "flat"], "flat cannot be read: Is a directory"),
        (
            ["--videos", "flat", "--annotations", "none.csv"],
            "none.csv does not exist; give a csv, json or list of videos",
        ),
        (["--videos", "flat", "--replacements", "none"], "none does not exist; give a folder of videos"),
        (
            ["--videos", "zero"],
            "no video in zero can be listed, such as zumba/___________.mp4 (empty); correct the files",
        ),
        (
            ["--videos", "both"],
            "both holds the folders of several splits: kinetics_train, val_256; give that of one as --videos",
        ),
        (
            ["--videos", "zero/zumba", "--replacements", "zero"],
            "--replacements zero contains --videos zero/zumba; give a folder of replacements alone",
        ),
        (["--videos", "zero", "--replacements", "zero"], "--replacements zero contains --videos zero"),
        (["--videos", "flat", "--output", ""], "--output '' names no file; give the list to write"),
        (["--videos", "flat", "--output", "/"], "--output '/' names no file; give the list to write, such as /test"),
        (["--videos", ""], "'' does not exist; give a folder of videos"),
        (["--from", "two.csv", "--subset", "1"], "the list of --from has paths twice: a.mp4; remove the further lines"),
        (
            ["--videos", "flat", "MODEL.NUM_CLASSES", "7"],
            "the names of the classes are not known; set DATA.CLASS_NAMES",
        ),
        (["--videos", "flat", "--subset", "3"], "--subset chooses from the list of --from; give both"),
        (["--from", "list.csv"], "--subset chooses from the list of --from; give both"),
        (
            ["--from", "list.csv", "--subset", "1", "--annotations", "x"],
            "--annotations and --replacements go with --videos",
        ),
        (["--from", "list.csv", "--subset", "2"], "--subset 2: the list has 1 labelled video; choose 1 to 1"),
        (["--from", "out/test.csv", "--subset", "2"], "out/test.csv is the list to choose from; give another --output"),
        (["--from", "none.csv", "--subset", "2"], "none.csv does not exist; give the list to choose from as --from"),
        (["--from", "other.csv", "--subset", "2"], "other.csv has bad lines: 2 of 2"),
    ],
)
def test_wrong_use_is_one_error_and_writes_nothing(given, problem, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "flat", "zero/zumba", "both/kinetics_train/zumba", "both/val_256/zumba"):
        Path(folder).mkdir(parents=True)
        if folder.startswith("both"):
            Path(folder, f"{folder[5:8]:_<11}.mp4").write_bytes(b"x")
    Path("flat/___________.mp4").write_bytes(b"x")
    Path("zero/zumba/___________.mp4").touch()
    Path("other.csv").write_text("label,youtube_id,time_start,time_end,split\nabseiling,-_-_-_-_-_-,1,11,val\n")
    Path("list.csv").write_text("a.mp4 3\n")
    Path("two.csv").write_text("a.mp4 3\na.mp4 4\n")
    assert x3d_list.main(["--output", "out/test.csv", *given]) == 2
    [error] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert error.startswith(problem)
    assert not Path("out").exists()


def test_folder_and_list_are_those_of_the_keys_unless_they_are_given(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    keys = ["DATA.PATH_TO_DATA_DIR", "data", "DATA.PATH_PREFIX", "data/val/"]
    LAYOUTS["GluonCV"].write(tmp_path / "copy", CLIPS[:3]).rename(tmp_path / "videos")
    Path("data").mkdir()
    Path("videos").rename("data/val")
    assert x3d_list.main(keys) == 0
    by_keys = Path("data/test.csv").read_bytes()
    assert x3d_list.main(["--videos", "data/val", "--output", "other/test.csv"]) == 0
    assert Path("other/test.csv").read_bytes() == by_keys
    assert [
        x3d_list.main([]),
        x3d_list.main(keys[2:]),
        x3d_list.main([*keys, "--from", "other/test.csv", "--subset", "1"]),
    ] == [2] * 3
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "--videos, or --from, is missing; give one, or set DATA.PATH_PREFIX",
        "--output is missing; give the list to write, or set DATA.PATH_TO_DATA_DIR to its folder",
        "--from takes --output too, the list to write, such as smoke/test.csv",
    ]


@pytest.mark.parametrize("given", [["--videos", "a", "--from", "b"], ["--videos", "a", "--subset", "x"]])
def test_options_that_argparse_rejects(given, capsys):
    with pytest.raises(SystemExit) as ended:
        x3d_list.main([*given, "--output", "test.csv"])
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err
