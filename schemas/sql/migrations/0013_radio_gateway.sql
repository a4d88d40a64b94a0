-- How devices are heard, as events tell it, and what each gateway hears, so that no screen reads all links.
-- margin: moving mean of dB above what the spreading factor needs, by the best gateway. weak: since when it is told of.
ALTER TABLE radio_device ADD COLUMN margin real, ADD COLUMN weak timestamptz;
CREATE INDEX radio_device_weak ON radio_device (device_id) WHERE weak IS NOT NULL;
-- Devices that a gateway hears, those that no other one hears, means of RSSI in dBm and SNR in dB, and the losses of the
-- devices that it hears best. Written by situation_center once a minute.
CREATE TABLE radio_gateway (
  gateway text PRIMARY KEY, devices int NOT NULL, alone int NOT NULL, rssi float8 NOT NULL, snr float8 NOT NULL,
  heard timestamptz NOT NULL, loss float8);
GRANT SELECT, INSERT, DELETE ON radio_gateway TO citynet_center;
