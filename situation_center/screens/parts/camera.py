"""What a camera shows, on the page of its object: the server asks the camera, the browser asks only the server."""

from typing import Any

from dash import Input, Output, State, callback, html

from citynet.access import Actor
from situation_center.cameras import NoPicture
from situation_center.desk import desk, viewer
from situation_center.screens.parts.browser import attrs
from situation_center.screens.parts.failures import FAILURES, REFUSALS, explain
from situation_center.screens.parts.marks import panel
from situation_center.views.pictures import has_picture, picture
from situation_center.wording import date_time, milliseconds, say


async def section(who: Actor, object_id: int) -> list[html.Section]:
    """The panel of an object with an address of a snapshot; the camera is asked once the page is there."""
    if not await has_picture(desk().db, who, object_id):
        return []
    again = html.Button(say(who.language, "camera.again"), id="camera-again", n_clicks=0)
    wait = html.P(say(who.language, "camera.wait"), className="muted pad")
    return [panel(say(who.language, "camera.title"), html.Div(wait, id="camera-picture", role="status"), tools=again)]


@callback(Output("camera-picture", "children"), Input("camera-again", "n_clicks"), State("object-id", "data"))
async def _show(_clicks: int | None, object_id: int) -> Any:
    who, place = viewer(), desk()
    try:
        _, moment = await picture(place.db, who, object_id, album=place.album)
    except NoPicture as error:
        return html.P([html.I(className="dot warn"), say(who.language, f"camera.{error.reason}")], className="pad")
    except (*REFUSALS, *FAILURES) as error:
        return html.P(explain(error, who.language), className="muted pad")
    taken = f"{date_time(who.language, moment, place.zone)}:{moment:%S}"
    age = html.Span(key=str(moment), **attrs(data_since=str(milliseconds(moment))))
    # The moment in the address makes it another picture for the browser; the server has it still.
    source = f"/api/v1/objects/{object_id}/snapshot?taken={milliseconds(moment)}"
    shown = html.Img(src=source, alt=say(who.language, "camera.alt", time=taken))
    return html.Figure([shown, html.Figcaption([say(who.language, "camera.taken", time=taken), " · ", age])])
