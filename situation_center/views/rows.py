"""The shapes of the read models: what screens and REST answers are made of. Times are aware UTC on the city clock."""

from datetime import date, datetime

from typing_extensions import TypedDict


class Strip(TypedDict):
    """The top strip. Counts are by priority 1..4; shares 0..1; rates are new incidents in the last 10 minutes."""

    now: datetime
    speed: float
    timezone: str
    open: dict[int, int]
    unacknowledged: dict[int, int]
    oldest_unacknowledged: datetime | None
    alarm_rate_10min: int
    ingest_lag_s: float | None
    devices: int
    silent: int
    silent_share: float
    sign_in_away: datetime | None  # wall time since when no device can sign in


class QueueRow(TypedDict):
    """One incident in the queue; place is the object it is about."""

    incident_id: int
    uid: str
    type: str
    priority: int
    severity: str
    state: str
    condition_active: bool
    title_ru: str
    title_en: str
    place_ru: str
    place_en: str
    service: str | None
    object_id: int
    lon: float | None
    lat: float | None
    owner_id: int | None
    owner: str | None
    org_id: int | None
    org_ru: str | None
    org_en: str | None
    opened: datetime
    acknowledged: datetime | None
    deadline: datetime | None
    deadline_kind: str | None
    deadline_start: datetime
    count: int
    version: int
    change: int


class ConditionRow(TypedDict):
    """One condition inside an incident; merged_by says why it is here."""

    condition_id: int
    rule_id: str
    rule_version: int
    rule_text: str
    signal: str
    severity: str
    state: str
    object_id: int
    object_ru: str
    object_en: str
    opened: datetime
    returned: datetime | None
    count: int
    value: float | None
    peak: float | None
    low: float | None
    high: float | None
    score: float | None
    series_id: int | None
    why_ru: str
    why_en: str
    merged_by_ru: str
    merged_by_en: str


class LogRow(TypedDict):
    """One line of the incident's history; what a person wrote is the same in both languages."""

    log_id: int
    at: datetime
    actor: str
    action: str
    text_ru: str
    text_en: str


class CommandRow(TypedDict):
    """A command and where it stands.

    next_uplink: a class A device is waited for, and when it is expected to speak. before: what telemetry showed.
    airtime_of, airtime_from: the radio gateway that it waits for, and until when at least. kept: why the network server
    could not give it back. held: it may have it still, and be asked. fetched: it waits until the device asks for it by
    HTTP.
    """

    command_id: str
    object_id: int
    object_ru: str
    object_en: str
    action: str
    title_ru: str
    title_en: str
    args: dict[str, float | str | bool]
    state: str
    requested_by: str
    requested: datetime
    deadline: datetime
    finished: datetime | None
    detail: str
    incident_id: int | None
    group_id: str | None
    cancel_asked: str
    before: float | None
    undoes: str | None
    next_uplink: datetime | None
    airtime_of: str | None
    airtime_from: datetime | None
    kept: str | None
    held: bool
    fetched: bool
    version: int
    change: int


class ArgumentRow(TypedDict):
    """What a person fills in for a command."""

    name: str
    type: str
    min: float | None
    max: float | None
    default: float | bool | str | None
    unit: str
    title_ru: str
    title_en: str


class PossibleCommand(TypedDict):
    """A command button: dangerous ones need a second person or, from a senior operator, a typed confirmation."""

    object_id: int
    object_ru: str
    object_en: str
    action: str
    title_ru: str
    title_en: str
    dangerous: bool
    targets: int
    args: list[ArgumentRow]


class SeriesRow(TypedDict):
    """A series with its newest value; low and high are the usual band where the condition knows it."""

    series_id: int
    object_id: int
    object_ru: str
    object_en: str
    quantity: str
    title_ru: str
    title_en: str
    unit: str
    time: datetime | None
    value: float | None
    quality: int | None
    low: float | None
    high: float | None


class NewestRow(SeriesRow):
    """age_s: city seconds from its time to the moment asked for, None where it has never spoken."""

    age_s: float | None


class NewestPage(TypedDict):
    """Newest values as of a moment; next: where the next page goes on."""

    as_of: datetime
    rows: list[NewestRow]
    next: int | None


class Points(TypedDict):
    """A window of a series, oldest first; step_s > 0 when values are means over steps of that length."""

    series_id: int
    time: list[datetime]
    value: list[float]
    step_s: int


class Period(TypedDict):
    """An hour, local day or month of a series. Figures are of the good readings of all n.

    used: consumption by a register, None where nothing is known; marks: what it is besides read, such as estimated.
    """

    start: datetime | date
    n: int
    good: int
    low: float | None
    high: float | None
    mean: float | None
    first: float | None
    last: float | None
    used: float | None
    marks: list[str]


class Card(TypedDict):
    """Everything the card shows. allowed: the work actions this actor may do in this state."""

    incident: QueueRow
    why_ru: str
    why_en: str
    action_ru: str
    action_en: str
    conditions: list[ConditionRow]
    log: list[LogRow]
    commands: list[CommandRow]
    possible: list[PossibleCommand]
    plot: list[SeriesRow]
    related: list[QueueRow]
    allowed: list[str]
    undo: bool


class ObjectCard(TypedDict):
    """An object chosen on the map or found by search."""

    object_id: int
    uid: str
    key: str
    class_: str
    name_ru: str
    name_en: str
    service: str | None
    parent_id: int | None
    parent_ru: str | None
    parent_en: str | None
    org_ru: str | None
    org_en: str | None
    lon: float | None
    lat: float | None
    state: str
    series: list[SeriesRow]
    possible: list[PossibleCommand]
    commands: list[CommandRow]
    incidents: list[QueueRow]


class FoundObject(TypedDict):
    """A search hit."""

    object_id: int
    key: str
    class_: str
    name_ru: str
    name_en: str
    service: str | None
    lon: float | None
    lat: float | None


class KpiPanel(TypedDict):
    """value is the aggregate of the newest values (see aggregate) over `objects` objects."""

    kind: str
    title_ru: str
    title_en: str
    quantity: str
    unit: str
    aggregate: str
    value: float | None
    objects: int


class SeriesPanel(TypedDict):
    """Up to 12 series of a quantity over the last 24 h."""

    kind: str
    title_ru: str
    title_en: str
    quantity: str
    unit: str
    series: list[SeriesRow]
    points: list[Points]


class TablePanel(TypedDict):
    """Objects with their newest value and worst active condition (normal, low .. critical, unknown)."""

    kind: str
    title_ru: str
    title_en: str
    quantity: str
    unit: str
    rows: list["TableRow"]


class TableRow(TypedDict):
    """One object of a table panel."""

    object_id: int
    name_ru: str
    name_en: str
    value: float | None
    time: datetime | None
    state: str


class HeatPanel(TypedDict):
    """A field on the map: the screen asks /map/heat/<quantity>.json."""

    kind: str
    title_ru: str
    title_en: str
    quantity: str
    unit: str
    min: float
    max: float


class ServicePage(TypedDict):
    """A city service: counts and its panels in the order of the TOML file."""

    name: str
    title_ru: str
    title_en: str
    objects: int
    silent: int
    open: dict[int, int]
    panels: list[KpiPanel | SeriesPanel | TablePanel | HeatPanel]
    incidents: list[QueueRow]


class PartRow(TypedDict):
    """One running part as it said itself within the last seconds; rates are per second of wall time."""

    part: str
    pid: int
    active: bool
    age_s: float
    rates: dict[str, float]
    counters: dict[str, int]
    gauges: dict[str, float]


class QuarantineRow(TypedDict):
    """A refused frame or row; payload is shown as text, at most 2,000 characters.

    replayed: when the frame was sent up again; replay_of: the row whose replay failed again here.
    """

    quarantine_id: int
    at: datetime
    stage: str
    reason: str
    detail: str
    subject: str
    external_id: str
    size: int
    payload: str
    replayed: datetime | None
    replay_of: int | None
    replayable: bool


class KeptRow(TypedDict):
    """How long a class of data is kept (days, 0 = for ever) and, when ingest looked last, how far back it reached."""

    kind: str
    days: int
    oldest: datetime | None
    bytes: int
    looked: datetime


class Pipeline(TypedDict):
    """The pipeline page. Quarantine is empty for those without the right quarantine.read.

    lags: messages that wait, by stage; None when the broker does not answer. backlog: hours of blocks to roll up.
    """

    parts: list[PartRow]
    lags: dict[str, int] | None
    backlog: int
    kept: list[KeptRow]
    reasons: dict[str, int]
    quarantine: list[QuarantineRow]
    series: int
    newest_received: datetime | None


class AccountRow(TypedDict):
    """A person whom work can be given to."""

    account_id: int
    login: str
    title: str
    role: str


class RegistryRow(TypedDict):
    """A line of the registry: an object with its device, or a device that is on no object."""

    object_id: int
    key: str
    class_: str
    name_ru: str
    name_en: str
    service: str | None
    life_cycle: str
    tags: list[str]
    address: str
    parent_ru: str | None
    parent_en: str | None
    lon: float | None
    lat: float | None
    device_id: int | None
    external_id: str | None
    profile: str | None


class RegistryPage(TypedDict):
    """Lines in the order of keys; next is the key to go on after, None on the last page."""

    rows: list[RegistryRow]
    next: str | None
