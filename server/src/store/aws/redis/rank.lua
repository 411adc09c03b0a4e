-- KEYS: members, standings. ARGV: players. Answers the total, then rank from 0 and member of each who is on the board.
local answer = { redis.call('ZCARD', KEYS[1]) }
for _, player in ipairs(ARGV) do
  local standing = redis.call('HGET', KEYS[2], player)
  if standing then
    local member = string.sub(standing, 17) .. player
    local rank = redis.call('ZRANK', KEYS[1], member)
    if rank then
      answer[#answer + 1] = rank
      answer[#answer + 1] = member
    end
  end
end
return answer
