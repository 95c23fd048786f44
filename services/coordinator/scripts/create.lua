-- Stores a transaction with its branches; 0 when the gid exists.
-- KEYS: transaction, branches, status, unfinished. ARGV: JSON, status, score, gid, seconds to live, branches as JSON ...
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[5])
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[5])
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[4])
redis.call('DEL', KEYS[2])
for i = 6, #ARGV do
  redis.call('RPUSH', KEYS[2], ARGV[i])
end
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
