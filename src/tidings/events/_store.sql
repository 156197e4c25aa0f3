-- $1 workspaces, $2 times, $3 types, $4 sends, $5 n, $6 contacts, $7 agents, $8 data: one element an event
INSERT INTO events (workspace_id, at, type, send_id, n, contact_id, agent, data)
SELECT workspace_id, at, type, send_id, n, contact_id, agent, data::jsonb
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::integer[], $6::bigint[], $7::text[], $8::text[])
    AS t (workspace_id, at, type, send_id, n, contact_id, agent, data)
