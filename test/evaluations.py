"""Write the folder that x3d_evaluate.py leaves, from the table of a run."""

from pathlib import Path
from typing import Any

from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE
from x3d.scoring.aggregate import SCORE_FORMAT
from x3d.scoring.table import ScoreTable
from x3d.storage.evaluation_folder import open_shard
from x3d.storage.provenance import list_digest
from x3d.storage.score_rows import VideoScores
from x3d.video.source import Source


def write_evaluation(folder: Path, table: ScoreTable, **made_with: Any) -> Path:
    """Write the rows of a run; a video without scores is recorded as failed.

    Args:
        made_with: more of the provenance, such as model_digest.
    """
    paths = [table.path(video) for video in range(len(table.listed_labels))]
    videos = [Video(index, path, path, int(table.listed_labels[index])) for index, path in enumerate(paths)]
    provenance = {
        "config": {"DATA.ENSEMBLE_METHOD": "sum"},
        "num_classes": table.num_classes,
        "num_videos": len(videos),
        "views_per_video": table.num_views,
        "list_digest": list_digest(videos),
        "score_format": SCORE_FORMAT,
        **made_with,
    }
    manifest, rows = open_shard(str(folder), WHOLE, provenance, videos)
    with rows, manifest.saved_on_exit():
        for row, video in enumerate(table.videos.tolist()):
            views = table.view_classes[row], table.view_probabilities[row]
            rows.append(videos[video], VideoScores(table.scores[row], *views, Source(video, 0, 0)))
        for video, failure in table.failures.items():
            manifest.record_failed(videos[video], failure.reason, failure.text)
    return folder
