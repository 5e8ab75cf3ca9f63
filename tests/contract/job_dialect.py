"""What is the same in the contracts of vendors with jobs: trouble that is nobody's own, and their models' requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from providers.spec.conversation import Unanswered
from providers.spec.errors import Fault, Spend
from providers.spec.request import ImageRequest, Resolution
from tests.contract.kit import REQUESTS, AdapterContract, Answer, Case, json_reply, text_reply

HTML_502 = text_reply("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", 502)
RESET = Unanswered("the connection broke", sent=True)

LOAD_BALANCER_GAVE_UP = Case(
    "a load balancer that waited", [text_reply("<html>504</html>", 504)], Fault.OVERLOADED, Spend.POSSIBLE
)

FLUX_REQUEST = replace(REQUESTS["generate_ratio_2k"], resolution=Resolution.R1K, pixels=(1344, 768))
"""A request FLUX can take: it makes no 2K images."""


def files_lost(delivered: Sequence[Answer]) -> tuple[Case, ...]:
    """The ways to lose the file of a job that ended well; ``delivered`` leads up to its only download."""
    return (
        Case("the file is gone", [*delivered, *[json_reply({}, 404)] * 3], Fault.UNREACHABLE, Spend.CHARGED),
        Case("the file never comes", [*delivered, HTML_502, RESET, RESET], Fault.UNREACHABLE, Spend.CHARGED),
    )


class JobContract(AdapterContract):
    """The contract of a vendor with jobs that sells the nano-banana family and FLUX."""

    has_jobs = True

    def more_requests(self) -> Mapping[str, ImageRequest]:
        editing = REQUESTS["edit_one_image_no_ratio"]
        return {
            "pro_edit_4k": replace(editing, resolution=Resolution.R4K, aspect_ratio="2:3"),
            "first_generate_nothing_asked": REQUESTS["generate_nothing_asked"],
            "first_edit": editing,
            "flux_wide": FLUX_REQUEST,
        }
