-- NULL: recorded by a release that knew one season.
ALTER TABLE score_runs ADD COLUMN season VARCHAR(64) NULL
