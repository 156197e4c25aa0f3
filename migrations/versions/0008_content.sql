-- Blocks that templates share, and what a version of a template uses of them.

CREATE TABLE blocks (
    workspace_id  bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    name          text NOT NULL,                   -- what `render` calls it
    version       integer NOT NULL,                -- how often it was saved
    html_content  text NOT NULL,
    text_content  text NOT NULL,                   -- '' : derived from the HTML
    uses          text[] NOT NULL,                 -- blocks that it renders itself
    updated_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name)
);

ALTER TABLE template_versions
    ADD COLUMN blocks text[] NOT NULL DEFAULT '{}',       -- that it renders itself
    ADD COLUMN strict boolean NOT NULL DEFAULT false;     -- what is undefined may not be written
