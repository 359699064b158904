-- Stops a hub from hearing of a task.
-- KEYS  1 run record
-- ARGV  1 hub
-- Reply how many hubs still follow; -1 when there is nothing left to follow (no log, or closed)
local now = redis.call('HMGET', KEYS[1], 'f', 'subs')
if not now[1] or now[1] == 'x' then return -1 end
local left = {}
for hub in string.gmatch(now[2] or '', '[^,]+') do
  if hub ~= ARGV[1] then left[#left + 1] = hub end
end
redis.call('HSET', KEYS[1], 'subs', table.concat(left, ','))
return #left
