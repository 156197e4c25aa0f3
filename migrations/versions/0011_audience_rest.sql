-- What the audience slice gained after its first form: domain-wide suppression.

-- A whole domain is a suppression of its own, with the address `@example.com`. No contact has such an address:
-- whatever asks whether someone may be mailed looks for the domain beside the address.
ALTER TABLE suppressions
    ADD COLUMN domain text GENERATED ALWAYS AS (CASE WHEN left(address, 1) = '@' THEN substr(address, 2) END) STORED;
CREATE INDEX suppressions_by_domain ON suppressions (workspace_id, domain) WHERE domain IS NOT NULL;
