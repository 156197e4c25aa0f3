-- Transactional messages.
SELECT 1;
