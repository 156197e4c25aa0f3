-- Keep events, each key once, and count them by name. Gives back the position and id of those that are new.
-- In the order of the keys, so that two requests with the same ones wait for each other instead of deadlocking.
-- $1 workspace, $2 positions, $3 keys, $4 contacts, $5 names, $6 times, $7 properties as JSON, $8 the shard of the counts
WITH told AS (
    SELECT position, key, contact_id, name, at, properties::jsonb AS properties
    FROM unnest($2::integer[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::text[])
        AS t (position, key, contact_id, name, at, properties)
),
ids AS (
    SELECT nextval(pg_get_serial_sequence('custom_events', 'id')) AS id, t.* FROM (SELECT * FROM told ORDER BY key, position) AS t
),
kept AS (
    INSERT INTO custom_events (workspace_id, id, contact_id, name, at, properties, key)
    SELECT $1, id, contact_id, name, at, properties, key FROM ids ORDER BY key, position
    ON CONFLICT (workspace_id, key) WHERE key IS NOT NULL DO NOTHING
    RETURNING id, name, at, properties
),
counted AS (
    INSERT INTO custom_event_names AS n (workspace_id, name, shard, total, first_at, last_at)
    SELECT $1, name, $8, count(*), min(at), max(at) FROM kept GROUP BY name ORDER BY name
    ON CONFLICT (workspace_id, name, shard) DO UPDATE
    SET total = n.total + excluded.total, first_at = least(n.first_at, excluded.first_at),
        last_at = greatest(n.last_at, excluded.last_at)
),
described AS (
    INSERT INTO custom_event_properties (workspace_id, name, property, type)
    SELECT DISTINCT $1, k.name, p.key, jsonb_typeof(p.value)
    FROM kept AS k
    CROSS JOIN LATERAL jsonb_each(k.properties) AS p
    WHERE NOT EXISTS (
        SELECT FROM custom_event_properties AS e
        WHERE e.workspace_id = $1 AND e.name = k.name AND e.property = p.key AND e.type = jsonb_typeof(p.value))
    ORDER BY 2, 3, 4
    ON CONFLICT DO NOTHING
)
SELECT i.position, i.id FROM ids AS i JOIN kept AS k ON k.id = i.id
