"""Changes of a file's bytes, and of the file itself; all draw from the given generator only."""

import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

Random = random.Random
Edit = Callable[[Random, bytes], bytes]
"""Returns changed content, or the same where it has nothing to change."""

BLOCK_BYTES = (1, 4, 16, 64, 512, 4096)


def flip_bit(draw: Random, data: bytes) -> bytes:
    """Flip one bit."""
    if not data:
        return data
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]


def flip_bits(draw: Random, data: bytes) -> bytes:
    """Flip two to eight bits."""
    for _ in range(draw.randint(2, 8)):
        data = flip_bit(draw, data)
    return data


def set_byte(draw: Random, data: bytes) -> bytes:
    """Set one byte to another value, often an extreme one."""
    if not data:
        return data
    place = draw.randrange(len(data))
    return data[:place] + bytes([draw.choice([0, 255, 127, 128, draw.randrange(256)])]) + data[place + 1 :]


def truncate(draw: Random, data: bytes) -> bytes:
    """Cut the file off."""
    return data[: draw.choice([0, len(data) // 2, max(0, len(data) - 1), draw.randrange(len(data) + 1)])]


def insert(draw: Random, data: bytes) -> bytes:
    """Insert random bytes."""
    place = draw.randrange(len(data) + 1)
    return data[:place] + draw.randbytes(draw.choice(BLOCK_BYTES)) + data[place:]


def append(draw: Random, data: bytes) -> bytes:
    """Append random bytes or zeros."""
    size = draw.choice(BLOCK_BYTES)
    return data + draw.choice([draw.randbytes(size), bytes(size)])


def delete_block(draw: Random, data: bytes) -> bytes:
    """Remove a block."""
    start, stop = _block(draw, data)
    return data[:start] + data[stop:]


def zero_block(draw: Random, data: bytes) -> bytes:
    """Overwrite a block with zeros, as a lost sector does."""
    start, stop = _block(draw, data)
    return data[:start] + bytes(stop - start) + data[stop:]


def randomise_block(draw: Random, data: bytes) -> bytes:
    """Overwrite a block with random bytes."""
    start, stop = _block(draw, data)
    return data[:start] + draw.randbytes(stop - start) + data[stop:]


def duplicate_block(draw: Random, data: bytes) -> bytes:
    """Insert a copy of a block behind it."""
    start, stop = _block(draw, data)
    return data[:stop] + data[start:]


def swap_blocks(draw: Random, data: bytes) -> bytes:
    """Exchange two blocks of one size."""
    size = min(draw.choice(BLOCK_BYTES), len(data) // 2)
    first = draw.randrange(max(1, len(data) - 2 * size + 1))
    second = draw.randrange(first + size, max(first + size + 1, len(data) - size + 1))
    mid = data[first + size : second]
    return data[:first] + data[second : second + size] + mid + data[first : first + size] + data[second + size :]


def replace_whole(draw: Random, data: bytes) -> bytes:
    """Replace the content by something else that users have under such names."""
    return draw.choice(
        [
            b"",
            bytes(len(data)),
            b"\n" * 50,
            b"<!DOCTYPE html><html><body>404</body></html>\n",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            b"\x93NUMPY\x01\x00",
            b"PK\x03\x04" + bytes(60),
            b'{"a": ' * 100_000,
            b"[" * 100_000,
            b"- a\n- b\n",
            b"null",
            b"\x1f\x8b\x08" + bytes(20),
            draw.randbytes(len(data)),
        ]
    )


def _block(draw: Random, data: bytes) -> tuple[int, int]:
    start = draw.randrange(max(1, len(data)))
    return start, min(len(data), start + draw.choice(BLOCK_BYTES))


BYTES: Sequence[Edit] = (
    *(flip_bit, flip_bit, flip_bits, set_byte, truncate, insert, append, delete_block, zero_block, randomise_block),
    *(duplicate_block, swap_blocks, replace_whole),
)


def remove(path: Path) -> None:
    """Remove the file."""
    path.unlink()


def make_folder(path: Path) -> None:
    """Put a folder in the place of the file."""
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    """Put a named pipe in the place of the file."""
    path.unlink()
    os.mkfifo(path)


def make_broken_link(path: Path) -> None:
    """Put a link to nowhere in the place of the file."""
    path.unlink()
    path.symlink_to("nowhere")


def make_loop(path: Path) -> None:
    """Put a link to itself in the place of the file."""
    path.unlink()
    path.symlink_to(path.name)


def copy_neighbour(path: Path) -> None:
    """Replace the file by another one of its folder and type, the first by the last."""
    others = sorted(other for other in path.parent.glob(f"*{path.suffix}") if other != path and other.is_file())
    if others:
        shutil.copyfile(others[-1], path)


FILES = (remove, make_folder, make_pipe, make_broken_link, make_loop, copy_neighbour)
