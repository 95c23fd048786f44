-- Writes a transaction and its changed branches; 0 when its status is not the expected one.
-- KEYS: transaction, branches, status, unfinished.
-- ARGV: expected status, JSON, status, score (empty when finished), gid, seconds to live, then position and JSON of each branch.
if redis.call('GET', KEYS[3]) ~= ARGV[1] then
  return 0
end
for i = 7, #ARGV, 2 do
  redis.call('LSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[6])
redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[4], ARGV[5])
else
  redis.call('ZADD', KEYS[4], ARGV[4], ARGV[5])
end
return 1
