-- A list goes at once, whoever is on it; with a million people its rows go in batches. So the rows no longer point to it: whoever
-- writes one keeps the list from going first (audience/lock_order.py). docs/decisions/0242-large-lists-are-cleared-in-the-background.md
CREATE TABLE lists_gone (
    workspace_id bigint NOT NULL REFERENCES workspaces,
    list_id      bigint NOT NULL,
    gone_at      timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, list_id)
);
ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_workspace_id_list_id_fkey;
ALTER TABLE list_suppressions DROP CONSTRAINT list_suppressions_workspace_id_list_id_fkey;
