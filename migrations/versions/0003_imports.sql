-- Imports from files.
SELECT 1;
