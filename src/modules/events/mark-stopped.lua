-- Notes that the engine of an attempt has been let go of, for an attempt that did not end the task itself.
-- KEYS  1 run record
-- ARGV  1 attempt
-- Reply 1 noted, 0 there is no such task any more
-- Invariant: a run record that has gone does not come back.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 's' .. ARGV[1], '1')
return 1
