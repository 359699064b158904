-- Takes a place in a pool's line, if the bounds allow it: check, place and position are one step for all processes.
-- KEYS  1 line of interactive   2 line of batch   3 tokens (hash)   4 sums (hash)   5 sequence   6 workers of the pool (sorted set)
--       7… leases of the pool's replicas
-- ARGV  1 task id   2 class   3 capacity of the pool (-1 = unbounded)   4 capacity of the class (-1 = unbounded)   5 expected tokens
--       6 now, Unix ms   7 slots of the pool
-- Reply {entered 1|0|2 (was in line before), position, waiting interactive, waiting batch, tokens interactive, tokens batch, busy slots}
-- Invariant: a task waits once; no more tasks wait than the capacities say. A task that a live worker has a free slot for does not wait.
local task, class, now = ARGV[1], ARGV[2], tonumber(ARGV[6])
local mine = class == 'batch' and KEYS[2] or KEYS[1]
local interactive, batch = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
local sums = redis.call('HMGET', KEYS[4], 'interactive', 'batch')
local busy = 0
for k = 7, #KEYS do busy = busy + redis.call('ZCOUNT', KEYS[k], now, '+inf') end
local free = 0
if redis.call('ZCOUNT', KEYS[6], now, '+inf') > 0 then free = math.max(0, tonumber(ARGV[7]) - busy) end
local function reply(entered, ahead)
  return { entered, math.max(0, ahead - free), interactive, batch, tonumber(sums[1] or '0'), tonumber(sums[2] or '0'), busy }
end
local rank = redis.call('ZRANK', mine, task)
if rank then return reply(2, rank + (class == 'batch' and interactive or 0)) end
local ahead = interactive
if class == 'batch' then ahead = interactive + batch end
local capacity, class_capacity = tonumber(ARGV[3]), tonumber(ARGV[4])
local in_class = class == 'batch' and batch or interactive
if capacity >= 0 and math.max(0, interactive + batch - free) >= capacity then
  if not (capacity == 0 and free > interactive + batch) then return reply(0, ahead) end
end
if class_capacity >= 0 and math.max(0, in_class - free) >= class_capacity then
  if not (class_capacity == 0 and free > in_class) then return reply(0, ahead) end
end
redis.call('ZADD', mine, redis.call('INCR', KEYS[5]), task)
redis.call('HSET', KEYS[3], task, ARGV[5] .. ',' .. ARGV[6])
redis.call('HINCRBY', KEYS[4], class, ARGV[5])
return reply(1, ahead)
