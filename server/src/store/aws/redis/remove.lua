-- KEYS: members, standings, and both of the build beside them. ARGV: players, who leave the board and its build.
for i = 1, 3, 2 do
  for _, player in ipairs(ARGV) do
    local standing = redis.call('HGET', KEYS[i + 1], player)
    if standing then
      redis.call('ZREM', KEYS[i], string.sub(standing, 17) .. player)
      redis.call('HDEL', KEYS[i + 1], player)
    end
  end
end
