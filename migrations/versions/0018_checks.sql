-- Checks before a send.
SELECT 1;
