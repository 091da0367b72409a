"""Stop scripts at moments spread from their first line to their end, and see what is left.

    python -m test.stop_at_moments [--num 200]

Each trial sends SIGINT, SIGTERM, both or a storm to the script alone or to its process group, as a terminal does. It
fails if the status is another than 130, 143 or that of a script that had ended, if the output holds a traceback, if a
process is left after five seconds, or if the same command does not complete afterwards with the right result.
"""

import argparse
import collections
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.small import SMALL
from demo.synthetic import synthetic_state
from test.helpers import ROOT, Dataset

FIRST_LINE = """
import _signal, os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "x3d":
            sys.meta_path.remove(self)
            os.write(descriptor, b"1")
if "X3D_FIRST_LINE" in os.environ:
    descriptor = int(os.environ.pop("X3D_FIRST_LINE"))
    sys.meta_path.insert(0, Watch())
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
"""
"""A sitecustomize module: it reports when the first line of a script imports the package.

It heeds Ctrl-C, which a job in the background ignores.
"""

SIGNALS = {
    "SIGINT": [(signal.SIGINT, 0.0)],
    "SIGTERM": [(signal.SIGTERM, 0.0)],
    "SIGINT twice": [(signal.SIGINT, 0.0), (signal.SIGINT, 0.02)],
    "SIGTERM, then SIGINT": [(signal.SIGTERM, 0.0), (signal.SIGINT, 0.005)],
    "storm": [((signal.SIGINT, signal.SIGTERM)[n % 2], 0.01) for n in range(5)],
}
"""Signals, each with the seconds to wait before it."""
END_SECONDS = 5
RUN_SECONDS = 120


@dataclass(frozen=True)
class Script:
    """A command with its output folder.

    Attributes:
        result: read from the output folder and stdout.
        record: in the output folder, what appears when a command that is then rejected has completed.
    """

    name: str
    arguments: Callable[[Path], Sequence[str]]
    result: Callable[[Path, str], object]
    record: str = ""


def scripts(folder: Path) -> list[Script]:
    """Make a data set, views and a model in a folder; return the commands over them."""
    import torch

    import x3d_preprocess
    import x3d_pth2onnx
    from x3d.config.loading import load_cfg
    from x3d.network.model import X3D, Architecture

    data = Dataset(folder / "data").write_videos({f"a {n}.mp4": {"num_frames": 60} for n in range(6)})
    network = X3D(Architecture.from_cfg(load_cfg(str(ROOT / "configs/X3D_S.yaml"), SMALL)))
    torch.save({"model_state": synthetic_state(network, 3)}, folder / "x.pyth")
    model, views = str(folder / "x.onnx"), str(folder / "views")
    onnx = ["TEST.CHECKPOINT_FILE_PATH", str(folder / "x.pyth"), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", model]
    assert x3d_pth2onnx.main([*SMALL, *onnx]) == 0
    out = "X3D_PREPROCESS.DATA_OUTPUT_PATH"
    keys = [*SMALL, *data.keys, "X3D_WORKERS.NUM", "2"]
    assert x3d_preprocess.main([*keys, out, views]) == 0
    infer = ["--model", model, "--input", views, "--batchsize", "4", "--output_dirname", "r", "--output"]
    evaluate = ["X3D_EVALUATE.MODEL_PATH", model, "X3D_EVALUATE.OUTPUT_PATH"]
    return [
        Script("x3d_preprocess.py", lambda path: [*keys, out, str(path / "v")], lambda path, _: _files(path / "v")),
        Script("x3d_infer.py", lambda path: [*infer, str(path)], lambda path, _: _files(path / "r"), "r"),
        Script("x3d_evaluate.py", lambda path: [*keys, *evaluate, str(path / "e")], lambda _, output: output),
    ]


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npy", ".bin")}


class Trials:
    """Trials of one script, in new folders; the first run is not stopped, and gives duration and result."""

    def __init__(self, script: Script, folder: Path) -> None:
        self.script, self.folder = script, folder / script.name
        self.folder.mkdir()
        (self.folder / "site").mkdir()
        (self.folder / "site" / "sitecustomize.py").write_text(FIRST_LINE)
        process = self._start(self.folder / "whole")
        begin = time.monotonic()
        assert process.wait(RUN_SECONDS) == 0, self._output(self.folder / "whole")
        self.seconds = time.monotonic() - begin
        self.expected = self._result(self.folder / "whole")

    def problems(self, name: str, share: float, to_group: bool) -> list[str]:
        """Stop a run at a share of its duration, and run the command again; list what is wrong."""
        out = Path(tempfile.mkdtemp(dir=self.folder))
        process = self._start(out)
        time.sleep(share * self.seconds)
        for number, seconds in SIGNALS[name]:
            time.sleep(seconds)
            if process.poll() is None:
                (os.killpg if to_group else os.kill)(process.pid, number)
        try:
            status = process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return ["hang"]
        found = [] if status in (0, 1, 130, 143) else [f"status {status}"]
        if not _ends(process.pid):
            found.append("a process is left")
            os.killpg(process.pid, signal.SIGKILL)
        output = self._output(out)
        found += [f"{text} in {output}" for text in ("Traceback", "Exception ignored") if text in output]
        return found + self._problems_of_resuming(out)

    def _problems_of_resuming(self, out: Path) -> list[str]:
        is_complete = self.script.record and (out / self.script.record).exists()
        if not is_complete and self._start(out).wait(RUN_SECONDS) != 0:
            return [f"the same command fails: {self._output(out)}"]
        return [] if self._result(out) == self.expected else ["another result"]

    def _start(self, out: Path) -> "subprocess.Popen[bytes]":
        """Start the script in a process group of its own, and wait for its first line."""
        out.mkdir(exist_ok=True)
        first_line, reported = os.pipe()
        environment = os.environ | {"PYTHONPATH": str(self.folder / "site"), "X3D_FIRST_LINE": str(reported)}
        command = [sys.executable, str(ROOT / self.script.name), *self.script.arguments(out)]
        with open(out / "stdout", "wb") as stdout, open(out / "stderr", "wb") as stderr:
            process = subprocess.Popen(
                command, env=environment, stdout=stdout, stderr=stderr, start_new_session=True, pass_fds=[reported]
            )
        os.close(reported)
        os.read(first_line, 1)
        os.close(first_line)
        return process

    def _output(self, out: Path) -> str:
        return (out / "stderr").read_text() + (out / "stdout").read_text()

    def _result(self, out: Path) -> object:
        return self.script.result(out, (out / "stdout").read_text())


def _ends(group: int) -> bool:
    """Check that no process of a group is left within END_SECONDS; one that waits for its parent has ended."""
    deadline = time.monotonic() + END_SECONDS
    while list(_running(group)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _running(group: int) -> Iterator[int]:
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            state, _, found = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(found) == group and state != "Z":
            yield int(process)


def run(num: int, folder: Path) -> Iterator[tuple[str, str, float, list[str]]]:
    """Run trials; yield script, signals, share of the duration, and problems of each."""
    tried = [Trials(script, folder) for script in scripts(folder)]
    names = list(SIGNALS)
    for number in range(num):
        trials, name = tried[number % len(tried)], names[number // len(tried) % len(names)]
        share = (number + 0.5) / num
        yield trials.script.name, name, share, trials.problems(name, share, to_group=number % 4 != 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=200, help="trials (default: 200)")
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    num_failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for script, name, share, problems in run(parser.parse_args().num, Path(folder)):
            counts[script, name] += 1
            num_failed += bool(problems)
            for problem in problems:
                print(f"{script}, {name} at {share:.3f}: {problem}", flush=True)
    for (script, name), count in sorted(counts.items()):
        print(f"{script}: {name}: {count}")
    print(f"{sum(counts.values())} trials, {num_failed} with a problem")
    return num_failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
