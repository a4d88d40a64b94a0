"""`citynet quarantine`: what could not be decoded, and sending it up again once the cause is mended."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from citynet.clock import moment
from citynet.db import Row
from citynet.errors import NotFound
from situation_center import cli_shell, quarantine
from situation_center.accounts import OPERATOR_OF_MACHINE
from situation_center.store import SQL

app = typer.Typer(help="Frames that could not be decoded: list, show, send up again.", no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="Only this reason, such as unknown_device.")]
Device = Annotated[str, typer.Option("--device", help="Only this identifier of a device.")]
Since = Annotated[str, typer.Option(help="Only what was set aside since: 2h, 3d, or a time such as 2026-03-01T10:00Z.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


def _plain(row: Row) -> dict[str, Any]:
    """The row as JSON takes it: times as text, bytes as base 16."""
    kinds: dict[type, Callable[[Any], str]] = {datetime: datetime.isoformat, bytes: bytes.hex}
    return {name: kinds[type(value)](value) if type(value) in kinds else value for name, value in row.items()}


@app.command(name="list")
def listed(
    *,
    reason: Reason = "",
    device: Device = "",
    since: Since = "",
    limit: Annotated[int, typer.Option(help="At most so many rows, the newest.", min=1, max=100_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest rows of the quarantine."""
    at = moment(since, datetime.now(UTC)) if since else None
    chosen = {"reason": reason, "external_id": device, "since": at, "limit": limit}
    rows = cli_shell.run(lambda database, _: database.rows(SQL["quarantine_rows"], chosen))
    if as_json:
        typer.echo(json.dumps([_plain(row) for row in rows]))
        return
    for row in rows:
        again = f"sent up again {row['replayed']:%Y-%m-%d %H:%M} by {row['replayed_by']}" if row["replayed"] else ""
        words = (row["quarantine_id"], f"{row['at']:%Y-%m-%d %H:%M:%S}", row["reason"], row["external_id"])
        typer.echo("  ".join([*map(str, words), f"{row['size']} bytes", row["detail"], again]).rstrip())
    typer.echo(f"{len(rows)} rows")


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="Number of the row.", min=1)],
    as_json: AsJson = False,
) -> None:
    """One row with its bytes: in base 16, and as text where they are text."""
    row = cli_shell.run(lambda database, _: database.row(SQL["quarantine_row"], [number]))
    if row is None:
        raise NotFound(f"nothing in quarantine under {number}: see `citynet quarantine list`")
    if as_json:
        typer.echo(json.dumps(_plain(row)))
        return
    payload = bytes(row.pop("payload"))
    for name, value in _plain(row).items():
        typer.echo(f"{name:>14}  {'' if value is None else value}")
    typer.echo(f"{'bytes':>14}  {payload.hex(' ')}")
    if (text := payload.decode(errors="replace")).isprintable():
        typer.echo(f"{'text':>14}  {text}")


@app.command()
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of rows; or choose by the options.")] = None,
    *,
    reason: Reason = "",
    device: Device = "",
    since: Since = "",
    as_json: AsJson = False,
) -> None:
    """Send frames up again with their first time of arrival, each row once. Needs the running city to do it."""
    at = moment(since, datetime.now(UTC)) if since else None
    frames = cli_shell.run(
        lambda database, _: quarantine.replay(
            database, by=OPERATOR_OF_MACHINE, external_id=device, reason=reason, ids=tuple(numbers or ()), since=at
        )
    )
    typer.echo(json.dumps({"frames": frames}) if as_json else f"{frames} frames go up again")
