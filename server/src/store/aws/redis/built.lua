-- KEYS: members, standings. Whether the board is complete: the field of the empty player is set when a rebuild is finished.
-- Where the two keys do not match (one of them was lost) both go, and the board counts as empty.
local built = redis.call('HEXISTS', KEYS[2], '')
if redis.call('ZCARD', KEYS[1]) ~= redis.call('HLEN', KEYS[2]) - built then
  redis.call('DEL', KEYS[1], KEYS[2])
  return 0
end
return built
