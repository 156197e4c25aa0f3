-- A deleted provider stays as what history names, without its credentials. Nothing goes through it.
ALTER TABLE providers ADD COLUMN deleted_at timestamptz;
ALTER TABLE providers DROP CONSTRAINT providers_workspace_id_name_key;
CREATE UNIQUE INDEX providers_named ON providers (workspace_id, name) WHERE deleted_at IS NULL;
ALTER TABLE providers ADD CONSTRAINT providers_deleted_is_no_default CHECK (deleted_at IS NULL OR NOT is_default);
