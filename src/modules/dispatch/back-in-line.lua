-- Puts a task back in line whose engine was gone before it answered anything: fence, slot and place change hands in one step.
-- KEYS  1–4 the pool's line (interactive, batch, tokens, sums)   5 run record   6 leases of the replica
-- ARGV  1 task   2 attempt   3 class   4 expected tokens   5 now, Unix ms   6 1 = an engine may have been lost by the task, else 0
--       7 how often that may be
-- Reply 1 it waits   0 the attempt holds the fence no more   -1 too many engines were lost with it, and nothing is changed
-- Invariant: it has the place that it was taken from: all who entered later start after it. No bound is asked: it was accepted. Its readers
--       have seen no token. Doing it twice for an attempt is the same as once.
local run = redis.call('HMGET', KEYS[5], 'f', 'at', 'lost', 'back')
if run[1] == 'q' and run[4] == ARGV[2] then return 1 end
if run[1] ~= 'r' .. ARGV[2] then return 0 end
local lost = tonumber(run[3] or '0') + tonumber(ARGV[6])
if lost > tonumber(ARGV[7]) then return -1 end
-- A stray place: whoever put it there believed it to be lost.
for class, line in pairs({ interactive = KEYS[1], batch = KEYS[2] }) do
  if redis.call('ZREM', line, ARGV[1]) == 1 then
    redis.call('HINCRBY', KEYS[4], class, '-' .. string.match(redis.call('HGET', KEYS[3], ARGV[1]) or '0', '^%d+'))
  end
end
local score, entered = string.match(run[2] or '', '^([^,]+),(%d+)$')
redis.call('ZADD', KEYS[ARGV[3] == 'batch' and 2 or 1], score or 0, ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4] .. ',' .. (entered or ARGV[5]))
redis.call('HINCRBY', KEYS[4], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[5], 'f', 'q', 'lost', lost, 'back', ARGV[2])
redis.call('HDEL', KEYS[5], 'start', 'warm')
redis.call('ZREM', KEYS[6], ARGV[1] .. ':' .. ARGV[2])
return 1
