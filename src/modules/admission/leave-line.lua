-- Gives up a place in a pool's line. Leaving twice is the same as once.
-- KEYS  1 line of interactive   2 line of batch   3 tokens (hash)   4 sums (hash)
-- ARGV  task ids
-- Reply how many of them were in line
local left = 0
for _, task in ipairs(ARGV) do
  local class = nil
  if redis.call('ZREM', KEYS[1], task) == 1 then class = 'interactive' end
  if redis.call('ZREM', KEYS[2], task) == 1 then class = 'batch' end
  if class then
    left = left + 1
    local tokens = string.match(redis.call('HGET', KEYS[3], task) or '0', '^%d+')
    redis.call('HINCRBY', KEYS[4], class, -tonumber(tokens))
  end
  redis.call('HDEL', KEYS[3], task)
end
return left
