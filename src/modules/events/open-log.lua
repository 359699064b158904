-- Opens a task's event log: its run record and event 1, `started`.
-- KEYS  1 run record (hash)   2 event log (stream)
-- ARGV  1 attempts so far   2 hub that follows from the start ('' = none)   3 request for the worker (JSON)   4 bytes of the frame
--       5 id below which the log gives no more ids (0 = none): it was lost, and its readers may have seen as many
--       6… further fields of the run record, each name and value
-- Reply 1 opened, 0 it was open (or closed) already
-- Invariant: a log is opened once; the run record's `f` is 'q' (queued), 'r<attempt>' (running) or 'x' (closed, no write is taken).
if redis.call('HEXISTS', KEYS[1], 'f') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'f', 'q', 'n', ARGV[1], 'subs', ARGV[2], 'req', ARGV[3])
for f = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[f], ARGV[f + 1]) end
redis.call('XADD', KEYS[2], '1-0', 's', '1', 'k', '0', 'd', ARGV[4])
if tonumber(ARGV[5]) > 1 then redis.call('XADD', KEYS[2], ARGV[5] .. '-0', 's', ARGV[5], 'k', '0', 'd', '') end
return 1
