-- Commands that wait for airtime say so, those that a network server keeps too; what was on air outlives the gateway part.
ALTER TABLE receipt DROP CONSTRAINT receipt_kind_check, ADD CONSTRAINT receipt_kind_check CHECK (kind IN
  ('intent','sent','queued','radiated','acknowledged','rejected','failed','expired','unknown','readback','withdrawn',
   'waiting','kept'));
CREATE INDEX receipt_on_air ON receipt (time) WHERE kind = 'intent' AND detail <> '';
ALTER TABLE radio_device ADD COLUMN frequency int NOT NULL DEFAULT 0;
