"""Loading: config/*.toml to a Catalog. Every inconsistency ends in one sentence naming file and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import MappingProxyType

from app.catalog.catalog import Catalog, meanings_of
from app.catalog.files import CatalogError, read, wrong
from app.catalog.models import PublicModel
from app.catalog.names import names_of, suffixed
from app.catalog.pixels import check_pixel_tables
from app.catalog.policy_file import read_policy
from app.catalog.price_lines import check_prices, read_prices
from app.catalog.shapes import ModelEntry, ModelsFile, OfferEntry
from providers.spec.adapter import ProviderModel
from providers.spec.capability import Capability
from providers.spec.request import Operation, Resolution
from routing.offers import Offer
from routing.prices import PriceTable

__all__ = ["CatalogError", "load_catalog"]


def load_catalog(config_dir: Path, *, providers: Mapping[str, frozenset[str]], on: date | None = None) -> Catalog:
    """The catalog the files under ``config_dir`` describe.

    ``providers`` are the names the gateway has adapters for, each with the input schemas its adapter speaks. ``on`` is
    the day for which prices must be complete: today (UTC) unless given. Raises CatalogError at the first thing that is
    wrong.
    """
    file = config_dir / "models.toml"
    models_file = read(file, ModelsFile)
    _check_distinct(file, models_file)
    check_pixel_tables(file, models_file.pixel_tables)
    offers = tuple(_offers(file, models_file, providers))
    models = {entry.name: _public_model(entry, models_file, offers) for entry in models_file.model}
    _check_names(file, models_file, models)
    read_lines = read_prices(config_dir / "prices", providers=providers, models=models)
    check_prices(read_lines, offers, on=on or datetime.now(UTC).date(), folder=config_dir / "prices")
    return Catalog(
        models=MappingProxyType(models),
        offers=offers,
        prices=PriceTable(tuple(line for _, line in read_lines)),
        policy=read_policy(config_dir / "policy.toml", providers=providers),
        default_for=tuple(models_file.default_for.names),
        sellers=MappingProxyType(
            {name: tuple(offer.provider for offer in offers if offer.model == name) for name in models}
        ),
        meanings=meanings_of(models.values()),
    )


def _offers(file: Path, models_file: ModelsFile, providers: Mapping[str, frozenset[str]]) -> Iterator[Offer]:
    position = 0
    for model_index, model in enumerate(models_file.model, start=1):
        sold_by: set[str] = set()
        for offer_index, entry in enumerate(model.offer, start=1):
            key = f"model[{model_index}].offer[{offer_index}]"
            if entry.provider not in providers:
                wrong(file, f"{key}.provider", f'"{entry.provider}" is not one of {_listed(sorted(providers))}')
            if entry.provider in sold_by:
                wrong(file, f"{key}.provider", f'"{entry.provider}" sells {model.name} twice')
            if entry.schema_name not in providers[entry.provider]:
                spoken = _listed(sorted(providers[entry.provider]))
                wrong(
                    file,
                    f"{key}.schema",
                    f'"{entry.schema_name}" is none that {entry.provider} speaks, which are {spoken}',
                )
            _check_offer(file, key, models_file, model, entry)
            sold_by.add(entry.provider)
            yield _offer(model, entry, models_file.aspect_ratios[entry.aspect_ratios], position)
            position += 1


def _check_offer(file: Path, key: str, models_file: ModelsFile, model: ModelEntry, entry: OfferEntry) -> None:
    ratios = models_file.aspect_ratios.get(entry.aspect_ratios)
    if ratios is None:
        known = _listed(models_file.aspect_ratios)
        wrong(file, f"{key}.aspect_ratios", f'there is no set "{entry.aspect_ratios}" among {known}')
    table = models_file.pixel_tables.get(model.pixel_table)
    if table is None:
        known = _listed(models_file.pixel_tables)
        model_key = key.partition(".")[0]
        wrong(file, f"{model_key}.pixel_table", f'there is no table "{model.pixel_table}" among {known}')
    for resolution in entry.resolutions:
        sizes = table.sizes.get(resolution)
        if sizes is None:
            wrong(
                file, f"{key}.resolutions", f'the pixel table "{model.pixel_table}" has no sizes at {resolution.value}'
            )
        missing = next((ratio for ratio in ratios if ratio not in sizes), None)
        if missing is not None:
            where = f'the pixel table "{model.pixel_table}" has no size for {missing} at {resolution.value}'
            wrong(file, f"{key}.aspect_ratios", where)
    if entry.output_formats and entry.native_format not in entry.output_formats:
        wrong(file, f"{key}.native_format", f'"{entry.native_format.value}" is not among the output_formats')
    if Operation.EDIT in entry.operations and not entry.max_input_images:
        wrong(file, f"{key}.max_input_images", "an offer that edits takes at least one input image")
    if entry.max_prompt_chars < entry.min_prompt_chars:
        wrong(file, f"{key}.max_prompt_chars", "it is below min_prompt_chars")


def _offer(model: ModelEntry, entry: OfferEntry, ratios: Sequence[str], position: int) -> Offer:
    capability = Capability(
        operations=frozenset(entry.operations),
        resolutions=frozenset(entry.resolutions),
        aspect_ratios=frozenset(ratios),
        output_formats=frozenset(entry.output_formats),
        native_format=entry.native_format,
        max_input_images=entry.max_input_images,
        max_input_image_bytes=entry.max_input_image_bytes,
        max_images=entry.max_images,
        min_prompt_chars=entry.min_prompt_chars,
        max_prompt_chars=entry.max_prompt_chars,
        mask=entry.mask,
        transparent=entry.transparent,
        compression=entry.compression,
        seed=entry.seed,
        web_search=entry.web_search,
        image_search=entry.image_search,
        safety=entry.safety,
        system_prompt=entry.system_prompt,
        partial_images=entry.partial_images,
        thinking=frozenset(entry.thinking),
    )
    provider_model = ProviderModel(id=entry.id, schema=entry.schema_name, edit_id=entry.edit_id)
    return Offer(
        entry.provider,
        model.name,
        provider_model,
        capability,
        position,
        expected_seconds=model.expected_seconds if entry.expected_seconds is None else entry.expected_seconds,
        expected_success=model.expected_success if entry.expected_success is None else entry.expected_success,
    )


def _public_model(entry: ModelEntry, models_file: ModelsFile, offers: Sequence[Offer]) -> PublicModel:
    capabilities = [offer.capability for offer in offers if offer.model == entry.name]
    table = models_file.pixel_tables[entry.pixel_table]
    whole = PublicModel(
        name=entry.name,
        display_name=entry.display_name,
        created=int(datetime.combine(entry.released, time(), UTC).timestamp()),
        owned_by=entry.owned_by,
        aliases=tuple(entry.aliases),
        resolutions=tuple(sorted(table.sizes, key=lambda resolution: resolution.edge)),
        default_resolution=entry.default_resolution,
        aspect_ratios=tuple(dict.fromkeys(ratio for sizes in table.sizes.values() for ratio in sizes)),
        pixels=table.sizes,
        accepted_pixels=table.also,
        quality=entry.quality,
    )
    return whole.limited_to(
        frozenset[Resolution]().union(*(capability.resolutions for capability in capabilities)),
        frozenset[str]().union(*(capability.aspect_ratios for capability in capabilities)),
    )


def _check_distinct(file: Path, models_file: ModelsFile) -> None:
    names = [entry.name for entry in models_file.model]
    for index, name in enumerate(names):
        if name in names[:index]:
            wrong(file, f"model[{index + 1}].name", f'"{name}" stands there twice')


def _check_names(file: Path, models_file: ModelsFile, models: Mapping[str, PublicModel]) -> None:
    taken: dict[str, str] = {}
    for index, entry in enumerate(models_file.model, start=1):
        model = models[entry.name]
        if model.default_resolution is not entry.default_resolution:
            wrong(file, f"model[{index}].default_resolution", f"no offer has {entry.default_resolution.value}")
        for name, meaning in names_of(model):
            if name in taken:
                own = entry.name if meaning.resolution is None else suffixed(entry.name, meaning.resolution)
                key = "name" if name == own else "aliases"
                wrong(file, f"model[{index}].{key}", f'"{name}" is already a name of {taken[name]}')
            taken[name] = meaning.model
    for name in models_file.default_for.names:
        if name in taken:
            wrong(file, "default_for.names", f'"{name}" is a name of {taken[name]}')


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(f'"{name}"' for name in names) or "none"
