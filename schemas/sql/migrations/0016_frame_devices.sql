-- Which devices a block of raw frames may hold: a Bloom filter of 16 bits a device (citynet/archive.py, decision 0040), so
-- that the frames of one device are found without reading every block. NULL: written before there was one.
ALTER TABLE frame_block ADD COLUMN devices bytea STORAGE MAIN, ADD COLUMN stored int;
UPDATE frame_block SET stored = octet_length(body);
ALTER TABLE frame_block ALTER COLUMN stored SET NOT NULL;
-- The size of the archive is summed up each minute: by this index alone, since rows are large.
CREATE INDEX frame_block_size ON frame_block (last_at DESC, block_id DESC) INCLUDE (stored, frames);
CREATE FUNCTION frame_block_may_hold(devices bytea, first bigint, step bigint) RETURNS bool
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  -- CASE: the first bit that is not set ends it, and the planner walks the index instead of sorting all blocks
  SELECT CASE WHEN devices IS NULL OR first IS NULL THEN true
    WHEN get_bit(devices, first % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + step) % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + 2 * step) % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + 3 * step) % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + 4 * step) % (8 * octet_length(devices))) = 0 THEN false
    ELSE get_bit(devices, (first + 5 * step) % (8 * octet_length(devices))) = 1 END
  $$;
