-- Scripts of profiles, by version. An empty source takes the script away. Written by situation_center only.
CREATE TABLE codec (
  profile text NOT NULL CHECK (length(profile) BETWEEN 1 AND 200), version int NOT NULL CHECK (version > 0),
  source text NOT NULL, note text NOT NULL DEFAULT '', actor text NOT NULL,
  recorded timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (profile, version));
GRANT SELECT ON codec TO citynet_gateway, citynet_ingest, citynet_analytics, citynet_center;
GRANT INSERT ON codec TO citynet_center;
