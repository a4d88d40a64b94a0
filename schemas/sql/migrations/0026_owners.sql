-- Partitions of analytics have one owner after the other (epoch): one that was frozen or cut off saves no more.
ALTER TABLE analytics.checkpoint ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
-- Objects of the partition that are out of work, for the workers of the other partitions.
ALTER TABLE analytics.checkpoint ADD COLUMN outages int[] NOT NULL DEFAULT '{}';
-- Whoever has the partition publishes its events.
ALTER TABLE analytics.outbox ADD COLUMN partition int NOT NULL DEFAULT 0;
