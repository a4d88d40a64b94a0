-- A frame of the quarantine goes up again when its cause is mended: when it first came, when and by whom it was sent
-- again, and of which row a frame that failed again is the copy.
ALTER TABLE quarantine
  ADD COLUMN arrived timestamptz, ADD COLUMN replayed timestamptz,
  ADD COLUMN replayed_by text NOT NULL DEFAULT '', ADD COLUMN replay_of bigint;
CREATE INDEX quarantine_device ON quarantine (external_id, quarantine_id DESC);
-- The gateway finds a device by its name on the wire, and what has changed since it looked last.
CREATE INDEX object_version_device ON object_version ((attributes->>'external_id')) WHERE recorded_to = 'infinity';
CREATE INDEX object_version_recorded ON object_version (recorded_from);
