-- Gives back what was taken from a rate limit for something that did not happen.
-- KEYS  1 arrival time, see take-rate.lua
-- ARGV  1 units   2 microseconds in which one unit drains
-- Reply 1
-- Invariant: nobody has more afterwards than a full bucket.
local arrival = tonumber(redis.call('GET', KEYS[1]) or '0') - tonumber(ARGV[1]) * tonumber(ARGV[2])
local clock = redis.call('TIME')
local left = math.ceil((arrival - (tonumber(clock[1]) * 1000000 + tonumber(clock[2]))) / 1000)
if left <= 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', left + 1)
end
return 1
