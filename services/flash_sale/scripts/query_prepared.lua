-- Query-prepared: whether the gid has taken its units; if not, it never will.
-- KEYS  1 barrier of the gid
-- ARGV  1 seconds to keep the barrier
-- Gives 1 when it has, 0 when not.
local outcome = redis.call('GET', KEYS[1])
if not outcome then
  redis.call('SET', KEYS[1], 'rollback', 'EX', ARGV[1])
  return 0
end
if outcome == 'rollback' then
  return 0
end
return 1
