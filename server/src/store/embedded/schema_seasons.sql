-- NULL: recorded by a release that knew one season.
ALTER TABLE runs ADD COLUMN season TEXT;

-- state: 0 open, 1 closed, 2 settled. players: archived so far. rank_order and rewards: set when it is closed.
CREATE TABLE seasons (
    board TEXT NOT NULL,
    season TEXT NOT NULL,
    ends_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    players INTEGER NOT NULL,
    rank_order TEXT,
    rewards TEXT,
    PRIMARY KEY (board, season)
) STRICT;

-- The final boards. A player's line is written in the transaction that pays its reward (coins).
CREATE TABLE season_ranks (
    board TEXT NOT NULL,
    season TEXT NOT NULL,
    final_rank INTEGER NOT NULL,
    player TEXT NOT NULL REFERENCES players (id),
    score INTEGER NOT NULL,
    achieved_at INTEGER NOT NULL,
    coins INTEGER NOT NULL,
    PRIMARY KEY (board, season, final_rank),
    UNIQUE (board, season, player)
) STRICT;
