-- Answers of a network server name its queue item: the receipt tells which command that is.
CREATE INDEX receipt_queue_item ON receipt (detail) WHERE kind = 'queued';
