-- Media and attachments.
SELECT 1;
