"""When the gateway itself cannot go on: a true error, the vendors not blamed, the payment told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.asking import ask, story
from tests.e2e.conftest import StartGateway, Vendors


@pytest.mark.parametrize("provider", ["gemini", "replicate"])
def test_a_spool_folder_that_is_gone_is_our_own_fault(
    start: StartGateway, vendors: Vendors, tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The simulator's pictures compress too well to be spooled; a real 4K answer is ten times the threshold.
    monkeypatch.setattr("providers.spool.SPOOL_THRESHOLD", 16 * 1024)
    monkeypatch.setattr("providers.spool.STATED_THRESHOLD", 16 * 1024)
    url = start(gateway_spool_dir=tmp_path / "gone")
    response = ask(url, model=f"{provider}/nano-banana-2", size="4096x4096")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    ((name, outcome, spend),) = story(response)
    assert (name, outcome) == (provider, "own_fault")
    assert spend != "none"
    assert response.headers["x-should-retry"] == "false"
    assert vendors.sums(provider)["images"] == 1
