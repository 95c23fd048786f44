-- Stores a submitted transaction, or moves the prepared one of that gid to submitted.
-- KEYS and ARGV as in create.lua, then before the branches: update time, next cron time (JSON texts).
-- Gives nothing when it was stored, else {1 if moved, transaction, branches}.
local stored = redis.call('GET', KEYS[1])
if not stored then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[5])
  redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[5])
  redis.call('ZADD', KEYS[4], ARGV[3], ARGV[4])
  redis.call('DEL', KEYS[2])
  for i = 8, #ARGV do
    redis.call('RPUSH', KEYS[2], ARGV[i])
  end
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  return nil
end
local moved = 0
if redis.call('GET', KEYS[3]) == 'prepared' then
  local transaction = cjson.decode(stored)
  transaction.status = ARGV[2]
  transaction.update_time = ARGV[6]
  transaction.next_cron_time = ARGV[7]
  stored = cjson.encode(transaction)
  redis.call('SET', KEYS[1], stored, 'EX', ARGV[5])
  redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[5])
  redis.call('ZADD', KEYS[4], ARGV[3], ARGV[4])
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  moved = 1
end
return {moved, stored, redis.call('LRANGE', KEYS[2], 0, -1)}
