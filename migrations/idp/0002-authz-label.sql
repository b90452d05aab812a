-- What a town calls its authorisations: its server tells (PUT /v1/authorisations), the citizen's own page shows.

CREATE TABLE authz_label (
    town_id  uuid NOT NULL REFERENCES town,
    code     text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]{0,63}$'),
    label_fr text NOT NULL CHECK (length(label_fr) BETWEEN 1 AND 480),
    label_en text NOT NULL CHECK (length(label_en) BETWEEN 1 AND 480),
    set_at   timestamptz NOT NULL,
    PRIMARY KEY (town_id, code)
);
COMMENT ON TABLE authz_label IS 'What a town calls its authorisations (P-007); without a row the code itself is shown.';
COMMENT ON COLUMN authz_label.label_fr IS 'Text of the town''s, for a person to read; never parsed, escaped where it is shown.';
COMMENT ON COLUMN authz_label.set_at IS 'When the town last changed it.';
GRANT SELECT, INSERT, UPDATE, DELETE ON authz_label TO idp_web;
GRANT SELECT ON authz_label TO idp_worker;
