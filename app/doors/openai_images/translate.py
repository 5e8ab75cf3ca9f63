"""From the caller's words to ours: a parsed body and the model it means become an ImageRequest. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.catalog.models import FoundModel
from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.exact import resampling
from app.doors.openai_images.schema import ImagesBody
from app.doors.openai_images.sizes import Settled, nearest_ratio, settle
from app.media.inputs import Prepared
from providers.spec.request import ImageRequest, Operation, OutputFormat
from providers.spec.result import Warning
from routing.wishes import NO_WISHES, RouteWishes

MAX_AVIF_AREA = 24_000_000
"""Pixels. Encoding one takes about 30 bytes of memory for each (measured), which is 720 MB then; no model makes more
than 19 million by itself."""
NOTHING_SENT = Prepared((), None, None, ())
"""What a request without input images has of them."""


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


def translate(
    body: ImagesBody,
    found: FoundModel,
    sent: Prepared = NOTHING_SENT,
    *,
    default_format: OutputFormat | None = None,
) -> Translated:
    """The request in our terms. ``sent`` are the body's input images, ready to be handed on; ``default_format`` is what
    an image is to be where the body does not say.

    Raises ParameterError when a size is demanded that the model has not.
    """
    own = sent.size if sent.mask is not None else None
    settled = settle(found.model, body.sizes, found.resolution, exact=body.output.exact, own=own)
    if own is not None:
        settled = _masked(settled, found, own)
    resampled = tuple(resampling(found.model, settled, own))
    if resampled:
        settled = replace(settled, warnings=(*settled.warnings, *resampled))
    format = body.output.format or default_format
    _check_avif(format, settled)
    request = ImageRequest(
        model=found.model.name,
        prompt=body.prompt,
        operation=Operation.EDIT if sent.images else Operation.GENERATE,
        images=sent.images,
        mask=sent.mask,
        n=body.n,
        aspect_ratio=settled.aspect_ratio,
        resolution=settled.resolution,
        pixels=settled.pixels,
        exact_pixels=settled.exact_pixels,
        output_format=format,
        output_compression=body.output.compression,
        transparent=body.output.transparent,
        seed=body.seed,
        web_search=body.web_search,
        image_search=body.image_search,
        thinking=body.thinking,
        safety=body.safety,
        system_prompt=body.system_prompt,
        negative_prompt=body.negative_prompt,
        partial_images=body.output.partial_images,
        provider_options=body.provider_options,
    )
    about_model = (Warning("model", found.warning),) if found.warning else ()
    wishes, overruled = _with_suffix(body.wishes, found.policy)
    warnings = about_model + overruled + settled.warnings + sent.warnings + body.warnings
    return Translated(request, warnings, body.timeout_s, wishes, body.dry_run)


def _check_avif(format: OutputFormat | None, settled: Settled) -> None:
    if format is not OutputFormat.AVIF or settled.exact_pixels is None:
        return
    width, height = settled.exact_pixels
    if width * height > MAX_AVIF_AREA:
        raise ParameterError(
            "output_format",
            f"An avif image may have {MAX_AVIF_AREA:,} pixels; this one would have {width}x{height}. Ask for another "
            "format, or for fewer pixels with size.",
            "unsupported_value",
        )


def _masked(settled: Settled, found: FoundModel, size: tuple[int, int]) -> Settled:
    """What is outside of a mask is to stay as it is: the picture keeps the ratio and, unless another was asked for,
    the very size of the caller's own."""
    if settled.aspect_ratio is not None:
        return replace(settled, exact_pixels=settled.exact_pixels or settled.pixels)
    ratio = nearest_ratio(found.model, *size)
    pixels = found.model.pixels.get(settled.resolution, {}).get(ratio) if ratio else None
    return replace(settled, aspect_ratio=ratio, pixels=pixels, exact_pixels=size)


def _with_suffix(wishes: RouteWishes, policy: str | None) -> tuple[RouteWishes, tuple[Warning, ...]]:
    """The wishes with the policy of the model's name where the body names none, and a warning where it names another.

    A model's name is often configured once for a whole program, while the body is written for the one request.
    """
    if policy is None or wishes.policy == policy:
        return wishes, ()
    if wishes.policy is None:
        return replace(wishes, policy=policy), ()
    return wishes, (Warning("model", f"the policy {policy} in the model's name is overruled by {wishes.policy}"),)
