"""Measure how preprocessing and evaluation scale with workers, Ray nodes and the number of videos.

    python -m benchmarks.scaling [--quick] [--copies 4] [VIDEO ...]

Every video is listed `--copies` times. n workers run on n cores. n Ray nodes are n nodes of one core each, all on this
machine, so nodes beyond its number of cores bring no speed-up. All figures include start-up of the script. The cost by
number of videos is measured on a generated two-second video with a small network, so that it is the suite's own.
"""

import functools
import importlib.util
import shutil
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import (
    ROUNDS,
    Cost,
    build_parser,
    make_model,
    make_video,
    median_ratio,
    run_measured,
    sample_videos,
    script,
    write_list,
    write_results,
)
from demo.small import SMALL
from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.cores import count_cores
from x3d.dataset.naming import views_per_video

WORKERS, NODES, NUM_VIDEOS = (1, 2), (1, 2, 4), (20, 100, 500)
OUTPUTS = {"x3d_preprocess.py": "X3D_PREPROCESS__DATA_OUTPUT_PATH", "x3d_evaluate.py": "X3D_EVALUATE__OUTPUT_PATH"}


class Work:
    """Runs preprocessing or evaluation of one list, as commands."""

    def __init__(self, cfg_keys: Sequence[str], scratch: Path, videos: Sequence[str], copies: int) -> None:
        self.cfg_keys, self.scratch = cfg_keys, scratch
        scratch.mkdir()
        self.keys = write_list(scratch / "list", videos, copies)
        cfg = load_cfg(str(DEFAULT_CFG), cfg_keys)
        self.num_views = len(videos) * copies * views_per_video(cfg)
        self.keys["X3D_EVALUATE__MODEL_PATH"] = make_model(cfg, scratch)[1]

    def run(self, name: str, cores: int = 0, **keys: object) -> Cost:
        """Run a script and remove what it wrote."""
        output = self.scratch / "output"
        cost = run_measured(script(name, self.cfg_keys, **self.keys, **{OUTPUTS[name]: output}, **keys), cores)
        shutil.rmtree(output)
        return cost


@contextmanager
def ray_cluster(num_nodes: int) -> Iterator[str]:
    """Start a cluster of nodes of one core each on this machine; yield its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            for _ in range(num_nodes - 1):
                cluster.add_node(num_cpus=1)
            cluster.wait_for_nodes()
            yield cluster.address
        finally:
            cluster.shutdown()


def measure(
    runs: Mapping[int, Callable[[], Cost]], rounds: int, num_views: Mapping[int, int]
) -> list[dict[str, float]]:
    """Measure one command at several numbers of workers, nodes or videos, in turn, after a warm-up round.

    Args:
        num_views: views per run, by that number.
    Returns:
        One row per number; the speed-up is relative to the first.
    """
    costs: dict[int, list[Cost]] = {number: [] for number in runs}
    for _ in range(rounds if rounds == 1 else 1 + rounds):
        for number, run in runs.items():
            costs[number].append(run())
    seconds = {number: [cost.seconds for cost in taken[-rounds:]] for number, taken in costs.items()}
    first = next(iter(seconds.values()))
    return [
        {
            "number": number,
            "seconds": statistics.median(taken),
            "views_a_second": num_views[number] / statistics.median(taken),
            "speed_up": median_ratio(first, taken) * num_views[number] / num_views[next(iter(runs))],
            "driver_peak_megabytes": max(cost.peak_megabytes for cost in costs[number][-rounds:]),
        }
        for number, taken in seconds.items()
    ]


def with_workers(work: Work, name: str, number: int) -> Cost:
    return work.run(name, number, X3D_WORKERS__NUM=number)


def with_nodes(work: Work, name: str, number: int) -> Cost:
    """Run a script on a new cluster; its start and shutdown are not timed."""
    with ray_cluster(number) as address:
        return work.run(name, X3D_WORKERS__RAY_ADDRESS=address)


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__, with_videos=True)
    parser.add_argument("--copies", type=int, help="times each video is listed (default: 4, with --quick 1)")
    args = parser.parse_args(argv)
    copies, rounds = args.copies or (1 if args.quick else 4), 1 if args.quick else ROUNDS
    num_cores = count_cores()
    workers = [number for number in WORKERS if number <= (1 if args.quick else num_cores)]
    nodes = [number for number in NODES if importlib.util.find_spec("ray") and not (args.quick and number > 1)]
    figures: dict[str, Any] = {"rounds": rounds, "threads_a_worker": 1}
    if not nodes:
        figures["ray"] = "skipped: Ray is not installed (requirements-ray.txt)"
    with tempfile.TemporaryDirectory() as scratch:
        work = Work(SMALL if args.quick else [], Path(scratch) / "work", args.videos or sample_videos(), copies)
        short = make_video(Path(scratch) / "short.mp4", 60)
        lengths = (2,) if args.quick else NUM_VIDEOS
        lists = {number: Work(SMALL, Path(scratch) / f"{number}_videos", [short], number) for number in lengths}
        for name in OUTPUTS:
            same = dict.fromkeys([*workers, *nodes], work.num_views)
            run = functools.partial
            figures[Path(name).stem] = {
                "views": work.num_views,
                "workers": measure({n: run(with_workers, work, name, n) for n in workers}, rounds, same),
                "ray_nodes": measure({n: run(with_nodes, work, name, n) for n in nodes}, rounds, same) if nodes else [],
                "videos": measure(
                    {n: run(lists[n].run, name) for n in lengths}, rounds, {n: lists[n].num_views for n in lengths}
                ),
            }
    write_results("scaling", args, figures)


if __name__ == "__main__":
    main()
