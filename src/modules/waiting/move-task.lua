-- Moves a waiting task from the line of one pool to that of another, if it still waits there and the other has room: one step for all processes.
-- KEYS  1–4 its line (interactive, batch, tokens, sums)   5–8 the other line   9 run record   10 event log
--       11 workers of the other pool (sorted set)   12… leases of its replicas
-- ARGV  1 task   2 the other pool   3 its capacity (-1 = unbounded)   4 the capacity of the task's class there   5 its slots   6 now, Unix ms
--       7 channel prefix of the hubs   8 times that a waiting task is told something at the most
--       11… share of the other pool, see start-order.lua   9 what follows 'id: <n>\n' in the frame, the same for verbose readers (10); {position} and {depth} stand for its place in the other line
-- Reply {'moved', position} | {'full'} the other line has no room | {'class_full'} none for its class | {'gone'} it waits no more, or its submit is still under way
-- Invariant: a task waits in one line at a time, with its class, its expected tokens, and its place by order of entry over all pools; the
--       other line's bounds hold. Its run record says from the same moment on which pool may start it (`p`), and its readers are told.
local task, now = ARGV[1], tonumber(ARGV[6])
local class = redis.call('ZSCORE', KEYS[1], task) and 'interactive' or redis.call('ZSCORE', KEYS[2], task) and 'batch'
if not class then return { 'gone' } end
local record = redis.call('HMGET', KEYS[9], 'f', 'subs', 'w')
if record[1] ~= 'q' then return { 'gone' } end
local from, to = KEYS[class == 'batch' and 2 or 1], KEYS[class == 'batch' and 6 or 5]

local interactive, batch = redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6])
local busy = 0
for k = 12, #KEYS do busy = busy + redis.call('ZCOUNT', KEYS[k], now, '+inf') end
local free = 0
if redis.call('ZCOUNT', KEYS[11], now, '+inf') > 0 then free = math.max(0, tonumber(ARGV[5]) - busy) end
-- As in enter-line.lua.
local function is_full(count, capacity)
  if capacity < 0 or math.max(0, count - free) < capacity then return false end
  return not (capacity == 0 and free > count)
end
if is_full(interactive + batch, tonumber(ARGV[3])) then return { 'full' } end
if is_full(class == 'batch' and batch or interactive, tonumber(ARGV[4])) then return { 'class_full' } end

redis.call('ZADD', to, redis.call('ZSCORE', from, task), task)
redis.call('ZREM', from, task)
local entry = redis.call('HGET', KEYS[3], task) or ('0,' .. ARGV[6])
local tokens = string.match(entry, '^%d+')
redis.call('HDEL', KEYS[3], task)
redis.call('HSET', KEYS[7], task, entry)
redis.call('HINCRBY', KEYS[4], class, '-' .. tokens)
redis.call('HINCRBY', KEYS[8], class, tokens)
local share = { ARGV[11], ARGV[12], ARGV[13], ARGV[14] }
local due, wait = batch_turns(KEYS[6], KEYS[7], KEYS[8], KEYS, 12, now, share, nil, false)
local position = math.max(0, starts_before(class, redis.call('ZRANK', to, task), interactive, due, wait, share) - free)

local count = tonumber(string.match(record[3] or '', '^%d+') or '0') + 1
redis.call('HSET', KEYS[9], 'p', ARGV[2], 'w', table.concat({ count, ARGV[6], position, '-', 0 }, ' '))
if count <= tonumber(ARGV[8]) then begin_stream(KEYS[9], KEYS[10]) end
local newest = redis.call('XREVRANGE', KEYS[10], '+', '-', 'COUNT', 1)[1]
if newest and count <= tonumber(ARGV[8]) then
  local id = tonumber(string.match(newest[1], '^%d+')) + 1
  local place = { position = position, depth = interactive + batch + 1 }
  local function frame(template) return 'id: ' .. id .. '\n' .. string.gsub(template, '{(%l+)}', place) end
  local plain, verbose = frame(ARGV[9]), frame(ARGV[10])
  redis.call('XADD', KEYS[10], id .. '-0', 's', id, 'k', '0', 'd', plain, 'v', verbose)
  local message = string.format('%s0%010d%010d%010d%010d', task, id, id, #plain, #verbose) .. plain .. verbose
  for hub in string.gmatch(record[2] or '', '[^,]+') do redis.call('PUBLISH', ARGV[7] .. hub, message) end
end
return { 'moved', position }
