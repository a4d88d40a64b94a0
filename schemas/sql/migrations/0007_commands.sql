-- What a command needs to be cancelled, rolled back and confirmed late; messages are marked before they leave.
ALTER TABLE receipt DROP CONSTRAINT receipt_kind_check, ADD CONSTRAINT receipt_kind_check CHECK (kind IN
  ('intent','sent','queued','radiated','acknowledged','rejected','failed','expired','unknown','readback','withdrawn'));

ALTER TABLE command ADD COLUMN before float8, ADD COLUMN undoes uuid REFERENCES command,
  ADD COLUMN cancel_asked text NOT NULL DEFAULT '', ADD COLUMN wave int NOT NULL DEFAULT 0;
CREATE INDEX command_group_id ON command (group_id, wave) WHERE group_id IS NOT NULL;

CREATE TABLE command_group (
  group_id uuid PRIMARY KEY, idempotency_key text NOT NULL UNIQUE, chosen jsonb NOT NULL,
  action text NOT NULL, args jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('requested','running','stopped','cancelled','finished')),
  waves int NOT NULL, wave int NOT NULL DEFAULT 0, pause_s int NOT NULL, stop_share float8 NOT NULL,
  next_at timestamptz NOT NULL, requested_by text NOT NULL, requested timestamptz NOT NULL, finished timestamptz,
  why text NOT NULL DEFAULT '', undoes uuid REFERENCES command_group);
CREATE INDEX command_group_running ON command_group (requested) WHERE state IN ('running', 'requested');
GRANT SELECT, INSERT, UPDATE ON command_group TO citynet_center;

ALTER TABLE expectation ADD COLUMN late_until timestamptz;
UPDATE expectation SET late_until = until;
ALTER TABLE expectation ALTER COLUMN late_until SET NOT NULL;
DROP INDEX expectation_until;
CREATE INDEX expectation_late_until ON expectation (late_until);

ALTER TABLE outbox ADD COLUMN taken bool NOT NULL DEFAULT false;
GRANT UPDATE ON outbox TO citynet_center;
