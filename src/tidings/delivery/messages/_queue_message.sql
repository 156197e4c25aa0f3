-- One message to one recipient: what it says, whom it goes to, its delivery, and a chunk of its own before all campaigns.
-- Its number comes from a sequence and its counter row belongs to this connection, so that writers never wait for each
-- other. Rolling sends share by turns, like campaigns: the chunk stands behind the last one of its own send, and not
-- before the first that waits.
-- $1 workspace, $2 send, $3 provider (or null), $4 content hash, $5 content, $6 kind, $7 contact (or null), $8 address,
-- $9 address hash, $10 name, $11 first name, $12 last name, $13 phone, $14 language, $15 time zone, $16 tags,
-- $17 variables, $18 known since, $19 template (or null), $20 its version, $21 subject, $22 headers, $23 attached,
-- $24 attachments (or null), $25 now, $26 route (or null)
WITH content AS (
    INSERT INTO message_contents (workspace_id, send_id, hash, content) VALUES ($1, $2, $4, $5::text::jsonb)
    ON CONFLICT DO NOTHING
),
message AS (
    INSERT INTO messages (workspace_id, id, send_id, n, kind, contact_id, to_email, address_hash, to_name, first_name,
        last_name, phone, language, time_zone, tags, variables, known_at, content_hash, template_id, template_version,
        subject, headers, attached, attachments, created_at)
    SELECT $1, id, $2, (id - 1) % 2147483647 + 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::text::jsonb, $18,
        $4, $19, $20, $21, $22::text::jsonb, $23::text::jsonb, $24, $25
    FROM nextval('message_numbers') AS id
    RETURNING id, n
),
delivery AS (
    INSERT INTO deliveries (workspace_id, send_id, n) SELECT $1, $2, n FROM message
),
chunk AS (
    INSERT INTO chunks (workspace_id, send_id, chunk_no, provider_id, route_id, priority, position, first_n, last_n, ns)
    SELECT $1, $2, n, $3::bigint, $26::bigint, 0, greatest(
               coalesce((
                   SELECT position FROM chunks WHERE state = 'pending' AND priority = 0
                   ORDER BY position LIMIT 1
               ), 0),
               coalesce((
                   SELECT position FROM chunks
                   WHERE workspace_id = $1 AND send_id = $2 AND state = 'pending' AND priority = 0
                   ORDER BY position DESC LIMIT 1
               ), -1) + 1
           ), n, n, ARRAY[n]
    FROM message
),
counted AS (
    INSERT INTO send_counters AS k (workspace_id, send_id, writer, pending)
    VALUES ($1, $2, -1 - pg_backend_pid() % 200, 1)
    ON CONFLICT (workspace_id, send_id, writer) DO UPDATE SET pending = k.pending + 1
)
SELECT id FROM message
