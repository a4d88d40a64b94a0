"""What every command line of this room does around its work: settings, one database, errors in words."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from citynet import settings as configuration
from citynet.db import Database, dsn
from citynet.errors import CitynetError
from citynet.settings import Settings

T = TypeVar("T")
CONNECTIONS = 2


def run(work: Callable[[Database, Settings], Awaitable[T]]) -> T:
    """Do the work with a database of its own; what a person can mend is said, and the exit code is 1."""

    async def connected() -> T:
        settings = configuration.load()
        database = await Database(dsn(settings, "center"), size=CONNECTIONS).open(wait_s=5)
        try:
            return await work(database, settings)
        finally:
            await database.close()

    try:
        return asyncio.run(connected())
    except CitynetError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
