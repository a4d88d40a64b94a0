"""The command `citynet bench`: run one benchmark and print its report; `make bench` keeps it in bench/results/."""

from typing import Annotated

import typer

from bench.frame import BENCHMARKS, Report

app = typer.Typer(
    help="Measure one part side by side with its competitors.",
    context_settings={"allow_interspersed_args": True},
)


@app.callback(invoke_without_command=True)
def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; --list names them.")] = "",
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds and rows; the figures are rougher.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Name the benchmarks and stop.")] = False,
) -> None:
    """Measure one part side by side with its competitors."""
    known = BENCHMARKS.load("bench")
    if listing:
        typer.echo("\n".join(known))
        return
    if name not in known:
        raise typer.BadParameter(f"no benchmark {name!r}; there are: {', '.join(known)}", param_hint="name")
    report = known[name](quick)
    typer.echo(report.json() if as_json else words(report))


def words(report: Report) -> str:
    """The report for a person."""
    lines = [f"{name:40} {value:10.3g} x" for name, value in report.ratios.items()]
    lines += [f"{name:40} {value:12,.4g}" for name, value in report.figures.items()]
    return "\n".join(lines + [f"{name}: {value}" for name, value in report.conditions.items()])
