-- Appends a frame to each log of a task that nobody runs yet, as its next event, and posts it to the processes whose readers follow.
-- KEYS  for task j (0-based): 2j+1 run record, 2j+2 event log
-- ARGV  1 channel prefix of the hubs, then for each task: task id, what its readers were told before ('' = nothing), what this tells,
--       what follows 'id: <n>\n' in the frame, the same for verbose readers
-- Reply for each task the id of its frame, 0: not written
-- Invariant: the frame of a task that waits: never behind a token or an end. Nobody else has told its readers anything since the caller looked
--       (field `w` of the run record): so nothing is told twice, whoever else is at it.
local prefix, reply = ARGV[1], {}
for j = 1, #KEYS / 2 do
  local run, log, at = KEYS[2 * j - 1], KEYS[2 * j], 5 * j - 3
  local now = redis.call('HMGET', run, 'f', 'subs', 'w')
  local newest = nil
  if now[1] == 'q' and (now[3] or '') == ARGV[at + 1] then
    begin_stream(run, log)
    newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  end
  reply[j] = 0
  if newest then
    local id = tonumber(string.match(newest[1], '^%d+')) + 1
    local head = 'id: ' .. id .. '\n'
    local plain, verbose = head .. ARGV[at + 3], ''
    if ARGV[at + 4] == ARGV[at + 3] then
      redis.call('XADD', log, id .. '-0', 's', id, 'k', '0', 'd', plain)
    else
      verbose = head .. ARGV[at + 4]
      redis.call('XADD', log, id .. '-0', 's', id, 'k', '0', 'd', plain, 'v', verbose)
    end
    redis.call('HSET', run, 'w', ARGV[at + 2])
    local message = string.format('%s0%010d%010d%010d%010d', ARGV[at], id, id, #plain, #verbose) .. plain .. verbose
    for hub in string.gmatch(now[2] or '', '[^,]+') do redis.call('PUBLISH', prefix .. hub, message) end
    reply[j] = id
  end
end
return reply
