-- Accepts a task straight into a slot: when nobody waits for the pool and a replica is free, log, fence and lease are made in one step.
-- KEYS  1 run record   2 event log   3 line of interactive   4 line of batch   5 leases of the replica   6 sequence of the lines
-- ARGV  1 task id   2 now, Unix ms   3 until when the lease holds, Unix ms   4 hub that follows from the start ('' = none)
--       5 request for the worker (JSON)   6 bytes of event 1   7 seconds until an unconfirmed start is forgotten   8 slots of the replica
--       9 class   10… further fields of the run record, each name and value
-- Reply 1 begun, 0 the task must take the way through the queue
-- Invariant: nobody is overtaken, also not by a task that is put back later (back-in-line.lua): it has a place in the order of entry; without a row in Postgres, which the caller writes next, nothing of this outlives ARGV 7.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('ZCARD', KEYS[3]) > 0 or redis.call('ZCARD', KEYS[4]) > 0 then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[2])
if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[8]) then return 0 end
redis.call('HSET', KEYS[1], 'f', 'r1', 'n', 1, 'start', ARGV[2], 'subs', ARGV[4], 'req', ARGV[5], 'c', ARGV[9])
redis.call('HSET', KEYS[1], 'at', redis.call('INCR', KEYS[6]) .. ',' .. ARGV[2])
for f = 10, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[f], ARGV[f + 1]) end
redis.call('XADD', KEYS[2], '1-0', 's', '1', 'k', '0', 'd', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[7])
redis.call('EXPIRE', KEYS[2], ARGV[7])
redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1] .. ':1')
return 1
