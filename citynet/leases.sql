-- join: this session is a worker of the part; told apart from the others by its process id.
SELECT pg_advisory_lock_shared(hashtext('citynet:worker:' || %(part)s), 0)

-- workers: process ids of the sessions that joined, in an order that all of them see alike.
SELECT pid, pid = pg_backend_pid() AS me FROM pg_locks
WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' AND objsubid = 2 AND objid = 0
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid::int8 = hashtext('citynet:worker:' || %(part)s)::int8 & 4294967295
ORDER BY pid

-- take: a share of the work, when nobody has it.
SELECT pg_try_advisory_lock(hashtext('citynet:share:' || %(part)s), %(number)s) AS mine

-- give: a share that this session has no more use for.
SELECT pg_advisory_unlock(hashtext('citynet:share:' || %(part)s), %(number)s)
