-- Ranks while the cache is away. Times rise within a score whichever way a board goes; most boards go down.
ALTER TABLE scores ADD INDEX scores_by_rank (board, season, score DESC, achieved_at, user_id)
