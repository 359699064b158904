-- Notes where a turn begins, and tells whether its session ran there before.
-- KEYS  1 session, see reserve-turn.lua; here also: by the turn that began last
-- ARGV  1 generation   2 task id   3 pool   4 replica
-- Reply {1, 1 another turn of the session ran there last | 0 none did, tokens, ms, nano used or reserved}
--       {0} there is no such session, or another generation of it
-- Invariant: only a session that the turn entered is changed; a turn that begins again has not gone before itself.
local now = redis.call('HMGET', KEYS[1], 'g', 'pool', 'replica', 'by', 'st', 'sm', 'sc', 'rt', 'rm', 'rc')
if now[1] ~= ARGV[1] then return { 0 } end
local same = now[2] == ARGV[3] and now[3] == ARGV[4] and now[4] ~= ARGV[2]
redis.call('HSET', KEYS[1], 'pool', ARGV[3], 'replica', ARGV[4], 'by', ARGV[2])
local function sum(a, b) return string.format('%.0f', tonumber(now[a] or 0) + tonumber(now[b] or 0)) end
return { 1, same and 1 or 0, sum(5, 8), sum(6, 9), sum(7, 10) }
