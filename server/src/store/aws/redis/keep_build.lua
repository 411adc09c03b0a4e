-- KEYS: members and standings of the build. ARGV: for how many milliseconds the builder may be silent.
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
