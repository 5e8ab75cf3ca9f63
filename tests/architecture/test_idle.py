"""What an idle gateway need not hold, it does not load: the libraries of what this operator has not set up."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from app.settings import PROJECT_ROOT

NOT_NEEDED = ("google.auth", "requests", "redis", "pillow_heif", "pydantic.v1")
"""15, 5, 6, 4 and 1.6 MB, where idle takes 85 MB in all; for Vertex AI, the `route` command, REDIS_URL, HEIC files and
arguments of endpoints beside the request."""
_LOADED = """
import json, sys
import app.cli
from app.main import create_app
from app.settings import Settings
create_app(Settings())
print(json.dumps(sorted(sys.modules)))
"""


def test_a_server_for_gemini_alone_loads_nothing_of_the_others() -> None:
    environment = {"PATH": os.environ["PATH"], "GEMINI_API_KEY": "of-no-value"}
    said = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=PROJECT_ROOT, env=environment, check=True, capture_output=True, text=True
    )
    loaded = json.loads(said.stdout)
    assert "app.serving.serve" in loaded
    assert [name for name in NOT_NEEDED if name in loaded] == []
