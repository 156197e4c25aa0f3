-- Sending domains and their DKIM keys.

CREATE TABLE sending_domains (
    workspace_id bigint NOT NULL REFERENCES workspaces,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    domain       text NOT NULL,                    -- A-labels, lower case
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, domain)
);

CREATE TABLE dkim_keys (
    workspace_id bigint NOT NULL,
    domain_id    bigint NOT NULL,
    selector     text NOT NULL,
    algorithm    text NOT NULL,                    -- DkimAlgorithm
    state        text NOT NULL CHECK (state IN ('pending', 'active', 'retired')),
    record       text NOT NULL,                    -- what is to be published
    sealed_key   bytea NOT NULL,                   -- PKCS #8, under the installation's secret
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, domain_id, selector),
    FOREIGN KEY (workspace_id, domain_id) REFERENCES sending_domains ON DELETE CASCADE
);
