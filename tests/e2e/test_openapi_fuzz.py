"""What schemathesis makes of the OpenAPI document, sent to a running gateway: whatever comes, the answer is a described
one, no fault is the gateway's own, nothing hangs, and nothing is left under way."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.e2e import patient
from tests.e2e.asking import metric
from tests.e2e.conftest import NANO_BANANA_2, StartGateway
from tests.e2e.described import ASKED, Answers, closed
from tests.e2e.pictures import encoded, scene

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OF_OTHER_METHODS = [not_a_server_error, unsupported_method, allow_header_conformance]
LONGEST_S = 30
"""No answer may take longer; all the vendors are quick."""
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
WORDS: dict[str, tuple[str, ...]] = {
    "model": (NANO_BANANA_2, "fal/nano-banana-2", "nano-banana-pro:floor", "nano banana 2", "gpt-image-1", "%2f", ".."),
    "size": ("1024x1024", "auto", "16:9", "2K", "640x480", "0x0", "1:99", "99999x1", "١x١"),
    "aspect_ratio": ("1:1", "16:9", "7:5", "auto", "1:0"),
    "resolution": ("1K", "512", "auto", "8K"),
    "image_size": ("1K", "auto"),
}
"""What a field of free text is sent, for hardly any text drawn at random is a name or a size."""
UPLOADS = (encoded(scene(64, 64), "PNG"), encoded(scene(90, 60), "JPEG"), encoded(scene(64, 64), "PNG")[:-40])


def _files() -> st.SearchStrategy[bytes]:
    return st.sampled_from(UPLOADS * 2) | st.binary(max_size=200)


def _references() -> st.SearchStrategy[str]:
    inline = _files().map(lambda data: f"data:image/png;base64,{base64.b64encode(data).decode()}")
    return inline | st.sampled_from(("http://127.0.0.1:1/", "https://169.254.169.254/latest", "data:,", "https://[::1"))


def _worded(document: dict[str, Any]) -> dict[str, Any]:
    """The document with words for fields of free text, and for the names of models in paths."""
    for name in ASKED[:4]:
        properties = document["components"]["schemas"][name]["properties"]
        for field, words in WORDS.items():
            properties[field] = {"anyOf": [{"enum": words}, {"type": "string", "maxLength": 40}, {"type": "null"}]}
    for path, item in document["paths"].items():
        if "{model_id}" in path:
            item["get"]["parameters"][0]["schema"] = {"enum": WORDS["model"]}
    return document


class Fuzzing:
    """A gateway, the document it gave out, and what came of the requests sent to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        document = patient.get(f"{url}/openapi.json").raise_for_status().json()
        schemathesis.openapi.format("binary", _files())
        schemathesis.openapi.format("uri", _references())
        self._answers = Answers(document)
        self._schema = schemathesis.openapi.from_dict(closed(_worded(document)))
        self._session = requests.Session()
        self.seen: Counter[tuple[str, int]] = Counter()

    def operations(self) -> list[Any]:
        found = list(self._schema.get_all_operations())
        return [each.ok() for each in found if isinstance(each, Ok)]

    def send(self, case: Any, checks: list[Any]) -> None:
        response = case.call(base_url=self.url, session=self._session, timeout=LONGEST_S)
        self.seen[case.operation.label, response.status_code] += 1
        # A caller who gives the request a millionth of a second is told the truth.
        hasty = response.status_code == 504 and isinstance(case.body, dict) and "timeout" in case.body
        case.validate_response(
            response, checks=[each for each in checks if not hasty or each is not not_a_server_error]
        )
        assert response.headers["x-request-id"][0].startswith("req_")
        if response.status_code >= 400 and case.method != "HEAD":
            assert self._answers.fault("Error", response.json()) is None

    def try_examples(self, operation: Any, mode: GenerationMode, examples: int, *, random: bool = False) -> None:
        @settings(
            max_examples=examples,
            derandomize=not random,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            self.send(case, CHECKS)

        one()

    def try_edges(self, operation: Any) -> None:
        """Every edge of every field, and methods the path has not."""
        for mode in MODES:
            cases = self._schema.iter_coverage_cases(
                operation, generation_modes=[mode], generation_config=GenerationConfig()
            )
            for case in cases:
                described = case.method.upper() == operation.method.upper()
                self.send(case, CHECKS if described else OF_OTHER_METHODS)

    def figures(self) -> str:
        """How many requests, and what came of them."""
        statuses: Counter[int] = Counter()
        for (_, status), count in self.seen.items():
            statuses[status] += count
        told = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
        return f"{sum(statuses.values())} requests out of the document: {told}"

    def close(self) -> None:
        """Nothing is under way any more, and the gateway makes images."""
        self._session.close()
        give_up = time.monotonic() + 10
        while metric(self.url, "gateway_in_flight") and time.monotonic() < give_up:
            time.sleep(0.05)
        assert metric(self.url, "gateway_in_flight") == 0
        answer = httpx.post(f"{self.url}/v1/images/generations", json={"prompt": "a fox"}, timeout=LONGEST_S)
        assert answer.status_code == 200


@pytest.fixture
def fuzzing(start: StartGateway) -> Iterator[Fuzzing]:
    fuzzing = Fuzzing(start())
    yield fuzzing
    fuzzing.close()


def modes_of(operation: Any) -> tuple[GenerationMode, ...]:
    """Paths without body or query have nothing that could be wrong about them."""
    return MODES if operation.method == "post" and operation.body else MODES[:1]


def test_whatever_is_sent_the_answer_is_as_described(fuzzing: Fuzzing) -> None:
    for operation in fuzzing.operations():
        for mode in modes_of(operation):
            fuzzing.try_examples(operation, mode, 20 if operation.body else 5)
    statuses = {status for _, status in fuzzing.seen}
    assert {200, 400, 404} <= statuses
    assert fuzzing.seen["POST /v1/images/generations", 200]
    assert fuzzing.seen["POST /v1/images/edits", 200]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whatever_is_sent_at_length_the_answer_is_as_described(fuzzing: Fuzzing) -> None:
    for operation in fuzzing.operations():
        fuzzing.try_edges(operation)
        for mode in modes_of(operation):
            fuzzing.try_examples(operation, mode, 150 if operation.body else 20, random=True)
    print(fuzzing.figures())
