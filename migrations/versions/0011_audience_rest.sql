-- What the audience slice gained after its first form: domain-wide suppression, choosing among a form's lists.

-- A whole domain is a suppression of its own, with the address `@example.com`. No contact has such an address:
-- whatever asks whether someone may be mailed looks for the domain beside the address.
ALTER TABLE suppressions
    ADD COLUMN domain text GENERATED ALWAYS AS (CASE WHEN left(address, 1) = '@' THEN substr(address, 2) END) STORED;
CREATE INDEX suppressions_by_domain ON suppressions (workspace_id, domain) WHERE domain IS NOT NULL;

-- People tick which of the form's lists they want.
ALTER TABLE forms ADD COLUMN choose_lists boolean NOT NULL DEFAULT false;

-- Files that nobody starts are forgotten after a week.
CREATE INDEX imports_waiting ON imports (created_at) WHERE status IN ('uploading', 'uploaded');
