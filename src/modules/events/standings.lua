-- How tasks stand.
-- ARGV  1 prefix of run records   2… task ids
-- Reply for each task its fence, the pool that it was placed in again, '' = none, and the number of its newest attempt
-- Keys are named by their tasks: all of them share one hash tag.
local reply = {}
for a = 2, #ARGV do
  local record = redis.call('HMGET', ARGV[1] .. ARGV[a], 'f', 'p', 'n')
  reply[3 * a - 5], reply[3 * a - 4], reply[3 * a - 3] = record[1] or '', record[2] or '', record[3] or '0'
end
return reply
