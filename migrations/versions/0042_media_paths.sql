-- A launch, and whoever saves a template or a block, holds the images that its text shows.
CREATE INDEX media_paths ON media (workspace_id, path);
