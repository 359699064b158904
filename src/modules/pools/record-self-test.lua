-- Records what a self-test has shown, unless the replica was forgotten or another process tests it meanwhile.
-- KEYS: the lock of the test, the hash of outcomes. ARGV: process that tests, replica id, outcome as JSON.
-- Reply: 1 when it was recorded. Invariant: an outcome is written only by who holds the lock, and the lock goes with it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('DEL', KEYS[1])
return 1
