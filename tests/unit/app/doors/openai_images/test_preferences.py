"""What a body says about routing: every field, every tolerated spelling, and that wrong values list the right ones."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.doors.openai_images.errors import ParameterError
from app.doors.openai_images.schema import ImagesBody, parse_body
from providers.registry import PROVIDERS
from routing.knobs import OBJECTIVES
from routing.wishes import NO_WISHES, RouteWishes

POLICIES = (*OBJECTIVES, "night")


def parsed(**fields: object) -> ImagesBody:
    return parse_body({"prompt": "a red fox", **fields}, editing=False, max_timeout_s=600.0, policies=POLICIES)


def wishes(**fields: object) -> RouteWishes:
    body = parsed(**fields)
    return body.wishes


def provider(**fields: object) -> RouteWishes:
    return wishes(provider=fields)


def refused(**fields: object) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        parsed(**fields)
    assert (caught.value.status, caught.value.code) == (400, "invalid_value")
    return caught.value


def test_who_says_nothing_wishes_nothing() -> None:
    assert parsed().wishes is NO_WISHES
    assert parsed().models == ()
    assert not parsed().dry_run


@pytest.mark.parametrize("nothing", [None, "", {}, {"order": []}, {"only": [], "ignore": None, "sort": ""}])
def test_an_empty_provider_object_wishes_nothing(nothing: object) -> None:
    assert parsed(provider=nothing).wishes is NO_WISHES


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("order", ["fal", "gemini"], RouteWishes(order=("fal", "gemini"))),
        ("order", [" FAL", "Gemini", "fal"], RouteWishes(order=("fal", "gemini"))),
        ("order", "fal", RouteWishes(order=("fal",))),
        ("only", ["Vertex"], RouteWishes(only=frozenset({"vertex"}))),
        ("only", "vertex", RouteWishes(only=frozenset({"vertex"}))),
        ("ignore", ["replicate", "fal"], RouteWishes(ignore=frozenset({"fal", "replicate"}))),
        ("allow_fallbacks", False, RouteWishes(allow_fallbacks=False)),
        ("allowFallbacks", "false", RouteWishes(allow_fallbacks=False)),
        ("allow_fallbacks", True, NO_WISHES),
        ("require_parameters", True, RouteWishes(require_parameters=True)),
        ("requireParameters", "1", RouteWishes(require_parameters=True)),
        ("sort", "price", RouteWishes(policy="cheapest")),
        ("sort", "Latency", RouteWishes(policy="fastest")),
        ("sort", "throughput", RouteWishes(policy="fastest")),
        ("sort", "reliability", RouteWishes(policy="most_reliable")),
        ("max_price", 0.08, RouteWishes(max_price_per_image=Decimal("0.08"))),
        ("maxPrice", "0.08", RouteWishes(max_price_per_image=Decimal("0.08"))),
        ("max_price", "$.08", RouteWishes(max_price_per_image=Decimal("0.08"))),
        ("max_price", 1, RouteWishes(max_price_per_image=Decimal(1))),
        ("max_price", 1e-05, RouteWishes(max_price_per_image=Decimal("0.00001"))),
        ("max_price", {"image": 0.1}, RouteWishes(max_price_per_image=Decimal("0.1"))),
        ("max_price", {"request": "0.3"}, RouteWishes(max_price_per_request=Decimal("0.3"))),
        (
            "max_price",
            {"image": "0.1", "request": 0.3},
            RouteWishes(max_price_per_image=Decimal("0.1"), max_price_per_request=Decimal("0.3")),
        ),
        ("preferred_max_latency", 20, RouteWishes(preferred_max_latency=((0.5, 20.0),))),
        ("preferredMaxLatency", "12.5", RouteWishes(preferred_max_latency=((0.5, 12.5),))),
        (
            "preferred_max_latency",
            {"p99": 60, "p50": "15", "p75": 20, "p90": 30, "p95": 40, "p10": None},
            RouteWishes(preferred_max_latency=((0.5, 15.0), (0.75, 20.0), (0.9, 30.0), (0.95, 40.0), (0.99, 60.0))),
        ),
        ("preferred_max_latency", {}, NO_WISHES),
    ],
)
def test_a_field_of_the_provider_object_is_read(field: str, value: object, expected: RouteWishes) -> None:
    assert provider(**{field: value}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"policy": "fastest"}, RouteWishes(policy="fastest")),
        ({"policy": " Most_Reliable "}, RouteWishes(policy="most_reliable")),
        ({"policy": "night"}, RouteWishes(policy="night")),
        ({"policy": "cheapest", "provider": {"sort": "price"}}, RouteWishes(policy="cheapest")),
        ({"value_of_time": 0.01}, RouteWishes(value_of_time_usd_per_s=0.01)),
        ({"valueOfTime": "10"}, RouteWishes(value_of_time_usd_per_s=10.0)),
        ({"value_of_time": 0}, RouteWishes(value_of_time_usd_per_s=0.0)),
        ({"hedge": True}, RouteWishes(hedge=True)),
        ({"hedge": "no"}, RouteWishes(hedge=False)),
        ({"provider": "FAL"}, RouteWishes(only=frozenset({"fal"}))),
        ({"provider": '{"order": ["fal"]}'}, RouteWishes(order=("fal",))),
        ({"extra_body": {"provider": {"only": ["fal"]}}}, RouteWishes(only=frozenset({"fal"}))),
    ],
)
def test_a_field_beside_the_provider_object_is_read(fields: dict[str, object], expected: RouteWishes) -> None:
    assert wishes(**fields) == expected


@pytest.mark.parametrize("name", ["dry_run", "dryRun"])
def test_a_dry_run_is_asked_for_in_the_body(name: str) -> None:
    assert parsed(**{name: "true"}).dry_run
    assert not parsed(**{name: False}).dry_run


@pytest.mark.parametrize("field", ["order", "only", "ignore"])
@pytest.mark.parametrize("value", [["runware"], "runware", [7], [["fal"]], {"fal": True}, 7])
def test_a_wrong_provider_lists_the_right_ones(field: str, value: object) -> None:
    error = refused(provider={field: value})
    assert error.param == f"provider.{field}"
    assert ", ".join(PROVIDERS) in error.message


@pytest.mark.parametrize("value", ["runware", 7, ["fal"], True])
def test_a_wrong_provider_field_lists_the_providers(value: object) -> None:
    error = refused(provider=value)
    assert error.param == "provider"
    assert ", ".join(PROVIDERS) in error.message


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("sort", "cost", "price, latency, throughput, reliability"),
        ("sort", ["price"], "price, latency, throughput, reliability"),
        ("allow_fallbacks", "perhaps", "true or false"),
        ("require_parameters", {}, "true or false"),
        ("max_price", 0, "USD above 0 and up to 10,000"),
        ("max_price", -1, "USD above 0"),
        ("max_price", "cheap", "USD above 0"),
        ("max_price", "0,08", "USD above 0"),
        ("max_price", True, "USD above 0"),
        ("max_price", [0.08], "USD above 0"),
        ("max_price", 10_001, "up to 10,000"),
        ("preferred_max_latency", 0, "seconds above 0"),
        ("preferred_max_latency", 20_000, "seconds from 0 to 3600"),
        ("preferred_max_latency", "soon", "seconds from 0 to 3600"),
        ("preferred_max_latency", [20], "seconds from 0 to 3600"),
    ],
)
def test_a_wrong_value_says_what_would_be_right(field: str, value: object, right: str) -> None:
    error = refused(provider={field: value})
    assert error.param == f"provider.{field}"
    assert error.message.startswith(f"provider.{field} must be ")
    assert right in error.message


@pytest.mark.parametrize(
    ("field", "value", "param", "right"),
    [
        ("max_price", {"image": "x"}, "provider.max_price.image", "USD above 0"),
        ("max_price", {"images": 1}, "provider.max_price.images", "image and request"),
        ("preferred_max_latency", {"p50": 0}, "provider.preferred_max_latency.p50", "above 0"),
        ("preferred_max_latency", {"p42": 5}, "provider.preferred_max_latency.p42", "p50, p75, p90, p95, p99"),
        ("ignored", ["fal"], "provider.ignored", "order, only, ignore, allow_fallbacks, require_parameters, sort"),
    ],
)
def test_a_wrong_key_is_named_with_its_path_and_the_right_ones(
    field: str, value: object, param: str, right: str
) -> None:
    error = refused(provider={field: value})
    assert error.param == param
    assert right in error.message


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("policy", "quickest", "cheapest, balanced, fastest, most_reliable, night"),
        ("policy", 3, "cheapest, balanced, fastest, most_reliable, night"),
        ("value_of_time", -0.01, "USD per second from 0 to 10"),
        ("value_of_time", 10.5, "USD per second from 0 to 10"),
        ("value_of_time", "much", "USD per second from 0 to 10"),
        ("value_of_time", True, "USD per second from 0 to 10"),
        ("hedge", "perhaps", "true or false"),
        ("dry_run", "perhaps", "true or false"),
        ("models", 7, "1 to 8 model names"),
        ("models", ["a"] * 9, "1 to 8 model names"),
        ("models", ["flux-schnell", 7], "model names only"),
        ("models", ["flux-schnell", " "], "model names only"),
        ("models", ["x" * 201], "model names only"),
    ],
)
def test_a_wrong_value_beside_the_provider_object_says_what_would_be_right(
    field: str, value: object, right: str
) -> None:
    error = refused(**{field: value})
    assert error.param == field
    assert right in error.message


def test_a_policy_and_a_sort_that_differ_are_refused() -> None:
    error = refused(policy="balanced", provider={"sort": "price"})
    assert error.param == "provider.sort"
    assert error.message == (
        "policy balanced and provider.sort price, which is the policy cheapest, differ; send one of them."
    )


def test_two_spellings_that_differ_are_refused() -> None:
    assert refused(provider={"max_price": 1, "maxPrice": 2}).param == "provider.maxPrice"


def test_ignoring_everybody_that_is_allowed_is_refused() -> None:
    assert refused(provider={"only": ["fal"], "ignore": ["fal", "gemini"]}).param == "provider.ignore"
    assert provider(only=["fal", "vertex"], ignore=["fal"]).ignore == {"fal"}


@pytest.mark.parametrize(
    "field",
    [
        "data_collection", "dataCollection", "zdr", "quantizations", "enforce_distillable_text",
        "preferred_min_throughput", "preferredMinThroughput",
    ],
)  # fmt: skip
def test_what_openrouter_knows_and_we_do_not_act_on_is_a_warning(field: str) -> None:
    body = parsed(provider={field: "deny", "order": ["fal"]})
    assert [warning.parameter for warning in body.warnings] == [f"provider.{field}"]
    assert "has no effect" in body.warnings[0].message
    assert body.wishes == RouteWishes(order=("fal",))


def test_a_price_per_token_is_a_warning() -> None:
    body = parsed(provider={"max_price": {"prompt": 1, "completion": "2", "image": 0.1}})
    assert [warning.parameter for warning in body.warnings] == [
        "provider.max_price.prompt",
        "provider.max_price.completion",
    ]
    assert body.wishes.max_price_per_image == Decimal("0.1")


@pytest.mark.parametrize("field", ["quality", "style", "guidance_scale"])
def test_a_parameter_nobody_heeds_is_refused_where_all_are_required(field: str) -> None:
    value = {"quality": "hd", "style": "vivid", "guidance_scale": 3}[field]
    assert parsed(**{field: value}).warnings
    with pytest.raises(ParameterError) as caught:
        parsed(**{field: value}, provider={"require_parameters": True})
    assert (caught.value.param, caught.value.code) == (field, "unsupported_value")
    assert "provider.require_parameters" in caught.value.message


@pytest.mark.parametrize(
    ("model", "models", "expected"),
    [
        (None, ["nano-banana-2", "flux-schnell"], ("nano-banana-2", "flux-schnell")),
        ("flux-schnell", ["nano-banana-2"], ("flux-schnell", "nano-banana-2")),
        ("Flux-Schnell", ["nano-banana-2", "flux-schnell", " nano-banana-2:floor"], None),
        ("flux-schnell", None, ()),
        ("flux-schnell", [], ()),
        (None, "flux-schnell", ("flux-schnell",)),
        ("a", ["b", "c", "d", "e", "f", "g", "h", "i"], tuple("abcdefghi")),
    ],
)
def test_the_model_comes_first_among_the_models_and_each_name_once(
    model: str | None, models: object, expected: tuple[str, ...] | None
) -> None:
    body = parsed(model=model, models=models)
    assert body.model == model
    assert body.models == (("Flux-Schnell", "nano-banana-2", "nano-banana-2:floor") if expected is None else expected)


@given(cents=st.integers(1, 10_000_00))
def test_money_is_read_as_it_is_spelt(cents: int) -> None:
    amount = Decimal(cents) / 100
    for spelt in (float(amount), str(amount), f"${amount}"):
        assert provider(max_price=spelt).max_price_per_image == amount


def test_every_field_may_come_at_once() -> None:
    body = parsed(
        models=["nano-banana-2"], policy="fastest", value_of_time="0.02", hedge=True, timeout=30,
        provider={
            "order": ["gemini"], "only": ["gemini", "fal"], "ignore": ["vertex"], "allow_fallbacks": False,
            "require_parameters": True, "sort": "latency", "max_price": {"image": 0.1, "request": 0.2},
            "preferred_max_latency": {"p90": 30},
        },
    )  # fmt: skip
    assert body.wishes == RouteWishes(
        order=("gemini",),
        only=frozenset({"gemini", "fal"}),
        ignore=frozenset({"vertex"}),
        allow_fallbacks=False,
        require_parameters=True,
        policy="fastest",
        value_of_time_usd_per_s=0.02,
        max_price_per_image=Decimal("0.1"),
        max_price_per_request=Decimal("0.2"),
        preferred_max_latency=((0.9, 30.0),),
        hedge=True,
    )
    assert (body.timeout_s, body.warnings) == (30.0, ())
