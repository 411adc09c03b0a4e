-- KEYS: members. ARGV: the member to follow, or empty; how many. Answers the total, the first rank from 0, members.
local first = 0
if ARGV[1] ~= '' then
  first = redis.call('ZLEXCOUNT', KEYS[1], '-', '[' .. ARGV[1])
end
local members = redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[2]) - 1)
return { redis.call('ZCARD', KEYS[1]), first, members }
