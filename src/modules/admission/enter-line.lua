-- Takes places in a pool's line for tasks of one class, one after the other, if the bounds allow it: check, place and position are one step for
-- all processes.
-- KEYS  1 line of interactive   2 line of batch   3 tokens (hash)   4 sums (hash)   5 dropped (sorted set)   6 sequence
--       7 workers of the pool (sorted set)   8… leases of the pool's replicas
-- ARGV  1 class   2 capacity of the pool (-1 = unbounded)   3 capacity of the class (-1 = unbounded)   4 slots of the pool
--       5 whether a waiting task may be dropped to make room (1|0)   6–9 share, see start-order.lua   10 now, Unix ms
--       11 1 = only look: the replies as they would be, and nothing is changed   12… the tasks, each id and expected tokens
-- Reply for each task a text of eight parts: entered 1 | 0 no room | 2 was in line before, or has begun since | 3 was dropped before, position,
--       waiting interactive, waiting batch, tokens interactive, tokens batch, busy slots, the task that was dropped for it or nothing
-- Invariant: a task waits once, and not while it runs; no more tasks wait than the capacities say. A task that a live worker has a free slot for does not wait.
--       A task that loses its place to another is in `dropped` from that moment on, until its log is closed.
local class, now = ARGV[1], tonumber(ARGV[10])
local capacity, class_capacity = tonumber(ARGV[2]), tonumber(ARGV[3])
local share = { ARGV[6], ARGV[7], ARGV[8], ARGV[9] }
local mine = class == 'batch' and KEYS[2] or KEYS[1]
local waiting = { interactive = redis.call('ZCARD', KEYS[1]), batch = redis.call('ZCARD', KEYS[2]) }
local sums = redis.call('HMGET', KEYS[4], 'interactive', 'batch')
local tokens = { interactive = tonumber(sums[1] or '0'), batch = tonumber(sums[2] or '0') }
local busy = 0
for k = 8, #KEYS do busy = busy + redis.call('ZCOUNT', KEYS[k], now, '+inf') end
local free = 0
if redis.call('ZCOUNT', KEYS[7], now, '+inf') > 0 then free = math.max(0, tonumber(ARGV[4]) - busy) end

local function is_full(count, most)
  if most < 0 or math.max(0, count - free) < most then return false end
  return not (most == 0 and free > count)
end

-- Who loses its place to a task of the class, and its own class; nil: nobody may. The first in line, for whom slots are free, don't wait and
-- aren't dropped. After them the oldest goes: of batch, unless there is none or it would make no room in the class; an interactive one for an
-- interactive one only.
local function victim_of(class_is_full)
  if ARGV[5] ~= '1' then return nil end
  if class == 'batch' or not class_is_full then
    local first = math.max(0, free - waiting.interactive)
    local victim = redis.call('ZRANGE', KEYS[2], first, first)[1]
    if victim then return victim, 'batch' end
  end
  if class == 'batch' then return nil end
  return redis.call('ZRANGE', KEYS[1], free, free)[1], 'interactive'
end

local function drop(victim, from, its_tokens)
  redis.call('ZREM', KEYS[1], victim)
  redis.call('ZREM', KEYS[2], victim)
  tokens[from] = redis.call('HINCRBY', KEYS[4], from, 0 - its_tokens)
  redis.call('HDEL', KEYS[3], victim)
  redis.call('ZADD', KEYS[5], now, victim)
  waiting[from] = waiting[from] - 1
end

local function enter(task, expected)
  local dropped, gone = '', { interactive = 0, batch = 0 }
  local interactive, batch = waiting.interactive, waiting.batch
  -- rank: waiting tasks of its class before it; nil: it does not wait
  local function reply(entered, rank)
    local position = 0
    if rank then
      local is_new = entered ~= 2 and class == 'batch'
      local due, wait = batch_turns(KEYS[2], KEYS[3], KEYS[4], KEYS, 8, now, share, dropped, is_new)
      position = math.max(0, starts_before(class, rank, interactive, due, wait, share) - free)
    end
    local left = { tokens.interactive - gone.interactive, tokens.batch - gone.batch }
    return string.format('%d %d %d %d %.0f %.0f %d %s', entered, position, interactive, batch, left[1], left[2], busy, dropped)
  end
  if redis.call('ZSCORE', KEYS[5], task) then return reply(3, nil) end
  local rank = redis.call('ZRANK', mine, task)
  if rank then return reply(2, rank) end
  -- A repeat that was still on its way in when its twin began: its row may not say so yet, the run record does.
  local fence = redis.call('HGET', share[4] .. task, 'f')
  if fence and fence ~= 'q' then return reply(2, nil) end

  local class_is_full = is_full(waiting[class], class_capacity)
  local from
  if class_is_full or is_full(interactive + batch, capacity) then
    local victim
    victim, from = victim_of(class_is_full)
    if not victim then return reply(0, waiting[class]) end
    dropped = victim
    gone[from] = tonumber(string.match(redis.call('HGET', KEYS[3], victim) or '0', '^%d+'))
    if from == 'batch' then batch = batch - 1 else interactive = interactive - 1 end
  end
  local entered = reply(1, class == 'batch' and batch or interactive)
  if ARGV[11] == '1' then return entered end
  if dropped ~= '' then drop(dropped, from, gone[from]) end
  redis.call('ZADD', mine, redis.call('INCR', KEYS[6]), task)
  redis.call('HSET', KEYS[3], task, expected .. ',' .. ARGV[10])
  tokens[class] = redis.call('HINCRBY', KEYS[4], class, expected)
  waiting[class] = waiting[class] + 1
  return entered
end

local replies = {}
for at = 12, #ARGV, 2 do replies[#replies + 1] = enter(ARGV[at], ARGV[at + 1]) end
return replies
