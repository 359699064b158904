-- Appends what running tasks produced in one tick, each behind its fence, and posts it to the processes whose readers follow.
-- ARGV  1 own hub ('' = none; it is fed in memory by the caller)   2 channel prefix of the hubs   3, 4 prefixes of run records and event logs
--       5 bytes of all frames   6 ten words for each task:
--         '<task id> <fence> <first id> <last id> <tokens so far> <offset> <length> <verbose length> <facts> <unsure>'
--         where its frames lie in 5 (from 0), and those for verbose readers two bytes behind (length 0: they see the same); facts of the first token
--         '<ms>,<tokens in>[,<origin>]', or '-'. One argument for all, since each costs both sides more than what
--         it carries. Unsure (1, else 0): Redis may have lost something since the task's last chunk was taken.
--       7 1 = all are unsure, else 0   8 highest id of a log that is lost
-- Reply the places (from 1) of tasks that were fenced off: write nothing more. All others were appended, or had been by the same call sent twice.
--       Fenced off is also whose log has gone on without it, though it has the same fence, and whose log lacks what was taken before: that
--       one is lost.
-- Invariant: only the attempt that holds the fence writes, ids grow by one, and a chunk is stored whole or not at all.
-- Keys are named by their task: all of them share one hash tag.
local own, prefix, runs, logs, blob = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local reply, post, order = {}, {}, {}
local place = 0
local pattern = '(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%d)'
for task, fence, first, last, tokens, at, length, verbose_length, facts, unsure in string.gmatch(ARGV[6], pattern) do
  place = place + 1
  local run = runs .. task
  local now = redis.call('HMGET', run, 'f', 'subs')
  if now[1] ~= fence then
    reply[#reply + 1] = place
  elseif (unsure == '1' or ARGV[7] == '1') and has_lost(logs .. task, first - 1) then
    lose_log(run, logs .. task, ARGV[8])
    reply[#reply + 1] = place
  else
    local bytes = string.sub(blob, at + 1, at + length)
    local verbose = ''
    local added
    if verbose_length == '0' then
      added = redis.pcall('XADD', logs .. task, last .. '-0', 's', first, 'k', tokens, 'd', bytes)
    else
      local verbose_at = at + length + 2
      verbose = string.sub(blob, verbose_at + 1, verbose_at + verbose_length)
      added = redis.pcall('XADD', logs .. task, last .. '-0', 's', first, 'k', tokens, 'd', bytes, 'v', verbose)
    end
    local is_taken = true
    if type(added) == 'table' and added.err then
      if not string.find(added.err, 'equal or smaller') then return redis.error_reply(added.err) end
      -- This very call went through before its answer was lost; else the newest entry is another's.
      local newest = redis.call('XREVRANGE', logs .. task, '+', '-', 'COUNT', 1)[1]
      is_taken = newest and newest[1] == last .. '-0'
    end
    if not is_taken then
      reply[#reply + 1] = place
    elseif facts ~= '-' then
      redis.call('HSET', run, 'facts', facts)
    end
    if is_taken and now[2] and now[2] ~= '' and now[2] ~= own then
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
