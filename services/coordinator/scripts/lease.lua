-- Takes what is due and makes it due again at the end of the lease; forgets what is finished or gone.
-- KEYS: unfinished. ARGV: prefix, now, end of the lease, limit. Gives {gid, transaction, branches} of each.
local found = {}
for _, gid in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[4])) do
  local stored = redis.call('GET', ARGV[1] .. '_g_' .. gid)
  local status = redis.call('GET', ARGV[1] .. '_s_' .. gid)
  if not stored or status == 'succeed' or status == 'failed' then
    redis.call('ZREM', KEYS[1], gid)
  else
    redis.call('ZADD', KEYS[1], ARGV[3], gid)
    found[#found + 1] = {gid, stored, redis.call('LRANGE', ARGV[1] .. '_b_' .. gid, 0, -1)}
  end
end
return found
