-- KEYS: members, standings. ARGV: player, radius. Answers as page.lua does, or nothing: not on the board.
local standing = redis.call('HGET', KEYS[2], ARGV[1])
if not standing then
  return false
end
local rank = redis.call('ZRANK', KEYS[1], string.sub(standing, 17) .. ARGV[1])
if not rank then
  return false
end
local radius = tonumber(ARGV[2])
local first = math.max(0, rank - radius)
local members = redis.call('ZRANGE', KEYS[1], first, rank + radius)
return { redis.call('ZCARD', KEYS[1]), first, members }
