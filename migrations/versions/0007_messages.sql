-- Transactional messages.

-- A rolling send takes the messages to single recipients that go through a provider: it belongs to no campaign, and several
-- of its deliveries may be to the same person. They say whom in `messages`.
ALTER TABLE sends ALTER COLUMN campaign_id DROP NOT NULL;
ALTER TABLE deliveries ALTER COLUMN contact_id DROP NOT NULL;
CREATE INDEX sends_rolling ON sends (created_at) WHERE campaign_id IS NULL;

CREATE TABLE message_sends (                       -- which send takes a provider's messages at present
    workspace_id bigint NOT NULL,
    provider_id  bigint NOT NULL,
    send_id      bigint NOT NULL,
    opened_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, provider_id),
    FOREIGN KEY (workspace_id, provider_id) REFERENCES providers ON DELETE CASCADE
);

CREATE TABLE message_contents (                    -- what messages say, once for all that say the same; goes with the send
    workspace_id bigint NOT NULL,
    send_id      bigint NOT NULL,
    hash         bytea NOT NULL,                   -- of `content`
    content      jsonb NOT NULL,                   -- MessageContent as JSON
    PRIMARY KEY (workspace_id, send_id, hash)
);

-- Numbers of messages and of their chunks: a sequence, so that nobody waits for anybody.
CREATE SEQUENCE message_numbers;

CREATE TABLE messages (
    workspace_id bigint NOT NULL,
    id           bigint NOT NULL,
    send_id      bigint NOT NULL,
    n            integer NOT NULL,                 -- its delivery
    kind         text NOT NULL,                    -- MessageKind
    contact_id   bigint,                           -- null: the address belongs to no contact
    to_email     text NOT NULL,
    address_hash bytea NOT NULL,
    to_name      text NOT NULL,
    first_name   text NOT NULL,
    last_name    text NOT NULL,
    phone        text NOT NULL,
    language     text NOT NULL,
    time_zone    text NOT NULL,
    tags         text[] NOT NULL,
    variables    jsonb NOT NULL,                   -- the contact's attributes, and what the caller gave
    known_at     timestamptz NOT NULL,             -- created_at of the contact
    content_hash bytea NOT NULL,
    template_id  bigint,
    template_version integer,
    subject      text NOT NULL,                    -- as it reads, for people who look for it
    headers      jsonb NOT NULL,                   -- [[name, value], …]
    attached     jsonb NOT NULL,                   -- [{filename, content_type, size}, …]
    attachments  bytea,                            -- as they go over the wire; null: none
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, send_id, n),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts ON DELETE CASCADE
);
ALTER TABLE messages ALTER COLUMN attachments SET STORAGE EXTERNAL; -- base64 of what is mostly compressed already
CREATE INDEX messages_by_address ON messages (workspace_id, to_email, id);
CREATE INDEX messages_by_contact ON messages (workspace_id, contact_id, id) WHERE contact_id IS NOT NULL;

-- Whose turn it is among messages: the last position of a send that is waiting.
CREATE INDEX chunks_urgent ON chunks (workspace_id, send_id, position) WHERE state = 'pending' AND priority = 0;
