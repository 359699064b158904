-- Opens a task's event log: its run record and event 1, `started` (see first-event.lua).
-- KEYS  1 run record (hash)   2 event log (stream)
-- ARGV  1 number that its attempts follow   2 hub that follows from the start ('' = none)   3 request for the worker (JSON)   4 event 1, see first-event.lua
--       5 id below which the log gives no more ids (0 = none): it was lost, and its readers may have seen as many
--       6… further fields of the run record, each name and value
-- Reply 1 opened, 0 it was open (or closed) already
-- Invariant: a log is opened once; the run record's `f` is 'q' (queued), 'r<attempt>' (running) or 'x' (closed, no write is taken).
if redis.call('HEXISTS', KEYS[1], 'f') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'f', 'q', 'req', ARGV[3])
if ARGV[1] ~= '0' then redis.call('HSET', KEYS[1], 'n', ARGV[1]) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'subs', ARGV[2]) end
for f = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[f], ARGV[f + 1]) end
redis.call('HSET', KEYS[1], 'd', ARGV[4])
if tonumber(ARGV[5]) > 1 then
  begin_stream(KEYS[1], KEYS[2])
  redis.call('XADD', KEYS[2], ARGV[5] .. '-0', 's', ARGV[5], 'k', '0', 'd', '')
end
return 1
