-- Shared by the scripts that read or write the log of a task that may still wait. Its event 1, `started`, lies in the field `d` of the run
-- record, less its head, until there is more to say: a stream of one entry takes twelve times the memory, and most of those who wait long
-- are told nothing more.
-- Invariant: the log is the stream; but while the run record has the field `d` there is no stream, and the log is that event.
local function first_event(run)
  local rest = redis.call('HGET', run, 'd')
  if not rest or string.sub(rest, 1, 4) == 'id: ' then return rest end
  return 'id: 1\nevent: started\ndata: {"task_id":"' .. string.match(run, '[^:]+$') .. rest
end
local function begin_stream(run, log)
  local frame = first_event(run)
  if not frame then return end
  redis.call('HDEL', run, 'd')
  redis.call('XADD', log, '1-0', 's', '1', 'k', '0', 'd', frame)
end
-- Highest event id and tokens of a log that was begun; 0, 0: it holds nothing.
local function end_of_log(log)
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not newest then return 0, 0 end
  local tokens = 0
  for f = 1, #newest[2], 2 do
    if newest[2][f] == 'k' then tokens = tonumber(newest[2][f + 1]) end
  end
  return tonumber(string.match(newest[1], '^%d+')), tokens
end
