"""Enricher `geoip`: where an address is, by MaxMind's databases, and which addresses are nowhere.

The format: https://maxmind.github.io/MaxMind-DB/; the fields: https://dev.maxmind.com/geoip/docs/databases/city-and-country
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field

from logintel.config.section import ConfigPath
from logintel.enricher import Enriched, Enricher, EnricherConfig, EnricherContext
from logintel.event import Json
from logintel_collector.enrichment.fields import FieldPath, metadata_of, one_or_more, reader
from logintel_collector.enrichment.special_addresses import Address, address_in, special_use
from logintel_collector.enrichment.watched_file import WatchedFile

if TYPE_CHECKING:
    from maxminddb import Reader

#: Under which member of `metadata` it says what it knows.
GEO: Final = "geo"
#: Addresses whose place is remembered.
_REMEMBERED: Final = 20_000
#: Our names, and the ways to them in the databases City, Country, ASN and ISP.
_PLACES: Final[tuple[tuple[str, tuple[str | int, ...]], ...]] = (
    ("continent", ("continent", "code")),
    ("country_code", ("country", "iso_code")),
    ("region_code", ("subdivisions", 0, "iso_code")),
    ("postal_code", ("postal", "code")),
    ("timezone", ("location", "time_zone")),
    ("asn", ("autonomous_system_number",)),
    ("as_org", ("autonomous_system_organization",)),
    ("isp", ("isp",)),
)
_NAMED: Final = (("country", ("country",)), ("region", ("subdivisions", 0)), ("city", ("city",)))


class GeoipEnricher(Enricher):
    """Sets geo_location and metadata.geo by the first field that holds an address."""

    type: ClassVar[str] = "geoip"

    class Config(EnricherConfig):
        """Where an address is."""

        database: Annotated[
            tuple[ConfigPath, ...],
            BeforeValidator(one_or_more),
            Field(
                description="MaxMind files (.mmdb): City or Country, ASN, ISP. Read again when replaced; without "
                "one, only private and reserved addresses are told."
            ),
        ] = ()
        fields: Annotated[
            tuple[FieldPath, ...],
            BeforeValidator(one_or_more),
            Field(min_length=1, description="Where the address stands: the first that holds one counts."),
        ] = ("metadata.client_ip", "metadata.remote_ip", "metadata.peer_ip", "metadata.src_ip", "metadata.ip")
        language: Annotated[str, Field(description="Language of names, such as en, de, ja or pt-BR.")] = "en"

    def __init__(self, config: Config, context: EnricherContext) -> None:
        super().__init__(config, context)
        self._language = config.language
        self._reads = [reader(path) for path in config.fields]
        self._names = _metadata_names(config.fields)
        remedy = "put a file of MaxMind's GeoLite2 or GeoIP2 there, as `geoipupdate` does"
        self._files = [WatchedFile(path, _opened, remedy) for path in config.database]
        self._known: dict[str, tuple[dict[str, Json], dict[str, Json] | None] | None] = {}

    def enrich(self, events: Sequence[Enriched]) -> None:
        """See Enricher."""
        if any([file.renewed() for file in self._files]):  # noqa: C419 - each file must be looked at
            self._known.clear()
        known, reads, names = self._known, self._reads, self._names
        for event in events:
            if names is not None and names.isdisjoint(event["metadata"]):  # type: ignore[arg-type]
                continue
            for read in reads:
                value = read(event)
                if value.__class__ is list and value:
                    value = value[0]
                if value.__class__ is not str:
                    continue
                found = known[value] if value in known else self._look(value)
                if found is not None:
                    _put(event, *found)
                    break

    def _look(self, text: str) -> tuple[dict[str, Json], dict[str, Json] | None] | None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        address = address_in(text)
        found = self._known[text] = None if address is None else self._placed(address)
        return found

    def _placed(self, address: Address) -> tuple[dict[str, Json], dict[str, Json] | None]:
        if use := special_use(address):
            return {"network": use}, None
        geo: dict[str, Json] = {}
        location = None
        for file in self._files:
            record = file.value.get(address) if address.version == 4 or file.value.metadata().ip_version == 6 else None
            if isinstance(record, Mapping):
                geo |= _said(record, self._language)
                location = _point(record) or location
        return geo, location


def _metadata_names(paths: Sequence[str]) -> frozenset[str] | None:
    """Names of which metadata has one where a path leads to something; None: these alone do not tell."""
    parts = [path.split(".") for path in paths]
    if all(len(part) == 2 and part[0] == "metadata" for part in parts):
        return frozenset(name for _, name in parts)
    return None


def _put(event: Enriched, geo: dict[str, Json], location: dict[str, Json] | None) -> None:
    if geo:
        metadata_of(event).setdefault(GEO, dict(geo))
    if location:
        event.setdefault("geo_location", dict(location))


def _opened(path: Path) -> Reader:
    import maxminddb  # noqa: PLC0415 - only who has a database needs its reader

    try:
        return maxminddb.open_database(path)
    except maxminddb.InvalidDatabaseError as error:
        raise ValueError(str(error)) from error


def _said(record: Mapping[str, Any], language: str) -> dict[str, Json]:
    said: dict[str, Json] = {name: value for name, way in _PLACES if (value := _at(record, way)) is not None}
    for name, way in _NAMED:
        names = _at(record, (*way, "names"))
        if isinstance(names, Mapping) and (text := names.get(language) or names.get("en")):
            said[name] = text
    return said


def _point(record: Mapping[str, Any]) -> dict[str, Json] | None:
    """As Elasticsearch's geo_point takes it: degrees."""
    lat, lon = _at(record, ("location", "latitude")), _at(record, ("location", "longitude"))
    if not (isinstance(lat, float | int) and isinstance(lon, float | int)):
        return None
    return {"lat": lat, "lon": lon} if -90 <= lat <= 90 and -180 <= lon <= 180 else None


def _at(record: Any, way: Sequence[str | int]) -> Any:
    for step in way:
        try:
            record = record[step]
        except (KeyError, IndexError, TypeError):
            return None
    return record
