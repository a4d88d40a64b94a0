"""`citynet credential`: what devices prove themselves with, from the command line of the machine."""

import csv
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from citynet.credentials import digest, new_token
from citynet.db import Database
from citynet.errors import ConfigError
from citynet.settings import Settings
from situation_center import cli_shell, credentials

app = typer.Typer(help="What devices prove themselves with: tokens and certificates.", no_args_is_help=True)
BY = "part:cli"
BATCH = 1_000
Device = Annotated[str, typer.Argument(help="Identifier of the device, as in its topics.")]


@app.command()
def token(
    device: Device,
    grace_hours: Annotated[
        float | None, typer.Option(help="Change it: older credentials end after so many hours.", min=0)
    ] = None,
) -> None:
    """Print a new token of a device; it is shown once."""

    async def work(database: Database, _: Settings) -> str:
        grace = None if grace_hours is None else timedelta(hours=grace_hours)
        return await credentials.issue_token(database, device, by=BY, grace=grace)

    typer.echo(cli_shell.run(work))


@app.command()
def tokens(
    file: Annotated[Path, typer.Argument(help="CSV file to write: device,token. It must not exist.")],
) -> None:
    """Give every device that has no credential a token, and write them to a file that only its owner may read."""

    async def work(database: Database, _: Settings) -> int:
        names = await credentials.without(database)
        made = {name: new_token() for name in names}
        _write(file, made)  # first: a token that is stored but not written down helps nobody
        given = 0
        for start in range(0, len(names), BATCH):
            part = {name: digest(made[name]) for name in names[start : start + BATCH]}
            given += await credentials.enrol(database, part, by=BY)
        return given

    typer.echo(f"{cli_shell.run(work)} tokens in {file}")


def _write(file: Path, made: dict[str, str]) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(f"{file} cannot be made ({error.strerror}): name a new file") from error
    with os.fdopen(descriptor, "w", newline="", encoding="utf-8") as out:
        lines = csv.writer(out)
        lines.writerow(("device", "token"))
        lines.writerows(made.items())


@app.command()
def certificate(
    device: Device,
    subject: Annotated[str, typer.Option(help="As RFC 4514 writes it, such as CN=meter-7,O=city.")],
    sha256: Annotated[str, typer.Option(help="Fingerprint of the only certificate that will do.")] = "",
) -> None:
    """Let a client certificate stand for a device."""

    async def work(database: Database, _: Settings) -> str:
        return await credentials.issue_certificate(database, device, by=BY, subject=subject, sha256=sha256)

    typer.echo(cli_shell.run(work))


@app.command()
def revoke(device: Device, uid: Annotated[str, typer.Option(help="Only this one; see `list`.")] = "") -> None:
    """End the credentials of a device now, and its live sessions with them."""

    async def work(database: Database, _: Settings) -> int:
        return await credentials.revoke(database, device, by=BY, uid=uid)

    typer.echo(f"{cli_shell.run(work)} revoked")


@app.command(name="list")
def list_(device: Device) -> None:
    """Show every credential that a device has or had."""

    async def work(database: Database, _: Settings) -> list[dict[str, object]]:
        return await credentials.listed(database, device)

    for row in cli_shell.run(work):
        end = f" until {row['valid_to']:%Y-%m-%d %H:%M}" if row["valid_to"] else ""
        typer.echo(f"{row['uid']}  {row['kind']}  {row['state']}{end}  {row['subject']}")
