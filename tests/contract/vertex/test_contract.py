"""The Vertex adapter passes the contract."""

from __future__ import annotations

from collections.abc import Mapping

from providers.spec.adapter import Adapter, ProviderModel
from providers.vertex.adapter import VertexAdapter, default_base_url
from tests.contract.google_dialect import GOLDENS, MODEL_3, GoogleContract


class TestVertex(GoogleContract):
    def adapter(self) -> Adapter:
        return VertexAdapter(default_base_url(), project="a-project")

    def goldens(self) -> Mapping[str, ProviderModel]:
        return {**GOLDENS, "format_png": MODEL_3, "format_jpeg": MODEL_3}
