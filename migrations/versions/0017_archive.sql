-- Preheaders, campaigns that anybody may read on the web, and what shared blocks said before.

ALTER TABLE template_versions
    ADD COLUMN preheader text NOT NULL DEFAULT '';        -- what inboxes show beside the subject: Liquid

ALTER TABLE campaigns
    ADD COLUMN preheader text NOT NULL DEFAULT '',        -- '' : the template's
    ADD COLUMN archive boolean NOT NULL DEFAULT false;    -- anybody may read it on the web, once it is sent
CREATE INDEX campaigns_archived ON campaigns (workspace_id, started_at DESC, id DESC)
    WHERE archive AND status IN ('sending', 'sent');

CREATE TABLE block_versions (                             -- never changes; the newest says what its block says
    workspace_id  bigint NOT NULL,
    block_id      bigint NOT NULL,
    version       integer NOT NULL,
    html_content  text NOT NULL,
    text_content  text NOT NULL,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, block_id, version),
    FOREIGN KEY (workspace_id, block_id) REFERENCES blocks ON DELETE CASCADE
);
