-- As scores_by_rank, for boards whose lowest score is first: times rise within a score there too, so it is no reversal.
ALTER TABLE scores ADD INDEX scores_by_rank_ascending (board, season, score, achieved_at, user_id)
