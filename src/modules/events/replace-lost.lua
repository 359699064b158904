-- Lifts a log that is lost above all ids that were ever given, for its terminal event only.
-- KEYS  1 run record   2 event log
-- ARGV  1 id
-- Invariant: a log that somebody has opened meanwhile keeps its first event.
redis.call('HSETNX', KEYS[1], 'f', 'r0')
begin_stream(KEYS[1], KEYS[2])
return redis.call('XADD', KEYS[2], ARGV[1] .. '-0', 's', ARGV[1], 'k', '0', 'd', '')
