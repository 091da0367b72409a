"""Draw the scenes of harder clips: from as easy as those of demo/scenes.py to ones that a network guesses.

Each clip has a difficulty of its own, up to which motion slows down, contrast fades, noise covers the picture, and
things around one point have the motion and the hue of another class. Most things are of the clip's class.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.scenes import CLASSES, COLUMNS, HEIGHT, ROWS, WIDTH, Scene, make_background, make_thing, render

if TYPE_CHECKING:
    import numpy as np

MAX_DIFFICULTY = 0.85
"""With 1 the demo's network classifies 7 of 10 clips correctly, with this 8 of 10."""
MIN_SPEED = 0.4
"""Of the slowest clip, as a share of the easy ones' speed."""
MIN_CONTRAST = 0.5
MAX_NOISE = 6.0
"""Standard deviation of the noise, in grey levels."""
MAX_OTHERS = COLUMNS * ROWS // 2 - 1
"""Most things of another class in a clip."""
GREY = 128


@dataclass(frozen=True)
class HardScene:
    """A clip's content, and what makes it hard.

    Attributes:
        speed: of the motion, as a share of that of `scene`.
        contrast: as a share of that of `scene`, around grey.
        noise: (2 H, 2 W) float32, in grey levels; each frame shows another part of it.
        seed: of the parts.
        num_others: things of another class; they come first in the scene.
    """

    scene: Scene
    speed: float
    contrast: float
    noise: "np.ndarray"
    seed: int
    num_others: int


def make_hard_scene(label: int, random: "np.random.Generator") -> HardScene:
    """Draw a clip of a class with a random difficulty."""
    import numpy as np

    difficulty = random.uniform(0, MAX_DIFFICULTY)
    slow, faint, noisy, mixed = (difficulty * random.uniform(0.5, 1.0, size=4)).tolist()
    num_others = round(mixed * MAX_OTHERS)
    other = (label + int(random.integers(1, len(CLASSES)))) % len(CLASSES)
    things = [
        make_thing(other if rank < num_others else label, cell, random)
        for rank, cell in enumerate(cells_by_distance(random.uniform(0, COLUMNS), random.uniform(0, ROWS)))
    ]
    return HardScene(
        Scene(make_background(random), things),
        speed=1 - slow * (1 - MIN_SPEED),
        contrast=1 - faint * (1 - MIN_CONTRAST),
        noise=np.float32(noisy * MAX_NOISE) * random.standard_normal((2 * HEIGHT, 2 * WIDTH), dtype=np.float32),
        seed=int(random.integers(2**31)),
        num_others=num_others,
    )


def cells_by_distance(column: float, row: float) -> list[int]:
    """List the cells of a picture from a point outwards."""

    def distance(cell: int) -> float:
        return math.hypot(cell % COLUMNS + 0.5 - column, cell // COLUMNS + 0.5 - row)

    return sorted(range(COLUMNS * ROWS), key=distance)


def render_hard(hard: HardScene, seconds: float) -> "np.ndarray":
    """Draw a scene at one time.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    import numpy as np

    frame = render(hard.scene, hard.speed * seconds)
    random = np.random.default_rng((hard.seed, round(1000 * seconds)))
    top, left = random.integers(HEIGHT), random.integers(WIDTH)
    noise = hard.noise[top : top + HEIGHT, left : left + WIDTH, None]
    values: np.ndarray = GREY + np.float32(hard.contrast) * (frame - np.float32(GREY)) + noise
    return values.clip(0, 255).astype(np.uint8)
