-- Media and attachments.

CREATE TABLE media (                               -- images for templates; their bytes are in the store of files
    workspace_id bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    hash         bytea NOT NULL,                   -- SHA-256 of the bytes
    path         text NOT NULL,                    -- the key in the store, and what follows the base in the URL; never changes
    name         text NOT NULL,
    alt_text     text NOT NULL,
    content_type text NOT NULL,
    size         integer NOT NULL,                 -- bytes
    width        integer NOT NULL,                 -- pixels, as it is shown
    height       integer NOT NULL,
    frames       integer NOT NULL,                 -- more than one: it moves
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    deleted_at   timestamptz,                      -- not in the library any more; mails that show it still do
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, hash)
);

CREATE TABLE media_doubts (                        -- files that may be in the store without a row in media
    workspace_id bigint NOT NULL,
    path         text NOT NULL,
    since        timestamptz NOT NULL,
    sweeping_at  timestamptz,                      -- somebody is about to delete the file
    PRIMARY KEY (workspace_id, path)
);
CREATE INDEX media_doubts_since ON media_doubts (since);

CREATE TABLE attachment_files (                    -- bytes of attachments, once for each content; never change, never go
    workspace_id bigint NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    hash         bytea NOT NULL,                   -- SHA-256 of the bytes
    content      bytea NOT NULL,
    PRIMARY KEY (workspace_id, hash)
);
ALTER TABLE attachment_files ALTER COLUMN content SET STORAGE EXTERNAL; -- mostly compressed already

CREATE TABLE attachments (                         -- files that templates and campaigns bring along; never change
    workspace_id bigint NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    hash         bytea NOT NULL,
    filename     text NOT NULL,
    content_type text NOT NULL,
    size         integer NOT NULL,                 -- bytes
    content_id   text NOT NULL,                    -- '' : attached; else shown in the HTML as cid:…
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, hash) REFERENCES attachment_files ON DELETE CASCADE
);

ALTER TABLE template_versions ADD COLUMN attachment_ids bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE campaigns ADD COLUMN attachment_ids bigint[] NOT NULL DEFAULT '{}'; -- beside the template's
