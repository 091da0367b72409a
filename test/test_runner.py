"""Worker processes without an address, a Ray cluster with one."""

from typing import Any

import pytest

from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.execution import ray_cluster
from x3d.execution.process_pool import Workers
from x3d.execution.requirements import NodeRequirements
from x3d.execution.runner import RunnerSettings, open_runner

REQUIREMENTS = NodeRequirements(paths=("/data",))


def refuse() -> NodeRequirements:
    raise AssertionError("requirements are collected, which hashes the model")


def test_settings_are_read_from_the_configuration():
    keys = ["X3D_WORKERS.NUM", "3", "X3D_WORKERS.TIMEOUT", "45", "X3D_WORKERS.RAY_ADDRESS", "auto"]
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), keys)
    assert RunnerSettings.from_cfg(cfg) == RunnerSettings(num_workers=3, timeout_seconds=45, ray_address="auto")


def test_without_an_address_videos_run_in_processes_here(monkeypatch):
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Workers, "__init__", lambda self, *args: made.append(args))
    assert type(open_runner(RunnerSettings(3, 45, ""), refuse, prepare=refuse)) is Workers
    assert made == [(3, 45, refuse)]


@pytest.mark.parametrize(("resources", "required"), [(None, {"CPU": 1}), ({"NPU": 0.5}, {"NPU": 0.5})])
def test_with_an_address_they_run_on_a_cluster(resources, required, monkeypatch):
    class Cluster:
        def __init__(self, *args: Any) -> None:
            self.args = args

    monkeypatch.setattr(ray_cluster, "RayWorkers", Cluster)
    runner: Any = open_runner(RunnerSettings(3, 45, "auto"), lambda: REQUIREMENTS, resources, refuse)
    assert type(runner) is Cluster
    assert runner.args == ("auto", 45, required, REQUIREMENTS, refuse)
