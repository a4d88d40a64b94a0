"""`citynet codec`: try the vectors of payload codecs, say what decoded outputs measure."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.codecs import trial
from gateway.codecs.trial import Report
from gateway.normalise.commands import normalise_command

app = typer.Typer(help="Payload codecs: their vectors, and what decoded outputs measure.", no_args_is_help=True)
app.command(name="normalise")(normalise_command)
SHOWN = 50


@app.callback()
def codec() -> None:
    """Payload codecs: their vectors, and what decoded outputs measure."""


@app.command("test")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder with codecs and their vectors, of any depth.", exists=True)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Run every vector in a folder (lorawan-devices, ChirpStack profiles, TS013 packages, ours); 1 = some failed."""
    report = asyncio.run(trial.run(folder))
    typer.echo(report.json() if as_json else words(report))
    if report.failed or not report.total:
        raise typer.Exit(1)


def words(report: Report) -> str:
    """The report for a person."""
    lines = [f"{one.vector}\n    {one.reason}" for one in report.failures[:SHOWN]]
    if len(report.failures) > SHOWN:
        lines.append(f"and {len(report.failures) - SHOWN} more: --json lists them")
    tail = f"{report.total} vectors, {report.passed} passed, {report.failed} failed, {report.decodes_s:,.0f} decodes/s"
    return "\n".join([*lines, tail])
