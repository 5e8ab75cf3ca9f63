"""From the caller's words to ours: a parsed body and the model it means become an ImageRequest. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalog.models import FoundModel
from app.doors.openai_images.schema import GenerationBody
from app.doors.openai_images.sizes import settle
from providers.spec.request import ImageRequest, Operation
from providers.spec.result import Warning


@dataclass(frozen=True, slots=True)
class Translated:
    """What to order, what to tell the caller about it, and the seconds the caller gives (None: the policy's)."""

    request: ImageRequest
    warnings: tuple[Warning, ...]
    timeout_s: float | None


def translate(body: GenerationBody, found: FoundModel) -> Translated:
    """The request in our terms. Raises ParameterError when a size is demanded that the model has not."""
    settled = settle(found.model, body.sizes, found.resolution)
    request = ImageRequest(
        model=found.model.name,
        prompt=body.prompt,
        operation=Operation.GENERATE,
        aspect_ratio=settled.aspect_ratio,
        resolution=settled.resolution,
        pixels=settled.pixels,
        output_format=body.output_format,
        seed=body.seed,
        web_search=body.web_search,
        thinking=body.thinking,
        extras=body.extras,
    )
    about_model = (Warning("model", found.warning),) if found.warning else ()
    return Translated(request, about_model + settled.warnings + body.warnings, body.timeout_s)
