-- Events whose key was there already: are they the same? A time that was not told fits any.
-- $1 workspace, $2 positions, $3 keys, $4 contacts, $5 names, $6 times (or null), $7 properties as JSON
SELECT t.position, e.id,
       e.contact_id = t.contact_id AND e.name = t.name AND e.properties = t.properties::jsonb AND (t.at IS NULL OR e.at = t.at)
           AS same
FROM unnest($2::integer[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::text[])
    AS t (position, key, contact_id, name, at, properties)
JOIN custom_events AS e ON e.workspace_id = $1 AND e.key = t.key
