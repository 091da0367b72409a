from pathlib import Path

import pytest

from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE, Shard
from x3d.storage.entries import WrittenViews
from x3d.storage.journal import journal_path
from x3d.storage.manifest import Manifest
from x3d.storage.shards import find_manifests, load_shards, manifest_name, merge_shards, shard_of
from x3d.video.source import Source

VIDEOS = [Video(index, f"{index}.mp4", "", 0) for index in range(7)]


def write_shard(folder: Path, shard: Shard, **provenance: object) -> Path:
    manifest = Manifest(folder / manifest_name(shard), {"num_videos": 7, **provenance})
    for video in shard.select(VIDEOS):
        manifest.record_done(video, WrittenViews([f"{video.index:016x}"], Source(1, 2, 3)))
    manifest.save()
    return manifest.path


@pytest.fixture
def three(tmp_path) -> list[Path]:
    return [write_shard(tmp_path, Shard(i, 3)) for i in range(3)]


def test_a_shard_is_parsed_from_its_name():
    assert manifest_name(WHOLE) == "manifest.json"
    assert manifest_name(Shard(2, 11)) == "manifest-2of11.json"
    assert shard_of(Path("a/manifest-2of11.json")) == Shard(2, 11)
    assert shard_of(Path("a/manifest.json")) == WHOLE


@pytest.mark.parametrize(
    "name", ["manifest-1.json", "xmanifest.json", "manifest.json.bak", "manifest-aof3.json", "manifest-3of3.json"]
)
def test_another_name_is_not_a_manifest(name, tmp_path):
    (tmp_path / name).touch()
    assert find_manifests(tmp_path) == []
    with pytest.raises(ValueError, match="does not have the name of a manifest"):
        shard_of(tmp_path / name)


def test_manifests_are_found_among_other_files(three, tmp_path):
    (tmp_path / "0_0.npy").touch()
    (tmp_path / "manifest-0of3.rows").touch()
    whole = write_shard(tmp_path, WHOLE)
    assert find_manifests(tmp_path) == [*three, whole]


def test_shards_merge_into_one_manifest(three, tmp_path):
    merge_shards(tmp_path / "manifest.json", three)
    assert find_manifests(tmp_path) == [tmp_path / "manifest.json"]
    merged = Manifest.load(tmp_path / "manifest.json")
    assert merged.provenance == {"num_videos": 7}
    assert {index: entry["view_hashes"] for index, entry in merged.entries().items()} == {
        i: [f"{i:016x}"] for i in range(7)
    }


def refuse(paths: list[Path], match: str) -> None:
    """Check that shards are rejected, and stay as they are."""
    before = {path: path.read_bytes() for path in paths}
    with pytest.raises(ValueError, match=match):
        load_shards(paths)
    with pytest.raises(ValueError, match=match):
        merge_shards(paths[0].with_name("manifest.json"), paths)
    assert {path: path.read_bytes() for path in paths} == before
    assert not paths[0].with_name("manifest.json").exists()


@pytest.mark.parametrize("gone", range(3))
def test_a_missing_shard_is_named(gone, three):
    refuse(
        [path for i, path in enumerate(three) if i != gone],
        f"manifest-{gone}of3.json does not exist; all 3 shards are needed",
    )


def test_a_copied_shard_is_named(three):
    three[2].write_bytes(three[1].read_bytes())
    refuse(three, r"manifest-2of3.json records video 1, which belongs to shard 1")


@pytest.mark.parametrize("other", [1, 2])
def test_a_shard_of_another_provenance_is_named(other, three, tmp_path):
    write_shard(tmp_path, Shard(other, 3), num_classes=9)
    refuse(three, rf"{other}of3.json has another provenance than .*0of3.json: num_classes was None, is 9")


def test_shards_of_two_counts_are_named(three, tmp_path):
    other = write_shard(tmp_path, Shard(1, 2))
    refuse(
        [*three, other],
        r"1of2.json is of a run with 2 shards, .*0of3.json is of a run with 3 shards; remove the one",
    )


def test_a_whole_and_its_shards_are_not_merged(three, tmp_path):
    whole = write_shard(tmp_path, WHOLE)
    later = Manifest.load(three[0])
    later.forget(0)
    later.record_failed(VIDEOS[0], "empty", "0.mp4")
    later.save()
    before = whole.read_bytes()
    with pytest.raises(
        ValueError, match=r"manifest.json and .*0of3.json both record the same folder; remove the one that is out of"
    ):
        merge_shards(whole, three)
    assert whole.read_bytes() == before
    assert all(path.exists() for path in three)


def test_events_in_journals_are_merged(three, tmp_path):
    """As after a kill of the last shard."""
    killed = Manifest.load(three[1])
    killed.save()
    killed.record_failed(VIDEOS[4], "empty", "4.mp4")
    merge_shards(tmp_path / "manifest.json", three)
    assert list(Manifest.load(tmp_path / "manifest.json").failed()) == [4]
    assert not journal_path(three[1]).exists()


@pytest.mark.parametrize("num_removed", range(3))
def test_a_stopped_merge_is_completed(num_removed, three, tmp_path, caplog):
    caplog.set_level("INFO")
    copies = {path: path.read_bytes() for path in three[num_removed:]}
    merge_shards(tmp_path / "manifest.json", three)
    assert f"3 shards merged into {tmp_path / 'manifest.json'}" in caplog.text
    merged = (tmp_path / "manifest.json").read_bytes()
    for path, copy in copies.items():
        path.write_bytes(copy)
    merge_shards(tmp_path / "manifest.json", list(copies))
    assert find_manifests(tmp_path) == [tmp_path / "manifest.json"]
    assert (tmp_path / "manifest.json").read_bytes() == merged


def test_a_whole_and_shards_are_described(three, tmp_path):
    whole = write_shard(tmp_path, WHOLE)
    with pytest.raises(
        ValueError, match=r"manifest.json is of a run without shards, .*0of3.json is of a run with 3 shards"
    ):
        load_shards([*three, whole])
