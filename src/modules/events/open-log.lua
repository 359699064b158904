-- Opens tasks' event logs: of each its run record and event 1, `started` (see first-event.lua).
-- KEYS  of each task its run record (hash) and its event log (stream)
-- ARGV  of each task, one after the other:
--       1 number that its attempts follow   2 hub that follows from the start ('' = none)   3 request for the worker (JSON)   4 event 1, see first-event.lua
--       5 id below which the log gives no more ids (0 = none): it was lost, and its readers may have seen as many
--       6 how many arguments follow: further fields of the run record, each name and value
-- Reply for each task 1 opened, 0 it was open (or closed) already
-- Invariant: a log is opened once; the run record's `f` is 'q' (queued), 'r<attempt>' (running) or 'x' (closed, no write is taken).
local function open(run, log, at)
  if redis.call('HEXISTS', run, 'f') == 1 then return 0 end
  local fields = { 'f', 'q', 'req', ARGV[at + 2], 'd', ARGV[at + 3], unpack(ARGV, at + 6, at + 5 + ARGV[at + 5]) }
  local function note(name, value, nothing)
    if value == nothing then return end
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  note('n', ARGV[at], '0')
  note('subs', ARGV[at + 1], '')
  redis.call('HSET', run, unpack(fields))
  local floor = ARGV[at + 4]
  if tonumber(floor) > 1 then
    begin_stream(run, log)
    redis.call('XADD', log, floor .. '-0', 's', floor, 'k', '0', 'd', '')
  end
  return 1
end

local replies, at = {}, 1
for k = 1, #KEYS, 2 do
  replies[#replies + 1] = open(KEYS[k], KEYS[k + 1], at)
  at = at + 6 + ARGV[at + 5]
end
return replies
