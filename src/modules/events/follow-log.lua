-- Makes a hub hear of a task's new events and reads those it may have missed.
-- KEYS  1 run record   2 event log
-- ARGV  1 hub   2 lowest id wanted   3 how many chunks at the most
-- Reply {fence, chunks…} ('' as the fence = there is no such log)
-- Invariant: what is appended after this call is posted to the hub, so that reading and following leave no gap between them.
local now = redis.call('HMGET', KEYS[1], 'f', 'subs')
if not now[1] then return { '' } end
if now[1] ~= 'x' then
  local subs = now[2] or ''
  if not string.find(',' .. subs .. ',', ',' .. ARGV[1] .. ',', 1, true) then
    redis.call('HSET', KEYS[1], 'subs', subs == '' and ARGV[1] or subs .. ',' .. ARGV[1])
  end
end
local first = first_event(KEYS[1])
if first then return { now[1], tonumber(ARGV[2]) <= 1 and { { '1-0', { 's', '1', 'k', '0', 'd', first } } } or {} } end
return { now[1], redis.call('XRANGE', KEYS[2], ARGV[2], '+', 'COUNT', ARGV[3]) }
