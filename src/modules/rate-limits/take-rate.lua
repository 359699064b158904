-- Takes from several rate limits of one caller: from all of them, or from none.
-- Each limit is a leaky bucket kept as one number, the theoretical arrival time (GCRA, ITU-T I.371 annex A: "virtual scheduling algorithm"):
-- the moment at which everything taken so far will have drained.
-- KEYS  for limit j (0-based): j+1 arrival time, microseconds of this server's clock; absent: nothing taken
-- ARGV  for limit j: 3j+1 units to take (0: only look)   3j+2 microseconds in which one unit drains   3j+3 units the bucket holds
-- Reply {microseconds to wait (0: taken; -1: never, it asks for more than the bucket holds), then for each limit: units left now,
--        microseconds until all have drained}
-- Invariant: in any span of t microseconds no more is taken than the bucket holds plus t / drain time, however many processes ask.
--            What is refused takes nothing.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local wait, arrivals = 0, {}
for j = 0, #KEYS - 1 do
  local units, drain, holds = tonumber(ARGV[3 * j + 1]), tonumber(ARGV[3 * j + 2]), tonumber(ARGV[3 * j + 3])
  local arrival = math.max(now, tonumber(redis.call('GET', KEYS[j + 1]) or '0'))
  arrivals[j + 1] = arrival
  if units > holds then
    wait = -1
  elseif wait >= 0 then
    wait = math.max(wait, math.ceil(arrival + units * drain - holds * drain - now))
  end
end
local reply = { wait }
for j = 0, #KEYS - 1 do
  local units, drain, holds = tonumber(ARGV[3 * j + 1]), tonumber(ARGV[3 * j + 2]), tonumber(ARGV[3 * j + 3])
  local arrival = arrivals[j + 1]
  if wait == 0 and units > 0 then
    arrival = math.ceil(arrival + units * drain)
    redis.call('SET', KEYS[j + 1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000) + 1)
  end
  -- A microsecond is the clock's step, not a debt.
  reply[#reply + 1] = math.max(0, math.floor((holds * drain - (arrival - now) + 1) / drain))
  reply[#reply + 1] = math.ceil(arrival - now)
end
return reply
