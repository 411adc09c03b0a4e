-- KEYS: members and standings of the build. ARGV: who builds, for how many milliseconds it may be silent. Answers 0 while
-- another builds; what one that fell silent left is gone by then.
local builder = redis.call('HGET', KEYS[2], '')
if builder and builder ~= ARGV[1] then
  return 0
end
redis.call('UNLINK', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[2], '', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
