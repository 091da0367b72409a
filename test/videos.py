"""Write lossless videos for the tests: the grey of a frame's upper and lower half encodes its number."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

DIGITS = 16
"""Grey 8, 24, ... 248 stand for the digits of a frame's number, which is below 256."""

B_FRAMES = {"qp": "4", "x264-params": "bframes=3:b-adapt=0:scenecut=0:keyint=20"}
"""Options of libx264, which has no B frames when it is lossless; three of four frames are B frames."""


def write_video(
    path: Path,
    num_frames: int,
    rate: int | Fraction = 30,
    width: int = 64,
    height: int = 48,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    pts: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a video whose frame n has grey n // 16 above and n % 16 below.

    Args:
        pts: of each frame, in units of 1 / rate (default: 0, 1, 2, ...).
        metadata: of the container, such as its title.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=options or ({"qp": "0"} if codec == "libx264" else {}))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.time_base = Fraction(1) / Fraction(rate)
        for number in range(num_frames):
            pixels = np.empty((height, width, 3), dtype=np.uint8)
            pixels[: height // 2], pixels[height // 2 :] = (8 + 16 * digit for digit in divmod(number, DIGITS))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
            frame.pts = pts[number] if pts else number
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frame_numbers(frames: Sequence[np.ndarray]) -> list[int]:
    """Read the numbers of frames given as uint8 RGB."""
    return [DIGITS * _digit(frame[: len(frame) // 2]) + _digit(frame[len(frame) // 2 :]) for frame in frames]


def _digit(half: np.ndarray) -> int:
    return round((float(half.mean()) - 8) / 16)


def remux(source: Path, target: Path, **options: str) -> Path:
    """Copy a video's packets into another container, with the muxer's options."""
    with av.open(str(source)) as reader, av.open(str(target), "w", options=options) as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)
    return target


def swap_pts(source: Path, target: Path, first: int, second: int) -> Path:
    """Copy a video without B frames, exchanging the timestamps of two frames: they are decoded out of pts order."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        packets = [packet for packet in reader.demux(video=0) if packet.dts is not None]
        delay = (packets[second].dts or 0) - (packets[first].dts or 0)
        packets[first].pts, packets[second].pts = packets[second].pts, packets[first].pts
        for packet in packets:
            packet.dts = (packet.dts or 0) - delay
            packet.stream = stream
            writer.mux(packet)
    return target


def write_audio(path: Path) -> Path:
    """Write a file with sound only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        assert isinstance(stream, av.AudioStream)
        for start in range(0, 44100, 1024):
            container.mux(stream.encode(_silence(start)))
        container.mux(stream.encode(None))
    return path


def add_cover(source: Path, target: Path) -> Path:
    """Copy the stream of an mp4 file and add a cover picture, which comes before it."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        cover = writer.add_stream("mjpeg", rate=1)
        assert isinstance(cover, av.VideoStream)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 16, 16, "yuvj420p", Disposition.attached_pic
        stream = writer.add_stream_from_template(reader.streams[0])
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), dtype=np.uint8), format="rgb24")
        picture.pts = 0
        writer.mux(cover.encode(picture.reformat(format="yuvj420p")))
        writer.mux(cover.encode(None))
        for packet in reader.demux(reader.streams[0]):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)
    content = bytearray(target.read_bytes())
    track, cover_box = content.index(b"trak") - 4, content.index(b"udta") - 4
    size = int.from_bytes(content[cover_box : cover_box + 4], "big")
    content[track : cover_box + size] = content[cover_box : cover_box + size] + content[track:cover_box]
    target.write_bytes(content)
    return target


def write_noise(path: Path, num_frames: int, start: int = 0, with_sound: bool = False) -> Path:
    """Write an MPEG-2 video of about 130 kB per frame, with or without a sound track.

    Args:
        start: pts of the first frame.
    """
    random = np.random.RandomState(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=30, options={"g": "1", "qmin": "1", "qmax": "1"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 10**8
        stream.codec_context.time_base = Fraction(1, 30)
        sound = container.add_stream("aac", rate=44100) if with_sound else None
        assert sound is None or isinstance(sound, av.AudioStream)
        for number in range(num_frames):
            pixels = random.randint(0, 256, (240, 320, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = start + number, stream.codec_context.time_base
            container.mux(stream.encode(frame))
            if sound is not None:
                container.mux(sound.encode(_silence(number * 1024)))
        for each in (stream, sound):
            if each is not None:
                container.mux(each.encode(None))
    return path


def write_late_sound(path: Path) -> Path:
    """Write a .ts file of 80 frames whose sound appears after 60, which FFmpeg does not know when it opens the file."""
    parts = [
        write_noise(path.with_name("part0.ts"), 60),
        write_noise(path.with_name("part1.ts"), 20, start=60, with_sound=True),
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    return path


def _silence(pts: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 44100, pts
    return frame


def drop_first_packets(source: Path, target: Path, num_packets: int) -> Path:
    """Copy a video from a packet on, so that it may start between key frames."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        packets = [packet for packet in reader.demux(video=0) if packet.dts is not None]
        for packet in packets[num_packets:]:
            packet.stream = stream
            writer.mux(packet)
    return target


def flip_bits(path: Path, start: float, stop: float, num_bits: int = 6, seed: int = 0) -> Path:
    """Flip random bits in a part of a file, given in fractions of its size."""
    content = bytearray(path.read_bytes())
    random = np.random.RandomState(seed)
    for place in random.randint(int(len(content) * start), int(len(content) * stop), num_bits):
        content[place] ^= 1 << random.randint(8)
    path.write_bytes(content)
    return path


def rotate(path: Path) -> Path:
    """Mark an mp4 file as turned by a quarter, as phones do: in the matrix of its track."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44
    content[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def concatenate(paths: Sequence[Path], target: Path, rate: int = 30) -> Path:
    """Decode videos of one size and encode their frames as one video."""
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "superfast", "crf": "23"})
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, rate)
        number = 0
        for path in paths:
            with av.open(str(path)) as reader:
                for decoded in reader.decode(video=0):
                    if not number:
                        stream.width, stream.height = decoded.width, decoded.height
                    frame = av.VideoFrame.from_ndarray(decoded.to_ndarray(), format="yuv420p")
                    frame.pts, frame.time_base = number, stream.codec_context.time_base
                    container.mux(stream.encode(frame))
                    number += 1
        container.mux(stream.encode(None))
    return target
