-- KEYS: members, standings. ARGV: player, standing, player, standing, ...
-- A standing is its version in 16 digits and the first 16 bytes of the member; the rest of the member is the player.
-- Takes only higher versions. Answers for the last player: rank from 0, standing, total.
local standing
for i = 1, #ARGV, 2 do
  local player, new = ARGV[i], ARGV[i + 1]
  local old = redis.call('HGET', KEYS[2], player)
  standing = old or new
  if not old or tonumber(string.sub(old, 1, 16)) < tonumber(string.sub(new, 1, 16)) then
    if old then
      redis.call('ZREM', KEYS[1], string.sub(old, 17) .. player)
    end
    redis.call('ZADD', KEYS[1], 0, string.sub(new, 17) .. player)
    redis.call('HSET', KEYS[2], player, new)
    standing = new
  end
end
local member = string.sub(standing, 17) .. ARGV[#ARGV - 1]
return { redis.call('ZRANK', KEYS[1], member), member, redis.call('ZCARD', KEYS[1]) }
