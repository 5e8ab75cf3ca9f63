"""Failures no vendor has to itself: what callers are told, and those no table of a vendor's is needed for.

``vendor`` is always the name people know the seller by; it goes into the caller's sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.spec.conversation import Reply, Unanswered
from providers.spec.errors import Fault, ProviderError, Spend
from providers.spec.excerpt import safe_excerpt

_SENTENCES: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.UNSUPPORTED: "{vendor} does not accept this request.",
        Fault.CONTENT_REFUSED: "{vendor} refused the request on content grounds.",
        Fault.MODEL_GONE: "{vendor} no longer offers this model.",
        Fault.RATE_LIMITED: "{vendor} is limiting requests.",
        Fault.OVERLOADED: "{vendor} could not serve the request at the moment.",
        Fault.BAD_REPLY: "{vendor} answered without a usable image.",
        Fault.UNREACHABLE: "{vendor} could not be reached.",
    }
)


def sentences(vendor: str, own: Mapping[Fault, str]) -> Mapping[Fault, str]:
    """What a caller is told, by fault: what can be said of any vendor, and ``own`` for what differs."""
    shared = {fault: sentence.format(vendor=vendor) for fault, sentence in _SENTENCES.items()}
    return MappingProxyType({**shared, **own})


def silent(unanswered: Unanswered, vendor: str, *, spend: Spend) -> ProviderError:
    """No reply at all."""
    sentence = _SENTENCES[Fault.UNREACHABLE].format(vendor=vendor)
    return ProviderError(Fault.UNREACHABLE, sentence, spend=spend, detail=unanswered.reason)


def unusable(reply: Reply, prompt: str, vendor: str, *, spend: Spend) -> ProviderError:
    """A reply with a good status and no sense."""
    sentence = _SENTENCES[Fault.BAD_REPLY].format(vendor=vendor)
    return ProviderError(Fault.BAD_REPLY, sentence, spend=spend, detail=safe_excerpt(reply, prompt))


def media_lost(detail: str, vendor: str) -> ProviderError:
    """The job succeeded, so it is paid for, but its file cannot be had."""
    sentence = f"{vendor} made the image but it could not be downloaded."
    return ProviderError(Fault.UNREACHABLE, sentence, spend=Spend.CHARGED, detail=detail)


def not_taken(
    fault: Fault, said: Mapping[Fault, str], vendor: str, *, detail: str, retry_after: float | None = None
) -> ProviderError:
    """An input image could not be handed over, before anything was bought. ``said``: the vendor's other sentences.

    No such path, which would elsewhere mean that the model is gone, says nothing about the model here.
    """
    fault = Fault.UNSUPPORTED if fault is Fault.MODEL_GONE else fault
    of_the_image = fault in {Fault.UNSUPPORTED, Fault.BAD_REPLY}
    return ProviderError(
        fault,
        f"{vendor} did not take an input image." if of_the_image else said[fault],
        retry_after=retry_after,
        detail=f"upload: {detail}",
        parameter="image" if fault is Fault.UNSUPPORTED else None,
    )
