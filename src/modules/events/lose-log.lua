-- Shared by the scripts that may come upon a log without what its writer knows to be in it: Redis came back as it was before. Uses first-event.lua.
-- Readers may have seen what is gone, so nobody goes on with it: it is as good as lost, and ends above all ids that they may hold, whoever
-- ends it. The highest of these is `highest_id`.
local function has_lost(log, id) return end_of_log(log) < tonumber(id) end
local function lose_log(run, log, highest_id)
  local _, tokens = end_of_log(log)
  redis.call('HSET', run, 'f', 'r0', 'n', 0)
  redis.call('HDEL', run, 'req')
  redis.call('XADD', log, highest_id .. '-0', 's', highest_id, 'k', tokens, 'd', '')
end
