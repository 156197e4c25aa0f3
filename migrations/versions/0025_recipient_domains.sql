-- How far the domains of contacts have been gone through, to look up who runs their mailboxes.
CREATE TABLE recipient_domain_walks (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    workspace_id bigint NOT NULL DEFAULT 0,
    contact_id   bigint NOT NULL DEFAULT 0,
    rests_until  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO recipient_domain_walks DEFAULT VALUES;
