-- Gives a task to a worker: who starts is decided, and fence, slot and place in line change hands, in one step.
-- KEYS  1–4 the pool's line (interactive, batch, tokens, sums)   5 dropped (sorted set)
--       6… leases of all replicas of the pool: first those that may be taken, best first
-- ARGV  1 the task that the worker's ticket names, or '' = none   2 whom to give: 'next' in line, or nobody but 'this' one
--       3 now, Unix ms   4 until when the lease holds, Unix ms   5 prefix of run records   6 prefix of event logs
--       7 ms after which a waiting batch task need not wait for interactive ones   8 slots that such tasks may take
--       9 interactive tasks that start between two of them   10 prefix of sessions   11 the pool
--       12… of each replica: its slots, 0 = may not be taken; its device mask; tokens that its KV cache may still grow by, '' = as many as you like
-- Reply {'claimed', task, attempt, replica (1-based), highest event id, tokens in the log, request, when it was begun, how often it was
--        begun with tokens in the log (this time included), first-token facts or '', 1 if it was placed in this pool again else 0,
--        device mask that it requires or ''}
--       {'full'} somebody could start, and no replica has a free slot   {'held'} nobody waits; the named task holds a live lease
--       {'blocked'} slots are free, and none of them on a replica with the device mask that those who wait require
--       {'closed'} the named task has ended, lost its place and is about to end, or was placed in another pool
--       {'missing'} nobody waits; the named task has no log (yet), or no request
--       {'idle'} nobody waits
-- Invariant: of all attempts only the newest holds the fence, and it holds exactly one lease. Interactive tasks start before batch tasks,
--       each class in order of entry; but a task that is out of line (its worker died, or its place was lost) starts at once by its ticket.
--       Who requires a device mask waits for a replica that has it, and is overtaken by those who don't; the replica where its session ran
--       last (field `home`) is preferred as long as it has a free slot. One whose memory does not suffice for the tokens that the task fills
--       (field `kv`) is taken only where no other has a free slot: it may suffice a moment later, and nobody waits for what may never come.
--       Once there are tokens in the log, begin and facts of their first stay.
--       Keys of the task that is chosen are built from the prefixes: they have the hash tag of all others.
local named, now = ARGV[1], tonumber(ARGV[3])
local lines = { interactive = KEYS[1], batch = KEYS[2] }
local function fence_of(task) return redis.call('HGET', ARGV[5] .. task, 'f') end
-- Its class, and its place for whoever puts it back (back-in-line.lua); nil: it was not in line.
local function leave_line(task)
  local class, place = nil, nil
  for name, line in pairs(lines) do
    local score = redis.call('ZSCORE', line, task)
    if score then
      local tokens, entered = string.match(redis.call('HGET', KEYS[3], task) or '0', '^(%d+),?(%d*)')
      redis.call('ZREM', line, task)
      redis.call('HINCRBY', KEYS[4], name, -tonumber(tokens))
      class, place = name, score .. ',' .. entered
    end
  end
  redis.call('HDEL', KEYS[3], task)
  return class, place
end

local room = {}
local function has_room(k)
  if room[k] == nil then
    redis.call('ZREMRANGEBYSCORE', KEYS[k], '-inf', now)
    room[k] = redis.call('ZCARD', KEYS[k]) < tonumber(ARGV[3 * k - 6])
  end
  return room[k]
end
local function has_memory(k, tokens)
  local most = ARGV[3 * k - 4]
  return most == '' or not tokens or tonumber(tokens) <= tonumber(most)
end
local function replica_for(mask, session, tokens)
  local last = session and redis.call('HMGET', ARGV[10] .. session, 'pool', 'replica')
  local home = last and last[1] == ARGV[11] and ':' .. last[1] .. ':' .. last[2]
  local best, any = nil, nil
  for k = 6, #KEYS do
    if (not mask or mask == ARGV[3 * k - 5]) and has_room(k) then
      if home and string.sub(KEYS[k], -#home) == home then return k end
      any = any or k
      if not best and has_memory(k, tokens) then best = k end
      if best and not home then return best end
    end
  end
  return best or any
end

-- The first of a class whose log is open: the submits of others are still under way. Whoever waits no more leaves.
local most_blocked, blocked = 64, 0
local function first_of(class)
  local skipped = 0
  while blocked < most_blocked do
    local some = redis.call('ZRANGE', lines[class], skipped, skipped + 15)
    if #some == 0 then return nil end
    for _, task in ipairs(some) do
      local record = redis.call('HMGET', ARGV[5] .. task, 'f', 'mask')
      if record[1] == 'q' then
        if not record[2] or replica_for(record[2]) then return task end
        blocked = blocked + 1
      end
      if record[1] and record[1] ~= 'q' then leave_line(task) else skipped = skipped + 1 end
    end
  end
end
local function running_batch()
  local count = 0
  for k = 6, #KEYS do
    for _, lease in ipairs(redis.call('ZRANGEBYSCORE', KEYS[k], '(' .. now, '+inf')) do
      if redis.call('HGET', ARGV[5] .. string.match(lease, '^[^:]+'), 'c') == 'batch' then count = count + 1 end
    end
  end
  return count
end
local function has_starved(task)
  local entered = string.match(redis.call('HGET', KEYS[3], task) or '', ',(%d+)$')
  return entered and tonumber(entered) <= now - tonumber(ARGV[7])
end
local function next_in_line()
  local interactive = first_of('interactive')
  local share = tonumber(ARGV[8])
  if interactive and (share == 0 or redis.call('ZCARD', KEYS[2]) == 0) then return interactive end
  local batch = first_of('batch')
  if not interactive or not batch then return interactive or batch end
  local between = tonumber(redis.call('HGET', KEYS[4], 'passed') or '0')
  if between >= tonumber(ARGV[9]) and has_starved(batch) and running_batch() < share then return batch end
  return interactive
end

-- An attempt lives as long as its lease is renewed, whatever the queue thinks of its worker.
local function is_held(fence)
  local attempt = string.match(fence, '^r(%d+)$')
  if not attempt then return false end
  for k = 6, #KEYS do
    local till = redis.call('ZSCORE', KEYS[k], named .. ':' .. attempt)
    if till and tonumber(till) > now then return true end
  end
  return false
end
local fence = named ~= '' and fence_of(named) or nil
-- Nobody could run it: fence and lease would be taken for nothing.
if fence and fence ~= 'x' and redis.call('HEXISTS', ARGV[5] .. named, 'req') == 0 then fence = nil end
local chosen, is_over = nil, false
-- Another pool's to start, whatever ticket is left here: see waiting/move-task.lua.
local pool = fence and redis.call('HGET', ARGV[5] .. named, 'p')
if pool and pool ~= ARGV[11] then
  is_over = true
elseif fence then
  is_over = fence == 'x' or redis.call('ZSCORE', KEYS[5], named)
  if is_over then
    leave_line(named)
  elseif not is_held(fence) then
    local waits = redis.call('ZSCORE', KEYS[1], named) or redis.call('ZSCORE', KEYS[2], named)
    if ARGV[2] == 'this' or not waits then chosen = named end
  end
end
if not chosen and ARGV[2] == 'next' then chosen = next_in_line() end
if not chosen then
  if blocked > 0 then return { 'blocked' } end
  if is_over and ARGV[2] == 'this' then return { 'closed' } end
  if named == '' or is_over then return { 'idle' } end
  return { fence and 'held' or 'missing' }
end

local run, log = ARGV[5] .. chosen, ARGV[6] .. chosen
local wish = redis.call('HMGET', run, 'mask', 'home', 'kv')
local replica = replica_for(wish[1], wish[2], wish[3])
if not replica then return { 'full' } end
begin_stream(run, log)
local id, tokens = end_of_log(log)
local attempt = redis.call('HINCRBY', run, 'n', 1)
redis.call('HSET', run, 'f', 'r' .. attempt)
redis.call('HDEL', run, 'warm')
local continued = 0
if tokens > 0 then
  continued = redis.call('HINCRBY', run, 'again', 1)
else
  redis.call('HSET', run, 'start', ARGV[3])
  redis.call('HDEL', run, 'facts')
end
-- A start without the queue (start-now.lua) may have left them with an end.
redis.call('PERSIST', run)
redis.call('PERSIST', log)
local class, place = leave_line(chosen)
if class then redis.call('HSET', run, 'c', class, 'at', place) end
if class == 'batch' then redis.call('HSET', KEYS[4], 'passed', 0) end
if class == 'interactive' then redis.call('HINCRBY', KEYS[4], 'passed', 1) end
redis.call('ZADD', KEYS[replica], ARGV[4], chosen .. ':' .. attempt)
local record = redis.call('HMGET', run, 'req', 'start', 'facts', 'p')
local is_moved = record[4] and 1 or 0
local mask = wish[1] or ''
return { 'claimed', chosen, attempt, replica - 5, id, tokens, record[1], record[2], continued, record[3] or '', is_moved, mask }
