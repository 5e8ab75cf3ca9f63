"""Every broken variation of the shipped files stops the start with one sentence naming the file and the key."""

import re
import shutil
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from app.catalog.load import CatalogError, load_catalog
from tests.unit.app.catalog.shipped import CONFIG, SCHEMAS, TODAY


class Broken(NamedTuple):
    """A replacement in one file, and the sentence it must lead to (after the path of the file)."""

    file: str
    old: str
    new: str
    sentence: str


FAL = "prices/fal.toml"
GEMINI = "prices/gemini.toml"
NB2_AT_FAL = '"2K" = "0.12", "4K" = "0.16" }'

BROKEN = {
    "an amount that is no number": Broken(
        FAL, '"2K" = "0.12"', '"2K" = "abc"', """price[1].images.2K: 'abc' is not an amount in USD such as "0.12"."""
    ),
    "an amount below zero": Broken(
        FAL,
        '"2K" = "0.12"',
        '"2K" = "-0.12"',
        """price[1].images.2K: '-0.12' is not an amount in USD such as "0.12".""",
    ),
    "an amount with a currency": Broken(
        FAL,
        '"2K" = "0.12"',
        '"2K" = "$0.12"',
        """price[1].images.2K: '$0.12' is not an amount in USD such as "0.12".""",
    ),
    "an amount without quotes": Broken(
        FAL,
        'web_search = "0.015", high',
        "web_search = 0.015, high",
        'price[1].surcharges.web_search: 0.015 must stand in quotes: an amount in USD is text such as "0.12".',
    ),
    "a free image": Broken(
        FAL,
        'images = { "1K" = "0.039" }',
        'images = { "1K" = "0.00" }',
        "price[3].images.1K: no image is free: an amount above zero is needed.",
    ),
    "a resolution that does not exist": Broken(
        FAL, '"2K" = "0.12"', '"3K" = "0.12"', "price[1].images.3K: '3K' is not one of '512', '1K', '2K' or '4K'."
    ),
    "a price that is missing": Broken(
        FAL,
        NB2_AT_FAL,
        '"2K" = "0.12" }',
        "price[1].images.4K: the price of gemini-3.1-flash-image-preview at 4K is missing.",
    ),
    "a price for one operation only": Broken(
        GEMINI,
        'model = "gemini-2.5-flash-image"\noperations = ["generate", "edit"]',
        'model = "gemini-2.5-flash-image"\noperations = ["generate"]',
        "price: gemini-2.5-flash-image has no price to edit that is in force on 2026-11-21.",
    ),
    "a price that is still to come": Broken(
        GEMINI,
        "effective_from = 2026-10-06",
        "effective_from = 2026-12-01",
        "price: gemini-nano-banana-2.1 has no price to edit that is in force on 2026-11-21.",
    ),
    "a price for an unknown model": Broken(
        FAL,
        'model = "flux-schnell"',
        'model = "flux-pro"',
        'price[4].model: there is no model "flux-pro" in models.toml.',
    ),
    "two prices from the same day on": Broken(
        FAL,
        'model = "gemini-3-pro-image-preview"\noperations = ["generate", "edit"]\n'
        'images = { "1K" = "0.15", "2K" = "0.15", "4K" = "0.30" }\nsurcharges = { web_search = "0.015" }\n'
        'source = "https://fal.ai/models/fal-ai/nano-banana-pro"\nchecked_on = 2026-11-20\neffective_from = 2025-11-20',
        'model = "gemini-3.1-flash-image-preview"\noperations = ["edit"]\nimages = { "1K" = "0.15" }\n'
        'source = "x"\nchecked_on = 2026-11-20\neffective_from = 2026-02-26',
        "price[2].effective_from: gemini-3.1-flash-image-preview has another price to edit from 2026-02-26 on.",
    ),
    "a price without a source": Broken(
        FAL, 'source = "https://fal.ai/models/fal-ai/nano-banana-2"\n', "", "price[1].source: the key is missing."
    ),
    "a price with an empty source": Broken(
        FAL,
        'source = "https://fal.ai/models/fal-ai/nano-banana-2"',
        'source = " "',
        "price[1].source: nothing stands there.",
    ),
    "a price without a day of checking": Broken(
        FAL,
        'source = "https://fal.ai/models/fal-ai/nano-banana-2"\nchecked_on = 2026-11-20\n',
        'source = "https://fal.ai/models/fal-ai/nano-banana-2"\n',
        "price[1].checked_on: the key is missing.",
    ),
    "a date in quotes": Broken(
        FAL,
        "effective_from = 2024-08-01",
        'effective_from = "2024-08-01"',
        "price[4].effective_from: a date such as 2026-11-20 (without quotes) is needed.",
    ),
    "a confidence of its own": Broken(
        FAL,
        'effective_from = 2026-02-26\nconfidence = "verified"',
        'effective_from = 2026-02-26\nconfidence = "sure"',
        "price[1].confidence: 'sure' is not one of 'verified' or 'unverified'.",
    ),
    "a surcharge nobody knows": Broken(
        FAL,
        "high_thinking =",
        "deep_thinking =",
        "price[1].surcharges.deep_thinking: 'deep_thinking' is not one of 'web_search', 'image_search' or "
        "'high_thinking'.",
    ),
    "a misspelt key of a price": Broken(
        FAL, "images = {", "image = {", "price[1].image: there is no such key, while images is missing."
    ),
    "an additional key of a price": Broken(
        FAL, "[[price]]", '[[price]]\ncurrency = "EUR"', "price[1].currency: there is no such key."
    ),
    "an additional key of an offer": Broken(
        "models.toml",
        'provider = "gemini"',
        'provider = "gemini"\nregion = "eu"',
        "model[1].offer[1].region: there is no such key.",
    ),
    "a misspelt section": Broken(
        "models.toml",
        "[default_for]",
        "[defaults_for]",
        "defaults_for: there is no such key, while default_for is missing.",
    ),
    "a provider nobody has": Broken(
        "models.toml",
        'provider = "replicate"',
        'provider = "runware"',
        'model[1].offer[4].provider: "runware" is not one of "fal", "gemini", "replicate", "vertex".',
    ),
    "a provider that sells a model twice": Broken(
        "models.toml",
        'provider = "vertex"',
        'provider = "gemini"',
        'model[1].offer[2].provider: "gemini" sells gemini-3.1-flash-image-preview twice.',
    ),
    "a schema the adapter does not speak": Broken(
        "models.toml",
        'schema = "gemini-3-image"',
        'schema = "imagen"',
        'model[1].offer[1].schema: "imagen" is none that gemini speaks, which are '
        '"gemini-2.5-image", "gemini-3-image".',
    ),
    "a set of ratios that does not exist": Broken(
        "models.toml",
        'aspect_ratios = "extended"',
        'aspect_ratios = "wide"',
        'model[1].offer[1].aspect_ratios: there is no set "wide" among "classic", "extended", "flux".',
    ),
    "a pixel table that does not exist": Broken(
        "models.toml",
        'pixel_table = "google-3"',
        'pixel_table = "google-4"',
        'model[1].pixel_table: there is no table "google-4" among "google-3", "google-2-5", "flux".',
    ),
    "ratios the pixel table does not have": Broken(
        "models.toml",
        'resolutions = ["1K"]\naspect_ratios = "classic"',
        'resolutions = ["1K"]\naspect_ratios = "extended"',
        'model[3].offer[1].aspect_ratios: the pixel table "google-2-5" has no size for 1:4 at 1K.',
    ),
    "a resolution the pixel table does not have": Broken(
        "models.toml",
        'resolutions = ["1K"]\naspect_ratios = "classic"',
        'resolutions = ["1K", "2K"]\naspect_ratios = "classic"',
        'model[3].offer[1].resolutions: the pixel table "google-2-5" has no sizes at 2K.',
    ),
    "a default resolution nobody sells": Broken(
        "models.toml",
        'default_resolution = "1K"\npixel_table = "flux"',
        'default_resolution = "4K"\npixel_table = "flux"',
        "model[5].default_resolution: no offer has 4K.",
    ),
    "a resolution that stands there twice": Broken(
        "models.toml",
        'resolutions = ["512", "1K"]',
        'resolutions = ["512", "512"]',
        'model[5].offer[1].resolutions: "512" stands there twice.',
    ),
    "an offer without resolutions": Broken(
        "models.toml",
        'resolutions = ["512", "1K"]',
        "resolutions = []",
        "model[5].offer[1].resolutions: at least one entry is needed.",
    ),
    "a size with a slipped digit": Broken(
        "models.toml",
        '"1376x768"',
        '"1736x768"',
        "pixel_tables.google-3.sizes.1K.16:9: 1736x768 is not 16:9.",
    ),
    "a size of another tier": Broken(
        "models.toml",
        '= "1376x768"',
        '= "2752x1536"',
        "pixel_tables.google-3.sizes.1K.16:9: 2752x1536 is not of the area of 1K.",
    ),
    "a size that is none": Broken(
        "models.toml",
        '"1376x768"',
        '"1376*768"',
        """pixel_tables.google-3.sizes.1K.16:9: '1376*768' is not a width and height such as "1024x1024".""",
    ),
    "a ratio that is none": Broken(
        "models.toml",
        'classic  = ["1:1",',
        'classic  = ["square",',
        """aspect_ratios.classic[1]: 'square' does not look like a ratio such as "16:9".""",
    ),
    "an alias that is another model": Broken(
        "models.toml",
        'aliases = ["nano-banana-2.1"]',
        'aliases = ["nano-banana-pro"]',
        'model[4].aliases: "nano-banana-pro" is already a name of gemini-3-pro-image-preview.',
    ),
    "an alias that is another model with a suffix": Broken(
        "models.toml",
        'aliases = ["nano-banana-2.1"]',
        'aliases = ["nano-banana-2-4k"]',
        'model[4].aliases: "nano-banana-2-4k" is already a name of gemini-3.1-flash-image-preview.',
    ),
    "a suffixed alias that is another model": Broken(
        "models.toml",
        'aliases = ["flux-1-schnell"]',
        'aliases = ["flux-1-schnell", "flux-schnell-512"]',
        'model[5].aliases: "flux-schnell-512" is already a name of flux-schnell.',
    ),
    "a model that stands there twice": Broken(
        "models.toml",
        'name = "flux-schnell"',
        'name = "gemini-2.5-flash-image"',
        'model[5].name: "gemini-2.5-flash-image" stands there twice.',
    ),
    "a dead name that is a living model": Broken(
        "models.toml",
        '"gpt-image-1"]',
        '"nano-banana"]',
        'default_for.names: "nano-banana" is a name of gemini-2.5-flash-image.',
    ),
    "a name with capitals": Broken(
        "models.toml",
        'name = "flux-schnell"',
        'name = "FLUX"',
        "model[5].name: 'FLUX' does not look like a name such as \"nano-banana-2\" "
        '(lower-case letters, digits, ".", "_", "-").',
    ),
    "a native format nobody can ask for": Broken(
        "models.toml",
        'output_formats = ["png", "jpeg"]\nnative_format = "png"',
        'output_formats = ["png", "jpeg"]\nnative_format = "webp"',
        'model[1].offer[2].native_format: "webp" is not among the output_formats.',
    ),
    "an offer that edits without input images": Broken(
        "models.toml",
        "max_input_images = 14\n",
        "",
        "model[1].offer[1].max_input_images: an offer that edits takes at least one input image.",
    ),
    "a truth in quotes": Broken(
        "models.toml", "seed = true", 'seed = "yes"', "model[1].offer[1].seed: true or false is needed."
    ),
    "a quality above the scale": Broken(
        "models.toml",
        'pixel_table = "flux"\n',
        'pixel_table = "flux"\nquality = 101\n',
        "model[5].quality: 101 is wrong: it must be at most 100.",
    ),
    "a success that is certain": Broken(
        "models.toml",
        "expected_success = 0.916",
        "expected_success = 1.0",
        "model[1].offer[1].expected_success: 1.0 is wrong: it must be below 1.",
    ),
    "a success in per cent": Broken(
        "models.toml",
        "expected_success = 0.916",
        "expected_success = 91.6",
        "model[1].offer[1].expected_success: 91.6 is wrong: it must be below 1.",
    ),
    "an image in no time": Broken(
        "models.toml",
        "expected_seconds = 2.0",
        "expected_seconds = 0",
        "model[5].expected_seconds: 0 is wrong: it must be above 0.",
    ),
    "a thinking level nobody has": Broken(
        "models.toml",
        'thinking = ["minimal", "high"]',
        'thinking = ["max"]',
        "model[1].offer[1].thinking[1]: 'max' is not one of 'minimal', 'low', 'medium' or 'high'.",
    ),
    "a knob that is missing": Broken(
        "policy.toml", "default_block_s = 5.0\n", "", "default_block_s: the key is missing."
    ),
    "a knob nobody has": Broken(
        "policy.toml",
        "out_probe_s =",
        "out_prob_s =",
        "out_prob_s: there is no such key, while out_probe_s is missing.",
    ),
    "a deadline of no time": Broken(
        "policy.toml",
        "request_deadline_s = 300.0",
        "request_deadline_s = 0",
        "request_deadline_s: 0 is wrong: it must be above 0.",
    ),
    "an endless deadline": Broken(
        "policy.toml",
        "request_deadline_s = 300.0",
        "request_deadline_s = inf",
        "request_deadline_s: a finite number is needed.",
    ),
    "a deadline in quotes": Broken(
        "policy.toml",
        "request_deadline_s = 300.0",
        'request_deadline_s = "300"',
        "request_deadline_s: a number is needed.",
    ),
    "a deadline above what a caller may ask for": Broken(
        "policy.toml",
        "request_deadline_s = 300.0",
        "request_deadline_s = 900",
        "request_deadline_s: 900 is above max_timeout_s, which is 600.",
    ),
    "no payment at all": Broken(
        "policy.toml",
        "max_possible_payments = 2",
        "max_possible_payments = 0",
        "max_possible_payments: 0 is wrong: it must be at least 1.",
    ),
    "half a try": Broken(
        "policy.toml", "max_attempts = 6", "max_attempts = 2.5", "max_attempts: a whole number is needed."
    ),
    "a Retry-After the clients would disregard": Broken(
        "policy.toml",
        "max_retry_after_s = 60.0",
        "max_retry_after_s = 90.0",
        "max_retry_after_s: 90.0 is wrong: it must be at most 60.",
    ),
    "a refusal policy nobody has": Broken(
        "policy.toml",
        'refusal_policy = "stop"',
        'refusal_policy = "ignore"',
        "refusal_policy: 'ignore' is not one of 'stop', 'second_opinion' or 'ladder'.",
    ),
    "a resolution without its limit": Broken(
        "policy.toml", '"2K" = 120.0\n', "", "attempt_limit_s.2K: the key is missing."
    ),
    "a limit above every deadline": Broken(
        "policy.toml",
        '"4K" = 150.0',
        '"4K" = 700',
        "attempt_limit_s.4K: 700 is above max_timeout_s, which is 600.",
    ),
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def sentence(config: Path, on: date = TODAY) -> str:
    with pytest.raises(CatalogError) as stopped:
        load_catalog(config, providers=SCHEMAS, on=on)
    return str(stopped.value)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_it_stops_the_start_with_one_sentence(config: Path, broken: Broken) -> None:
    file = config / broken.file
    text = file.read_text()
    assert broken.old in text, "the shipped file has changed: this case breaks nothing"
    file.write_text(text.replace(broken.old, broken.new, 1))
    assert sentence(config) == f"{file}: {broken.sentence}"


@pytest.mark.parametrize("name", ["models.toml", "policy.toml", "prices/vertex.toml"])
def test_a_missing_file_is_named(config: Path, name: str) -> None:
    (config / name).unlink()
    assert sentence(config) == f"{config / name}: the file is missing."


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert sentence(tmp_path / "nowhere") == f"{tmp_path}/nowhere/models.toml: the file is missing."


def test_broken_toml_is_named_with_its_line(config: Path) -> None:
    file = config / "policy.toml"
    file.write_text("max_attempts = six\n" + file.read_text())
    said = sentence(config)
    assert said.startswith(f"{file}: the file is not valid TOML (")
    assert "line 1," in said
    assert said.endswith(").")


def test_a_file_that_is_no_text_is_named(config: Path) -> None:
    (config / "policy.toml").write_bytes(b"\xff\xfe")
    assert sentence(config) == f"{config}/policy.toml: the file cannot be read (UnicodeDecodeError)."


def test_prices_of_a_provider_nobody_has_are_refused(config: Path) -> None:
    (config / "prices" / "runware.toml").write_text("")
    assert sentence(config) == f'{config}/prices/runware.toml: there is no provider "runware".'


def test_an_announced_price_must_be_complete_too(config: Path) -> None:
    file = config / "prices" / "fal.toml"
    text = file.read_text()
    file.write_text(
        text + '\n[[price]]\nmodel = "flux-schnell"\noperations = ["generate"]\nimages = { "1K" = "0.004" }\n'
        'source = "x"\nchecked_on = 2026-11-20\neffective_from = 2027-01-01\nconfidence = "verified"\n'
    )
    assert sentence(config) == f"{file}: price[5].images.512: the price of flux-schnell at 512 is missing."


def test_a_price_of_the_past_may_lack_what_was_not_sold_then(config: Path) -> None:
    file = config / "prices" / "fal.toml"
    file.write_text(
        file.read_text()
        + '\n[[price]]\nmodel = "flux-schnell"\noperations = ["generate"]\nimages = { "1K" = "0.004" }\n'
        'source = "x"\nchecked_on = 2026-11-20\neffective_from = 2023-01-01\nconfidence = "verified"\n'
    )
    load_catalog(config, providers=SCHEMAS, on=TODAY)


def test_a_price_checked_in_the_future_is_fine(config: Path) -> None:
    file = config / "prices" / "fal.toml"
    file.write_text(file.read_text().replace("checked_on = 2026-11-20", "checked_on = 2031-01-01"))
    load_catalog(config, providers=SCHEMAS, on=TODAY)


def test_every_sentence_is_one_sentence() -> None:
    for broken in BROKEN.values():
        assert broken.sentence.endswith("."), broken
        assert not re.search(r"\. [A-Z]", broken.sentence), broken
        assert "\n" not in broken.sentence, broken
