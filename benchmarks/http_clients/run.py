"""Run: every scenario with every candidate by turns in each round, each time as a fresh process on its own core."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from app.settings import PROJECT_ROOT
from benchmarks.http_clients.drive import Job
from benchmarks.http_clients.install import interpreter, versions
from benchmarks.http_clients.scenarios import CANDIDATES, Candidate, Scenario, takes_part
from benchmarks.http_clients.terminator import Terminator
from benchmarks.image_path.compiled import CannotRunError, compile_programs
from benchmarks.image_path.install import FOLDER, NotInstalledError, nginx, version_of
from benchmarks.image_path.pictures import write_answers
from benchmarks.image_path.servers import LOAD_CORE, SERVER_CORE, Upstream, free_port, pin_to

Say = Callable[[str], None]
_PATIENCE_S: Final = 180.0
"""Seconds one measurement may take; what needs longer is said to have failed."""


@dataclass(slots=True)
class Results:
    """What was measured, by scenario, candidate and round; what was observed, by candidate; what was not, and why."""

    rounds: dict[str, dict[str, list[dict[str, float]]]] = field(default_factory=dict)
    behaviour: dict[str, dict[str, str]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Bench:
    upstream: Upstream
    terminator: Terminator
    python: Path
    spool: Path


def run(scenarios: Sequence[Scenario], names: Sequence[str], *, rounds: int, say: Say) -> Results:
    """Measure. Raises CannotRunError when this machine lacks what it takes."""
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise CannotRunError("Two cores are needed: one for the client, one for the upstream.")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    results = Results()
    chosen = [each for each in CANDIDATES if each.name in names]
    with _bench(results) as bench:
        for candidate in chosen:
            if not candidate.own and not candidate.http2:
                results.behaviour[candidate.name] = _observed(bench, candidate)
                say(f"{candidate.name}: {results.behaviour[candidate.name]}")
        try:
            for number in range(rounds):
                for scenario in scenarios:
                    for candidate in chosen if number % 2 == 0 else chosen[::-1]:
                        if takes_part(candidate, scenario):
                            _measure(bench, scenario, candidate, results, say)
        except KeyboardInterrupt:
            say("interrupted: told is what was measured until now")
    return results


def _measure(bench: _Bench, scenario: Scenario, candidate: Candidate, results: Results, say: Say) -> None:
    if (what := f"{scenario.name}, {candidate.name}") in results.left_out:
        return
    bench.upstream.stats()
    try:
        figures: dict[str, float] = _told(bench, candidate, _job(bench, scenario, candidate))
    except CannotRunError as failed:
        results.left_out[what] = str(failed)
        say(f"left out: {what}: {failed}")
        return
    if scenario.delay_ms:
        figures["most_at_upstream"] = bench.upstream.stats()["most"]
    results.rounds.setdefault(scenario.name, {}).setdefault(candidate.name, []).append(figures)
    told = "  ".join(f"{key} {value:.4g}" for key, value in figures.items())
    say(f"{scenario.name:>12} {candidate.name:<18} {told}")


def _observed(bench: _Bench, candidate: Candidate) -> dict[str, str]:
    found: dict[str, str] = _told(
        bench, candidate, Job(candidate.module, "", str(bench.spool), "behaviour", at_once=1, count=1)
    )
    return found


def _job(bench: _Bench, scenario: Scenario, candidate: Candidate) -> Job:
    return Job(
        candidate.module,
        bench.terminator.url if scenario.tls else bench.upstream.url,
        str(bench.spool),
        scenario.size,
        scenario.at_once,
        scenario.count_for(candidate),
        str(bench.terminator.authority) if scenario.tls else None,
        candidate.http2,
        scenario.delay_ms,
        scenario.upload_bytes,
        scenario.warm,
    )


def _told(bench: _Bench, candidate: Candidate, job: Job) -> Any:
    python = sys.executable if candidate.own else bench.python
    environment = {"PATH": os.environ["PATH"], "HOME": str(bench.spool), "PYTHONPATH": str(PROJECT_ROOT)}
    if job.authority:
        environment["SSL_CERT_FILE"] = job.authority  # our transport trusts whom the system trusts
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [python, "-m", "benchmarks.http_clients.drive", json.dumps(asdict(job))],
            cwd=PROJECT_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
            preexec_fn=pin_to(SERVER_CORE),
        )
    except subprocess.TimeoutExpired:
        raise CannotRunError(f"not done after {_PATIENCE_S:.0f} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["nothing said"]
        raise CannotRunError(said[-1][:300])
    return json.loads(done.stdout)


@contextmanager
def _bench(results: Results) -> Iterator[_Bench]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        python, program = interpreter(), nginx()
    except NotInstalledError as missing:
        raise CannotRunError(f"The candidates cannot be installed: {missing}") from missing
    results.versions = versions() | {"nginx": version_of("nginx", program)}
    # On the disk of the project: a temporary folder may lie in memory, where spooled bodies would count as RSS.
    with tempfile.TemporaryDirectory(prefix="clients-", dir=FOLDER) as name:
        folder = Path(name)
        compile_programs(folder)
        port, answers, spool = free_port(), folder / "answers", folder / "spool"
        answers.mkdir()
        spool.mkdir()
        write_answers(answers, f"http://127.0.0.1:{port}")
        cores = os.sched_getaffinity(0)
        with Upstream(folder / "upstream", port, answers, folder / "upstream.log") as upstream:
            upstream.ready()
            with Terminator(program, port, folder) as terminator:
                terminator.ready()
                os.sched_setaffinity(0, {LOAD_CORE})
                try:
                    yield _Bench(upstream, terminator, python, spool)
                finally:
                    os.sched_setaffinity(0, cores)
