"""The Vertex adapter passes the contract."""

from __future__ import annotations

from collections.abc import Mapping

from providers.spec.adapter import Adapter, ProviderModel
from providers.vertex.adapter import VertexAdapter, default_base_url
from tests.contract.google_dialect import GOLDENS, MODEL_3, GoogleContract, GoogleStreamContract


class TestVertex(GoogleContract):
    def adapter(self) -> Adapter:
        return VertexAdapter(default_base_url(), project="a-project")

    def goldens(self) -> Mapping[str, ProviderModel]:
        return {
            **GOLDENS,
            **dict.fromkeys(("format_png", "format_jpeg", "jpeg_of_a_quality", "png_of_a_quality"), MODEL_3),
        }


class TestVertexStream(GoogleStreamContract):
    def adapter(self) -> Adapter:
        return VertexAdapter(default_base_url(), project="a-project")

    def goldens(self) -> Mapping[str, ProviderModel]:
        return TestVertex().goldens()
