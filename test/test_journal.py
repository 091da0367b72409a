import errno
import os
import time

import pytest

from x3d.storage import journal as module
from x3d.storage.journal import Journal, journal_path, read_events

DIGEST, OTHER = "0" * 15 + "1", "0" * 15 + "2"
EVENTS = ['"1": {"path": "a"}', '"2": null', '"3": {"path": "\u00e9\u2028"}', '"4": {}']


@pytest.fixture
def manifest(tmp_path):
    """The path of a manifest with a journal of four events."""
    journal = Journal(tmp_path / "manifest.json", DIGEST)
    for event in EVENTS:
        journal.append(event)
    journal.close()
    return tmp_path / "manifest.json"


def test_a_journal_is_hidden_beside_its_manifest(tmp_path):
    assert journal_path(tmp_path / "manifest.json") == tmp_path / ".manifest.journal"
    assert journal_path(tmp_path / "manifest-0of3.json") == tmp_path / ".manifest-0of3.journal"


def test_events_are_read_back_in_order(manifest):
    assert read_events(manifest, DIGEST) == EVENTS


def test_each_event_is_with_the_operating_system_at_once(tmp_path):
    journal = Journal(tmp_path / "manifest.json", DIGEST)
    for number, event in enumerate(EVENTS):
        journal.append(event)
        assert read_events(tmp_path / "manifest.json", DIGEST) == EVENTS[: number + 1]
    journal.close()


def test_no_journal_has_no_events(tmp_path):
    assert read_events(tmp_path / "manifest.json", DIGEST) == []


def test_the_journal_of_another_manifest_has_no_events(manifest):
    assert read_events(manifest, OTHER) == []


def test_a_line_that_is_torn_or_damaged_ends_the_journal(manifest):
    path = journal_path(manifest)
    content = path.read_bytes()
    starts = [0, *(place + 1 for place, byte in enumerate(content) if byte == ord("\n"))]
    for place in range(len(content)):
        num_whole = sum(end <= place for end in starts[1:])
        path.write_bytes(content[:place])
        assert read_events(manifest, DIGEST) == EVENTS[:num_whole]
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        assert read_events(manifest, DIGEST) == EVENTS[:num_whole]


def test_a_line_that_is_removed_moved_or_repeated_ends_the_journal(manifest):
    path = journal_path(manifest)
    lines = path.read_bytes().splitlines(keepends=True)
    for order, num_whole in (((0, 2, 3), 1), ((1, 0), 0), ((0, 0), 1), ((0, 1, 3, 2), 2)):
        path.write_bytes(b"".join(lines[number] for number in order))
        assert read_events(manifest, DIGEST) == EVENTS[:num_whole]


def test_a_journal_is_never_begun_in_a_file_that_exists_and_a_link_is_not_followed(manifest, tmp_path):
    with pytest.raises(FileExistsError):
        Journal(manifest, DIGEST)
    (tmp_path / ".manifest-0of2.journal").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        Journal(tmp_path / "manifest-0of2.json", DIGEST)
    assert not (tmp_path / "victim").exists()


def test_a_pipe_in_place_of_a_journal_is_named(tmp_path):
    os.mkfifo(tmp_path / ".manifest.journal")
    with pytest.raises(ValueError, match=r"\.manifest\.journal cannot be read: not a regular file; remove it and run"):
        read_events(tmp_path / "manifest.json", DIGEST)


def test_it_is_synced_every_two_seconds_at_most(tmp_path, monkeypatch):
    times, synced = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: times[-1])
    monkeypatch.setattr(os, "fsync", synced.append)
    journal = Journal(tmp_path / "manifest.json", DIGEST)
    counts = []
    for seconds in (101.0, 102.0, 102.5, 103.0, 104.5, 104.6):
        times.append(seconds)
        journal.append(EVENTS[0])
        counts.append(len(synced))
    journal.close()
    assert counts == [0, 0, 1, 1, 1, 2]
    assert module.SYNC_INTERVAL_SECONDS == 2


def test_an_error_names_the_journal(tmp_path, monkeypatch):
    def fail(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal(tmp_path / "manifest.json", DIGEST)
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*\.manifest\.journal"):
        journal.append(EVENTS[0])
    journal.close()
