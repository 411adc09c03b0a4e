-- KEYS: the leader. ARGV: who asks, for how many milliseconds. Answers 1 if who asks leads now.
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
