"""Store a batch although one member of it is refused: halves until the bad one stands alone."""

from collections.abc import Awaitable, Callable
from typing import Protocol, Self, TypeVar

import psycopg
from psycopg.errors import ProgramLimitExceeded

from citynet.db import Connection

# The fault of a member: it breaks a constraint, a type, an encoding or the size of an index entry.
POISON = (psycopg.DataError, psycopg.IntegrityError, ProgramLimitExceeded)


class Batch(Protocol):
    """Anything with a length whose slices are batches again."""

    def __len__(self) -> int:
        """Members."""

    def __getitem__(self, index: slice, /) -> Self:
        """Some of the members."""


B = TypeVar("B", bound=Batch)
T = TypeVar("T")


async def put(
    conn: Connection, batch: B, store: Callable[[Connection, B], Awaitable[T]]
) -> tuple[list[T], list[tuple[B, psycopg.Error]]]:
    """Call store on batch in a savepoint; gives its results, and the single members that the database refused.

    A batch without a fault costs one call; one bad member of n costs about 2 log2(n) calls.
    """
    if not len(batch):
        return [], []
    try:
        async with conn.transaction():
            return [await store(conn, batch)], []
    except POISON as error:
        if len(batch) == 1:
            return [], [(batch, error)]
    middle = len(batch) // 2
    results, refused = await put(conn, batch[:middle], store)
    more_results, more_refused = await put(conn, batch[middle:], store)
    return results + more_results, refused + more_refused
