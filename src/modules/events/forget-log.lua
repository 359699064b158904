-- Forgets a log that is open though its task has ended: Redis came back as it was before the end. Its readers are given the transcript then.
-- KEYS  1 run record   2 event log
-- ARGV  1 wanted fence ('*' = whatever is open)
-- Reply 1 forgotten   0 it is closed, another's, or there is none
-- Invariant: a closed log stays.
local fence = redis.call('HGET', KEYS[1], 'f')
if not fence or fence == 'x' or (ARGV[1] ~= '*' and ARGV[1] ~= fence) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
