"""The Gemini adapter passes the contract."""

from __future__ import annotations

from providers.gemini.adapter import GeminiAdapter
from providers.spec.adapter import Adapter
from tests.contract.google_dialect import GoogleContract, GoogleStreamContract


class TestGemini(GoogleContract):
    def adapter(self) -> Adapter:
        return GeminiAdapter()


class TestGeminiStream(GoogleStreamContract):
    def adapter(self) -> Adapter:
        return GeminiAdapter()
