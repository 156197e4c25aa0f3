-- Preheaders and the web archive.
SELECT 1;
