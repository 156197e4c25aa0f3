-- Limits by provider, period and mailbox provider; warm-up.

-- All workers take turns at a row, for the provider as a whole (scope '') and for each mailbox provider.
ALTER TABLE budgets DROP CONSTRAINT budgets_pkey;
ALTER TABLE budgets
    ADD COLUMN scope     text NOT NULL DEFAULT '',         -- '' : the whole provider; else a mailbox provider, or a domain by itself
    ADD COLUMN factor    real NOT NULL DEFAULT 1 CHECK (factor > 0 AND factor <= 1),  -- of its limits, after it was told to slow down
    ADD COLUMN pace      real,                             -- messages a second while it is slowed down and has no limit a second of its own
    ADD COLUMN slowed_at timestamptz,                      -- when it was last told to
    ADD COLUMN grown_at  timestamptz,                      -- when it was last allowed more again
    ADD COLUMN reason    text NOT NULL DEFAULT '',         -- why, in the server's words
    ADD PRIMARY KEY (workspace_id, provider_id, scope);

CREATE TABLE budget_uses (                                 -- how much was taken, by parts of a limit's period
    workspace_id bigint NOT NULL,
    provider_id  bigint NOT NULL,
    scope        text NOT NULL,
    seconds      integer NOT NULL,                         -- the period: 60, 3600 or 86400
    part         bigint NOT NULL,                          -- which of its parts, counted since 1970
    taken        bigint NOT NULL,
    PRIMARY KEY (workspace_id, provider_id, scope, seconds, part),
    FOREIGN KEY (workspace_id, provider_id, scope) REFERENCES budgets ON DELETE CASCADE
) WITH (fillfactor = 70);
