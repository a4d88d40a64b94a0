"""The account page: who one is, what one may see, the own password."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, html, no_update

from citynet.access import Actor
from citynet.catalog import catalog
from citynet.errors import BadInput, Forbidden
from situation_center import auth
from situation_center.desk import desk, viewer
from situation_center.screens import register
from situation_center.screens.parts import actions
from situation_center.screens.parts.card import named
from situation_center.screens.parts.failures import FAILURES
from situation_center.screens.parts.marks import panel, passport
from situation_center.wording import say


@register("account", path="/account", action="account.own")
async def account(who: Actor, _: Mapping[str, str]) -> html.Div:
    """Who I am, and the form of the password."""
    language = who.language
    titles = [named(s.model_dump(), "title", language) for s in catalog().services.values() if s.name in who.services]
    facts: list[tuple[str, Any]] = [
        (say(language, "account.login"), who.login),
        (say(language, "account.role"), say(language, f"role.{who.role}")),
        (say(language, "account.services"), ", ".join(titles) or say(language, "account.all_services")),
    ]
    return html.Div(
        [
            html.Div(html.H1(say(language, "account.title")), className="page-head"),
            panel(who.login, html.Div(passport(facts), className="pad")),
            panel(say(language, "account.password"), _form(language)),
        ],
        className="page account",
    )


def _form(language: str) -> html.Div:
    def field(name: str) -> Any:
        return dmc.PasswordInput(id=f"password-{name}", label=say(language, f"account.{name}"), value="")

    note = html.P(say(language, "account.help"), className="muted")
    save = html.Button(say(language, "account.save"), id="password-save", n_clicks=0, className="primary")
    return html.Div([field("old"), field("new"), note, save], className="pad")


@callback(
    Output("toast", "data", allow_duplicate=True),
    Output("password-old", "value"),
    Output("password-new", "value"),
    Input("password-save", "n_clicks"),
    State("password-old", "value"),
    State("password-new", "value"),
    prevent_initial_call=True,
)
async def _save(clicks: int | None, old: str | None, new: str | None) -> Any:
    if not clicks:
        return no_update, no_update, no_update
    who = viewer()
    try:
        await auth.set_password(desk().db, who, old=old or None, new=new or "")
    except BadInput:
        return actions.toast(say(who.language, "account.weak"), kind="error"), no_update, no_update
    except Forbidden:
        return actions.toast(say(who.language, "account.wrong"), kind="error"), no_update, no_update
    except FAILURES as error:
        return actions.refused(error, who.language), no_update, no_update
    return actions.toast(say(who.language, "account.saved")), "", ""
