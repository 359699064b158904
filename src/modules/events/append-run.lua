-- Appends what running tasks produced in one tick, each behind its fence, and posts it to the processes whose readers follow.
-- KEYS  for task j (0-based): 2j+1 run record, 2j+2 event log
-- ARGV  1 own hub ('' = none; it is fed in memory by the caller)   2 channel prefix of the hubs
--       then for each task: '<task id> <fence> <first id> <last id> <tokens so far> <extras>', bytes of the frames, and what <extras> names:
--       'v' verbose bytes, 'f' first-token facts '<ms>,<tokens in>', 'b' both in this order, '-' neither
-- Reply for each task 1 appended (or appended before, by the same call sent twice), 0 fenced off: write nothing more
-- Invariant: only the attempt that holds the fence writes, ids grow by one, and a chunk is stored whole or not at all.
local own, prefix = ARGV[1], ARGV[2]
local reply, post, order = {}, {}, {}
local at = 2
for j = 1, #KEYS / 2 do
  local run, log = KEYS[2 * j - 1], KEYS[2 * j]
  local task, fence, first, last, tokens, extras = string.match(ARGV[at + 1], '^(%S+) (%S+) (%d+) (%d+) (%d+) (%S)$')
  local bytes, verbose, facts = ARGV[at + 2], '', ''
  at = at + 2
  if extras == 'v' or extras == 'b' then
    at = at + 1
    verbose = ARGV[at]
  end
  if extras == 'f' or extras == 'b' then
    at = at + 1
    facts = ARGV[at]
  end
  local now = redis.call('HMGET', run, 'f', 'subs')
  if now[1] ~= fence then
    reply[j] = 0
  else
    local added
    if verbose == '' then
      added = redis.pcall('XADD', log, last .. '-0', 's', first, 'k', tokens, 'd', bytes)
    else
      added = redis.pcall('XADD', log, last .. '-0', 's', first, 'k', tokens, 'd', bytes, 'v', verbose)
    end
    -- An id that is not above the last one means this very call went through before its answer was lost.
    if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller') then return redis.error_reply(added.err) end
    if facts ~= '' then redis.call('HSET', run, 'facts', facts) end
    reply[j] = 1
    if now[2] and now[2] ~= '' and now[2] ~= own then
      local message = string.format('%s0%010d%010d%010d%010d', task, first, last, #bytes, #verbose) .. bytes .. verbose
      for hub in string.gmatch(now[2], '[^,]+') do
        if hub ~= own then
          local box = post[hub]
          if not box then
            box = {}
            post[hub] = box
            order[#order + 1] = hub
          end
          box[#box + 1] = message
        end
      end
    end
  end
end
for _, hub in ipairs(order) do redis.call('PUBLISH', prefix .. hub, table.concat(post[hub])) end
return reply
