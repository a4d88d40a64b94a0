"""The pages of the registry: chosen rows and objects become a group command; addresses, duplicates, classes."""

import pytest
from playwright.sync_api import Browser, FilePayload, expect

from citynet.supervisor import City
from tests.support.browser import Visitor, visit
from tests.support.camera import camera

pytestmark = pytest.mark.parametrize("town", ["first"], indirect=True)

PAGES = ("/registry", "/registry/addresses", "/registry/merges", "/registry/classes", "/registry/class/camera")


@pytest.fixture(scope="module")
def admin(browser: Browser, town: City) -> Visitor:
    visitor = visit(browser, town)
    visitor.sign_in("admin")
    visitor.speak("en")
    return visitor


def test_ticked_rows_become_a_group_that_is_confirmed_by_its_number(admin: Visitor, town: City) -> None:
    page = admin.page
    page.goto(f"{town.web_url}/registry")
    page.locator("#registry-text").fill("lamp/")
    expect(page.locator("#registry-list tbody tr").first).to_contain_text("lamp/")
    page.locator("#registry-list input[type=checkbox]").first.check()
    expect(page.locator("#pick-count")).to_contain_text("1")
    page.locator("#pick-found").click()
    expect(page.locator("#pick-count")).to_contain_text("400")
    page.locator("#pick-go").click()
    expect(page.locator("#group-about")).to_contain_text("400 objects")
    page.locator("#group-action").click()
    page.locator("[role=option]:visible").last.click()
    confirm = page.locator(".confirm input")
    page.locator("#group-send").click()
    expect(page.locator("#toast-bar")).to_have_attribute("data-kind", "error")
    confirm.fill("400")
    page.locator("#group-send").click()
    expect(page.locator("#orders-groups article").first).to_contain_text("400 devices", timeout=90_000)
    assert admin.complaints() == []


def test_drawing_around_objects_chooses_them(admin: Visitor, town: City) -> None:
    page = admin.page
    page.goto(town.web_url)
    expect(page.locator(".cm-badge").first).to_be_attached()
    box = page.locator(".maplibregl-canvas").bounding_box()
    assert box
    page.locator(".cm-draw").click()
    page.mouse.move(box["x"] + 20, box["y"] + 130)
    page.mouse.down()
    for x, y in ((28.0, 130.0), (28.0, 138.0), (20.0, 138.0)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    expect(page.locator(".cm-chosen")).to_contain_text("Nothing lies in this line")
    page.locator(".cm-draw").click()
    page.mouse.move(box["x"] + 20, box["y"] + 130)
    page.mouse.down()
    for x, y in ((box["width"] - 60, 130), (box["width"] - 60, box["height"] - 60), (20, box["height"] - 60)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    expect(page.locator(".cm-chosen")).to_contain_text("objects")
    page.locator(".cm-command").click()
    expect(page.locator("#group-about")).to_contain_text("Chosen by hand")
    assert admin.complaints() == []


def test_an_address_is_written_and_found(admin: Visitor, town: City) -> None:
    page = admin.page
    page.goto(f"{town.web_url}/registry/addresses")
    for name, text in (("street", "ул. Мира"), ("house", "12"), ("lat", "44.72"), ("lon", "37.77")):
        page.locator(f"#entry-{name}").fill(text)
    page.locator("#entry-save").click()
    expect(page.locator("#address-found")).to_contain_text("44.720000, 37.770000")
    page.locator("#address-lat").fill("44.7201")
    page.locator("#address-lon").fill("37.7701")
    expect(page.locator("#address-near")).to_contain_text("Мира")


def test_a_class_gets_an_attribute_and_a_master(admin: Visitor, town: City) -> None:
    page = admin.page
    page.goto(f"{town.web_url}/registry/class")
    for name, text in (("name", "bench"), ("ru", "скамья"), ("en", "bench"), ("order", "gis, registry")):
        page.locator(f"#class-{name}").fill(text)
    page.locator("#class-add").click()
    for cell, text in (("name", "colour"), ("title_ru", "Цвет"), ("title_en", "Colour")):
        page.locator(f'input[id*=\'"cell":"{cell}"\']').fill(text)
    page.locator("#class-save").click()
    expect(page.locator("#toast-bar")).to_contain_text("Version 1")
    page.goto(f"{town.web_url}/registry/classes")
    expect(page.locator("tr", has_text="bench")).to_contain_text("gis → registry")


def test_a_camera_comes_by_a_file_and_shows_its_picture(admin: Visitor, town: City) -> None:
    page = admin.page
    with camera() as lens:
        lines = ["key,class,name_en,lat,lon,attr.snapshot"]
        lines += [f"camera{path},camera,Camera{path},44.72,37.75,{lens.url(path)}" for path in ("/png", "/svg")]
        page.goto(f"{town.web_url}/registry/import")
        given = FilePayload(name="cameras.csv", mimeType="text/csv", buffer="\n".join(lines).encode())
        page.locator("#upload-box input").set_input_files(given)
        page.locator("form.upload button").click()
        page.locator("#import-apply:enabled").click(timeout=90_000)
        expect(page.locator("#import-state")).to_contain_text("Taken in", timeout=90_000)
        shown = page.locator("#camera-picture")
        for path, words in (("/png", "Taken"), ("/svg", "is no picture")):
            page.goto(f"{town.web_url}/registry?text=camera{path}")
            page.locator("#registry-text").fill(f"camera{path}")
            page.locator("#registry-list tbody tr", has_text=f"camera{path}").locator("a").first.click()
            page.locator(".ways a", has_text="Values").click()
            expect(shown).to_contain_text(words)
            assert admin.violations() == []
            if path == "/png":
                picture = shown.locator("img")
                expect(picture).to_have_js_property("naturalWidth", 1)
    assert admin.complaints() == []


def test_attributes_are_edited_by_their_type_and_never_over_somebody_else(admin: Visitor, town: City) -> None:
    page = admin.page
    page.goto(f"{town.web_url}/registry")
    page.locator("#registry-text").fill("lamp/01-01")
    page.locator("#registry-list tbody tr", has_text="lamp/01-01").locator("a").first.click()
    watts = page.locator("""input[id*='"thing":"attributes.rated_w"']""")
    why = page.locator("""input[id*='"thing":"note"']""")
    watts.fill("many")
    page.locator("#thing-save").click()
    expect(page.locator("#toast-bar")).to_have_attribute("data-kind", "error")
    watts.fill("61,5")
    why.fill("new luminaire")
    page.locator("#thing-save").click()
    expect(page.locator("#thing-body table tr", has_text="new luminaire")).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("""input[id*='"thing":"attributes.rated_w"']""").fill("70")
    other.locator("#thing-save").click()
    expect(other.locator("#thing-body dl")).to_contain_text("70 W")
    other.close()
    watts.fill("80")
    page.locator("#thing-save").click()
    expect(page.locator("#toast-bar")).to_contain_text("changed the object since")
    expect(watts).to_have_value("80")
    assert admin.complaints() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_have_no_accessibility_violation(admin: Visitor, town: City, theme: str) -> None:
    admin.dress(theme)
    found: dict[str, list[str]] = {}
    for path in PAGES:
        admin.page.goto(f"{town.web_url}{path}")
        expect(admin.page.locator("#page h1")).to_be_attached()
        violations = admin.violations(theme)
        found |= {path: violations} if violations else {}
    assert found == {}
    assert admin.complaints() == []


def test_health_accuses_no_clock_and_leads_to_the_last_frames(admin: Visitor, town: City) -> None:
    """The past that the fleet hands in at its start is no wrong clock."""
    page = admin.page
    page.goto(f"{town.web_url}/health")
    gateways = page.locator("#health-tables section", has_text="Gateways of radio networks")
    expect(gateways.locator("tbody tr").first).to_contain_text("LoRaWAN gateway", timeout=90_000)
    expect(page.locator("#health-tables")).to_contain_text("Clocks that are wrong · 0")
    assert admin.violations() == []
    page.locator("#health-tables section", has_text="Batteries").locator("tbody a").first.click()
    frames = page.locator("#object-frames tbody tr")
    expect(frames.first).to_contain_text("ChirpStack")
    expect(frames.first).to_contain_text("Bin fill")
    assert admin.violations() == []
    assert admin.complaints() == []


def test_readings_leave_as_a_file_and_closing_the_dialog_ends_it(admin: Visitor, town: City) -> None:
    page = admin.page
    page.goto(f"{town.web_url}/registry")
    page.locator("""button[id='{"export":0}']""").click()
    form = page.locator("#export-form")
    expect(form).to_contain_text("The whole city")
    expect(page.locator("#export-since")).to_have_attribute("type", "date")
    form.get_by_text("days", exact=True).click()
    with page.expect_download() as download:
        page.locator("#export-go").click()
    assert download.value.suggested_filename.endswith(".csv")
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "series_id,key,name,quantity,channel,unit,start,n,good,low,high,mean,first,last,used,marks"
    expect(page.locator("#export-told")).to_contain_text("Done: readings-")
    page.locator("#dialog-cancel").click()
    expect(form).to_have_count(0)
    assert admin.complaints() == []
