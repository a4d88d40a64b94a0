-- quarantined_bytes: what came, cut to a size that a screen can show.
SELECT substring(payload FROM 1 FOR %(limit)s) AS payload FROM quarantine WHERE quarantine_id = %(id)s
