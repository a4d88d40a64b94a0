-- Queries of the figures for Prometheus and of readiness, by name.
-- backlog: hours of blocks that wait to be rolled up, up to a limit
SELECT count(*) AS n FROM (SELECT FROM rollup_due LIMIT 100000) d

-- newest: when the newest value came, by the wall clock of the writer
SELECT max(received) AS received FROM newest

-- kept: what each class of data takes and how far it reaches back
SELECT class, days, bytes, extract(epoch FROM now() - oldest)::float8 AS back_s FROM retention ORDER BY class

-- open_incidents: by priority
SELECT priority, count(*) AS n FROM incident WHERE state NOT IN ('closed','merged','false_alarm') GROUP BY priority
