"""What is run on each kind of input, and what comes out: views, results, scores, models."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import xxhash

from test import world
from test.fuzz.oracle import ContradictionError, Product, completed
from test.in_process import Ran
from test.made_up_annotations import make_list
from x3d.pipeline import postprocess

Made = tuple[Product, str]
"""The product, and what the scripts logged."""


def digests(folder: str, *suffixes: str) -> Product:
    """Hash the files of a folder."""
    paths = [path for path in Path(folder).iterdir() if path.suffix in suffixes and path.is_file()]
    return {f"{folder}/{path.name}": xxhash.xxh3_64_hexdigest(path.read_bytes()) for path in paths}


@contextmanager
def _tables() -> Iterator[list[Any]]:
    """Collect the scores that accuracies are computed from."""
    found: list[Any] = []
    measure = postprocess.measure_accuracy  # type: ignore[attr-defined]

    def recorded(table: Any, *more: Any) -> Any:
        found.append(table)
        return measure(table, *more)

    with mock.patch.object(postprocess, "measure_accuracy", recorded):
        yield found


def _scores(name: str, table: Any, ran: Ran) -> Product:
    hasher = xxhash.xxh3_64(table.scores.tobytes())
    hasher.update(table.labels.tobytes())
    return {f"scores of {name}": hasher.hexdigest(), f"line of {name}": ran.out.splitlines()[-1]}


def scored(folder: str, *keys: str) -> Made:
    """Score a folder."""
    with _tables() as tables:
        ran = world.score(folder, *keys)
    logged = completed(ran)
    return _scores(folder, tables[-1], ran), logged


def inferred(model: str, views: str) -> Made:
    """Run a model over views, and score the results."""
    shutil.rmtree("out", ignore_errors=True)
    logged = completed(world.infer(model, views, "out"))
    product, more = scored("out")
    return {**digests("out", ".bin"), **product}, logged + more


def evaluated(model: str, folder: str) -> Made:
    """Resume an evaluation."""
    with _tables() as tables:
        ran = world.evaluate(model, folder)
    logged = completed(ran)
    return _scores(folder, tables[-1], ran), logged


def preprocessed(folder: str) -> Made:
    """Resume a folder of views."""
    more = ["X3D_PREPROCESS.FORMAT", "bin"] if folder == "prep_bin" else []
    return {}, completed(world.preprocess(folder, *more))


def exported(checkpoint: str) -> Made:
    """Export a checkpoint."""
    logged = completed(world.export(checkpoint, "exported.onnx"))
    return {"model": xxhash.xxh3_64_hexdigest(Path("exported.onnx").read_bytes())}, logged


def _all(*parts: Made) -> Made:
    return {key: value for product, _ in parts for key, value in product.items()}, "".join(text for _, text in parts)


def video(target: str) -> Made:
    """Resume a folder after a video changed, and compare it with a new folder.

    Raises:
        ContradictionError: the old views stay for the changed file, or verify calls good what preprocess cannot use.
    """
    logged = completed(world.preprocess("prep"), world.preprocess("fresh"), statuses=(0, 1))
    old, new = (digests(folder, ".npy") for folder in ("prep", "fresh"))
    if Path(target).is_file() and _by_name(old) != _by_name(new):
        raise ContradictionError(f"the resumed folder has other views than a new one: {target}")
    completed(world.verify(), statuses=(0, 1))
    failed = [entry for entry in _entries("fresh") if entry["state"] == "failed"]
    report = Path("verify.csv").read_text()
    for entry in failed:
        if re.search(rf"{re.escape(entry['path'])}.*,(good|)\s*$", report, flags=re.MULTILINE):
            raise ContradictionError(f"verify calls {entry['path']} good: {entry['reason']} for x3d_preprocess.py")
    return old, logged


def _by_name(product: Product) -> Product:
    return {Path(path).name: digest for path, digest in product.items()}


def _entries(folder: str) -> list[dict[str, Any]]:
    return list(json.loads(Path(folder, "manifest.json").read_text())["videos"].values())


def listed(target: str) -> Made:
    """Make a list from an annotation file."""
    shutil.rmtree("listed", ignore_errors=True)
    ran = make_list("given/videos", target, "given/names.txt", "listed/test.csv")
    logged = completed(ran, statuses=(0, 1))
    return {"list": xxhash.xxh3_64_hexdigest(Path("listed/test.csv").read_bytes())}, logged


def annotations(target: str) -> Made:
    """Use a list that changed after views, results and rows were made."""
    logged = completed(world.verify(), statuses=(0, 1))
    parts = [preprocessed("prep"), scored("res", *world.DATA[:2]), scored("eval", *world.DATA[:2])]
    return _all(*parts, (digests("prep", ".npy"), logged))


def configuration(target: str) -> Made:
    """Use a yaml file that changed after everything was made."""
    parts = [preprocessed("prep"), scored("res"), scored("eval"), evaluated("small.onnx", "eval")]
    return _all(*parts, exported("small.pyth"))


def model(target: str) -> Made:
    """Run a model on views, and resume an evaluation that was started with the intact model."""
    path = target.removesuffix(".data")
    return _all(evaluated(path, world.MODELS[path]), inferred(path, "prep"))


def model_of_unknown_origin(target: str) -> Made:
    """Run a model on views."""
    return inferred(target.removesuffix(".data"), "prep")


def views(target: str) -> Made:
    """Run a model over a folder of views with a changed view."""
    return inferred("small.onnx", str(Path(target).parent))


def resumed_views(target: str) -> Made:
    """Resume preprocessing, then run a model over the views."""
    folder = str(Path(target).parent)
    return _all(preprocessed(folder), inferred("small.onnx", folder))


def results(target: str) -> Made:
    """Score a folder of results."""
    return scored(str(Path(target).parent))


def listed_summary(target: str) -> Made:
    """Score the folder of results that a summary describes, with the list."""
    return scored(target.removesuffix("_summary.json"), *world.DATA[:2])


def summary(target: str) -> Made:
    """Score the folder of results that a summary describes."""
    return scored(target.removesuffix("_summary.json"))


def evaluation(target: str) -> Made:
    """Score an evaluation, resume it, and score it again."""
    return _all(scored("eval"), evaluated("small.onnx", "eval"))


def reported(target: str) -> Made:
    """Report an evaluation, and compare it with one of another model."""
    compared = world.compare("eval_foreign", "eval", "--output", "compared")
    logged = completed(world.report("eval", "report"), compared, statuses=(0, 3))
    files = {
        **digests("report", ".json", ".csv", ".npy", ".html"),
        **digests("compared", ".json", ".csv", ".md", ".xml"),
    }
    return {**files, "line of the comparison": compared.out.splitlines()[-1]}, logged


def resumed_evaluation(target: str) -> Made:
    """Resume an evaluation whose files changed."""
    return evaluated("small.onnx", "eval")
