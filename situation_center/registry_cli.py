"""`citynet registry`: objects and devices in and out as CSV or XLSX, from the command line of the machine."""

import sys
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from citynet.catalog import catalog
from citynet.db import Database
from citynet.errors import BadInput
from citynet.settings import Settings
from situation_center import cli_shell
from situation_center.accounts import OPERATOR_OF_MACHINE
from situation_center.reference import exporting, importing
from situation_center.reference.columns import Reject
from situation_center.reference.outcome import SQL, Outcome, Work
from situation_center.reference.report import report_lines
from situation_center.wording import LANGUAGES, word

app = typer.Typer(help="The registry of objects and devices: import and export.", no_args_is_help=True)
SHOWN = 20


async def _import(db: Database, settings: Settings, file: Path, *, apply: bool) -> tuple[Outcome, list[Reject]]:
    async with db.transaction(OPERATOR_OF_MACHINE) as conn:
        given = {"actor": OPERATOR_OF_MACHINE, "file_name": file.name, "body": None}
        row = await (await conn.execute(SQL["add_job"], given)).fetchone()
        assert row is not None
    work = Work(row["import_id"], catalog(), ZoneInfo(settings.timezone), OPERATOR_OF_MACHINE)
    outcome = await importing.run(db, work, file, apply=apply)
    await importing.finish(db, work, outcome)
    found = await db.rows(SQL["report"], {"id": work.import_id, "limit": importing.REPORT_MAX})
    return outcome, [Reject(**fault) for fault in found]


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX.", exists=True, dir_okay=False)],
    *,
    apply: Annotated[bool, typer.Option("--apply/--dry-run", help="Take it in, or only check it.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write every fault into this CSV.")] = None,
    language: Annotated[str, typer.Option(help="Language of the report: en or ru.")] = "en",
) -> None:
    """Check a file row by row and, with --apply, take it in as a whole or not at all. Exit 1 when rows are refused."""
    if language not in LANGUAGES:
        raise BadInput("bad_language", f"{language}: one of {', '.join(LANGUAGES)}")
    outcome, faults = cli_shell.run(lambda db, settings: _import(db, settings, file, apply=apply))
    written = {";": "semicolon", ",": "comma", "\t": "tab"}.get(outcome.separator, "-")
    typer.echo(f"{file.name}: {outcome.kind}, {outcome.encoding}, separator {written}, {outcome.rows} rows")
    typer.echo(f"new {outcome.new}, changed {outcome.changed}, same {outcome.same}, refused {outcome.rejected}")
    for fault in faults[:SHOWN]:
        where = f"line {fault.line}, {fault.name or 'row'}"
        typer.echo(f"  {where}: {word(language, 'import_reason', fault.reason)}: {fault.value}", err=True)
    if len(faults) > SHOWN:
        typer.echo(f"  and {len(faults) - SHOWN} more: --report FILE", err=True)
    if report:
        report.write_bytes(b"".join(report_lines(faults, language)))
    typer.echo("applied" if outcome.applied else "nothing was changed")
    raise typer.Exit(1 if outcome.rejected else 0)


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(help="FILE.csv or FILE.xlsx; without it CSV to standard output.")
    ] = None,
    class_: Annotated[str | None, typer.Option("--class", help="Only objects of this class.")] = None,
) -> None:
    """Write the registry in the format that import takes: importing it again changes nothing."""
    given = exporting.EVERYTHING | {"class": class_}

    async def work(db: Database, _: Settings) -> None:
        if file and file.suffix == ".xlsx":
            await exporting.as_xlsx(db, given, file)
            return
        out = file.open("wb") if file else sys.stdout.buffer
        try:
            async for piece in exporting.as_csv(db, given):
                out.write(piece)
        finally:
            out.flush()
            if file:
                out.close()

    cli_shell.run(work)
