"""Write the scores of a made-up run as x3d_evaluate.py and ais_bench would leave them, to try scripts on."""

from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE
from x3d.scoring.aggregate import SCORE_FORMAT
from x3d.scoring.table import ScoreTable
from x3d.storage.evaluation_folder import open_shard
from x3d.storage.provenance import list_digest
from x3d.storage.score_rows import VideoScores
from x3d.video.source import Source


def write_evaluation(folder: Path, table: ScoreTable, **made_with: Any) -> Path:
    """Write a folder of x3d_evaluate.py: a row per video, and the failures in the manifest.

    Args:
        made_with: more of the provenance, such as model_digest.
    """
    labels = table.listed_labels.tolist()
    videos = [Video(index, table.path(index), table.path(index), label) for index, label in enumerate(labels)]
    provenance = {
        "config": {"DATA.ENSEMBLE_METHOD": "sum"},
        "num_classes": table.num_classes,
        "num_videos": len(videos),
        "views_per_video": table.num_views,
        "list_digest": list_digest(videos),
        "score_format": SCORE_FORMAT,
        "engine": "made up",
        **made_with,
    }
    manifest, rows = open_shard(str(folder), WHOLE, provenance, videos)
    with rows, manifest.saved_on_exit():
        for row, video in enumerate(table.videos.tolist()):
            of_path = xxhash.xxh3_64_intdigest(table.path(video).encode())
            source = Source(1, 1, of_path if table.sources is None else int(table.sources[row]))
            scores = VideoScores(table.scores[row], table.view_classes[row], table.view_probabilities[row], source)
            rows.append(videos[video], scores)
        for video, failure in table.failures.items():
            manifest.record_failed(videos[video], failure.reason, failure.text)
    return folder


def write_result_files(folder: Path, table: ScoreTable) -> Path:
    """Write a result file per view: the probabilities of its video, with the view's best class as the best one."""
    folder.mkdir(parents=True)
    for row, video in enumerate(table.videos.tolist()):
        for view, best in enumerate(table.view_classes[row].tolist()):
            probabilities = table.probabilities[row].copy()
            highest = int(probabilities.argmax())
            probabilities[[highest, best]] = probabilities[[best, highest]]
            name = f"{video * table.num_views + view}_{table.labels[row]}_0.bin"
            np.asarray(probabilities, np.float32).tofile(folder / name)
    return folder
