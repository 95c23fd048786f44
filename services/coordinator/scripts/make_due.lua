-- Makes transactions due that would be due after a time. KEYS: unfinished. ARGV: that time, now, limit.
-- Gives {how many, 1 if there are more}.
local gids = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[3] + 1)
local count = math.min(#gids, tonumber(ARGV[3]))
for i = 1, count do
  redis.call('ZADD', KEYS[1], ARGV[2], gids[i])
end
return {count, #gids > count and 1 or 0}
