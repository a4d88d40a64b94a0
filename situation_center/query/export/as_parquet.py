"""Parquet, a row group at a time. Moments in UTC, days as dates. Pure."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from situation_center.query.export import lines
from situation_center.query.export.drain import Drain
from situation_center.query.export.pieces import Piece

GROUP_ROWS = 100_000


def schema(step: str) -> pa.Schema:
    """The columns and their types."""
    moment = pa.date32() if step in ("day", "month") else pa.timestamp("us", "UTC")
    kinds = {"series_id": pa.int32(), "time": moment, "start": moment, "n": pa.int32(), "good": pa.int32()}
    kinds |= {"quality": pa.int16(), "marks": pa.int16()} | dict.fromkeys(lines.WORDS[1:], pa.string())
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in lines.names(step)])


class Parquet:
    """A file of row groups of about GROUP_ROWS; the first one is the first piece, to tell how much comes."""

    media_type = "application/vnd.apache.parquet"
    suffix = "parquet"

    def __init__(self, step: str, *, language: str) -> None:
        self.step, self.language = step, language
        self._drain, self.schema = Drain(), schema(step)
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._groups = 0

    def begin(self) -> bytes:
        """The mark of the format."""
        self._writer = pq.ParquetWriter(pa.PythonFile(self._drain, "w"), self.schema, compression="zstd")
        return self._drain.take()

    def add(self, piece: Piece) -> bytes:
        """Rows, as soon as a group is full."""
        self._waiting.append(self._batch(piece))
        if sum(len(batch) for batch in self._waiting) >= (GROUP_ROWS if self._groups else 1):
            self._write_group()
        return self._drain.take()

    def _write_group(self) -> None:
        if self._waiting and self._writer:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self.schema))
            self._groups += 1
        self._waiting.clear()

    def end(self) -> bytes:
        """The last group and where each begins."""
        self._write_group()
        if self._writer:
            self._writer.close()
        return self._drain.take()

    def _batch(self, piece: Piece) -> pa.RecordBatch:
        positions, of = np.unique(piece.columns["series"], return_inverse=True)
        told = [lines.words(piece.members[p], self.language) for p in positions.tolist()]
        of = pa.array(of)
        known: list[pa.Array] = [pa.array([int(row[0]) for row in told], pa.int32()).take(of)]
        known += [pa.array([row[n] for row in told], pa.string()).take(of) for n in range(1, len(lines.WORDS))]
        at = piece.columns["time"]
        kind = self.schema.field(len(lines.WORDS)).type
        known.append(pa.array(at.astype(np.int32)).cast(kind) if pa.types.is_date(kind) else pa.array(at).cast(kind))
        known += [pa.array(v, self.schema.field(n).type, from_pandas=True) for n, v in lines.figures(piece)]
        return pa.RecordBatch.from_arrays(known, schema=self.schema)
