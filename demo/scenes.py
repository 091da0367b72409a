"""Draw the scenes of the demo's clips: textured shapes that move over a textured background.

The 16 classes are eight motions, each in red and in blue. Reversing the frame order or exchanging R and B turns every
clip into one of another class; so does exchanging height and width, except for growing and shrinking. The motion lasts
for the whole clip and fills the picture.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WIDTH, HEIGHT = 340, 256
MOTIONS = (
    "moving left",
    "moving right",
    "moving up",
    "moving down",
    "growing",
    "shrinking",
    "turning clockwise",
    "turning counter-clockwise",
)
HUES = ("red", "blue")
CLASSES = tuple(f"{motion} {hue}" for motion in MOTIONS for hue in HUES)
"""Label l is motion l // 2 in hue l % 2."""

SPRITE_SIDE = 64
COLUMNS, ROWS = 6, 4
MARGIN = 30
"""Pixels around the picture in which things disappear and reappear on the other side."""
DIRECTIONS = {"moving left": (-1, 0), "moving right": (1, 0), "moving up": (0, -1), "moving down": (0, 1)}
FADE = 0.15
"""Share of a growing thing's cycle in which it appears, and again in which it vanishes."""


@dataclass(frozen=True)
class Pose:
    """Where a thing is: centre in pixels, diameter in pixels, angle in degrees (clockwise), opacity in [0, 1]."""

    x: float
    y: float
    diameter: float
    angle: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Thing:
    """A moving shape: a square picture and its motion.

    Attributes:
        picture: (S, S, 3) uint8, RGB.
        shape: (S, S) float32, opacity in [0, 1].
        pose: maps seconds to the pose.
    """

    picture: "np.ndarray"
    shape: "np.ndarray"
    pose: Callable[[float], Pose]


@dataclass(frozen=True)
class Scene:
    """A clip's content: an (H, W, 3) uint8 RGB background, and the things in front of it."""

    background: "np.ndarray"
    things: list[Thing]


def make_scene(label: int, random: "np.random.Generator") -> Scene:
    """Draw a clip of a class: 24 things, spread over the picture, with one motion and one hue."""
    things = [make_thing(label, cell, random) for cell in range(COLUMNS * ROWS)]
    return Scene(make_background(random), things)


def make_thing(label: int, cell: int, random: "np.random.Generator") -> Thing:
    """Draw a thing that moves and looks as a class is named, in one of COLUMNS x ROWS cells.

    The cells of things that move along an axis cover the margin too, in which they reappear.
    """
    motion, hue = MOTIONS[label // 2], HUES[label % 2]
    margin = MARGIN if motion in DIRECTIONS else 0
    x = (cell % COLUMNS + random.uniform(0.2, 0.8)) * ((WIDTH + 2 * margin) / COLUMNS) - margin
    y = (cell // COLUMNS + random.uniform(0.2, 0.8)) * ((HEIGHT + 2 * margin) / ROWS) - margin
    return Thing(*make_sprite(hue, random), make_motion(motion, x, y, random))


def make_motion(motion: str, x: float, y: float, random: "np.random.Generator") -> Callable[[float], Pose]:
    """Choose how a thing that starts at (x, y) moves.

    Between two sampled frames (0.214 s) it moves by 2 to 5 pixels, turns by 7 to 15 degrees, or changes its diameter
    by 6 to 17 %: enough to be visible, and too little for an outline to coincide with itself.
    """
    diameter = random.uniform(32, 54)
    angle = random.uniform(0, 360)
    if motion in DIRECTIONS:
        speed = random.uniform(10, 25)
        step_x, step_y = (speed * along for along in DIRECTIONS[motion])

        def move(seconds: float) -> Pose:
            return Pose(
                (x + step_x * seconds + MARGIN) % (WIDTH + 2 * MARGIN) - MARGIN,
                (y + step_y * seconds + MARGIN) % (HEIGHT + 2 * MARGIN) - MARGIN,
                diameter,
                angle,
            )

        return move
    if motion.startswith("turning"):
        diameter = random.uniform(48, 72)
        turn = random.uniform(35, 70) * (-1 if motion.endswith("counter-clockwise") else 1)
        return lambda seconds: Pose(x, y, diameter, angle + turn * seconds)

    smallest, largest = random.uniform(14, 20), random.uniform(60, 75)
    cycle_seconds, phase = random.uniform(2.5, 4.0), random.uniform(0, 1)

    def scale(seconds: float) -> Pose:
        grown = (phase + seconds / cycle_seconds) % 1
        opacity = min(grown / FADE, (1 - grown) / FADE, 1)
        if motion == "shrinking":
            grown = 1 - grown
        return Pose(x, y, smallest * (largest / smallest) ** grown, angle, opacity)

    return scale


def make_sprite(hue: str, random: "np.random.Generator") -> tuple["np.ndarray", "np.ndarray"]:
    """Draw a textured picture, and a shape with a wavy outline: picture and shape of a Thing."""
    import numpy as np

    strong, middle, weak = random.uniform(0.8, 1.0), random.uniform(0.1, 0.5), random.uniform(0.0, 0.15)
    color = (strong, middle, weak) if hue == "red" else (weak, middle, strong)
    texture = 40 + 215 * make_noise(SPRITE_SIDE, SPRITE_SIDE, (3, 6), random)
    axis = (np.arange(SPRITE_SIDE, dtype=np.float32) + 0.5) / (SPRITE_SIDE / 2) - 1
    radius, around = np.hypot(axis, axis[:, None]), np.arctan2(axis[:, None], axis)
    waves, depth = random.integers(2, 5), random.uniform(0.18, 0.32)
    outline = 0.95 - depth * (1 + np.cos(waves * around))
    shape = np.clip((outline - radius) * SPRITE_SIDE / 4, 0, 1)
    return np.dstack([texture * part for part in color]).astype(np.uint8), shape.astype(np.float32)


def make_background(random: "np.random.Generator") -> "np.ndarray":
    """Draw a still, nearly grey texture, (H, W, 3) uint8, RGB."""
    import numpy as np

    brightness = 40 + random.uniform(60, 140) * make_noise(HEIGHT, WIDTH, (4, 12, 40), random)
    tint = random.uniform(0.85, 1.0, size=3)
    return (brightness[:, :, None] * tint).astype(np.uint8)


def make_noise(height: int, width: int, cells: Sequence[int], random: "np.random.Generator") -> "np.ndarray":
    """Add up smooth noise, one layer for each number of cells along the side.

    Returns:
        (height, width) float32, stretched to [0, 1].
    """
    import cv2
    import numpy as np

    noise = np.zeros((height, width), dtype=np.float32)
    for count in cells:
        grid = random.uniform(size=(count, count)).astype(np.float32)
        noise += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.min()) / (noise.max() - noise.min())


def render(scene: Scene, seconds: float) -> "np.ndarray":
    """Draw a scene at one time.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    frame = scene.background.copy()
    for thing in scene.things:
        draw(frame, thing, thing.pose(seconds))
    return frame


def draw(frame: "np.ndarray", thing: Thing, pose: Pose) -> None:
    """Blend a thing over the part of a frame that it covers, in place."""
    import cv2
    import numpy as np

    reach, (height, width), side = pose.diameter / 2, frame.shape[:2], len(thing.picture)
    left, right = max(math.floor(pose.x - reach), 0), min(math.ceil(pose.x + reach), width)
    top, bottom = max(math.floor(pose.y - reach), 0), min(math.ceil(pose.y + reach), height)
    if left >= right or top >= bottom:
        return
    scale, half = pose.diameter / side, side / 2
    cos, sin = (scale * part(math.radians(pose.angle)) for part in (math.cos, math.sin))
    to_frame = np.array(
        [[cos, -sin, pose.x - left - half * (cos - sin)], [sin, cos, pose.y - top - half * (sin + cos)]]
    )
    size = (right - left, bottom - top)
    picture = cv2.warpAffine(thing.picture, to_frame, size, borderMode=cv2.BORDER_REPLICATE)
    shape = pose.opacity * cv2.warpAffine(thing.shape, to_frame, size)
    covered = frame[top:bottom, left:right]
    covered[:] = cv2.blendLinear(picture, covered.copy(), shape, 1 - shape)
