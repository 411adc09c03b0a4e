-- KEYS: members, standings, and both of the build beside them. ARGV: player, standing, player, standing, ...
-- A standing is its version in 16 digits and the first 16 bytes of the member; the rest of the member is the player.
-- Takes only higher versions, also into a build that is under way. Answers for the last player: rank from 0, member, total.
local function take(members, standings, player, new)
  local old = redis.call('HGET', standings, player)
  if old and tonumber(string.sub(old, 1, 16)) >= tonumber(string.sub(new, 1, 16)) then
    return old
  end
  if old then
    redis.call('ZREM', members, string.sub(old, 17) .. player)
  end
  redis.call('ZADD', members, 0, string.sub(new, 17) .. player)
  redis.call('HSET', standings, player, new)
  return new
end
local building = redis.call('EXISTS', KEYS[4]) == 1
local standing
for i = 1, #ARGV, 2 do
  standing = take(KEYS[1], KEYS[2], ARGV[i], ARGV[i + 1])
  if building then
    take(KEYS[3], KEYS[4], ARGV[i], ARGV[i + 1])
  end
end
local member = string.sub(standing, 17) .. ARGV[#ARGV - 1]
return { redis.call('ZRANK', KEYS[1], member), member, redis.call('ZCARD', KEYS[1]) }
