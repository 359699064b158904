-- Ends a task's event log with its one terminal event. After it no write is taken, whatever was in flight.
-- KEYS  1 run record   2 event log
-- ARGV  1 wanted fence ('*' = whatever is open)   2 now, Unix ms   3 seconds the log stays   4 own hub ('' = none)   5 channel prefix of the hubs
--       6 task id   7 what follows 'id: <n>\n' in the frame; {out} {in} {decode} {first} {warm} stand for tokens out, tokens in, decode ms,
--       first token ms, whether the run found its session's KV cache
--       8 what follows that, as it is: it may be long, and Redis does nothing else while blanks are looked for
-- Reply {1, id of the terminal event, tokens out, frame, tokens in, decode ms, first token ms or -1, fence before} closed by this call
--       {0, highest id, tokens out, fence} left as it was: closed before, or another fence
--       {-1} there is no such log
-- Invariant: exactly one terminal event; its id is the highest of the log.
begin_stream(KEYS[1], KEYS[2])
local now = redis.call('HMGET', KEYS[1], 'f', 'subs', 'start', 'facts', 'warm')
local fence = now[1]
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if not fence or not newest then return { -1 } end
local id = tonumber(string.match(newest[1], '^%d+'))
local tokens = 0
for f = 1, #newest[2], 2 do
  if newest[2][f] == 'k' then tokens = tonumber(newest[2][f + 1]) end
end
if fence == 'x' or (ARGV[1] ~= '*' and ARGV[1] ~= fence) then return { 0, id, tokens, fence } end
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
