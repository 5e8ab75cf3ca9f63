"""Fitting: an order's request as each offer is to be asked for it. Work on its images is done once per order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from app.media.masks import Emulation, emulated
from app.media.shrink import shrunk
from providers.spec.blob import Blob
from providers.spec.capability import Capability
from providers.spec.errors import Fault, ProviderError
from providers.spec.request import ImageRequest
from providers.spec.result import Warning
from providers.spec.unguarded import unguarded
from providers.workers import Workers

T = TypeVar("T")

_SAYING = {
    "seed": "this provider takes no seed; it was ignored",
    "safety": "this provider has no safety levels for this model; its own filters applied",
    "system_prompt": "this provider takes no system prompt; it was ignored",
    "negative_prompt": "this provider takes no negative prompt; it was ignored; say it in the prompt",
}
_SHRUNK = Warning("image", "an input image has more bytes than this provider takes and was sent smaller")


@unguarded
@dataclass(frozen=True, slots=True)
class Fitted:
    """What an adapter is handed, what the caller is to be told if it delivers, and how its mask is enforced."""

    request: ImageRequest
    warnings: tuple[Warning, ...] = ()
    emulation: Emulation | None = None


class Fitting:
    """For one order. Several tries may ask at once; the work on its images is shared between them."""

    def __init__(self, workers: Workers, spool_dir: Path | None = None) -> None:
        self._workers = workers
        self.spool_dir = spool_dir
        """Where large results lie; None: the system's temporary folder."""
        self._under_way: dict[object, asyncio.Future[Any]] = {}

    async def fitted(self, request: ImageRequest, capability: Capability) -> Fitted:
        """The request for an offer of this capability.

        Raises ProviderError (INVALID_REQUEST) when an input image turns out to be damaged as it is worked on.
        """
        asked = capability.asked(request)
        ignored = capability.ignored(request)
        warnings = [Warning(name, _SAYING[name]) for name in ignored] if ignored else []
        if not request.images and request.mask is None:
            return Fitted(asked, tuple(warnings))
        emulation: Emulation | None = None
        if request.mask is not None and capability.mask_is_emulated(request):
            emulation = drawn = await self._once(
                "mask",
                emulated,
                request.images,
                request.mask,
                request.prompt,
                ratio=request.aspect_ratio,
                canvas=request.exact_pixels,
            )
            asked = replace(asked, images=drawn.images, mask=None, prompt=drawn.prompt)
        limit = capability.max_input_image_bytes
        if limit is not None and any(image.length > limit for image in asked.images):
            images = tuple([await self._within(image, limit) for image in asked.images])
            asked = replace(asked, images=images)
            warnings.append(_SHRUNK)
        return Fitted(asked, tuple(warnings), emulation)

    async def _within(self, image: Blob, limit: int) -> Blob:
        if image.length <= limit:
            return image
        smaller, _ = await self._once((id(image), limit), shrunk, image, limit, self.spool_dir)
        return smaller

    async def _once(self, key: object, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        future = self._under_way.get(key)
        if future is None:
            future = asyncio.ensure_future(self._workers.run(work, *args, **kwargs))
            self._under_way[key] = future
        try:
            # Shielded: a try that is given up must not take the work away from the others.
            return cast("T", await asyncio.shield(future))
        except Exception as damaged:  # noqa: BLE001 - a decoder may raise anything over what a caller sent
            raise ProviderError(
                Fault.INVALID_REQUEST,
                "An input image is damaged and cannot be worked on.",
                parameter="image",
                detail=type(damaged).__name__,
            ) from None
