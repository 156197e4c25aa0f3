-- Limits that are in nobody's settings, what slows down, and who runs the mailboxes of a domain.

CREATE TABLE provider_caps (                               -- of a warm-up plan, or of the provider's own account
    workspace_id bigint NOT NULL,
    provider_id  bigint NOT NULL,
    source       text NOT NULL,                            -- who sets it, and replaces it as a whole
    scope        text NOT NULL,                            -- '' : the whole provider; a mailbox provider; or other: all the rest together
    per_second   double precision CHECK (per_second > 0),
    per_day      bigint CHECK (per_day > 0),
    why          text NOT NULL DEFAULT '',                 -- for people, behind the limit's number
    PRIMARY KEY (workspace_id, provider_id, source, scope),
    FOREIGN KEY (workspace_id, provider_id) REFERENCES providers ON DELETE CASCADE
);

CREATE INDEX budgets_slowed ON budgets (workspace_id, provider_id) WHERE factor < 1;

CREATE TABLE recipient_domains (                           -- facts of the DNS, the same for every workspace
    domain           text PRIMARY KEY,                     -- in lower case; those that the tables know by name are not in here
    mailbox_provider text NOT NULL DEFAULT '',             -- by its MX; '' : not known, or nobody's
    due_at           timestamptz NOT NULL DEFAULT now(),   -- when its MX is to be looked up (again)
    failures         smallint NOT NULL DEFAULT 0           -- look-ups without an answer in a row
);
CREATE INDEX recipient_domains_due ON recipient_domains (due_at);
