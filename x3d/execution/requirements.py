"""Requirements that a node of a cluster must meet to take part in a run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from x3d.errors import EngineError
from x3d.network.model_file import read_model
from x3d.storage.provenance import DECODING, versions


@dataclass(frozen=True)
class NodeRequirements:
    """Paths, package versions and model that a node must share with this machine.

    Attributes:
        paths: files and folders, absolute.
        modules: as `versions` takes them, in pairs.
        versions: of them here, in pairs.
        model_path, model_digest: empty where no model is run.
    """

    paths: tuple[str, ...] = ()
    modules: tuple[tuple[str, str], ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    model_path: str = ""
    model_digest: str = ""

    @classmethod
    def from_here(
        cls,
        paths: Sequence[str],
        packages: Mapping[str, str] | None = None,
        model_path: str = "",
        model_digest: str = "",
    ) -> "NodeRequirements":
        """Require what this machine has.

        Args:
            paths: files and folders; empty ones are ignored.
            packages: beside those that decode, as `versions` takes them.
            model_digest: of the ModelFile at model_path.
        """
        modules = {**DECODING, **(packages or {})}
        return cls(
            tuple(os.path.abspath(path) for path in [*paths, model_path] if path),
            tuple(modules.items()),
            tuple(versions(modules).items()),
            os.path.abspath(model_path) if model_path else "",
            model_digest,
        )

    def unmet(self) -> list[str]:
        """List requirements that this node does not meet."""
        problems = [f"cannot find {path}" for path in self.paths if not os.path.exists(path)]
        try:
            found = versions(dict(self.modules))
        except ImportError as error:
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
