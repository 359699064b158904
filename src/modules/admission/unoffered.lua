-- Which tasks no worker will ever be called for: their jobs are missing or have finished.
-- ARGV  1 prefix of the jobs of a queue   2… task ids
-- Reply the places (from 1) of those tasks
local reply = {}
for a = 2, #ARGV do
  local job = redis.call('HMGET', ARGV[1] .. ARGV[a], 'timestamp', 'finishedOn')
  if not job[1] or job[2] then reply[#reply + 1] = a - 1 end
end
return reply
