CREATE TABLE send_retries (                        -- "try those that failed again": carried out in the background, a stretch of n at a time
    workspace_id bigint NOT NULL,
    send_id      bigint NOT NULL,
    states       delivery_state[] NOT NULL,        -- which: failed, and unknown if that was asked for
    asked_at     timestamptz NOT NULL,             -- whoever fails after this is not meant
    next_n       integer NOT NULL DEFAULT 1,       -- those before it are queued already
    PRIMARY KEY (workspace_id, send_id),
    FOREIGN KEY (workspace_id, send_id) REFERENCES sends ON DELETE CASCADE
);

CREATE TABLE send_baselines (                      -- what a send's failures are counted from: since a person last let it go on
    workspace_id bigint NOT NULL,
    send_id      bigint NOT NULL,
    attempted    bigint NOT NULL,
    failed       bigint NOT NULL,
    bounced      bigint NOT NULL,
    PRIMARY KEY (workspace_id, send_id),
    FOREIGN KEY (workspace_id, send_id) REFERENCES sends ON DELETE CASCADE
);

ALTER TABLE workspaces
    ADD COLUMN pause_failed_percent  smallint NOT NULL DEFAULT 20 CHECK (pause_failed_percent BETWEEN 0 AND 100),  -- 0: never
    ADD COLUMN pause_bounced_percent smallint NOT NULL DEFAULT 10 CHECK (pause_bounced_percent BETWEEN 0 AND 100);
