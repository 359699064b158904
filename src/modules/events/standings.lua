-- How tasks stand.
-- ARGV  1 prefix of run records   2… task ids
-- Reply for each task its fence and the pool that it was placed in again, '' = none
-- Keys are named by their tasks: all of them share one hash tag.
local reply = {}
for a = 2, #ARGV do
  local record = redis.call('HMGET', ARGV[1] .. ARGV[a], 'f', 'p')
  reply[2 * a - 3], reply[2 * a - 2] = record[1] or '', record[2] or ''
end
return reply
