-- For the end of an account.
ALTER TABLE sessions ADD INDEX sessions_by_user (user_id)
