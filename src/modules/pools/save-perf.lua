-- Stores what was measured of a pool, unless somebody else has stored something since it was read.
-- KEYS  1 measures of the pool (hash)
-- ARGV  1 version that was read (0 = there was none)   2 measures (JSON)
-- Reply {1} stored, or {0, version, measures} what another process has stored meanwhile
-- Invariant: every version is made from the one before it, so that no process's samples are lost.
local now = redis.call('HMGET', KEYS[1], 'version', 'measures')
local version = tonumber(now[1] or '0')
if version ~= tonumber(ARGV[1]) then return { 0, version, now[2] or '' } end
redis.call('HSET', KEYS[1], 'version', version + 1, 'measures', ARGV[2])
return { 1 }
