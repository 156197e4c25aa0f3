-- "Opened in the last 30 days" reads one number a contact: taking the newest time out of an array took longer than reading the row.
ALTER TABLE contact_activity
    ADD COLUMN opened_last        integer GENERATED ALWAYS AS (opened[cardinality(opened)]) STORED,
    ADD COLUMN human_opened_last  integer GENERATED ALWAYS AS (human_opened[cardinality(human_opened)]) STORED,
    ADD COLUMN clicked_last       integer GENERATED ALWAYS AS (clicked[cardinality(clicked)]) STORED,
    ADD COLUMN human_clicked_last integer GENERATED ALWAYS AS (human_clicked[cardinality(human_clicked)]) STORED;
ALTER TABLE contact_receipts ADD COLUMN at_last integer GENERATED ALWAYS AS (at[cardinality(at)]) STORED;
