import errno
import json
import os
from pathlib import Path

import pytest
import xxhash

from x3d.dataset.annotations import Video
from x3d.errors import RunError
from x3d.storage.entries import WrittenViews
from x3d.storage.journal import journal_path
from x3d.storage.manifest import Manifest, remove_manifest
from x3d.video.source import Source

VIDEOS = [Video(index, f"{index}.mp4", f"val/{index}.mp4", index % 3) for index in range(12)]
PROVENANCE = {"num_videos": 12, "views_per_video": 2}


def views(number: int, rotation: int = 0) -> WrittenViews:
    return WrittenViews([f"{number:016x}", "0" * 16], Source(5, 6, 7), rotation, 3)


@pytest.fixture
def manifest(tmp_path):
    manifest = Manifest(tmp_path / "manifest.json", PROVENANCE)
    manifest.record_done(VIDEOS[10], views(0xAB, 90))
    manifest.record_failed(VIDEOS[9], "empty", "9.mp4: the file has no bytes")
    manifest.record_done(VIDEOS[2], views(0xCD))
    return manifest


def done(number: int, label: int, digits: str, rotation: int = 0) -> dict:
    return {
        "path": f"{number}.mp4",
        "label": label,
        "state": "done",
        "view_hashes": [f"00000000000000{digits}", "0000000000000000"],
        "source": {"size": 5, "mtime_ns": 6, "hash": "0000000000000007"},
        "rotation": rotation,
        "corrupt_frames": 3,
    }


DONE_10 = done(10, 1, "ab", 90)
FAILED_9 = {"path": "9.mp4", "label": 0, "state": "failed", "reason": "empty", "text": "9.mp4: the file has no bytes"}
DONE_2 = done(2, 2, "cd")


def test_the_file_holds_provenance_and_states_one_video_per_line(manifest):
    manifest.save()
    content = json.loads(manifest.path.read_text())
    assert len(content.pop("digest")) == 16
    assert content == {"provenance": PROVENANCE, "videos": {"2": DONE_2, "9": FAILED_9, "10": DONE_10}}
    assert [line[:4] for line in manifest.path.read_text().splitlines()[3:6]] == ['"2":', '"9":', '"10"']


def test_a_manifest_is_read_back(manifest):
    manifest.save()
    found = Manifest.load(manifest.path)
    assert found.provenance == PROVENANCE
    assert list(found.entries().items()) == [(2, DONE_2), (9, FAILED_9), (10, DONE_10)]
    assert found.entry(2) == DONE_2


def test_a_manifest_without_videos_is_read_back(tmp_path):
    Manifest(tmp_path / "manifest.json", {}).save()
    assert Manifest.load(tmp_path / "manifest.json").entries() == {}


def test_states_are_listed_in_order_of_the_videos(manifest):
    assert list(manifest.done()) == [2, 10]
    assert manifest.failed() == {9: FAILED_9}
    assert [manifest.is_done(index) for index in (2, 9, 3)] == [True, False, False]


def test_a_new_state_replaces_the_old_and_forgetting_removes_it(manifest):
    manifest.record_done(VIDEOS[9], views(1))
    assert manifest.is_done(9)
    assert manifest.failed() == {}
    manifest.forget(9)
    manifest.forget(11)
    assert list(manifest.entries()) == [2, 10]


def test_entries_are_a_copy(manifest):
    manifest.entries().clear()
    assert list(manifest.entries()) == [2, 9, 10]


def test_changes_since_the_last_save_are_read_from_the_journal(manifest):
    manifest.save()
    whole = manifest.path.read_bytes()
    manifest.record_done(VIDEOS[3], views(1))
    manifest.forget(10)
    manifest.record_done(VIDEOS[9], views(2))
    assert manifest.path.read_bytes() == whole
    assert Manifest.load(manifest.path).entries() == manifest.entries()
    assert list(manifest.done()) == [2, 3, 9]
    manifest.save()
    assert not journal_path(manifest.path).exists()
    assert Manifest.load(manifest.path).entries() == manifest.entries()
    manifest.record_failed(VIDEOS[4], "empty", "4.mp4")
    assert list(Manifest.load(manifest.path).failed()) == [4]


def test_forgetting_what_has_no_state_writes_nothing(manifest):
    manifest.save()
    manifest.forget(11)
    assert not journal_path(manifest.path).exists()


def test_a_journal_that_is_left_when_the_whole_is_saved_is_not_replayed(manifest):
    """As after a kill between the two."""
    manifest.save()
    manifest.record_done(VIDEOS[3], views(1))
    left = journal_path(manifest.path).read_bytes()
    manifest.forget(3)
    manifest.forget(2)
    manifest.save()
    journal_path(manifest.path).write_bytes(left)
    assert list(Manifest.load(manifest.path).entries()) == [9, 10]
    found = Manifest.load(manifest.path)
    found.save()
    found.record_done(VIDEOS[4], views(1))
    assert list(Manifest.load(manifest.path).entries()) == [4, 9, 10]


def test_a_manifest_is_removed_with_its_journal(manifest, tmp_path):
    manifest.save()
    manifest.forget(2)
    remove_manifest(manifest.path)
    remove_manifest(manifest.path)
    assert list(tmp_path.iterdir()) == []


def test_it_is_saved_on_exit(manifest):
    with manifest.saved_on_exit():
        manifest.forget(2)
    assert list(Manifest.load(manifest.path).entries()) == [9, 10]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left", "out/0_0.npy"), "out/0_0.npy cannot be written: No space left"),
        (OSError(errno.EROFS, "Read-only file system", "/dev/shm/x"), "/dev/shm/x: Read-only file system"),
        (OSError(errno.ENOSYS, "Function not implemented"), "Function not implemented"),
        (OSError("full"), "full"),
    ],
)
def test_an_error_ends_the_run_and_blames_the_file_that_it_names(error, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    manifest = Manifest(Path("out/manifest.json"), PROVENANCE)
    manifest.record_done(VIDEOS[2], views(1))
    with pytest.raises(RunError, match=f"^{text}; run the same command to resume$"), manifest.saved_on_exit():
        raise error
    assert list(Manifest.load(manifest.path).entries()) == [2]


def test_another_error_does_not_suggest_to_resume(manifest, caplog):
    with pytest.raises(ZeroDivisionError), manifest.saved_on_exit():
        raise ZeroDivisionError
    assert "resume" not in caplog.text
    assert list(Manifest.load(manifest.path).entries()) == [2, 9, 10]


def test_a_failing_save_does_not_hide_the_first_error(manifest, monkeypatch, caplog):
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ZeroDivisionError), manifest.saved_on_exit():
        raise ZeroDivisionError
    assert f"{manifest.path} cannot be written: Input/output error" in caplog.text


def test_a_save_that_fails_at_the_end_ends_the_run(manifest, monkeypatch):
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    text = f"^{manifest.path} cannot be written: No space left on device; run the same command to resume$"
    with pytest.raises(RunError, match=text), manifest.saved_on_exit():
        pass


def test_a_folder_that_was_removed_before_the_end_ends_the_run(tmp_path):
    manifest = Manifest(tmp_path / "out" / "manifest.json", PROVENANCE)
    with pytest.raises(RunError, match=r"out/manifest.json cannot be written: No such file"), manifest.saved_on_exit():
        pass


def test_a_manifest_of_an_earlier_version_is_rejected_with_advice(tmp_path):
    (tmp_path / "manifest.json").write_text('{"facts": {}, "videos": {}}')
    with pytest.raises(ValueError, match=r"earlier version of this suite .* give another folder, or remove this one"):
        Manifest.load(tmp_path / "manifest.json")


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", 100_000 * "[", '{"digest": 5, "videos": {}}', "\0"])
def test_another_file_is_rejected(content, tmp_path):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"manifest.json is (not a|damaged|.*no manifest).*; restore it, or start anew"
    ):
        Manifest.load(tmp_path / "manifest.json")


def test_a_manifest_without_digest_is_of_an_earlier_version(tmp_path):
    (tmp_path / "manifest.json").write_text('{"provenance": {}, "videos": {}}')
    with pytest.raises(ValueError, match="earlier version of this suite"):
        Manifest.load(tmp_path / "manifest.json")


def test_every_flipped_bit_is_noticed(manifest):
    manifest.save()
    content = manifest.path.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        manifest.path.write_bytes(changed)
        with pytest.raises(ValueError, match=r"manifest\.json is (damaged|not a manifest)"):
            Manifest.load(manifest.path)
    for length in range(len(content)):
        manifest.path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
            Manifest.load(manifest.path)


def test_a_file_that_is_not_regular_or_missing_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    for name, text in (("manifest.json", "not a regular file"), ("manifest-0of2.json", "No such file")):
        with pytest.raises(ValueError, match=f"{name} cannot be read: {text}"):
            Manifest.load(tmp_path / name)


def load_content(path, provenance: object, videos: object) -> Manifest:
    """Load a manifest of some content with the right digest."""
    body = f'"provenance": {json.dumps(provenance)}, "videos": {json.dumps(videos)}}}'
    path.write_text(f'{{"digest": "{xxhash.xxh3_64_hexdigest(body.encode())}",\n{body}')
    return Manifest.load(path)


@pytest.mark.parametrize(("provenance", "videos"), [([], {}), ({}, []), (None, {}), ({}, None)])
def test_content_of_another_shape_is_rejected(provenance, videos, tmp_path):
    with pytest.raises(ValueError, match=r"manifest.json is not a manifest of this suite; restore it, or start anew"):
        load_content(tmp_path / "manifest.json", provenance, videos)


@pytest.mark.parametrize("key", ["x", "-1", "", "12", "02", "٣", "1.0", "99999999999999999999", " 2"])
def test_a_video_outside_the_list_is_rejected(key, tmp_path):
    with pytest.raises(ValueError, match=r"manifest.json records video '.*' of a list of 12; restore it"):
        load_content(tmp_path / "manifest.json", PROVENANCE, {key: DONE_2})


def test_a_video_of_another_shard_is_rejected(tmp_path):
    assert load_content(tmp_path / "manifest-1of2.json", PROVENANCE, {"3": FAILED_9}).failed()
    with pytest.raises(ValueError, match=r"1of2.json records video 4, which belongs to shard 0; restore it"):
        load_content(tmp_path / "manifest-1of2.json", PROVENANCE, {"4": FAILED_9})


@pytest.mark.parametrize(
    "entry",
    [
        {},
        "done",
        5,
        {**DONE_2, "state": "other"},
        {**DONE_2, "state": []},
        {**DONE_2, "path": 5},
        {**DONE_2, "label": True},
        {**DONE_2, "label": "2"},
        {**DONE_2, "view_hashes": DONE_2["view_hashes"][:1]},
        {**DONE_2, "view_hashes": ["0" * 16, "0" * 15]},
        {**DONE_2, "view_hashes": ["0" * 16, "0" * 15 + "A"]},
        {**DONE_2, "view_hashes": ["0" * 16, 5]},
        {**DONE_2, "view_hashes": "0" * 16},
        {**DONE_2, "view_hashes": {"0": 1, "1": 2}},
        {**DONE_2, "rotation": "90"},
        {**DONE_2, "corrupt_frames": None},
        {**DONE_2, "source": 5},
        {**DONE_2, "source": {**DONE_2["source"], "size": "5"}},
        {**DONE_2, "source": {**DONE_2["source"], "mtime_ns": 0.5}},
        {**DONE_2, "source": {**DONE_2["source"], "hash": 7}},
        {**DONE_2, "source": {**DONE_2["source"], "hash": "7"}},
        *({key: value for key, value in DONE_2.items() if key != gone} for gone in DONE_2),
        {"state": "failed"},
        {**FAILED_9, "reason": "other"},
        {**FAILED_9, "reason": []},
        {**FAILED_9, "text": 5},
        *({key: value for key, value in FAILED_9.items() if key != gone} for gone in FAILED_9),
    ],
)
def test_something_else_than_a_state_is_rejected(entry, tmp_path):
    assert load_content(tmp_path / "manifest.json", PROVENANCE, {"2": DONE_2, "9": FAILED_9}).entries()
    with pytest.raises(ValueError, match=r"manifest.json records something else than a state for video 2; restore it"):
        load_content(tmp_path / "manifest.json", PROVENANCE, {"2": entry})
