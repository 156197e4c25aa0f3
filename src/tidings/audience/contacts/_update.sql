-- Every field of one contact anew; `updated_at` moves only if something changed.
-- $1 workspace, $2 contact, $3 email, $4 address hash, $5… first name, last name, phone, language, time zone, $10 tags,
-- $11 attributes, $12 now
UPDATE contacts
SET email = $3, address_hash = $4, first_name = $5, last_name = $6, phone = $7, language = $8, time_zone = $9, tags = $10,
    attributes = $11, updated_at = $12
WHERE workspace_id = $1 AND id = $2
  AND (email, first_name, last_name, phone, language, time_zone, tags, attributes)
      IS DISTINCT FROM ($3, $5, $6, $7, $8, $9, $10, $11)
