"""Worker processes that run cases, and a time limit for each."""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import connection
from pathlib import Path

from test.fuzz.case import Case, Result, Runner
from test.fuzz.oracle import Judgement, Verdict

LIMIT_SECONDS = 60
"""Of a case, from the change on."""
START_SECONDS = 300
"""Of a process, to import everything, and of a kind, to run its intact input."""


class Worker:
    """A process that runs cases one by one."""

    def __init__(self, intact: Path, folder: Path) -> None:
        context = multiprocessing.get_context("fork")  # before anything that starts threads has run
        self.connection, theirs = context.Pipe()
        self.case: Case | None = None
        self.change = ""
        self.started = time.monotonic()
        self._process = context.Process(target=_work, args=(theirs, intact, folder), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait until the process has imported everything and made the intact inputs.

        Raises:
            RuntimeError: it ended or did not become ready.
        """
        try:
            if self.connection.poll(START_SECONDS):
                self.connection.recv()
                return
        except EOFError:
            pass
        raise RuntimeError("a worker did not start; its output is above")

    def submit(self, case: Case) -> None:
        """Send a case to the process."""
        self.case, self.change, self.started = case, "", time.monotonic()
        self.connection.send(case)

    def result(self) -> Result | None:
        """Return the result of the case, None while it runs; a process that died or hangs is a result.

        Raises:
            RuntimeError: the case cannot be run, such as for an intact input that is rejected.
        """
        seconds = time.monotonic() - self.started
        judgement = self._receive()
        limit = LIMIT_SECONDS if self.change else START_SECONDS
        if judgement is None and seconds > limit:
            judgement = Judgement(Verdict.HANG, f"no end within {limit} s")
        if judgement is None:
            return None
        assert self.case is not None
        return Result(self.case, judgement, self.change, seconds)

    def _receive(self) -> Judgement | None:
        """Receive the change and the judgement, as far as they have arrived."""
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if isinstance(message, Judgement):
                    return message
                if isinstance(message, Exception):
                    raise RuntimeError(f"{self.case} does not run: {message}")
                self.change, self.started = message, time.monotonic()
        except EOFError:
            self._process.join()
            return Judgement(Verdict.TRACEBACK, f"process ended with {self._process.exitcode}")
        return None

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def end(self) -> None:
        """End the process: an idle one by itself, another one at once."""
        if not self.case and self.is_alive:
            self.connection.send(None)
            self._process.join(10)
        self.connection.close()
        self._process.kill()
        self._process.join()


def _work(cases: "connection.Connection[Judgement | str | Exception, Case | None]", intact: Path, folder: Path) -> None:
    runner = Runner(intact, folder)
    cases.send("")
    while case := cases.recv():
        try:
            cases.send(runner.run(case, cases.send))
        except Exception as error:  # noqa: BLE001 - the parent reports it
            cases.send(RuntimeError("".join(traceback.format_exception(error))))


def run_cases(folder: Path, num_workers: int, next_case: Callable[[], Case | None]) -> Iterator[Result]:
    """Run cases in worker processes until there is no next one; yield the results as they come.

    Args:
        folder: for the inputs, intact and changed.
    """
    workers: list[Worker] = []

    def start(number: int) -> Worker:
        worker = Worker(folder / "intact", folder / f"worker{number}")
        workers.append(worker)
        worker.wait_until_ready()
        return worker

    try:
        for number in range(num_workers):
            start(number)
        for worker in workers:
            _submit_next(worker, next_case)
        while busy := [worker for worker in workers if worker.case]:
            connection.wait([worker.connection for worker in busy], timeout=1)
            for worker in busy:
                result = worker.result()
                if result is None:
                    continue
                yield result
                if result.judgement.verdict is Verdict.HANG or not worker.is_alive:
                    number = workers.index(worker)
                    worker.end()
                    workers[number] = worker = Worker(folder / "intact", folder / f"worker{number}")
                    worker.wait_until_ready()
                _submit_next(worker, next_case)
    finally:
        for worker in workers:
            worker.end()


def _submit_next(worker: Worker, next_case: Callable[[], Case | None]) -> None:
    case = next_case()
    worker.case = None
    if case:
        worker.submit(case)
