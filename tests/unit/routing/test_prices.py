"""Quotes: what a request would cost, from which line, in which parts."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations

import pytest

from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability
from providers.spec.request import ImageRequest, Operation, OutputFormat, Resolution
from routing.offers import Offer
from routing.prices import PriceLine, PriceTable, QuotePart, day_of

TODAY = date(2026, 11, 21)

LINE = PriceLine(
    provider="fal",
    model="fox",
    operations=frozenset(Operation),
    images={Resolution.R1K: Decimal("0.08"), Resolution.R4K: Decimal("0.16")},
    input_image=Decimal("0.001"),
    surcharges={"web_search": Decimal("0.015"), "high_thinking": Decimal("0.002")},
    token_rates={"image_output": Decimal(60)},
    source="the vendor's page",
    checked_on=date(2026, 11, 20),
    effective_from=date(2026, 2, 26),
    confidence="verified",
)

REQUEST = ImageRequest(model="fox", prompt="a red fox")


class Picture:
    """A blob of no bytes: prices depend on how many there are."""

    media_type = "image/png"
    length = 0
    ends = None

    def read(self) -> bytes:
        return b""

    def pieces(self) -> Iterator[bytes]:
        yield self.read()

    def base64(self) -> bytes:
        return b""


def offer(provider: str = "fal", *, max_images: int = 1) -> Offer:
    capability = Capability(
        operations=frozenset(Operation),
        resolutions=frozenset(Resolution),
        aspect_ratios=frozenset({"1:1"}),
        output_formats=frozenset(OutputFormat),
        native_format=OutputFormat.PNG,
        max_images=max_images,
    )
    return Offer(provider, "fox", ProviderModel("fox-1", "fox"), capability)


def total(request: ImageRequest, lines: Iterable[PriceLine] = (LINE,), *, on: date = TODAY, max_images: int = 1) -> str:
    quote = PriceTable(tuple(lines)).quote(offer(max_images=max_images), request, on=on)
    return "none" if quote is None else str(quote.total)


def test_an_image_costs_the_price_of_its_resolution() -> None:
    quote = PriceTable((LINE,)).quote(offer(), replace(REQUEST, resolution=Resolution.R4K), on=TODAY)
    assert quote is not None
    assert quote.total == Decimal("0.16")
    assert quote.parts == (QuotePart("images", Decimal("0.16")),)
    assert quote.line is LINE


def test_the_parts_are_named_and_add_up() -> None:
    request = replace(
        REQUEST, operation=Operation.EDIT, images=(Picture(), Picture()), n=3, web_search=True, thinking="high"
    )
    quote = PriceTable((LINE,)).quote(offer(max_images=4), request, on=TODAY)
    assert quote is not None
    assert quote.parts == (
        QuotePart("images", Decimal("0.24")),
        QuotePart("input_images", Decimal("0.002")),
        QuotePart("web_search", Decimal("0.015")),
        QuotePart("high_thinking", Decimal("0.002")),
    )
    assert quote.total == Decimal("0.259")


@pytest.mark.parametrize(
    ("max_images", "price"),
    [(1, "0.288"), (2, "0.272"), (3, "0.256"), (4, "0.256")],
)
def test_what_is_billed_per_call_is_paid_for_every_call_that_n_images_take(max_images: int, price: str) -> None:
    request = replace(REQUEST, n=3, images=(Picture(),), web_search=True)
    assert total(request, max_images=max_images) == price


def test_with_a_seed_every_image_is_a_call() -> None:
    request = replace(REQUEST, n=3, seed=7, images=(Picture(),), web_search=True)
    assert total(request, max_images=4) == "0.288"


@pytest.mark.parametrize("thinking", [None, "minimal", "medium"])
def test_only_high_thinking_is_charged_extra(thinking: str | None) -> None:
    assert total(replace(REQUEST, thinking=thinking)) == "0.08"
    assert total(replace(REQUEST, thinking="high")) == "0.082"


def test_a_surcharge_the_vendor_does_not_ask_for_costs_nothing() -> None:
    request = replace(REQUEST, web_search=True, thinking="high", images=(Picture(),))
    assert total(request, [replace(LINE, surcharges={}, input_image=Decimal(0))]) == "0.08"


def test_amounts_are_exact() -> None:
    assert total(replace(REQUEST, n=3), [replace(LINE, images={Resolution.R1K: Decimal("0.1")})]) == "0.3"


def test_there_is_no_price_at_a_resolution_that_is_not_listed() -> None:
    assert total(replace(REQUEST, resolution=Resolution.R2K)) == "none"


def test_a_request_without_a_resolution_has_a_price_only_where_there_is_a_single_one() -> None:
    single = replace(LINE, images={Resolution.R1K: Decimal("0.003")})
    assert total(replace(REQUEST, resolution=None)) == "none"
    assert total(replace(REQUEST, resolution=None), [single]) == "0.003"


@pytest.mark.parametrize(
    "other",
    [
        replace(LINE, provider="replicate"),
        replace(LINE, model="owl"),
        replace(LINE, operations=frozenset({Operation.EDIT})),
    ],
    ids=["another provider", "another model", "another operation"],
)
def test_there_is_no_price_but_for_this_provider_model_and_operation(other: PriceLine) -> None:
    assert total(REQUEST, [other]) == "none"
    assert total(REQUEST, [other, LINE]) == "0.08"


def test_operations_may_have_prices_of_their_own() -> None:
    edits = replace(LINE, operations=frozenset({Operation.EDIT}), images={Resolution.R1K: Decimal("0.10")})
    texts = replace(LINE, operations=frozenset({Operation.GENERATE}))
    assert total(REQUEST, [edits, texts]) == "0.08"
    assert total(replace(REQUEST, operation=Operation.EDIT), [edits, texts]) == "0.10"


@pytest.mark.parametrize(
    ("on", "price"),
    [
        (date(2026, 2, 25), "none"),
        (date(2026, 2, 26), "0.08"),
        (date(2026, 6, 30), "0.08"),
        (date(2026, 7, 1), "0.07"),
        (date(2026, 12, 31), "0.07"),
        (date(2027, 1, 1), "0.09"),
    ],
)
def test_the_newest_line_that_has_begun_holds_in_whatever_order_they_stand(on: date, price: str) -> None:
    def from_day(day: date, amount: str) -> PriceLine:
        return replace(LINE, effective_from=day, images={Resolution.R1K: Decimal(amount)})

    lines = [LINE, from_day(date(2026, 7, 1), "0.07"), from_day(date(2027, 1, 1), "0.09")]
    assert {total(REQUEST, order, on=on) for order in permutations(lines)} == {price}


def test_a_line_can_be_looked_up_without_a_request() -> None:
    table = PriceTable((LINE,))
    assert table.line("fal", "fox", Operation.EDIT, TODAY) is LINE
    assert table.line("fal", "fox", Operation.EDIT, date(2020, 1, 1)) is None
    assert table.line("vertex", "fox", Operation.EDIT, TODAY) is None


def test_tables_of_the_same_lines_are_equal() -> None:
    assert PriceTable((LINE,)) == PriceTable((LINE,))
    assert PriceTable((LINE,)) != PriceTable(())


def test_a_quote_is_worked_out_once_for_all_requests_it_does_not_tell_apart() -> None:
    table = PriceTable((LINE,))
    other = replace(REQUEST, prompt="a blue fox", aspect_ratio="1:1")
    assert table.quote(offer(), other, on=TODAY) is table.quote(offer(), REQUEST, on=TODAY)


def test_a_quote_is_kept_for_nobody_who_would_be_told_another() -> None:
    from_tomorrow = replace(LINE, effective_from=date(2026, 11, 22), images={Resolution.R1K: Decimal("0.07")})
    lines = (LINE, from_tomorrow, replace(LINE, provider="vertex", surcharges={}), replace(LINE, model="owl"))
    table = PriceTable(lines)
    masking = offer()
    masking = replace(masking, capability=replace(masking.capability, mask=True))
    offers = [offer(), offer(max_images=2), offer("vertex"), replace(offer(), model="owl"), masking]
    each: dict[str, list[object]] = {
        "operation": [Operation.EDIT],
        "resolution": [Resolution.R4K, Resolution.R2K, None],
        "n": [2, 3],
        "seed": [7],
        "images": [(Picture(),), (Picture(), Picture())],
        "mask": [Picture()],
        "web_search": [True],
        "image_search": [True],
        "thinking": ["high", "low"],
    }
    one_apart = [{name: value} for name, values in each.items() for value in values]
    both = [{**first, **second} for first in one_apart for second in one_apart]
    for fields in (*one_apart, *both):
        request = replace(REQUEST, **fields)  # type: ignore[arg-type]
        for each_offer in offers:
            for on in (TODAY, date(2026, 11, 22)):
                assert table.quote(each_offer, request, on=on) == PriceTable(lines).quote(each_offer, request, on=on)


def test_a_table_remembers_so_many_quotes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.prices._MOST_QUOTES", 2)
    table = PriceTable((LINE,))
    kept = table.quote(offer(), REQUEST, on=TODAY)
    for n in (2, 3, 4):
        quote = table.quote(offer(), replace(REQUEST, n=n), on=TODAY)
        assert quote is not None
        assert quote.total == n * Decimal("0.08")
    assert table.quote(offer(), REQUEST, on=TODAY) is not kept


@pytest.mark.parametrize(
    "moment", ["1969-12-31T23:59:59", "1970-01-01T00:00:00", "2026-11-21T23:59:59", "2028-02-29T12:00:00"]
)
def test_the_day_is_that_of_utc(moment: str) -> None:
    then = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert day_of(then.timestamp()) == then.date()
