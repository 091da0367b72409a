"""Write lossless videos for the tests: the grey of a frame's upper and lower half encodes its number."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

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
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
