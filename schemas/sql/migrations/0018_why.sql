-- Why a version was written, in the words of who wrote it.
ALTER TABLE object_version ADD COLUMN note text NOT NULL DEFAULT '' CHECK (length(note) <= 1000);
