-- owners: to which device each of these commands was given.
SELECT command_id, device_id FROM command WHERE command_id = ANY(%s)

-- receipts: what is already known of these commands.
SELECT command_id, kind FROM receipt WHERE command_id = ANY(%s)
