"""From the caller's words to ours: a parsed body and the model it means become an ImageRequest. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.catalog.models import FoundModel
from app.doors.openai_images.schema import GenerationBody
from app.doors.openai_images.sizes import settle
from providers.spec.request import ImageRequest, Operation
from providers.spec.result import Warning
from routing.wishes import NO_WISHES, RouteWishes


@dataclass(frozen=True, slots=True)
class Translated:
    """What to order and how to choose who makes it, and what to tell the caller about both."""

    request: ImageRequest
    warnings: tuple[Warning, ...]
    timeout_s: float | None
    """Seconds the caller gives the whole request; None: the policy's."""
    wishes: RouteWishes = NO_WISHES
    """What the body and the suffix of the model's name say about routing; the body counts where they differ."""
    dry_run: bool = False
    """The plan is wanted and no image."""


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
    wishes, overruled = _with_suffix(body.wishes, found.policy)
    warnings = about_model + overruled + settled.warnings + body.warnings
    return Translated(request, warnings, body.timeout_s, wishes, body.dry_run)


def _with_suffix(wishes: RouteWishes, policy: str | None) -> tuple[RouteWishes, tuple[Warning, ...]]:
    """The wishes with the policy of the model's name where the body names none, and a warning where it names another.

    A model's name is often configured once for a whole program, while the body is written for the one request.
    """
    if policy is None or wishes.policy == policy:
        return wishes, ()
    if wishes.policy is None:
        return replace(wishes, policy=policy), ()
    return wishes, (Warning("model", f"the policy {policy} in the model's name is overruled by {wishes.policy}"),)
