"""What a node of a cluster must have to do a part of a run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from x3d.storage.provenance import DECODING, model_digest, versions


@dataclass(frozen=True)
class Needs:
    """What another machine must have in common with this one to do a part of its work.

    Attributes:
        paths: files and folders, absolute.
        modules: as `versions` takes them, in pairs.
        versions: of them here, in pairs.
        model_path, model_digest: empty where no model is run.
    """

    paths: tuple[str, ...]
    modules: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    model_path: str = ""
    model_digest: str = ""

    @classmethod
    def of(
        cls, paths: Sequence[str], packages: Mapping[str, str] | None = None, model_path: str = "", model_hash: str = ""
    ) -> "Needs":
        """Note what is here: paths (empty ones left out), versions, and the model with its hash (model_digest)."""
        modules = {**DECODING, **(packages or {})}
        return cls(
            tuple(os.path.abspath(path) for path in [*paths, model_path] if path),
            tuple(modules.items()),
            tuple(versions(modules).items()),
            os.path.abspath(model_path) if model_path else "",
            model_hash,
        )

    def lacking(self) -> list[str]:
        """Say what of it this machine lacks or has otherwise."""
        faults = [f"does not see {path}" for path in self.paths if not os.path.exists(path)]
        try:
            found = versions(dict(self.modules))
        except ImportError as error:
            return [*faults, f"cannot import what it needs: {error}"]
        faults += [f"has {name} {found[name]}, not {wanted}" for name, wanted in self.versions if found[name] != wanted]
        if not faults and self.model_path and model_digest(self.model_path) != self.model_digest:
            faults.append(f"has another {self.model_path}")
        return faults
