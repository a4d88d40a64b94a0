"""Files into the registry and out of it: faults are named, all rows count or none, a round trip changes nothing."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from citynet import registry
from citynet.catalog import catalog
from citynet.errors import BadInput
from situation_center.reference import exporting, importing, profiles
from situation_center.reference.outcome import SQL, Outcome, Work
from situation_center.reference.table import open_table
from tests.flows.center import Town, person

HEAD = "key;class;name_ru;lon;lat;external_id;profile;parent;life_cycle;since"
GOOD = "meter/1;water_meter;Счётчик, Мира 1;37,75;44,72;a-1;water-meter;;;01.03.2026"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def one(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "given.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return one


async def give(town: Town, path: Path, *, apply: bool = True) -> tuple[Outcome, list[tuple[int, str, str]]]:
    async with town.center.transaction("part:test") as conn:
        given = {"actor": "part:test", "file_name": path.name, "body": None}
        row = await (await conn.execute(SQL["add_job"], given)).fetchone()
    assert row
    import_id: UUID = row["import_id"]
    work = Work(import_id, catalog(), ZoneInfo("Europe/Moscow"), "person:test")
    outcome = await importing.run(town.center, work, path, apply=apply)
    faults = await town.center.rows(SQL["report"], {"id": import_id, "limit": 1000})
    return outcome, [(f["line"], f["name"], f["reason"]) for f in faults]


async def everything(town: Town) -> bytes:
    return b"".join([piece async for piece in exporting.as_csv(town.center, exporting.EVERYTHING)])


async def revisions(town: Town) -> int:
    row = await town.center.row("SELECT count(*) AS n FROM object_version")
    assert row
    return int(row["n"])


async def test_what_is_exported_comes_back_without_a_change(town: Town, tmp_path: Path) -> None:
    before, versions = await everything(town), await revisions(town)
    (tmp_path / "out.csv").write_bytes(before)
    await exporting.as_xlsx(town.center, exporting.EVERYTHING, tmp_path / "out.xlsx")
    for name in ("out.csv", "out.xlsx"):
        outcome, faults = await give(town, tmp_path / name)
        assert faults == []
        assert (outcome.new, outcome.changed, outcome.rejected, outcome.applied) == (0, 0, 0, True)
        assert outcome.same == outcome.rows == len(before.decode("utf-8-sig").splitlines()) - 1
    assert await everything(town) == before
    assert await revisions(town) == versions


async def test_a_fleet_of_the_things_stack_and_who_sends_for_it(town: Town, write: Write) -> None:
    admin = await person(town.center, "ada", "administrator")
    body = {**catalog().profiles["bin-lora"].model_dump(mode="json", by_alias=True), "protocol": "things_stack"}
    await profiles.save(town.center, admin, "bin-tts", body=body)
    text = (
        "external_id;profile;name;device.application_id;device.speaks_for\n"
        "eui-70b3d57ed0061234;bin-tts;Bin;city-bins@ttn;\n"
        "tts-city-bins;bin-tts;Application;;city-bins@ttn\n"
        "52f14cd4-app;bin-lora;ChirpStack application;;52f14cd4\n"
        "no-eui;bin-lora;A bin;;\n"
    )
    _, faults = await give(town, write(text), apply=False)
    assert faults == [(5, "external_id", "bad_eui")]


async def test_a_device_may_speak_another_protocol_than_its_profile(town: Town, write: Write, tmp_path: Path) -> None:
    head, rows = "external_id;profile;name;protocol", ["bin-7;bin-lora;Bin;native", "70b3d57ed0050009;bin-lora;Bin 2;"]

    async def speaks(*, text: str) -> dict[str, str]:
        outcome, faults = await give(town, write(text))
        assert (faults, outcome.applied) == ([], True)
        known = (await registry.load(town.center)).devices
        return {name: known[name].protocol for name in ("bin-7", "70b3d57ed0050009")}

    mixed = {"bin-7": "native", "70b3d57ed0050009": "chirpstack"}
    assert await speaks(text="\n".join([head, *rows])) == mixed
    assert await speaks(text="external_id;profile;name\nbin-7;bin-lora;Renamed\n") == mixed  # no word, no change
    exported = await everything(town)
    read = csv.DictReader(io.StringIO(exported.decode("utf-8-sig")), delimiter=";")
    told = {row["external_id"]: row["protocol"] for row in read}
    assert (told["bin-7"], told["70b3d57ed0050009"]) == ("native", "")  # only where it is needed to tell
    (tmp_path / "out.csv").write_bytes(exported)
    outcome, _ = await give(town, tmp_path / "out.csv")
    assert (outcome.changed, outcome.new) == (0, 0)
    assert (await speaks(text=f"{head}\nbin-7;bin-lora;Renamed;\n"))["bin-7"] == "chirpstack"
    assert (await speaks(text="external_id;profile;class\nbin-7;bin;bin\n"))["bin-7"] == "native"  # with its profile
    _, faults = await give(town, write(f"{head}\nbin-8;bin-lora;Bin;pigeon\n"), apply=False)
    assert (2, "protocol", "unknown_protocol") in faults


async def test_a_fleet_from_a_russian_spreadsheet(town: Town, write: Write) -> None:
    text = (
        "DevEUI;Профиль;Название;Широта;Долгота;Метки;Состояние;attr.volume_l;device.serial\r\n"
        "70:B3:D5:7E:D0:05:00:01;bin-lora;Контейнер «Мира, 1»;44,72;37,75;двор, пластик;запланировано;1100;0042\r\n"
        "70b3d57ed0050002;bin-lora;Контейнер 2;44,73;37,75;;;660;\r\n"
    )
    path = write(text, "cp1251")
    dry, faults = await give(town, path, apply=False)
    assert faults == []
    assert (dry.encoding, dry.separator, dry.new, dry.applied) == ("cp1251", ";", 2, False)
    assert "70b3d57ed0050001" not in (await registry.load(town.center)).devices
    outcome, _ = await give(town, path)
    assert outcome.applied
    known = await registry.load(town.center)
    device = known.devices["70b3d57ed0050001"]
    assert (device.protocol, device.profile, device.attributes["serial"]) == ("chirpstack", "bin-lora", "0042")
    assert device.point_id
    bin_ = known.objects[device.point_id]
    assert (bin_.key, bin_.name_ru, bin_.lon) == ("bin/70b3d57ed0050001", "Контейнер «Мира, 1»", 37.75)
    assert bin_.attributes == {"volume_l": 1100}
    assert bin_.zone_ids == [town.ids["district/1"]]
    assert (bin_.object_id, "bin_fill", "") in known.by_point
    again, _ = await give(town, path)
    assert (again.same, again.changed, again.new) == (2, 0, 0)


async def test_columns_that_are_not_there_change_nothing_and_empty_cells_clear(town: Town, write: Write) -> None:
    await give(town, write(f"{HEAD};tags\n{GOOD};a,b\n"))
    outcome, faults = await give(town, write("key,name_en\nmeter/1,Meter\n"))
    assert (outcome.changed, faults) == (1, [])
    row = await town.center.row("SELECT name_ru, name_en, tags, lon FROM object_now WHERE key = 'meter/1'")
    assert row == {"name_ru": "Счётчик, Мира 1", "name_en": "Meter", "tags": ["a", "b"], "lon": 37.75}
    await give(town, write("key\ttags\tlon\tlat\nmeter/1\t\t~\t~\n"))
    row = await town.center.row("SELECT tags, lon FROM object_now WHERE key = 'meter/1'")
    assert row == {"tags": [], "lon": 37.75}


FAULTS = [
    ("key;klass;name\nx;lamp;n\n", {(1, "klass", "unknown_column")}),
    ("name;class\nn;lamp\n", {(1, "key", "missing_column")}),
    ("key;key;name\nx;y;n\n", {(1, "key", "duplicate_column")}),
    (f"{HEAD}\n", {(1, "", "no_rows")}),
    (f"{HEAD}\n{GOOD}\n{GOOD}\n", {(3, "key", "duplicate_key"), (3, "external_id", "duplicate_eui")}),
    (f"{HEAD}\n{GOOD.replace('water-meter', 'water-metre')}\n", {(2, "profile", "unknown_profile")}),
    (f"{HEAD}\n{GOOD.replace('44,72', '144,72')}\n", {(2, "lat", "bad_coordinates")}),
    (f"{HEAD}\n{GOOD.replace('37,75', '')}\n", {(2, "lon", "bad_coordinates")}),
    (f"{HEAD}\n{GOOD.replace('01.03.2026', '31.02.2026')}\n", {(2, "since", "bad_date")}),
    (f"{HEAD}\n{GOOD.replace('01.03.2026', '01.03.2099')}\n", {(2, "since", "date_in_future")}),
    (f"{HEAD}\n{GOOD.replace('water_meter', 'watermeter')}\n", {(2, "class", "unknown_class")}),
    (f"{HEAD}\n{GOOD.replace('Счётчик, Мира 1', '')}\n", {(2, "name_ru", "missing_name")}),
    (f"{HEAD}\n{GOOD.replace('a-1', 'lamp-1')}\n", {(2, "external_id", "eui_elsewhere")}),
    (f"{HEAD}\n{GOOD.replace('meter/1', 'lamp/1')}\n", 
     {(2, "class", "class_changed"), (2, "external_id", "other_device")}),
    (f"{HEAD}\nx;bin;n;;;8E+15;bin-lora;;;\n", {(2, "external_id", "number_not_text")}),
    (f"{HEAD}\nx;bin;n;;;70b3;bin-lora;;;\n", {(2, "external_id", "bad_eui")}),
    (f"{HEAD}\nx;bin;n;;;;;nobody;;\n", {(2, "parent", "unknown_parent")}),
    (f"{HEAD}\nx;cabinet;n;;;;;y;;\ny;cabinet;n;;;;;x;;\n", 
     {(2, "parent", "parent_circle"), (3, "parent", "parent_circle")}),
    (f"{HEAD}\nlamp/1;lamp;n;;;lamp-1;;;planned;\n", {(2, "", "bad_transition")}),
    ("key;attr.volume_litres\nbin/1;5\n", {(2, "attr.volume_litres", "unknown_attribute")}),
    ("key;attr.volume_l\nbin/1;many\n", {(2, "attr.volume_l", "bad_attribute")}),
    # What no database keeps: beyond all numbers, beyond 64 bits, half of a character.
    ("key;attr.volume_l\nbin/1;inf\n", {(2, "attr.volume_l", "bad_attribute")}),
    (f"key;geometry\nbin/1;POINT(1 {'1' * 400})\n", {(2, "geometry", "bad_geometry")}),
    ("key;geometry\nbin/1;POINT(37.7 144.7)\n", {(2, "geometry", "bad_geometry")}),
    (f"{HEAD};device.more\n{GOOD};[1e999]\n", {(2, "device.more", "bad_attribute")}),
    (f"{HEAD};device.more\n{GOOD};{'9' * 40}\n", {(2, "device.more", "bad_attribute")}),
    (f'{HEAD};device.more\n{GOOD};"""\\ud800"""\n', {(2, "device.more", "bad_attribute")}),
]  # fmt: skip


def test_what_is_no_table_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for given in (b"PK\x03\x04 no workbook", b"\xd0\xcf\x11\xe0 old", b"", b"\n\n"):
        path.write_bytes(given)
        with pytest.raises(BadInput, match="not_a_table"):
            open_table(path)


async def test_every_fault_is_named_and_nothing_is_half_imported(town: Town, write: Write) -> None:
    versions = await revisions(town)
    for text, expected in FAULTS:
        head, *rows = text.splitlines()
        # A good row beside the bad one must not come in either.
        if head == HEAD and rows:
            text += "other/1;lamp;Хороший;;;;;;;\n"
        outcome, faults = await give(town, write(text))
        assert set(faults) == expected, text
        assert not outcome.applied
        assert outcome.rejected == len({line for line, *_ in expected})
    assert await revisions(town) == versions


async def test_faults_of_a_file_in_cp1251_are_named_by_row(town: Town, write: Write) -> None:
    versions = await revisions(town)
    text = (
        "DevEUI;Профиль;Название\n70b3d57ed0050001;bin-lora;Контейнер «Мира, 1»\n"
        "70b3d57ed0050001;bin-lora;Контейнер 2\n70b3d57ed0050003;бак;Контейнер 3\n"
    )
    outcome, faults = await give(town, write(text, "cp1251"))
    assert (outcome.encoding, outcome.rows, outcome.rejected, outcome.applied) == ("cp1251", 3, 2, False)
    assert set(faults) >= {(3, "external_id", "duplicate_eui"), (4, "profile", "unknown_profile")}
    assert await revisions(town) == versions


def test_bytes_of_no_known_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("key;name\nx;Бак\n".encode("cp1251") + b"\x98\n")
    with pytest.raises(BadInput, match="unknown_encoding"):
        open_table(tmp_path / "file")


async def test_history_follows_the_dates(town: Town, write: Write) -> None:
    await give(town, write(f"{HEAD}\n{GOOD}\n"))
    await give(town, write(f"{HEAD}\n{GOOD.replace('Мира 1', 'Мира 2').replace('01.03', '01.06')}\n"))
    await give(town, write(f"{HEAD}\n{GOOD.replace('Мира 1', 'Мира 3').replace('01.03', '01.06')}\n"))
    _, faults = await give(town, write(f"{HEAD}\n{GOOD}\n"))
    assert faults == [(2, "since", "date_before")]
    rows = await town.center.rows(
        "SELECT name_ru, valid_from::date::text AS since FROM object_version JOIN object USING (object_id) "
        "WHERE key = 'meter/1' AND recorded_to = 'infinity' ORDER BY valid_from"
    )
    assert [tuple(r.values()) for r in rows] == [("Счётчик, Мира 1", "2026-02-28"), ("Счётчик, Мира 3", "2026-05-31")]


def test_a_workbook_keeps_text_as_text(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["key", "external_id", "lon", "since", None])
    sheet.append(["a", "0070b3d5", 37.5, None, None])
    book.save(tmp_path / "a.xlsx")
    table = open_table(tmp_path / "a.xlsx")
    assert table.columns == ["key", "external_id", "lon", "since"]
    assert list(table.rows()) == [(2, ["a", "0070b3d5", "37.5"])]


async def test_no_cell_becomes_a_formula(town: Town, write: Write) -> None:
    await give(town, write("key;class;name_ru\nlamp/=1;lamp;'=cmd|' /C calc'!A0\n"))
    out = (await everything(town)).decode("utf-8-sig")
    names = [row["name_ru"] for row in csv.DictReader(io.StringIO(out), delimiter=";")]
    assert "'=cmd|' /C calc'!A0" in names
    outcome, faults = await give(town, write(out))
    assert (outcome.changed, faults) == (0, [])
