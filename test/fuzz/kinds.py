"""The kinds of input: which files are changed, how, and what is run on them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from test import world
from test.fuzz import routes, text_edits
from test.fuzz.combinations import COMBINATIONS, Combination
from test.fuzz.edits import BYTES, Edit
from test.fuzz.routes import Made

MISSING = r"misses views: \d"
"""How a result that was removed is named: by its view."""

SUM_TOLERANCE = 0.01
"""Of the probabilities of a view that a network computed in float16."""


def never(target: Path) -> bool:
    return False


def always(target: Path) -> bool:
    return True


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        inputs: files and folders that the route reads, of test.world.
        targets: globs of the files to change, one per case.
        route: runs the scripts, given the changed file.
        edits: of the content.
        combinations: of two runs, in place of the edits.
        names: regular expression of what a message may name instead of the changed file.
        is_undetectable: checks whether a changed file carries nothing to recognise the change by.
        note: for the report.
    """

    inputs: Sequence[str]
    targets: Sequence[str]
    route: Callable[[str], Made]
    edits: Sequence[Edit] = BYTES
    combinations: Sequence[Combination] = ()
    names: str = r"(?!)"
    is_undetectable: Callable[[Path], bool] = never
    note: str = ""


def _is_probability(target: Path) -> bool:
    """Check that a result is a probability of each class, as that of another model might be."""
    scores = world.probabilities(target) if target.is_file() else None
    return scores is not None and bool(((scores >= 0) & (scores <= 1)).all() and abs(scores.sum() - 1) <= SUM_TOLERANCE)


def _has_other_weights_only(target: Path) -> bool:
    """Check that a checkpoint has the names, shapes and types of the intact one, and so only other weights."""
    import torch

    try:
        intact, changed = (torch.load(path, weights_only=True) for path in ("small.pyth", target))
        return _shapes(intact["model_state"]) == _shapes(changed["model_state"])
    except Exception:  # noqa: BLE001 (whatever torch raises for a file that is damaged)
        return False


def _shapes(state: Any) -> list[tuple[Any, ...]]:
    return [(name, tensor.shape, tensor.dtype) for name, tensor in state.items()]


def _has_other_constants_only(target: Path) -> bool:
    """Check that an ONNX has the graph, names, shapes and types of the intact one, and so only other weights."""
    try:
        return _graph(target) == _graph(Path("small.onnx"))
    except Exception:  # noqa: BLE001 (whatever protobuf raises for a file that is damaged)
        return False


def _graph(path: Path) -> bytes:
    """Serialise the graph of an ONNX without its numbers of type float, and names of nodes, which nothing refers to."""
    import onnx

    graph = onnx.load(path).graph
    constants = [attribute for node in graph.node for attribute in node.attribute]
    for tensor in (*graph.initializer, *(constant.t for constant in constants)):
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    for constant in constants:
        constant.ClearField("f")
    for node in graph.node:
        node.ClearField("name")
    return bytes(graph.SerializeToString())


def _has_no_digests(target: Path) -> bool:
    """Check for a summary of ais_bench that names every result: another model's results have the same names."""
    results = {path.name for path in target.with_name("ais").iterdir()} if target.name == "ais_summary.json" else set()
    named = json.loads(target.read_text())["filesinfo"].values()
    return results == {Path(path).name for sample in named for path in sample["outfiles"]}


KINDS: dict[str, Kind] = {
    "videos": Kind(
        ["cfg.yaml", "data", "prep"],
        ["data/val/*"],
        routes.video,
        note="a file that changes after its views were made: the next run reports and redoes it as a new run would",
    ),
    "lists": Kind(
        ["cfg.yaml", "data", "prep", "res", "res_summary.json", "eval"],
        ["data/test.csv"],
        routes.annotations,
        [*text_edits.TEXT, *BYTES],
        names=r"manifest\.json|list",
        note="a list that changes after views, results and rows were made",
    ),
    "annotation_files": Kind(
        ["cfg.yaml", "given"],
        ["given/a.csv", "given/a.json", "given/a.txt"],
        routes.listed,
        [*text_edits.TEXT, *text_edits.JSON, *BYTES],
        is_undetectable=always,
        note="of x3d_list.py: another id, label or split in a file is another annotation of the same format",
    ),
    "yaml": Kind(
        ["cfg.yaml", "data", "prep", "res", "res_summary.json", "eval", "small.onnx", "small.pyth"],
        ["cfg.yaml"],
        routes.configuration,
        [*text_edits.YAML, *BYTES],
        names=r"\b[A-Z][A-Z0-9_]+\.[A-Z0-9_]+|\b[A-Z0-9_]{3,} in cfg",
        note="file or key is named",
    ),
    "checkpoints": Kind(
        ["cfg.yaml", "small.pyth"], ["small.pyth"], routes.exported, note="the zip's CRC32 recognises changed weights"
    ),
    "older_checkpoints": Kind(
        ["cfg.yaml", "older.pyth", "small.pyth"],
        ["older.pyth"],
        routes.exported,
        is_undetectable=_has_other_weights_only,
        note="torch's form before 1.6 has no checksum: other weights of the same shapes are another model",
    ),
    "models": Kind(
        ["cfg.yaml", "data", "prep", "small.onnx", "outside", "foreign.onnx", *world.MODELS.values()],
        ["small.onnx", "foreign.onnx", "outside/*"],
        routes.model,
        names=r"model_digest|small\.onnx|foreign\.onnx",
        note="ONNX, also with its weights in a second file, that changes after an evaluation was started",
    ),
    "new_models": Kind(
        ["cfg.yaml", "prep", "foreign.onnx", "small.onnx"],
        ["foreign.onnx"],
        routes.model_of_unknown_origin,
        names="the model ignores its input|holds scores that are not finite",
        is_undetectable=_has_other_constants_only,
        note="an ONNX without digest that no earlier run knows: other weights of the same graph are another model",
    ),
    "views": Kind(
        ["cfg.yaml", "prep", "prep_bin", "small.onnx"],
        ["prep/*.npy", "prep/*.npy", "prep_bin/*.bin"],
        routes.views,
        [*text_edits.NPY, *BYTES],
        names=r"manifest\.json|such as \d+_\d",
    ),
    "views_resumed": Kind(
        ["cfg.yaml", "data", "prep", "prep_bin", "small.onnx"],
        ["prep/*.npy", "prep/*.npy", "prep_bin/*.bin"],
        routes.resumed_views,
        [*text_edits.NPY, *BYTES],
    ),
    "results": Kind(
        ["cfg.yaml", "prep", *world.RESULTS, *(f"{name}_summary.json" for name in world.RESULTS)],
        ["res/*.bin", "res_npy/*.npy", "res_txt/*.txt"],
        routes.results,
        [*text_edits.NPY, text_edits.edit_number, *BYTES],
        names=MISSING,
        note="of x3d_infer.py, in its three formats",
    ),
    "ais_bench_results": Kind(
        ["cfg.yaml", "prep", "ais", "ais_summary.json"],
        ["ais/*.bin"],
        routes.results,
        names=MISSING,
        is_undetectable=_is_probability,
        note="without digests: undetectable where all values are still probabilities and sum to one",
    ),
    "view_manifest": Kind(
        ["cfg.yaml", "data", "prep", "small.onnx"],
        ["prep/manifest.json"],
        routes.resumed_views,
        [*text_edits.JSON, *BYTES],
    ),
    "view_manifest_read": Kind(
        ["cfg.yaml", "prep", "small.onnx"],
        ["prep/manifest.json"],
        routes.views,
        [*text_edits.JSON, *BYTES],
    ),
    "journal": Kind(
        ["cfg.yaml", "data", "stopped", "small.onnx"],
        ["stopped/.manifest.journal"],
        routes.resumed_views,
        [*text_edits.JSON_LINES, *BYTES],
        note="of a preprocessing run that was killed, and is resumed",
    ),
    "evaluation_manifest": Kind(
        ["cfg.yaml", "data", "eval", "small.onnx"],
        ["eval/manifest.json"],
        routes.evaluation,
        [*text_edits.JSON, *BYTES],
    ),
    "rows": Kind(["cfg.yaml", "data", "eval", "small.onnx"], ["eval/*.rows"], routes.evaluation),
    "rows_resumed": Kind(["cfg.yaml", "data", "eval", "small.onnx"], ["eval/*.rows"], routes.resumed_evaluation),
    "rows_reported": Kind(["cfg.yaml", "eval", "eval_foreign"], ["eval/manifest.json", "eval/*.rows"], routes.reported),
    "list_copy": Kind(
        ["cfg.yaml", "eval", "eval_foreign"],
        ["eval/test.csv"],
        routes.reported,
        [*text_edits.TEXT, *BYTES],
        note="the list in the folder of an evaluation, from which it is reported and compared",
    ),
    "summary": Kind(
        ["cfg.yaml", "prep", "res", "res_summary.json", "ais", "ais_summary.json"],
        ["res_summary.json", "ais_summary.json"],
        routes.summary,
        [*text_edits.JSON, *BYTES],
    ),
    **{
        name: Kind(
            ["cfg.yaml", "data", "prep", *world.TWO_RUNS],
            ["res_summary.json", "ais_summary.json"],
            route,
            combinations=COMBINATIONS,
            names=r"is not named by|is damaged or replaced|test\.csv is not the list",
            is_undetectable=_has_no_digests,
            note=f"files of two runs put together, scored {how}; ais_bench records no digests of its results",
        )
        for name, route, how in (
            ("two_runs", routes.summary, "without the list"),
            ("two_runs_listed", routes.listed_summary, "with the list"),
        )
    },
}
