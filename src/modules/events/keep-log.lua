-- Makes open logs stay: they were made to be forgotten unless their tasks were accepted.
-- KEYS  for task j (0-based): 2j+1 run record, 2j+2 event log
-- Reply how many stay. A closed log keeps the end that closing gave it.
local kept = 0
for k = 1, #KEYS, 2 do
  local fence = redis.call('HGET', KEYS[k], 'f')
  if fence and fence ~= 'x' then
    redis.call('PERSIST', KEYS[k])
    redis.call('PERSIST', KEYS[k + 1])
    kept = kept + 1
  end
end
return kept
