"""Bad and unusual video files, each with the failure reason expected of it (empty: it is usable)."""

import os
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from test.videos import B_FRAMES, add_cover, drop_first_packets, remux, write_audio, write_late_sound, write_video

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), dtype=np.uint8))[1].tobytes()


def _cut(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))


def _faststart(path: Path, num_frames: int = 200) -> Path:
    source = write_video(path.with_suffix(".source.mkv"), num_frames, options={"qp": "0", "g": "10"})
    remux(source, path, movflags="faststart")
    source.unlink()
    return path


def _overwrite(path: Path, start: float, content: Callable[[int], bytes], num_bytes: int | None = None) -> None:
    whole = bytearray(_faststart(path).read_bytes())
    data = whole.index(b"mdat") + 4
    first = data + int((len(whole) - data) * start)
    num_bytes = num_bytes or len(whole) - first
    whole[first : first + num_bytes] = content(num_bytes)
    path.write_bytes(whole)


def _noise(num_bytes: int) -> bytes:
    return np.random.RandomState(0).bytes(num_bytes)


def _no_moov(path: Path) -> None:
    whole = write_video(path, 30).read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])


def _no_cluster(path: Path) -> None:
    whole = write_video(path, 2).read_bytes()
    path.write_bytes(whole[: whole.index(b"\x1f\x43\xb6\x75")])


def _fragmented(path: Path) -> None:
    source = write_video(path.with_suffix(".source.mkv"), 100)
    remux(source, path, movflags="frag_keyframe+empty_moov")
    source.unlink()


def _two_sizes(path: Path) -> None:
    parts = [
        write_video(path.with_name(f"part{n}.ts"), 40, width=64 + 32 * n, pts=range(40 * n, 40 * n + 40))
        for n in range(2)
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def _no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


def _replace(path: Path, old: bytes, new: bytes) -> None:
    whole = write_video(path, 70, metadata={"title": "TITLE"}).read_bytes()
    assert whole.count(old) == 1
    path.write_bytes(whole.replace(old, new))


def _cover(path: Path, write: Callable[[Path], Path]) -> None:
    plain = write(path.with_name("plain.mp4"))
    add_cover(plain, path)
    plain.unlink()


def _between_key_frames(path: Path) -> None:
    source = write_video(path.with_suffix(".source.mp4"), 120, options=B_FRAMES)
    drop_first_packets(source, path, 30)
    source.unlink()


def _video(num_frames: int = 70, **made: object) -> Callable[[Path], object]:
    return lambda path: write_video(path, num_frames, **made)  # type: ignore[arg-type]


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.mp4": (Path.touch, "empty"),
    "missing.mp4": (lambda path: None, "missing"),
    "a folder.mp4": (Path.mkdir, "unreadable"),
    "no moov.mp4": (_no_moov, "not_a_video"),
    "text.mp4": (lambda path: path.write_text("<html>404</html>" * 100), "not_a_video"),
    "._junk.mp4": (lambda path: path.write_bytes(b"\x00\x05\x16\x07Mac OS X" + bytes(4000)), "not_a_video"),
    "script.mp4": (lambda path: path.write_text("ffconcat version 1.0\nfile 'three frames.mp4'\n"), "not_a_video"),
    "pointer.mp4": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "not_a_video"),
    "picture.mp4": (lambda path: path.write_bytes(JPEG), "not_a_video"),
    "header only.mkv": (_no_cluster, "not_a_video"),
    "sound only.mp4": (write_audio, "no_video_stream"),
    "sound with cover.mp4": (lambda path: _cover(path, write_audio), "no_video_stream"),
    "half.mp4": (lambda path: _cut(_faststart(path), 0.5), "truncated"),
    "zeroed.mp4": (lambda path: _overwrite(path, 0.3, bytes, 400), "damaged"),
    "noise.mp4": (lambda path: _overwrite(path, 0.0, _noise), "damaged"),
    "no frames.avi": (_no_frames, "no_frames"),
    "unknown codec.mkv": (lambda path: _replace(path, b"V_MPEG4/ISO/AVC", b"V_UNKNOWN/CODEC"), "no_decoder"),
    "one frame.ts": (_video(1), "no_frame_rate"),
    "raw.h264": (_video(60), "no_timestamps"),
    "two sizes.ts": (_two_sizes, "size_changes"),
    "wide.mp4": (_video(30, width=16384, height=16), "too_large"),
    "fragmented.mp4": (_fragmented, ""),
    "no duration.mkv": (_video(), ""),
    "no count.ts": (_video(), ""),
    "negative pts.mkv": (_video(pts=list(range(-10, 60))), ""),
    "edit list.mp4": (_video(options=B_FRAMES), ""),
    "variable rate.mp4": (_video(pts=[n + n * n // 60 for n in range(70)]), ""),
    "three frames.mp4": (_video(3), ""),
    "6 fps.mp4": (_video(30, rate=6), ""),
    "60 fps.mp4": (_video(200, rate=60), ""),
    "10 bit.mp4": (_video(pixel_format="yuv420p10le"), ""),
    "full range.mp4": (_video(pixel_format="yuvj420p"), ""),
    "hevc.mp4": (_video(codec="libx265", options={"x265-params": "log-level=none"}), ""),
    "av1.mp4": (_video(codec="libsvtav1", options={"preset": "12"}), ""),
    "mpeg4.avi": (_video(codec="mpeg4"), ""),
    "vp9.webm": (_video(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}), ""),
    "portrait.mp4": (_video(width=48, height=64), ""),
    "unusual width.mp4": (_video(width=65, height=47, pixel_format="yuv444p"), ""),
    "1080p.mp4": (_video(12, width=1920, height=1080), ""),
    'it\'s "quoted" & spaced.mp4': (_video(), ""),
    "Latin-1 title.mp4": (lambda path: _replace(path, b"TITLE", b"Caf\xe9 "), ""),
    "żółw 亀.mp4": (_video(), ""),
    "cover.mp4": (lambda path: _cover(path, lambda plain: write_video(plain, 70)), ""),
    "late sound.ts": (write_late_sound, ""),
    "between key frames.ts": (_between_key_frames, ""),
    "cut.mkv": (lambda path: _cut(write_video(path, 200), 0.5), ""),
}


def write_corpus(folder: Path) -> dict[str, str]:
    """Write every file.

    Returns:
        The reason expected of each name, empty for those that are usable.
    """
    folder.mkdir(parents=True)
    for name, (write, _) in FILES.items():
        write(folder / name)
    return {name: reason for name, (_, reason) in FILES.items()}
