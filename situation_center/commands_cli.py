"""`citynet account`: people, sign-in links and API keys from the command line of the machine."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from citynet.db import Database
from citynet.settings import Settings
from situation_center import accounts, cli_shell

app = typer.Typer(help="People of the city: accounts, one-time sign-in links, API keys.", no_args_is_help=True)
Login = Annotated[str, typer.Argument(help="Name to sign in with.")]


@app.command()
def add(
    login: Login,
    *,
    role: Annotated[str, typer.Option(help="operator, senior_operator, utility_dispatcher, brigade, executive ...")],
    title: Annotated[str, typer.Option(help="Name shown to others.")] = "",
    service: Annotated[list[str] | None, typer.Option(help="Only this city service; repeat for more.")] = None,
    org: Annotated[str | None, typer.Option(help="Key of the organisation, such as org/water.")] = None,
    language: Annotated[str, typer.Option(help="ru or en.")] = "ru",
) -> None:
    """Create an account and print a one-time link; its owner sets the password on the account page."""
    account = accounts.NewAccount(login, role, title, services=tuple(service or ()), org=org, language=language)

    async def work(database: Database, settings: Settings) -> str:
        await accounts.add(database, account, by=accounts.OPERATOR_OF_MACHINE)
        return await accounts.issue_link(database, settings, login)

    typer.echo(cli_shell.run(work))


@app.command()
def link(
    login: Login = "admin",
    create: Annotated[bool, typer.Option(help="Create the account `admin` where there is none.")] = True,
    demo: Annotated[bool, typer.Option(help="Also create the demo's people (secrets/demo_accounts.txt).")] = False,
) -> None:
    """Print a one-time sign-in link, good for 30 minutes."""

    async def work(database: Database, settings: Settings) -> str:
        if create:
            await accounts.ensure_admin(database, settings)
        if demo:
            await accounts.ensure_demo(database, settings)
        return await accounts.issue_link(database, settings, login)

    typer.echo(cli_shell.run(work))


@app.command()
def key(
    login: Login,
    label: Annotated[str, typer.Option(help="What the key is for.")],
    days: Annotated[int, typer.Option(help="Good for so many days.", min=1, max=3650)] = 365,
) -> None:
    """Print a new API key of an account; it is shown once."""

    async def work(database: Database, settings: Settings) -> str:
        expires = datetime.now(UTC) + timedelta(days=days)
        return await accounts.issue_key(database, login, label=label, expires=expires, by=accounts.OPERATOR_OF_MACHINE)

    typer.echo(cli_shell.run(work))
