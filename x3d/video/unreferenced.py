"""Find the frames of an H.264 stream to which no other frame refers: the others are decoded alike without them."""

from array import array
from typing import Any

import av

SLICE, SEI, DELIMITER, FILLER = 1, 6, 9, 12
"""First bytes of the units that an unreferenced frame may consist of: a nal_ref_idc of 0, and the unit's type (ITU-T
H.264, table 7-1)."""


class UnreferencedFrames:
    """Collects the packets of a stream, and names the frames that need not be decoded for the sake of others.

    H.264 marks them: nal_ref_idc is 0 in every slice (ITU-T H.264, 7.4.1). Only streams whose units have lengths are
    read, as those in MP4 and Matroska; of every other stream no frame is unreferenced.

    Args:
        context: the decoder's, not yet opened.
    """

    def __init__(self, context: av.VideoCodecContext) -> None:
        extradata = context.extradata or b""
        has_lengths = context.name == "h264" and len(extradata) > 4 and extradata[0] == 1
        self._length_bytes = (extradata[4] & 3) + 1 if has_lengths else 0
        self._reorder_depth = context.reorder_depth
        self._order = array("q")
        self._pts: set[int] = set()

    def add(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Add the next packet in decoding order."""
        if not self._length_bytes:
            return
        if packet.pts is None:
            self._length_bytes = 0
            return
        self._order.append(packet.pts)
        if not packet.is_discard and is_unreferenced(packet, self._length_bytes):
            self._pts.add(packet.pts)

    def pts(self) -> set[int]:
        """Return the pts of the frames that can be left out, none unless this cannot change the order of the others.

        Every frame has a pts of its own, and the decoder waits for as many frames as the order of the pts needs: it
        has no reason to wait longer, which it would do from a frame on that it might not see.
        """
        count = len(self._order)
        if not self._length_bytes or len(set(self._order)) < count:
            return set()
        ranked = sorted(range(count), key=self._order.__getitem__)
        depth = max((place - rank for rank, place in enumerate(ranked)), default=0)
        return self._pts if depth <= self._reorder_depth else set()


def is_unreferenced(packet: Any, length_bytes: int) -> bool:
    """Check that a packet is one frame to which no other refers, and holds nothing else that another may need.

    Args:
        packet: bytes-like.
        length_bytes: of the length before each unit.
    """
    rest = memoryview(packet)
    has_slice = False
    while len(rest) > length_bytes:
        unit_bytes, head = int.from_bytes(rest[:length_bytes], "big"), rest[length_bytes]
        if head not in (SLICE, SEI, DELIMITER, FILLER) or unit_bytes > len(rest) - length_bytes:
            return False
        has_slice |= head == SLICE
        rest = rest[length_bytes + unit_bytes :]
    return has_slice and not rest
