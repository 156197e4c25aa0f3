-- Campaigns that many complain about pause themselves.

ALTER TABLE workspaces
    ADD COLUMN pause_complained_percent numeric(5, 2) NOT NULL DEFAULT 0.3  -- 0: never
        CHECK (pause_complained_percent BETWEEN 0 AND 100);

ALTER TABLE send_baselines ADD COLUMN complained bigint NOT NULL DEFAULT 0;

-- Few of very many: whoever complained lately is found without the others.
CREATE INDEX rollups_complained ON rollups (hour) WHERE type = 'complained' AND agent = '';
