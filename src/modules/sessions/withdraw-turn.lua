-- Takes back the reservation of a submit that was not accepted; the last of a task's concurrent submits takes the turn back with it.
-- KEYS  1 session, see reserve-turn.lua   2 open turns of all sessions
-- ARGV  1 session id   2 task id   3 generation   4 TTL, ms
-- Reply 1 the turn is gone, 0 it stays: held by another submit, ended, or not there
-- Invariant: what was reserved for the turn is free again, once.
local now = redis.call('HMGET', KEYS[1], 'g', 't:' .. ARGV[2])
if now[1] ~= ARGV[3] or not now[2] or now[2] == 'x' then return 0 end
local holders, rest, tokens, ms, nano = string.match(now[2], '^(%d+)(:(%d+):(%d+):(%d+))$')
if tonumber(holders) > 1 then
  redis.call('HSET', KEYS[1], 't:' .. ARGV[2], (tonumber(holders) - 1) .. rest)
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1] .. ':' .. ARGV[2])
if redis.call('HINCRBY', KEYS[1], 'n', -1) == 0 then
  redis.call('DEL', KEYS[1])
  return 1
end
for field, amount in pairs({ rt = tokens, rm = ms, rc = nano }) do
  if amount ~= '0' then redis.call('HINCRBY', KEYS[1], field, '-' .. amount) end
end
redis.call('HDEL', KEYS[1], 't:' .. ARGV[2])
if redis.call('HINCRBY', KEYS[1], 'o', -1) == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
