"""Limit the memory that the decoder of one video may take, whatever its file asks for, and reuse that of its frames."""

import contextlib
import ctypes
import functools
import os
import resource
from collections.abc import Iterator

import av

from x3d.errors import VideoError

MAX_FRAME_PIXELS = 8192 * 8192
MAX_BYTES = 1 << 30
"""That FFmpeg may take to open a file, and to decode it."""
SMALL_FRAME_PIXELS = 1 << 21
"""Frames of up to 1920x1080: a decoder holds about 30 of them at most, which always fit."""
KEPT_BYTES = 128 << 20
"""That the C library may keep of what was freed: more than the frames of X3D-S that are held, 90 of 0.53 MB."""
LARGEST_KEPT_BYTES = 32 << 20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of GNU's mallopt."""

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


class DecoderMemory:
    """The memory that a decoder has taken, measured where its frames are large.

    A file of a few kilobytes can make a decoder hold 16 frames of 8192x8192 pixels. How many it holds depends on the
    codec, so the memory of this process is compared before and after each packet: at most one packet is too much.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._num_bytes = 0

    def decode(self, packet: "av.Packet[av.VideoStream]") -> list[av.VideoFrame]:
        """Decode a packet.

        Raises:
            VideoError: the frames are too large.
            av.FFmpegError: it cannot be decoded.
        """
        context = packet.stream.codec_context
        before = _resident_bytes() if _is_large(context) else 0
        try:
            frames = packet.decode()
        except MemoryError as error:
            raise VideoError("too_large", self._path, f"no memory for {context.width}x{context.height}") from error
        if before:
            self._num_bytes += _resident_bytes() - before
        if _is_large(context):
            self.check(context)
        return frames

    def check(self, context: av.VideoCodecContext) -> None:
        """Compare the size of the frames, and the memory taken for them, with the limits.

        Raises:
            VideoError: they exceed one.
        """
        size = f"{context.width}x{context.height} pixels"
        if context.width * context.height > MAX_FRAME_PIXELS:
            raise VideoError("too_large", self._path, f"{size}; the limit is 8192x8192")
        if self._num_bytes > MAX_BYTES:
            taken = f"the decoder took {self._num_bytes / 1e9:.1f} GB, the limit is {MAX_BYTES / 1e9:.1f} GB"
            raise VideoError("too_large", self._path, f"{size}; {taken}")


def _is_large(context: av.VideoCodecContext) -> bool:
    return context.width * context.height > SMALL_FRAME_PIXELS


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    """Let memory that is requested beyond MAX_BYTES fail: FFmpeg decodes frames of any size when it opens a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _statm_bytes(5) + MAX_BYTES
    limits = [limit, *(value for value in (soft, hard) if value != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@functools.cache
def keep_freed_memory() -> None:
    """Let the C library keep the memory of frames that are freed for those of the next video.

    Returning it to the system and getting it back took 5 to 9 of 140 ms per clip. Only GNU's C library can be asked.
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)


def _resident_bytes() -> int:
    return _statm_bytes(1)


def _statm_bytes(field: int) -> int:
    """Read a field of /proc/self/statm: 1 is the resident memory, 5 what RLIMIT_DATA limits."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[field]) * _PAGE_BYTES
