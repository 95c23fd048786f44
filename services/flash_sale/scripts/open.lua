-- Opens a sale and points the product at it. A repeat, or a sale older than the current one, changes nothing.
-- KEYS  1 pointer to the current sale
-- ARGV  1 prefix of the product's keys, 2 sale id, 3 units, 4 limit per user, 5 seconds to keep the sale before
local current = redis.call('GET', KEYS[1])
if current and tonumber(current) >= tonumber(ARGV[2]) then
  return 0
end
local prefix = ARGV[1] .. ':' .. ARGV[2]
redis.call('SET', prefix .. ':stock', ARGV[3])
redis.call('SET', prefix .. ':limit', ARGV[4])
redis.call('SET', KEYS[1], ARGV[2])
if current then
  for _, name in ipairs({':stock', ':limit', ':buyers', ':orders'}) do
    redis.call('EXPIRE', ARGV[1] .. ':' .. current .. name, ARGV[5])
  end
end
return 1
