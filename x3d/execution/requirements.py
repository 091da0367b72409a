"""Requirements that a node of a cluster must meet to take part in a run."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from x3d.dataset.annotations import Video
from x3d.errors import EngineError, InputError, VideoError
from x3d.network.model_file import read_model
from x3d.storage.provenance import DECODING, versions
from x3d.video.source import Source, read_source

NUM_SAMPLES = 3
"""Videos that a node must have the same copies of."""


@dataclass(frozen=True)
class NodeRequirements:
    """Paths, videos, package versions and model that a node must share with this machine.

    Attributes:
        paths: files and folders, absolute.
        modules: as `versions` takes them, in pairs.
        versions: of them here, in pairs.
        model_path, model_digest: empty where no model is run.
        sources: absolute paths of some videos, and the files there.
    """

    paths: tuple[str, ...] = ()
    modules: tuple[tuple[str, str], ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    model_path: str = ""
    model_digest: str = ""
    sources: tuple[tuple[str, Source], ...] = ()

    @classmethod
    def from_here(
        cls,
        paths: Sequence[str],
        packages: Mapping[str, str] | None = None,
        model_path: str = "",
        model_digest: str = "",
        videos: Sequence[Video] = (),
    ) -> "NodeRequirements":
        """Require what this machine has.

        Args:
            paths: files and folders; empty ones are ignored.
            packages: beside those that decode, as `versions` takes them.
            model_digest: of the ModelFile at model_path.
            videos: of the run; NUM_SAMPLES of them are compared.
        """
        modules = {**DECODING, **(packages or {})}
        return cls(
            tuple(os.path.abspath(path) for path in [*paths, model_path] if path),
            tuple(modules.items()),
            tuple(versions(modules).items()),
            os.path.abspath(model_path) if model_path else "",
            model_digest,
            tuple(_sample_sources(videos)),
        )

    def unmet(self) -> list[str]:
        """List requirements that this node does not meet."""
        problems = [f"cannot find {path}" for path in self.paths if not os.path.exists(path)]
        problems += [problem for path, source in self.sources if (problem := _video_problem(path, source))]
        try:
            found = versions(dict(self.modules))
        except (ImportError, InputError) as error:
            return [*problems, f"cannot import a required package: {error}"]
        problems += [
            f"has {name} {found[name]}, not {required}" for name, required in self.versions if found[name] != required
        ]
        return problems or self._model_problem()

    def _model_problem(self) -> list[str]:
        if not self.model_path:
            return []
        try:
            found = read_model(self.model_path).digest
        except EngineError as error:
            return [str(error)]
        return [] if found == self.model_digest else [f"has another model {self.model_path}"]


def _sample_sources(videos: Sequence[Video]) -> Iterator[tuple[str, Source]]:
    """Identify the first readable video of each of NUM_SAMPLES parts of a list."""
    size = -(-len(videos) // NUM_SAMPLES) or 1
    for start in range(0, len(videos), size):
        for video in videos[start : start + size]:
            path = os.path.abspath(video.path)
            with contextlib.suppress(VideoError):
                yield path, read_source(path)
                break


def _video_problem(path: str, expected: Source) -> str:
    try:
        found = read_source(path)
    except VideoError as error:
        return f"cannot find {path}" if error.reason == "missing" else str(error)
    return "" if (found.size, found.hash) == (expected.size, expected.hash) else f"has another video {path}"
