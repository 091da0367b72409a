"""Frames to which no other refers are left out of the decoding, and the others are the same, bit by bit."""

from types import SimpleNamespace

import av
import numpy as np
import pytest

from test.test_clips import CountingReader, S
from test.videos import flip_bits, remux
from x3d.errors import VideoError
from x3d.video import clips
from x3d.video.clips import decode_clips
from x3d.video.reader import VideoReader
from x3d.video.sampling import Header, Sampling
from x3d.video.unreferenced import UnreferencedFrames, is_unreferenced

NUM_FRAMES = 130


def write_moving(path, codec="libx264", pixel_format="yuv420p", num_frames=NUM_FRAMES, **options):
    """Write a texture that moves in noise, with a cut, so that encoders choose frames of all types."""
    random = np.random.RandomState(0)
    textures = random.randint(0, 200, (2, 16, 24, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 112, pixel_format
        stream.codec_context.thread_count = 1
        if options.get("flags"):
            stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        for number in range(num_frames):
            shift = round(12 * np.sin(number / 9)) + 12
            pixels = textures[number // 75 % 2, 4 : 4 + 112, shift : shift + 160]
            noisy = (pixels + random.randint(0, 12, pixels.shape)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24").reformat(format=pixel_format)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path, monkeypatch, leaves_out):
    """Decode all clips.

    Returns:
        Their frames as bytes, and how many frames were decoded in each pass.
    """
    with monkeypatch.context() as patched, CountingReader(path) as reader:
        if not leaves_out:
            patched.setattr(reader, "unreferenced_pts", set)
        found = [[frame.tobytes() for frame in frames] for _, frames in decode_clips(reader, S, np.copy)]
        return found, reader.decoded


X264 = {
    "no B frames": "bframes=0",
    "1 B frame": "bframes=1",
    "2 B frames": "bframes=2:b-adapt=0",
    "4 B frames, no pyramid": "bframes=4:b-adapt=0:b-pyramid=none",
    "4 B frames, pyramid": "bframes=4:b-adapt=0:b-pyramid=normal",
    "strict pyramid": "bframes=4:b-adapt=0:b-pyramid=strict",
    "weighted": "bframes=3:weightp=2:weightb=1:ref=4",
    "open GOP": "bframes=3:open-gop=1:keyint=20:min-keyint=5",
    "short GOP": "bframes=3:keyint=12",
    "intra refresh": "bframes=3:intra-refresh=1:keyint=30",
    "CAVLC, slices": "bframes=3:cabac=0:slices=4",
    "temporal direct": "bframes=4:direct=temporal:b-adapt=0:ref=6",
    "delimiters": "bframes=3:aud=1:nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900",
    "interlaced": "bframes=3:tff=1",
}


@pytest.mark.parametrize("parameters", X264.values(), ids=X264.keys())
def test_clips_of_h264_are_the_same(parameters, tmp_path, monkeypatch):
    path = write_moving(tmp_path / "video.mp4", crf="26", preset="medium", **{"x264-params": parameters})
    expected, decoded = read(path, monkeypatch, False)
    found, decoded_less = read(path, monkeypatch, True)
    assert found == expected
    has_unreferenced = parameters not in (X264["no B frames"],)
    assert len(decoded) == 1
    if "tff" in parameters:
        assert len(decoded_less) == 2
    else:
        assert len(decoded_less) == 1
        assert (decoded_less[0] < decoded[0]) == has_unreferenced


@pytest.mark.parametrize("preset", ["superfast", "fast", "slower"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_clips_of_each_preset_and_depth_are_the_same(preset, pixel_format, tmp_path, monkeypatch):
    path = write_moving(tmp_path / "video.mkv", pixel_format=pixel_format, crf="28", preset=preset)
    assert read(path, monkeypatch, True)[0] == read(path, monkeypatch, False)[0]


OTHERS = {
    "hevc.mp4": ("libx265", {"x265-params": "log-level=none:pools=none:frame-threads=1", "preset": "ultrafast"}),
    "mpeg4.mp4": ("mpeg4", {"bf": "2"}),
    "mpeg4.avi": ("mpeg4", {"bf": "2"}),
    "mpeg2.mpg": ("mpeg2video", {"bf": "2"}),
    "h264.avi": ("libx264", {}),
    "h264.ts": ("libx264", {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_of_other_codecs_and_containers_every_frame_is_decoded(name, tmp_path):
    codec, options = OTHERS[name]
    path = write_moving(tmp_path / name, codec=codec, num_frames=40, **options)
    with VideoReader(str(path)) as reader:
        assert reader.unreferenced_pts() == set()
        assert len(reader.expected_pts()) == 40


@pytest.fixture(scope="module")
def b_frames(tmp_path_factory):
    return write_moving(tmp_path_factory.mktemp("video") / "video.mp4", crf="26")


def test_a_frame_that_a_clip_takes_or_ends_with_is_decoded(b_frames):
    with CountingReader(b_frames) as reader:
        left_out = []
        real = reader.frames
        reader.frames = lambda pts=frozenset(): left_out.append(pts) or real(pts)
        plan = S.plan(reader.expected_pts(), reader.stream.header)
        needed = {*plan.positions.ravel(), *(plan.num_frames_needed - 1)}
        assert len(list(decode_clips(reader, S, np.copy))) == 10
        assert left_out == [reader.unreferenced_pts() - {reader.expected_pts()[position] for position in needed}]
        assert 10 < len(left_out[0]) < 65


def test_a_file_read_again_leaves_out_the_same_frames(b_frames, monkeypatch):
    expected = read(b_frames, monkeypatch, True)
    monkeypatch.setattr("x3d.video.reader.HELD_BYTES", 1000)
    assert read(b_frames, monkeypatch, True) == expected


@pytest.mark.parametrize("start", [10, 60, 110])
def test_a_damaged_file_is_decoded_whole(start, b_frames, tmp_path, monkeypatch):
    """Concealment takes pixels from frames that would be left out."""
    path = tmp_path / "video.mp4"
    path.write_bytes(b_frames.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        packet = [packet for packet in packets if not is_unreferenced(packet, 4)][start // 2]
        position, size = packet.pos, packet.size
    total = path.stat().st_size
    flip_bits(path, (position + size // 2) / total, (position + size) / total)
    results = []
    for leaves_out in (True, False):
        with monkeypatch.context() as patched, CountingReader(path) as reader:
            if not leaves_out:
                patched.setattr(reader, "unreferenced_pts", set)
            try:
                found = [[frame.tobytes() for frame in frames] for _, frames in decode_clips(reader, S, np.copy)]
            except VideoError as error:
                found = [str(error)]
            results.append((found, reader.num_corrupt_frames))
    assert results[0] == results[1]


class DamagedReader(CountingReader):
    """Reports a damaged frame in every pass."""

    num_corrupt_frames = property(lambda reader: 1, lambda reader, number: None)


def test_a_damaged_frame_ends_the_pass_that_leaves_out_others(b_frames):
    with DamagedReader(b_frames) as reader:
        assert len(list(decode_clips(reader, S, np.copy))) == 10
        assert reader.decoded[0] == 1
        assert reader.decoded[1] > 100


def test_the_frames_that_end_the_clips_are_needed():
    """They show that no frame of a clip comes after its end."""
    plan = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=2).plan(range(200), Header(30.0, 200, 200))
    reader = SimpleNamespace(unreferenced_pts=lambda: set(range(200)))
    left_out = clips._find_unneeded(reader, plan, range(200))
    assert set(range(200)) - left_out == {*plan.positions.ravel(), 78, 139}
    assert not {78, 139} & set(plan.positions.ravel())


def test_a_pass_whose_frames_are_not_the_others_is_not_trusted(b_frames, monkeypatch):
    expected, _ = read(b_frames, monkeypatch, False)
    with CountingReader(b_frames) as reader:
        some = set(reader.expected_pts()[1::7])
        monkeypatch.setattr(reader, "unreferenced_pts", lambda: some)
        monkeypatch.setattr(reader, "_decode", lambda left_out: VideoReader._decode(reader, set()))
        found = [[frame.tobytes() for frame in frames] for _, frames in decode_clips(reader, S, np.copy)]
        assert len(reader.decoded) == 2
    assert found == expected


def unit(head: int, num_bytes: int = 5) -> bytes:
    return num_bytes.to_bytes(4, "big") + bytes([head]) + bytes(num_bytes - 1)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (unit(0x01), True),
        (unit(0x09, 2) + unit(0x06) + unit(0x01) + unit(0x01), True),
        (unit(0x41), False),
        (unit(0x65), False),
        (unit(0x01) + unit(0x41), False),
        (unit(0x67) + unit(0x01), False),
        (unit(0x81), False),
        (unit(0x06), False),
        (unit(0x01)[:-1], False),
        (unit(0x01) + b"\0\0", False),
        (b"", False),
    ],
)
def test_units_of_packets(packet, expected):
    assert is_unreferenced(packet, 4) is expected


class Packet(bytes):
    is_discard = False


def collect(order, reorder_depth=2, extradata=b"\x01\x64\x00\x0d\xff", head=0x01):
    """Return the pts of unreferenced frames of a stream of packets with the pts given."""
    frames = UnreferencedFrames(SimpleNamespace(name="h264", extradata=extradata, reorder_depth=reorder_depth))
    for pts in order:
        packet = Packet(unit(head))
        packet.pts = pts
        frames.add(packet)
    return frames.pts()


def test_no_frame_is_left_out_where_that_may_change_the_order():
    order = [0, 4, 2, 1, 3]
    assert collect(order) == set(order)
    assert collect(order, reorder_depth=1) == set()
    assert collect([0, 4, 2, 2, 3]) == set()
    assert collect([0, 4, None, 1, 3]) == set()
    assert collect(order, extradata=b"\0\0\0\1\x67") == set()
    assert collect(order, extradata=None) == set()
    assert collect([]) == set()


def test_remuxed_streams_have_the_same_unreferenced_frames(b_frames, tmp_path):
    with VideoReader(str(remux(b_frames, tmp_path / "video.mkv"))) as reader, VideoReader(str(b_frames)) as source:
        assert len(reader.unreferenced_pts()) == len(source.unreferenced_pts()) > 30
