-- $1 workspace, $2 sends
SELECT s.id, s.status::text AS status, s.reason,
       CASE WHEN s.campaign_id IS NOT NULL THEN s.recipients
            ELSE coalesce(sum(k.pending + k.sent + k.delivered + k.deferred + k.bounced + k.failed + k.skipped + k.unknown + k.cancelled), 0)
       END::integer AS recipients, s.started_at, s.finished_at,
       coalesce(sum(k.pending), 0)::bigint AS pending, coalesce(sum(k.sent), 0)::bigint AS sent,
       coalesce(sum(k.delivered), 0)::bigint AS delivered, coalesce(sum(k.deferred), 0)::bigint AS deferred,
       coalesce(sum(k.bounced), 0)::bigint AS bounced, coalesce(sum(k.failed), 0)::bigint AS failed,
       coalesce(sum(k.skipped), 0)::bigint AS skipped, coalesce(sum(k.unknown), 0)::bigint AS unknown,
       coalesce(sum(k.cancelled), 0)::bigint AS cancelled, coalesce(sum(k.accepted), 0)::bigint AS accepted,
       coalesce(sum(k.possible_duplicates), 0)::bigint AS possible_duplicates
FROM sends AS s
LEFT JOIN send_counters AS k ON k.workspace_id = s.workspace_id AND k.send_id = s.id
WHERE s.workspace_id = $1 AND s.id = ANY ($2::bigint[])
GROUP BY s.workspace_id, s.id
