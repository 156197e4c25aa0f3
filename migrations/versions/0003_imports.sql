-- Imports from files. A file lies here in pieces while it is worked off; its last finished row is `processed`.
ALTER TYPE import_status ADD VALUE 'uploading' BEFORE 'queued';
ALTER TYPE import_status ADD VALUE 'uploaded' BEFORE 'queued';
CREATE TYPE import_policy AS ENUM ('skip', 'update', 'overwrite');

UPDATE imports SET status = 'failed', finished_at = now(),
    problems = problems || '[{"row": null, "field": "", "message": "an upgrade came between; send the contacts again"}]'
WHERE status IN ('queued', 'running');
DROP TABLE import_batches;

ALTER TABLE imports
    ADD COLUMN list_ids     bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN tags         text[] NOT NULL DEFAULT '{}',   -- for everybody in it
    ADD COLUMN policy       import_policy NOT NULL DEFAULT 'update',
    ADD COLUMN dry_run      boolean NOT NULL DEFAULT false, -- what is queued counts only
    ADD COLUMN filename     text NOT NULL DEFAULT '',
    ADD COLUMN size         bigint NOT NULL DEFAULT 0,      -- bytes
    ADD COLUMN total_exact  boolean NOT NULL DEFAULT true,  -- false: `total` is an estimate by the number of lines
    ADD COLUMN suppressed   integer NOT NULL DEFAULT 0,     -- rows of people who are out
    ADD COLUMN format       jsonb,                          -- how the file is read
    ADD COLUMN columns      jsonb NOT NULL DEFAULT '[]',    -- what was found in it, and where each column goes
    ADD COLUMN status_all   text NOT NULL DEFAULT 'active', -- of rows that say none
    ADD COLUMN analysis     jsonb,                          -- what the last dry run found
    ADD COLUMN started_at   timestamptz;
UPDATE imports SET list_ids = ARRAY[list_id] WHERE list_id IS NOT NULL;

CREATE TABLE import_pieces (
    workspace_id bigint NOT NULL,
    import_id    bigint NOT NULL,
    piece_no     integer NOT NULL,
    bytes        bytea NOT NULL,
    PRIMARY KEY (workspace_id, import_id, piece_no),
    FOREIGN KEY (workspace_id, import_id) REFERENCES imports ON DELETE CASCADE
);
ALTER TABLE import_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL; -- read once or twice, then gone: not worth compressing

-- Rows that were refused, as they came, some thousand a row.
CREATE TABLE import_rejects (
    workspace_id bigint NOT NULL,
    import_id    bigint NOT NULL,
    first_row    integer NOT NULL,
    rows         bytea NOT NULL,        -- a JSON array of [row, line, field, message, cells]
    PRIMARY KEY (workspace_id, import_id, first_row),
    FOREIGN KEY (workspace_id, import_id) REFERENCES imports ON DELETE CASCADE
);
