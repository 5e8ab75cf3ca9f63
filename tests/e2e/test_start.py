"""The start: nothing is looked through for garbage while everything is imported, and then it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import EMPTY

STARTED = """
import gc, sys
import app.command
assert "app.cli" not in sys.modules and "fastapi" not in sys.modules
looks, really = [], gc.freeze
gc.callbacks.append(lambda phase, info: looks.append(phase))
def freeze():
    print("looked", len(looks), "imported", "app.cli" in sys.modules)
    really()
gc.freeze = freeze
sys.argv = ["image-gateway", "check"]
try:
    app.command.main()
except SystemExit as ended:
    print("ended", ended.code, "on", gc.isenabled(), "aside", gc.get_freeze_count() > 100_000)
"""


def test_the_command_imports_all_there_is_without_a_look_for_garbage(tmp_path: Path) -> None:
    environment = {**EMPTY, "GEMINI_API_KEY": "of-no-value"}
    done = subprocess.run(
        [sys.executable, "-c", STARTED], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    said = done.stdout.splitlines()
    assert (said[0], said[-1]) == ("looked 0 imported True", "ended 0 on True aside True"), done.stderr


INTERRUPTED = """
import signal, sys
import app.command
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may have been told to ignore it
class Interrupting:
    def find_spec(self, name, *_):
        if name == "fastapi":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
app.command.main()
"""


def test_an_interrupt_while_everything_is_imported_ends_it_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], env=EMPTY, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("module", ["app.cli", "app.command"])
def test_the_command_line_is_also_a_module(module: str, tmp_path: Path) -> None:
    environment = {**EMPTY, "GEMINI_API_KEY": "of-no-value"}
    done = subprocess.run(
        [sys.executable, "-m", module, "check"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, "gemini" in done.stdout) == (0, True), done.stderr


def test_a_redis_that_is_none_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    environment = {**EMPTY, "GEMINI_API_KEY": "of-no-value", "REDIS_URL": "nope://user:of-no-value@host"}
    done = subprocess.run(
        [sys.executable, "-m", "app.command", "serve"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert (
        done.stderr == "REDIS_URL cannot be used: not the URL of a Redis: redis://, rediss:// or unix:// is expected.\n"
    )
