-- Brings turns into a session as they are recorded: one that has just ended, or all of a session that Redis has lost.
-- KEYS  1 session, see reserve-turn.lua   2 open turns of all sessions
-- ARGV  1 session id   2 generation   3 now, Unix ms   4 ms the session stays once no turn is open   5 '1' make the session where there is none
--       6 pool and 7 replica of the last turn, for a session that knows of none ('' = leave)
--       then for each turn: task id, 'o' open or 'x' ended, tokens, ms, nano reserved or used
-- Reply 1 done, 0 there is no such session, or another generation of it
-- Invariant: `last` are the tokens of the turn that ended last and used any: an engine may still hold them. Every turn counts once, whatever is done twice; an ended turn is never opened again, and an open one keeps what it has reserved.
local generation = redis.call('HGET', KEYS[1], 'g')
if not generation and ARGV[5] == '1' then
  generation = ARGV[2]
  redis.call('HSET', KEYS[1], 'g', generation, 'o', 0)
end
local function changed(sign, group, amounts)
  for at, unit in ipairs({ 't', 'm', 'c' }) do
    if amounts[at] ~= '0' then redis.call('HINCRBY', KEYS[1], group .. unit, sign .. amounts[at]) end
  end
end
for a = 8, #ARGV, 5 do
  local field, member, amounts = 't:' .. ARGV[a], ARGV[1] .. ':' .. ARGV[a], { ARGV[a + 2], ARGV[a + 3], ARGV[a + 4] }
  local before = generation == ARGV[2] and redis.call('HGET', KEYS[1], field)
  if ARGV[a + 1] == 'x' then redis.call('ZREM', KEYS[2], member) end
  if generation == ARGV[2] and before ~= 'x' and not (before and ARGV[a + 1] == 'o') then
    if not before then redis.call('HINCRBY', KEYS[1], 'n', 1) end
    if ARGV[a + 1] == 'o' then
      changed('', 'r', amounts)
      redis.call('HINCRBY', KEYS[1], 'o', 1)
      redis.call('HSET', KEYS[1], field, '1:' .. table.concat(amounts, ':'))
      redis.call('ZADD', KEYS[2], ARGV[3], member)
    else
      if before then
        changed('-', 'r', { string.match(before, '^%d+:(%d+):(%d+):(%d+)$') })
        redis.call('HINCRBY', KEYS[1], 'o', -1)
      end
      changed('', 's', amounts)
      if amounts[1] ~= '0' then redis.call('HSET', KEYS[1], 'last', amounts[1]) end
      redis.call('HSET', KEYS[1], field, 'x')
    end
  end
end
if generation ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'at', ARGV[3])
if ARGV[7] ~= '' and redis.call('HSETNX', KEYS[1], 'replica', ARGV[7]) == 1 then redis.call('HSET', KEYS[1], 'pool', ARGV[6]) end
if tonumber(redis.call('HGET', KEYS[1], 'o')) > 0 then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
