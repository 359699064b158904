-- Ends a task's event log with its one terminal event. After it no write is taken, whatever was in flight.
-- KEYS  1 run record   2 event log
-- ARGV  1 wanted fence ('*' = whatever is open)   2 now, Unix ms   3 seconds the log stays   4 own hub ('' = none)   5 channel prefix of the hubs
--       6 task id   7 what follows 'id: <n>\n' in the frame; {out} {in} {decode} {first} {warm} stand for tokens out, tokens in, decode ms,
--       first token ms, whether the run found its session's KV cache
--       8 what follows that, as it is: it may be long, and Redis does nothing else while blanks are looked for
--       9 '' = whatever is there is closed; else Redis has lost the log, and only if that is so, this is the id of its terminal event
--       10 newest attempt that the row knows of: a run record that has not counted it is older than the row, and as good as lost
--       11 id that the log has come to, as its writer knows, 0 = whatever it has; one that has not is lost, and left to whoever ends lost logs
--       12 highest id of a log that is lost
-- Reply {1, id of the terminal event, tokens out, frame, tokens in, decode ms, first token ms or -1, fence before} closed by this call
--       {0, highest id, tokens out, fence} left as it was: closed before, or another fence
--       {-1} there is no such log, or it is lost
-- Invariant: exactly one terminal event; its id is the highest of the log. A lost log is replaced and closed in one step: nobody comes upon
--       one that is open and can't be run.
begin_stream(KEYS[1], KEYS[2])
local now = redis.call('HMGET', KEYS[1], 'f', 'subs', 'start', 'facts', 'warm', 'n')
local fence = now[1]
local id, tokens = end_of_log(KEYS[2])
local lost_id, known_attempt = tonumber(ARGV[9]), tonumber(ARGV[10])
local is_behind = tonumber(now[6] or '0') < known_attempt
if not lost_id and not (fence and id > 0) then return { -1 } end
if fence == 'x' or (ARGV[1] ~= '*' and ARGV[1] ~= fence) or (lost_id and fence and not is_behind) then return { 0, id, tokens, fence } end
if not lost_id and has_lost(KEYS[2], ARGV[11]) then
  lose_log(KEYS[1], KEYS[2], ARGV[12])
  return { -1 }
end
if lost_id then
  fence = 'r0'
  -- For whoever asks whether its engine was let go of.
  if is_behind then redis.call('HSET', KEYS[1], 'n', known_attempt) end
  id = math.max(id, lost_id - 1)
end
local decode, first, tokens_in = 0, -1, 0
if now[3] then decode = math.max(0, tonumber(ARGV[2]) - tonumber(now[3])) end
if now[4] then
  local ms, count = string.match(now[4], '^(%d+),(%d+)')
  first, tokens_in = tonumber(ms), tonumber(count)
end
local known = { out = tokens, decode = decode, first = first < 0 and 'null' or first, warm = now[5] and 'true' or 'false' }
known['in'] = tokens_in
id = id + 1
local frame = 'id: ' .. id .. '\n' .. string.gsub(ARGV[7], '{(%l+)}', known) .. ARGV[8]
redis.call('HSET', KEYS[1], 'f', 'x')
redis.call('HDEL', KEYS[1], 'req')
redis.call('XADD', KEYS[2], id .. '-0', 's', id, 'k', tokens, 'x', '1', 'd', frame)
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
if now[2] then
  local message = string.format('%s1%010d%010d%010d%010d', ARGV[6], id, id, #frame, 0) .. frame
  for hub in string.gmatch(now[2], '[^,]+') do
    if hub ~= ARGV[4] then redis.call('PUBLISH', ARGV[5] .. hub, message) end
  end
end
return { 1, id, tokens, frame, tokens_in, decode, first, fence }
