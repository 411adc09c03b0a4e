-- KEYS: members, standings, both of the build, and both of the other order. ARGV: who builds. The build takes the board's
-- place, if it is whole and still this builder's; what there was in the other order goes. Answers whether it did.
if redis.call('HGET', KEYS[4], '') ~= ARGV[1] or redis.call('ZCARD', KEYS[3]) ~= redis.call('HLEN', KEYS[4]) - 1 then
  return 0
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[5], KEYS[6])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('RENAME', KEYS[3], KEYS[1])
  redis.call('PERSIST', KEYS[1])
end
redis.call('RENAME', KEYS[4], KEYS[2])
redis.call('PERSIST', KEYS[2])
return 1
