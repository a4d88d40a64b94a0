"""Recorded files as tracks: one device with its times and values. Reads CSV(.gz) and Parquet by a mapping file."""

import hashlib
import tomllib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from citynet.catalog import catalog
from citynet.errors import ConfigError
from citynet.model import DeviceSpec, Proposal
from simulators.physics.rhythm import Array
from simulators.streetside import APPLICATION_ID

MAPPINGS = Path(__file__).with_name("recordings")
WEEK_S = 7 * 86400
RECORDED_GATEWAY = "0016c001f15000ff"


class Strict(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(Strict):
    """Column of the file -> payload key; value = cell * scale + offset, in unit (UCUM)."""

    key: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0


class Place(Strict):
    """Where the devices stand; recentre moves columns of places around lon / lat, distances kept."""

    lon: float
    lat: float
    lon_column: str = ""
    lat_column: str = ""
    recentre: bool = False


class Mapping(Strict):
    """What the columns of a recording mean."""

    files: list[str] = []
    name_ru: str
    name_en: str
    class_: str = Field(alias="class")
    service: str
    profile: str
    lora_profile: str = ""
    id: str
    id_column: str = ""
    name_column: str = ""
    time: str = ""
    time_fixed: str = ""
    timezone: str = "UTC"
    place: Place
    columns: dict[str, Column]


@dataclass(frozen=True)
class Track:
    """One recorded device: times in epoch seconds, ascending; a missing value is NaN."""

    proposal: Proposal
    times: NDArray[np.int64]
    values: dict[str, Array]

    def shifted(self, by_s: int) -> "Track":
        """The same track at another time."""
        return replace(self, times=self.times + by_s)

    def since(self, moment: float) -> "Track":
        """What comes after a moment (epoch seconds)."""
        kept = self.times > moment
        return replace(self, times=self.times[kept], values={key: v[kept] for key, v in self.values.items()})


def mapping_for(recording: Path, given: Path | None) -> Mapping:
    """The given mapping, or the shipped one that names the file. Raises ConfigError."""
    if given:
        return read_mapping(given)
    for path in sorted(MAPPINGS.glob("*.toml")):
        mapping = read_mapping(path)
        if recording.name in mapping.files:
            return mapping
    known = ", ".join(sorted(path.stem for path in MAPPINGS.glob("*.toml")))
    raise ConfigError(f"no mapping knows {recording.name}: give one with --mapping (shipped: {known})")


def read_mapping(path: Path) -> Mapping:
    """A checked mapping file: keys and units are those of its profile."""
    try:
        mapping = Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    _check(path.name, mapping)
    return mapping


def _check(name: str, mapping: Mapping) -> None:
    profiles, quantities = catalog().profiles, catalog().quantities
    for profile in filter(None, (mapping.profile, mapping.lora_profile)):
        if profile not in profiles:
            raise ConfigError(f"{name}: no profile {profile!r} in schemas/services")
        for column, target in mapping.columns.items():
            known = profiles[profile].map.get(target.key)
            if known is None:
                raise ConfigError(f"{name}: profile {profile!r} has no payload key {target.key!r} (column {column!r})")
            unit = quantities[known.quantity].unit
            if unit != target.unit:
                raise ConfigError(f"{name}: column {column!r} gives {target.unit!r}, {known.quantity} is in {unit!r}")
    if bool(mapping.time) == bool(mapping.time_fixed):
        raise ConfigError(f"{name}: give either time (a column) or time_fixed")


def read_tracks(recording: Path, mapping: Mapping, *, chirpstack: bool = False) -> list[Track]:
    """The devices of a recorded file. Raises ConfigError naming what does not fit."""
    frame = _frame(recording)
    needed = [*mapping.columns, mapping.time, mapping.id_column, mapping.name_column]
    missing = [name for name in needed if name and name not in frame.columns]
    if missing:
        raise ConfigError(f"{recording.name} has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}")
    frame = frame.assign(**{"": _times(frame, mapping)}).dropna(subset=[""]).sort_values("", kind="stable")
    groups = list(frame.groupby(mapping.id_column, sort=True)) if mapping.id_column else [("", frame)]
    shift = _recentre(frame, mapping.place)
    return [_track(str(name), part, mapping, shift=shift, chirpstack=chirpstack) for name, part in groups]


def _frame(recording: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(recording) if recording.suffix == ".parquet" else pd.read_csv(recording)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{recording} cannot be read: {error}") from error


def _times(frame: pd.DataFrame, mapping: Mapping) -> "pd.Series[pd.Timestamp]":
    """Aware UTC times; local times that exist twice or never are dropped."""
    if mapping.time_fixed:
        return pd.Series(pd.Timestamp(mapping.time_fixed).tz_convert("UTC"), index=frame.index)
    aware = frame[mapping.time].astype(str).str.contains(r"(?:Z|[+-]\d\d:?\d\d)$").all()
    if aware:
        return pd.to_datetime(frame[mapping.time], utc=True)
    local = pd.to_datetime(frame[mapping.time]).dt.tz_localize(mapping.timezone, ambiguous="NaT", nonexistent="NaT")
    return local.dt.tz_convert("UTC")


def _recentre(frame: pd.DataFrame, place: Place) -> tuple[float, float]:
    if not place.recentre:
        return 0.0, 0.0
    return place.lon - float(frame[place.lon_column].mean()), place.lat - float(frame[place.lat_column].mean())


def _track(name: str, part: pd.DataFrame, mapping: Mapping, *, shift: tuple[float, float], chirpstack: bool) -> Track:
    part = part.drop_duplicates("", keep="first")
    times = part[""].to_numpy("datetime64[s]").astype(np.int64)
    values = {
        target.key: part[column].to_numpy(np.float64, na_value=np.nan) * target.scale + target.offset
        for column, target in mapping.columns.items()
    }
    return Track(_proposal(name, part, mapping, shift=shift, chirpstack=chirpstack), times, values)


def _proposal(
    name: str, part: pd.DataFrame, mapping: Mapping, *, shift: tuple[float, float], chirpstack: bool
) -> Proposal:
    place, first = mapping.place, part.iloc[0]
    lon = float(first[place.lon_column]) + shift[0] if place.lon_column else place.lon
    lat = float(first[place.lat_column]) + shift[1] if place.lat_column else place.lat
    identity = f"{mapping.id}-{name}" if name else mapping.id
    title = f": {first[mapping.name_column]}" if mapping.name_column else ""
    return Proposal(
        key=f"{mapping.class_}/{identity}",
        cls=mapping.class_,
        name_ru=f"{mapping.name_ru}{title}",
        name_en=f"{mapping.name_en}{title}",
        service=mapping.service,
        lon=round(lon, 6),
        lat=round(lat, 6),
        attributes={"recording": True},
        device=_device(identity, mapping, chirpstack=chirpstack),
    )


def _device(identity: str, mapping: Mapping, *, chirpstack: bool) -> DeviceSpec:
    if not chirpstack:
        return DeviceSpec(external_id=identity, protocol="native", profile=mapping.profile)
    return DeviceSpec(
        external_id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        protocol="chirpstack",
        profile=mapping.lora_profile or mapping.profile,
        attributes={"application_id": APPLICATION_ID, "gateways": [RECORDED_GATEWAY]},
    )


def rebase(tracks: list[Track], now: datetime, past_s: float) -> list[Track]:
    """Moves all tracks by the same whole weeks, so that they begin within the week before now - past_s."""
    first = min(int(track.times[0]) for track in tracks if len(track.times))
    weeks = int((now.timestamp() - past_s - first) // WEEK_S)
    return [track.shifted(weeks * WEEK_S) for track in tracks]


def first_time(tracks: list[Track]) -> datetime:
    """When the earliest track begins."""
    return datetime.fromtimestamp(min(int(track.times[0]) for track in tracks if len(track.times)), UTC)
