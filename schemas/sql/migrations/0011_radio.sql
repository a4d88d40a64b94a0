-- How radio networks hear devices: links to gateways, frame counters, frames heard and lost.
-- Which gateway of a radio network hears which device, over the last 30 days: moving means of RSSI in dBm and SNR in dB.
CREATE TABLE radio_link (
  device_id int NOT NULL, gateway text NOT NULL CHECK (length(gateway) BETWEEN 1 AND 64),
  first_heard timestamptz NOT NULL, last_heard timestamptz NOT NULL, frames bigint NOT NULL,
  rssi real NOT NULL, snr real NOT NULL, PRIMARY KEY (device_id, gateway));
CREATE INDEX radio_link_gateway ON radio_link (gateway);
-- One row a device: its frame counter, how it was heard last (by its best gateway), and frames heard and lost by day:
-- the day since 1970 stands at its remainder by 30. low_f_cnt: a counter below the highest, which may be the next one's start.
CREATE TABLE radio_device (
  device_id int PRIMARY KEY, arrived_ns bigint NOT NULL, last_heard timestamptz NOT NULL,
  session text NOT NULL, f_cnt bigint NOT NULL, low_f_cnt bigint, spreading int2 NOT NULL, rssi real, snr real,
  day int NOT NULL, frames int[] NOT NULL CHECK (cardinality(frames) = 30), lost int[] NOT NULL CHECK (cardinality(lost) = 30),
  month_frames int NOT NULL, month_lost int NOT NULL,  -- their sums
  resets int NOT NULL DEFAULT 0, replays int NOT NULL DEFAULT 0, last_reset timestamptz, last_replay timestamptz);
GRANT SELECT, INSERT, UPDATE, DELETE ON radio_link, radio_device TO citynet_ingest;
GRANT SELECT ON radio_link, radio_device TO citynet_center, citynet_analytics, citynet_gateway;
-- Medians of a battery by day (the day since 1970 at its remainder by 60) and how many days are left to 10 %; NULL where it
-- does not fall or too little is known. change: the newest value that was seen. Written by situation_center.
CREATE TABLE battery (
  series_id int PRIMARY KEY REFERENCES series, day int NOT NULL, levels real[] NOT NULL CHECK (cardinality(levels) = 60),
  days float8, change bigint NOT NULL, computed timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT, UPDATE ON battery TO citynet_center;
