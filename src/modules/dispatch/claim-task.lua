-- Gives a task to a worker: fence, slot and place in line change hands in one step.
-- KEYS  1 run record   2 event log   3–6 the pool's line (interactive, batch, tokens, sums)   7 dropped (sorted set)
--       8… leases of the replicas, best first
-- ARGV  1 task id   2 now, Unix ms   3 until when the lease holds, Unix ms   then the slots of each replica
-- Reply {'claimed', attempt, replica (1-based), highest event id, tokens in the log, request}
--       {'full'} no replica has a free slot   {'held'} another attempt holds a live lease
--       {'closed'} it has ended, or lost its place and is about to end   {'missing'} there is no such task here
-- Invariant: of all attempts only the newest holds the fence, and it holds exactly one lease.
local fence = redis.call('HGET', KEYS[1], 'f')
if not fence then return { 'missing' } end
local function leave_line()
  local class = nil
  if redis.call('ZREM', KEYS[3], ARGV[1]) == 1 then class = 'interactive' end
  if redis.call('ZREM', KEYS[4], ARGV[1]) == 1 then class = 'batch' end
  if class then
    local tokens = string.match(redis.call('HGET', KEYS[5], ARGV[1]) or '0', '^%d+')
    redis.call('HINCRBY', KEYS[6], class, -tonumber(tokens))
  end
  redis.call('HDEL', KEYS[5], ARGV[1])
end
if fence == 'x' or redis.call('ZSCORE', KEYS[7], ARGV[1]) then
  leave_line()
  return { 'closed' }
end
-- An attempt lives as long as its lease is renewed, whatever the queue thinks of its worker.
local earlier = string.match(fence, '^r(%d+)$')
if earlier then
  for k = 8, #KEYS do
    local till = redis.call('ZSCORE', KEYS[k], ARGV[1] .. ':' .. earlier)
    if till and tonumber(till) > tonumber(ARGV[2]) then return { 'held' } end
  end
end
local chosen = nil
for k = 8, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[k], '-inf', ARGV[2])
  if redis.call('ZCARD', KEYS[k]) < tonumber(ARGV[k - 4]) then
    chosen = k
    break
  end
end
if not chosen then return { 'full' } end
local attempt = redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HSET', KEYS[1], 'f', 'r' .. attempt, 'start', ARGV[2])
redis.call('HDEL', KEYS[1], 'facts')
-- A start without the queue (start-now.lua) may have left them with an end.
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
leave_line()
redis.call('ZADD', KEYS[chosen], ARGV[3], ARGV[1] .. ':' .. attempt)
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local id, tokens = 0, 0
if newest then
  id = tonumber(string.match(newest[1], '^%d+'))
  for f = 1, #newest[2], 2 do
    if newest[2][f] == 'k' then tokens = tonumber(newest[2][f + 1]) end
  end
end
return { 'claimed', attempt, chosen - 7, id, tokens, redis.call('HGET', KEYS[1], 'req') }
