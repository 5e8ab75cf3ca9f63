"""Run: the chosen scenarios, their contestants by turns in each round, every one before the same upstream."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.image_path import measure
from benchmarks.image_path.compiled import CannotRunError, compile_programs
from benchmarks.image_path.contestants import Contestant, Server, contestants
from benchmarks.image_path.install import FOLDER, INSTALLERS, NotInstalledError, version_of
from benchmarks.image_path.measure import Bench, Figures
from benchmarks.image_path.pictures import write_answers
from benchmarks.image_path.scenarios import Scenario
from benchmarks.image_path.servers import LOAD_CORE, SERVER_CORE, Upstream, free_port

Say = Callable[[str], None]


@dataclass(slots=True)
class Results:
    """What was measured: by scenario, contestant and round. And what was not, with the reason."""

    rounds: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """By peer, or by scenario and contestant."""
    versions: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    """Bytes of each picture."""


def run(scenarios: Sequence[Scenario], peers: Sequence[str], *, rounds: int, quick: bool, say: Say) -> Results:
    """Measure. Raises CannotRunError when this machine lacks what it takes."""
    cores = os.sched_getaffinity(0)
    if not {SERVER_CORE, LOAD_CORE} <= cores:
        raise CannotRunError("Two cores are needed: one for the server, one for the load and the upstream.")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    results = Results()
    with _bench(results) as bench:
        programs = _programs(peers, results, say)
        everyone = contestants(bench.upstream.url)
        taking_part = {name: each for name, each in everyone.items() if each.peer == "ours" or each.peer in programs}
        if "ours" not in peers:
            taking_part = {name: each for name, each in taking_part.items() if each.peer != "ours"}
        able = [each for each in scenarios if _has_files(each, most, results, say)]
        _Runner(bench, programs, taking_part, results, say, quick).all(able, rounds)
    return results


class _Runner:
    def __init__(
        self,
        bench: Bench,
        programs: dict[str, Path],
        taking_part: dict[str, Contestant],
        results: Results,
        say: Say,
        quick: bool,
    ) -> None:
        self._bench, self._programs, self._taking_part = bench, programs, taking_part
        self._results, self._say, self._quick = results, say, quick
        self._started = 0

    def all(self, scenarios: Sequence[Scenario], rounds: int) -> None:
        warm = [each for each in scenarios if not each.fresh]
        if warm:
            self._warm(warm, rounds)
        for number in range(rounds):
            for scenario in (each for each in scenarios if each.fresh and (number == 0 or not each.once)):
                for name in self._who(scenario):
                    with self._server(name, scenario) as server:
                        if server is not None:
                            self._measure(scenario, server)

    def _warm(self, scenarios: Sequence[Scenario], rounds: int) -> None:
        with ExitStack() as held:
            servers = {}
            for name in {name: 0 for each in scenarios for name in self._who(each)}:
                server = held.enter_context(self._server(name, None))
                if server is not None:
                    servers[name] = server
            for scenario in scenarios:
                for number in range(rounds):
                    for name in self._who(scenario):
                        if name in servers and (number == 0 or name in self._results.rounds.get(scenario.name, {})):
                            self._measure(scenario, servers[name], first=number == 0)

    def _who(self, scenario: Scenario) -> list[str]:
        return [name for name in scenario.taking_part(quick=self._quick) if name in self._taking_part]

    @contextmanager
    def _server(self, name: str, scenario: Scenario | None) -> Iterator[Server | None]:
        contestant = self._taking_part[name]
        self._started += 1
        folder = self._bench.folder / f"{name}-{self._started}"
        with Server(contestant, self._programs.get(contestant.peer), self._bench.upstream.url, folder) as server:
            try:
                server.first_answer()
            except CannotRunError as failed:
                self._leave_out(f"{scenario.name}, {name}" if scenario else name, str(failed))
                yield None
            else:
                yield server
        shutil.rmtree(folder, ignore_errors=True)

    def _measure(self, scenario: Scenario, server: Server, *, first: bool = True) -> None:
        name = server.contestant.name
        try:
            if first and not scenario.fresh:
                self._check(scenario, server)
            count = scenario.count_for(name, quick=self._quick)
            figures = scenario.measured(self._bench, server, count)
            if first and scenario.fresh:  # afterwards: a fresh process is to see its first large image under load
                self._check(scenario, server)
        except (CannotRunError, OSError) as failed:
            self._leave_out(f"{scenario.name}, {name}", str(failed))
            return
        self._results.rounds.setdefault(scenario.name, {}).setdefault(name, []).append(figures)
        told = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
        self._say(f"{scenario.name:>10} {name:<15} {told}")

    def _check(self, scenario: Scenario, server: Server) -> None:
        if scenario.checked == "edit":
            measure.check(server, measure.edited(server), "small")
        else:
            measure.check(server, self._bench.asked(server, scenario.checked)[0], scenario.checked)

    def _leave_out(self, what: str, why: str) -> None:
        self._results.left_out[what] = why
        self._say(f"left out: {what}: {why}")


@contextmanager
def _bench(results: Results) -> Iterator[Bench]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    # On the disk of the project: a temporary folder may lie in memory, where spooled bodies would count as RSS.
    with tempfile.TemporaryDirectory(prefix="run-", dir=FOLDER) as name:
        folder = Path(name)
        compile_programs(folder)
        port, answers = free_port(), folder / "answers"
        answers.mkdir()
        results.lengths = write_answers(answers, f"http://127.0.0.1:{port}")
        with Upstream(folder / "upstream", port, answers, folder / "upstream.log") as upstream:
            upstream.ready()
            cores = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {LOAD_CORE})
            try:
                yield Bench(folder, upstream, folder, results.lengths)
            finally:
                os.sched_setaffinity(0, cores)


def _programs(peers: Sequence[str], results: Results, say: Say) -> dict[str, Path]:
    programs = {}
    for name, install in INSTALLERS.items():
        if name not in peers:
            continue
        try:
            programs[name] = install()
            results.versions[name] = version_of(name, programs[name])
        except NotInstalledError as missing:
            results.left_out[name] = str(missing)
            say(f"left out: {name}: {missing}")
    return programs


def _has_files(scenario: Scenario, most: int, results: Results, say: Say) -> bool:
    if scenario.files <= most:
        return True
    why = f"{scenario.files:,} open files are needed, the hard limit here is {most:,} (ulimit -Hn)"
    results.left_out[scenario.name] = why
    say(f"left out: {scenario.name}: {why}")
    return False
