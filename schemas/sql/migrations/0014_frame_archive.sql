-- Raw frames in compressed blocks, for longer than the broker holds them. Nobody may change one.
CREATE TABLE frame_block (
  block_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, stream text NOT NULL CHECK (stream IN ('UPLINKS','HISTORY')),
  first_at timestamptz NOT NULL, last_at timestamptz NOT NULL CHECK (first_at <= last_at),
  last_seq bigint NOT NULL, frames int NOT NULL CHECK (frames > 0), raw_bytes int NOT NULL CHECK (raw_bytes > 0),
  body bytea STORAGE EXTERNAL NOT NULL);
CREATE INDEX frame_block_time ON frame_block (stream, last_at, block_id);
GRANT SELECT, INSERT, DELETE ON frame_block TO citynet_ingest;
GRANT SELECT ON frame_block TO citynet_gateway;
GRANT USAGE ON SEQUENCE frame_block_block_id_seq TO citynet_center;
-- A correction says how good its value is: of the first reading only what concerns its way stays (clock doubtful 8,
-- late 16, repeated 32), not that the value was bad.
CREATE OR REPLACE VIEW reading_newest AS
  SELECT r.series_id, r.time, r.received, coalesce(e.value, r.value) AS value,
         CASE WHEN e.quality IS NULL THEN r.quality ELSE (r.quality & 56::int2 | e.quality)::int2 END AS quality
  FROM reading r LEFT JOIN LATERAL (
    SELECT value, quality FROM reading_edit e WHERE e.series_id = r.series_id AND e.time = r.time
    ORDER BY version DESC LIMIT 1) e ON true;
