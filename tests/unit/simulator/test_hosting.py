"""The program: started from the command line, told to stop, refused a port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from simulator.__main__ import parsed
from simulator.hosting import listening

ROOT = Path(__file__).parents[3]


def started(*arguments: str, stdin: int | None = None, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments],
        cwd=ROOT,
        stdin=stdin,
        pass_fds=pass_fds,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_what_is_served_where_and_stops_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    authority = tmp_path / "ca.pem"
    with started("--port", "0", "--tls-port", "0", "--ca-file", str(authority), "--time-scale", "25") as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(9)]
        told = "".join(lines)
        assert "Time scale 25" in told
        base = lines[2].split()[-1].removesuffix("/gemini")
        answer = httpx.get(f"{base}/gemini/v1/models", headers={"x-goog-api-key": "test-key"}, timeout=30)
        assert answer.status_code == 200
        assert "BEGIN CERTIFICATE" in authority.read_text()
        program.send_signal(number)
        _, complaints = program.communicate(timeout=30)
    assert (program.returncode, complaints) == (0, "")


def test_it_stops_when_its_standard_input_ends_if_it_was_told_to() -> None:
    with started("--port", "0", "--exit-with-stdin", stdin=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline()
        assert program.poll() is None
        _, complaints = program.communicate(timeout=30)
    assert (program.returncode, complaints) == (0, "")


def test_the_end_of_standard_input_means_nothing_otherwise() -> None:
    with started("--port", "0", stdin=subprocess.DEVNULL) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(3)]
        assert httpx.get(lines[2].split()[-1].removesuffix("/gemini")).status_code == 200
        program.terminate()
        program.communicate(timeout=30)
    assert program.returncode == 0


def test_its_connections_do_not_wait_to_send() -> None:
    with listening("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_answers_on_a_kept_connection_come_at_once() -> None:
    with started("--port", "0") as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(3)]
        with httpx.Client(base_url=lines[2].split()[-1].removesuffix("/gemini"), timeout=30) as client:
            seconds = []
            for _ in range(41):
                begun = time.perf_counter()
                client.post("/_control/settings", json={"provider": "fal"}).raise_for_status()
                seconds.append(time.perf_counter() - begun)
        program.terminate()
        program.communicate(timeout=30)
    assert min(seconds[20:]) < 0.03  # held back, each would wait for an acknowledgement that comes after 0.04 s


def test_a_port_that_is_taken_is_one_sentence_not_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, started("--port", str(taken.getsockname()[1])) as program:
        _, complaints = program.communicate(timeout=30)
    assert program.returncode == 1
    assert complaints.startswith("simulator: ")
    assert complaints.count("\n") == 1


@pytest.mark.parametrize("wrong", [["--time-scale", "0"], ["--port", "80000"], ["--nonsense"]])
def test_a_wrong_command_line_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(wrong)
    assert "error" in capsys.readouterr().err


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = parsed([])
    assert (settings.host, settings.port, settings.tls_port, settings.time_scale) == ("127.0.0.1", 9090, None, 10.0)


def test_it_takes_over_a_listening_socket_of_its_parent() -> None:
    with listening("127.0.0.1", 0) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        program = started("--listen-fd", str(descriptor), pass_fds=(descriptor,))
    with program:
        assert httpx.get(f"http://127.0.0.1:{port}/_control/settings", timeout=30).status_code == 200
        assert program.stdout is not None
        assert f"http://127.0.0.1:{port}/gemini" in [program.stdout.readline() for _ in range(3)][2]
        program.terminate()
        program.communicate(timeout=30)
    assert program.returncode == 0


def test_what_is_no_listening_socket_is_refused() -> None:
    with socket.socket() as idle, socket.socket() as closed:
        descriptor = closed.detach()
        os.close(descriptor)
        for number, told in ((idle.fileno(), "is no listening socket"), (descriptor, "Bad file descriptor")):
            with started("--listen-fd", str(number), pass_fds=(idle.fileno(),)) as program:
                _, complaints = program.communicate(timeout=30)
            assert program.returncode == 1
            assert told in complaints
