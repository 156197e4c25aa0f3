-- Warm-ups of providers: caps a day by mailbox provider that grow while the signals stay good.

CREATE TABLE warmups (
    workspace_id bigint NOT NULL,
    provider_id  bigint NOT NULL,
    caps         bigint[] NOT NULL,                        -- messages a day, step by step
    started_at   timestamptz NOT NULL,
    next_at      timestamptz NOT NULL,                     -- when the next day is judged
    ended_at     timestamptz,                              -- every group is warm
    PRIMARY KEY (workspace_id, provider_id),
    FOREIGN KEY (workspace_id, provider_id) REFERENCES providers ON DELETE CASCADE
);
CREATE INDEX warmups_due ON warmups (next_at) WHERE ended_at IS NULL;

CREATE TABLE warmup_groups (
    workspace_id bigint NOT NULL,
    provider_id  bigint NOT NULL,
    scope        text NOT NULL,                            -- a mailbox provider, or other: all the rest together
    step         integer NOT NULL,                         -- which of `caps`, from 0
    warm         boolean NOT NULL DEFAULT false,           -- done: no cap any more
    PRIMARY KEY (workspace_id, provider_id, scope),
    FOREIGN KEY (workspace_id, provider_id) REFERENCES warmups ON DELETE CASCADE
);

CREATE TABLE warmup_days (                                 -- what was decided, and from what
    workspace_id bigint NOT NULL,
    provider_id  bigint NOT NULL,
    scope        text NOT NULL,
    at           timestamptz NOT NULL,                     -- the day's end
    cap          bigint NOT NULL,
    sent         bigint NOT NULL,
    bounced      bigint NOT NULL,
    complained   bigint NOT NULL,
    slowed       boolean NOT NULL,
    move         text NOT NULL,
    reason       text NOT NULL,
    PRIMARY KEY (workspace_id, provider_id, scope, at),
    FOREIGN KEY (workspace_id, provider_id) REFERENCES warmups ON DELETE CASCADE
);

CREATE INDEX events_signals ON events (workspace_id, at) WHERE type IN ('bounced', 'complained');
