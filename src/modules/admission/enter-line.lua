-- Takes a place in a pool's line, if the bounds allow it: check, place and position are one step for all processes.
-- KEYS  1 line of interactive   2 line of batch   3 tokens (hash)   4 sums (hash)   5 dropped (sorted set)   6 sequence
--       7 workers of the pool (sorted set)   8… leases of the pool's replicas
-- ARGV  1 task id   2 class   3 capacity of the pool (-1 = unbounded)   4 capacity of the class (-1 = unbounded)   5 expected tokens
--       6 now, Unix ms   7 slots of the pool   8 whether a waiting task may be dropped to make room (1|0)
--       9 1 = only look: the reply as it would be, and nothing is changed   10… share, see start-order.lua
-- Reply {entered 1 | 0 no room | 2 was in line before, or has begun since | 3 was dropped before, position, waiting interactive, waiting batch,
--        tokens interactive, tokens batch, busy slots, the task that was dropped for it or ''}
-- Invariant: a task waits once, and not while it runs; no more tasks wait than the capacities say. A task that a live worker has a free slot for does not wait.
--       A task that loses its place to another is in `dropped` from that moment on, until its log is closed.
local task, class, now = ARGV[1], ARGV[2], tonumber(ARGV[6])
local mine = class == 'batch' and KEYS[2] or KEYS[1]
local interactive, batch = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
local busy = 0
for k = 8, #KEYS do busy = busy + redis.call('ZCOUNT', KEYS[k], now, '+inf') end
local free = 0
if redis.call('ZCOUNT', KEYS[7], now, '+inf') > 0 then free = math.max(0, tonumber(ARGV[7]) - busy) end
local dropped, gone = '', { interactive = 0, batch = 0 }
local share = { ARGV[10], ARGV[11], ARGV[12], ARGV[13] }
-- rank: waiting tasks of its class before it; nil: it does not wait
local function reply(entered, rank)
  local sums = redis.call('HMGET', KEYS[4], 'interactive', 'batch')
  local position = 0
  if rank then
    local is_new = entered ~= 2 and class == 'batch'
    local due, wait = batch_turns(KEYS[2], KEYS[3], KEYS[4], KEYS, 8, now, share, dropped, is_new)
    position = math.max(0, starts_before(class, rank, interactive, due, wait, share) - free)
  end
  return { entered, position, interactive, batch, tonumber(sums[1] or '0') - gone.interactive, tonumber(sums[2] or '0') - gone.batch, busy, dropped }
end
if redis.call('ZSCORE', KEYS[5], task) then return reply(3, nil) end
local rank = redis.call('ZRANK', mine, task)
if rank then return reply(2, rank) end
-- A repeat that was still on its way in when its twin began: its row may not say so yet, the run record does.
local fence = redis.call('HGET', share[4] .. task, 'f')
if fence and fence ~= 'q' then return reply(2, nil) end

local function is_full(count, capacity)
  if capacity < 0 or math.max(0, count - free) < capacity then return false end
  return not (capacity == 0 and free > count)
end
local class_is_full = is_full(class == 'batch' and batch or interactive, tonumber(ARGV[4]))
if class_is_full or is_full(interactive + batch, tonumber(ARGV[3])) then
  -- The first in line, for whom slots are free, don't wait and aren't dropped. After them the oldest goes: of batch, unless there is none
  -- or it would make no room in the class; an interactive one for an interactive one only.
  local victim, from = nil, nil
  if ARGV[8] == '1' then
    if class == 'batch' or not class_is_full then
      from = 'batch'
      local first = math.max(0, free - interactive)
      victim = redis.call('ZRANGE', KEYS[2], first, first)[1]
    end
    if not victim and class == 'interactive' then
      from = 'interactive'
      victim = redis.call('ZRANGE', KEYS[1], free, free)[1]
    end
  end
  if not victim then return reply(0, class == 'batch' and batch or interactive) end
  dropped = victim
  gone[from] = tonumber(string.match(redis.call('HGET', KEYS[3], victim) or '0', '^%d+'))
  if from == 'batch' then batch = batch - 1 else interactive = interactive - 1 end
end
local entered = reply(1, class == 'batch' and batch or interactive)
if ARGV[9] == '1' then return entered end
if dropped ~= '' then
  redis.call('ZREM', KEYS[1], dropped)
  redis.call('ZREM', KEYS[2], dropped)
  for from, tokens in pairs(gone) do redis.call('HINCRBY', KEYS[4], from, 0 - tokens) end
  redis.call('HDEL', KEYS[3], dropped)
  redis.call('ZADD', KEYS[5], now, dropped)
end
redis.call('ZADD', mine, redis.call('INCR', KEYS[6]), task)
redis.call('HSET', KEYS[3], task, ARGV[5] .. ',' .. ARGV[6])
redis.call('HINCRBY', KEYS[4], class, ARGV[5])
return entered
