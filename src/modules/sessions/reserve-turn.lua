-- Lets a turn into a session and reserves of its budgets what the turn may use at the most: all of it, or nothing.
-- KEYS  1 session (hash)   2 open turns of all sessions (sorted set by time of reservation)
--       fields of a session: g generation, n turns, o open turns, at last change (Unix ms), st sm sc used up by ended turns
--       (tokens, ms, nano), rt rm rc reserved by open ones, pool replica of the last turn that began, last tokens of the one that ended last,
--       t:<task> 'x' ended, or '<holders>:<tokens>:<ms>:<nano>' open: concurrent submits of one task hold one reservation together
-- ARGV  1 session id   2 task id   3 now, Unix ms   4 generation to begin with where there is no session ('' = don't)   5 most turns
--       6–8 tokens, ms, nano to reserve   9 ms left below which it is not worth beginning   10–12 budgets of tokens, ms, nano ('' = none)
--       13 '1' only look: the reply as it would be, and nothing is changed
-- Reply {'reserved', generation, ms reserved, tokens, ms, nano used or reserved}   of ms at most what is left is reserved
--       {'turns' | 'tokens' | 'time' | 'cost', generation, 0, tokens, ms, nano used or reserved} what it would exceed
--       {'missing'} there is no such session
-- Invariant: with a budget, used and reserved never exceed it together, unless a turn used more than it had reserved.
local now = redis.call('HMGET', KEYS[1], 'g', 'n', 'st', 'sm', 'sc', 'rt', 'rm', 'rc', 't:' .. ARGV[2])
local generation = now[1] or ARGV[4]
if generation == '' then return { 'missing' } end
local used = { tonumber(now[3] or 0) + tonumber(now[6] or 0), tonumber(now[4] or 0) + tonumber(now[7] or 0), tonumber(now[5] or 0) + tonumber(now[8] or 0) }
local function reply(kind, ms)
  return { kind, generation, ms, string.format('%.0f', used[1]), string.format('%.0f', used[2]), string.format('%.0f', used[3]) }
end
if now[9] == 'x' then return reply('reserved', 0) end
if now[9] and ARGV[13] == '1' then return reply('reserved', tonumber(string.match(now[9], '^%d+:%d+:(%d+)'))) end
if now[9] then
  local holders, rest, ms = string.match(now[9], '^(%d+)(:%d+:(%d+):%d+)$')
  redis.call('HSET', KEYS[1], 't:' .. ARGV[2], (tonumber(holders) + 1) .. rest)
  return reply('reserved', tonumber(ms))
end
if tonumber(now[2] or 0) >= tonumber(ARGV[5]) then return reply('turns', 0) end
local wants = { tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]) }
if ARGV[10] ~= '' and used[1] + wants[1] > tonumber(ARGV[10]) then return reply('tokens', 0) end
if ARGV[12] ~= '' and used[3] + wants[3] > tonumber(ARGV[12]) then return reply('cost', 0) end
if ARGV[11] ~= '' then
  local left = tonumber(ARGV[11]) - used[2]
  if left < math.max(1, tonumber(ARGV[9])) then return reply('time', 0) end
  wants[2] = math.min(wants[2], left)
end
for at, want in ipairs(wants) do used[at] = used[at] + want end
if ARGV[13] == '1' then return reply('reserved', wants[2]) end
for at, field in ipairs({ 'rt', 'rm', 'rc' }) do
  redis.call('HINCRBY', KEYS[1], field, string.format('%.0f', wants[at]))
end
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HINCRBY', KEYS[1], 'o', 1)
redis.call('HSET', KEYS[1], 'g', generation, 'at', ARGV[3], 't:' .. ARGV[2], string.format('1:%.0f:%.0f:%.0f', wants[1], wants[2], wants[3]))
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1] .. ':' .. ARGV[2])
return reply('reserved', wants[2])
