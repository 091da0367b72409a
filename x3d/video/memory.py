"""Limit the memory that the decoder of one video may take, whatever its file asks for."""

import os

import av

from x3d.errors import VideoError

MAX_FRAME_PIXELS = 8192 * 8192
MAX_DECODER_BYTES = 1 << 30
SMALL_FRAME_PIXELS = 1 << 21
"""Frames of up to 1920x1080: a decoder holds about 30 of them at most, which always fit."""

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
        if self._num_bytes > MAX_DECODER_BYTES:
            taken = f"the decoder took {self._num_bytes / 1e9:.1f} GB, the limit is {MAX_DECODER_BYTES / 1e9:.1f} GB"
            raise VideoError("too_large", self._path, f"{size}; {taken}")


def _is_large(context: av.VideoCodecContext) -> bool:
    return context.width * context.height > SMALL_FRAME_PIXELS


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES
