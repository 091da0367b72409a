import json
import time

import pytest

from x3d.dataset.annotations import Video
from x3d.errors import RunError
from x3d.storage.manifest import Manifest

VIDEOS = [Video(index, f"{index}.mp4", f"val/{index}.mp4", index % 3) for index in range(12)]


@pytest.fixture
def manifest(tmp_path):
    manifest = Manifest(tmp_path / "manifest.json", {"num_videos": 12})
    manifest.record_done(VIDEOS[10], hash="ab", rotation=90)
    manifest.record_failed(VIDEOS[9], "empty", "9.mp4: the file has no bytes")
    manifest.record_done(VIDEOS[2], hash="cd")
    return manifest


DONE_10 = {"path": "10.mp4", "label": 1, "state": "done", "hash": "ab", "rotation": 90}
FAILED_9 = {"path": "9.mp4", "label": 0, "state": "failed", "reason": "empty", "text": "9.mp4: the file has no bytes"}
DONE_2 = {"path": "2.mp4", "label": 2, "state": "done", "hash": "cd"}


def test_the_file_holds_provenance_and_states(manifest):
    manifest.save()
    assert json.loads(manifest.path.read_text()) == {
        "provenance": {"num_videos": 12},
        "videos": {"2": DONE_2, "9": FAILED_9, "10": DONE_10},
    }


def test_a_manifest_is_read_back(manifest):
    manifest.save()
    found = Manifest.load(manifest.path)
    assert found.provenance == {"num_videos": 12}
    assert list(found.entries().items()) == [(2, DONE_2), (9, FAILED_9), (10, DONE_10)]


def test_states_are_listed_in_order_of_the_videos(manifest):
    assert list(manifest.done()) == [2, 10]
    assert manifest.failed() == {9: FAILED_9}
    assert [manifest.is_done(index) for index in (2, 9, 3)] == [True, False, False]


def test_a_new_state_replaces_the_old_and_forgetting_removes_it(manifest):
    manifest.record_done(VIDEOS[9], hash="ef")
    assert manifest.is_done(9)
    assert manifest.failed() == {}
    manifest.forget(9)
    manifest.forget(11)
    assert list(manifest.entries()) == [2, 10]


def test_entries_are_a_copy(manifest):
    manifest.entries().clear()
    assert list(manifest.entries()) == [2, 9, 10]


def test_a_record_saves_when_the_last_save_is_two_seconds_ago(manifest, monkeypatch):
    now = manifest._saved_at + 2
    monkeypatch.setattr(time, "monotonic", lambda: now)
    manifest.record_done(VIDEOS[3], hash="")
    assert not manifest.path.exists()
    now += 0.5
    manifest.record_done(VIDEOS[3], hash="")
    assert list(Manifest.load(manifest.path).entries()) == [2, 3, 9, 10]
    manifest.record_done(VIDEOS[4], hash="")
    assert list(Manifest.load(manifest.path).entries()) == [2, 3, 9, 10]


def test_it_is_saved_on_exit(manifest):
    with manifest.saved_on_exit():
        manifest.forget(2)
    assert list(Manifest.load(manifest.path).entries()) == [9, 10]


def test_an_interrupted_run_is_saved_and_can_be_resumed(manifest, caplog):
    with pytest.raises(KeyboardInterrupt), manifest.saved_on_exit():
        raise KeyboardInterrupt
    assert "stopped; run the same command to resume" in caplog.text
    assert list(Manifest.load(manifest.path).entries()) == [2, 9, 10]


def test_a_folder_that_cannot_be_written_ends_the_run(manifest, tmp_path):
    match = f"{tmp_path} cannot be written: full; run the same command to resume"
    with pytest.raises(RunError, match=match), manifest.saved_on_exit():
        raise OSError("full")
    assert list(Manifest.load(manifest.path).entries()) == [2, 9, 10]


def test_a_failing_save_does_not_hide_the_first_error(manifest, monkeypatch, caplog):
    def fail() -> None:
        raise OSError("full")

    monkeypatch.setattr(manifest, "save", fail)
    with pytest.raises(ZeroDivisionError), manifest.saved_on_exit():
        raise ZeroDivisionError
    assert f"{manifest.path} cannot be written: full" in caplog.text


def test_a_manifest_of_an_earlier_version_is_rejected_with_advice(tmp_path):
    (tmp_path / "manifest.json").write_text('{"facts": {}, "videos": {}}')
    with pytest.raises(ValueError, match=r"earlier version of this suite .* give another folder, or remove this one"):
        Manifest.load(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"provenance": {}},
        {"videos": {}},
        {"provenance": [], "videos": {}},
        {"provenance": {}, "videos": []},
        {"provenance": {}, "videos": {"x": DONE_2}},
        {"provenance": {}, "videos": {"-1": DONE_2}},
        {"provenance": {}, "videos": {"2": {}}},
        {"provenance": {}, "videos": {"2": "done"}},
        {"provenance": {}, "videos": {"2": {"state": "other"}}},
        {"provenance": {}, "videos": {"2": {"state": "failed"}}},
        {"provenance": {}, "videos": {"2": {"state": "failed", "reason": "other", "text": "2.mp4"}}},
        {"provenance": {}, "videos": {"2": {"state": "failed", "reason": "empty"}}},
    ],
)
def test_another_file_is_rejected(content, tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"manifest.json is not a manifest of this suite; remove it, or give another"):
        Manifest.load(tmp_path / "manifest.json")
