-- Every sign-up through a form, whatever came of it: what the hourly limits count. Were only those counted of which something
-- came, the limits would tell who is refused. Gone after an hour.
CREATE TABLE signup_attempts (
    workspace_id bigint NOT NULL,
    id           bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    form_id      bigint,
    network      text NOT NULL,                   -- the address, or the /64 of IPv6
    at           timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX signup_attempts_by_network ON signup_attempts (workspace_id, network, at);
CREATE INDEX signup_attempts_by_form ON signup_attempts (workspace_id, form_id, at);
DROP INDEX consents_by_network;
