-- Looks at some places of a pool's line for tasks whose readers can be told something; one process looks after a line at a time.
-- KEYS  1–4 the pool's line (interactive, batch, tokens, sums)   5 who looks after the line   6 deadlines (sorted set)
--       7 workers of the pool (sorted set)   8… leases of the pool's replicas
-- ARGV  1 this process   2 ms it looks after the line from now on   3 now, Unix ms   4 prefix of run records
--       5–8 share, see start-order.lua   9… places to look at, each as class, first and last rank
-- Reply {0} another process looks after the line
--       {1, waiting interactive, waiting batch, tokens interactive, tokens batch, busy slots, 1 if a live worker takes the pool's tasks else 0,
--        then for each task that waits and is followed: task, class, how many start before it, expected tokens, deadline (Unix ms) or '', what it was told or ''}
-- Invariant: nothing but KEYS 5 is changed.
local owner = redis.call('GET', KEYS[5])
if owner and owner ~= ARGV[1] then return { 0 } end
redis.call('SET', KEYS[5], ARGV[1], 'PX', ARGV[2])
local sums = redis.call('HMGET', KEYS[4], 'interactive', 'batch')
local busy = 0
for k = 8, #KEYS do busy = busy + redis.call('ZCOUNT', KEYS[k], ARGV[3], '+inf') end
local lives = redis.call('ZCOUNT', KEYS[7], ARGV[3], '+inf') > 0 and 1 or 0
local reply = { 1, redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), tonumber(sums[1] or '0'), tonumber(sums[2] or '0'), busy, lives }
local share = { ARGV[5], ARGV[6], ARGV[7], ARGV[8] }
local due, wait = batch_turns(KEYS[2], KEYS[3], KEYS[4], KEYS, 8, tonumber(ARGV[3]), share, nil, false)
for a = 9, #ARGV, 3 do
  local line = ARGV[a] == 'batch' and KEYS[2] or KEYS[1]
  for place, task in ipairs(redis.call('ZRANGE', line, ARGV[a + 1], ARGV[a + 2])) do
    local record = redis.call('HMGET', ARGV[4] .. task, 'f', 'subs', 'w')
    if record[1] == 'q' and (record[2] or '') ~= '' then
      local tokens = string.match(redis.call('HGET', KEYS[3], task) or '0', '^%d+')
      local before = starts_before(ARGV[a], tonumber(ARGV[a + 1]) + place - 1, reply[2], due, wait, share)
      local found = { task, ARGV[a], before, tonumber(tokens), redis.call('ZSCORE', KEYS[6], task) or '', record[3] or '' }
      for _, value in ipairs(found) do reply[#reply + 1] = value end
    end
  end
end
return reply
