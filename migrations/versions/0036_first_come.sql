-- Chunks of equal turn are taken in the order of their sends, whosever they are: by workspace, those of low numbers overtook the others.
DROP INDEX chunks_pending;
CREATE INDEX chunks_pending ON chunks (priority, position, send_id) WHERE state = 'pending';
