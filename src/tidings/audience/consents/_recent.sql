-- How often an address was asked in the last day and when at last, and how many tried to sign up in the last hour from a
-- network and through a form; this attempt is noted, and counts from the next one on. Counting stops at $6.
-- $1 workspace, $2 address, $3 network, $4 form (or null: by a program, which is not limited so), $5 now, $6 most
WITH noted AS (
    INSERT INTO signup_attempts (workspace_id, form_id, network, at) SELECT $1, $4, $3, $5 WHERE $4::bigint IS NOT NULL
)
SELECT (SELECT count(*) FROM consents
        WHERE workspace_id = $1 AND email = $2 AND at > $5::timestamptz - interval '1 day' AND source <> 'preferences') AS address,
       (SELECT max(at) FROM consents WHERE workspace_id = $1 AND email = $2 AND source <> 'preferences') AS last_at,
       (SELECT count(*)
        FROM (SELECT FROM signup_attempts
              WHERE workspace_id = $1 AND network = $3 AND $3 <> '' AND at > $5::timestamptz - interval '1 hour'
              LIMIT $6) AS counted) AS network,
       (SELECT count(*)
        FROM (SELECT FROM signup_attempts
              WHERE workspace_id = $1 AND form_id = $4 AND at > $5::timestamptz - interval '1 hour'
              LIMIT $6) AS counted) AS form
