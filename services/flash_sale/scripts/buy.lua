-- One batch of buyers of one product: refuse, or take a unit each, note the accepted orders, and set the barrier.
-- KEYS  1 pointer to the current sale, 2 barrier of the gid, 3 list of what the gid accepted
-- ARGV  1 prefix of the product's keys, 2 seconds to keep barriers and repeatable ids, 3 first letter of repeatable order
--       ids, then user id, amount, order id, order for each buyer
-- Gives -1 when the gid is spent; else the units left, an answer for each buyer (1 accepted, 0 sold out, 2 limit
-- reached, 3 another purchase has this id), and how many units were taken.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return -1
end
local sale = redis.call('GET', KEYS[1])
local answers = {0}
-- Without a sale there is no such prefix, hence no stock: everything is sold out.
local prefix = ARGV[1] .. ':' .. (sale or '0')
local left = tonumber(redis.call('GET', prefix .. ':stock') or 0)
local limit = tonumber(redis.call('GET', prefix .. ':limit') or 0)
local accepted = 0
for i = 4, #ARGV, 4 do
  local user, amount, order = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local repeatable = string.sub(order, 1, 1) == ARGV[3] and ARGV[1] .. ':order:' .. order
  local before = repeatable and redis.call('GET', repeatable)
  local answer
  if before and before ~= amount then
    answer = 3
  elseif before or redis.call('SISMEMBER', prefix .. ':orders', order) == 1 then
    answer = 1 -- a repeat of what was accepted before
  elseif left - accepted <= 0 then
    answer = 0
  elseif limit > 0 and tonumber(redis.call('HGET', prefix .. ':buyers', user) or 0) >= limit then
    answer = 2
  else
    answer = 1
    if accepted == 0 then
      redis.call('RPUSH', KEYS[3], sale)
    end
    accepted = accepted + 1
    redis.call('SADD', prefix .. ':orders', order)
    if repeatable then -- known beyond this sale
      redis.call('SET', repeatable, amount, 'EX', ARGV[2])
    end
    redis.call('HINCRBY', prefix .. ':buyers', user, 1)
    redis.call('RPUSH', KEYS[3], ARGV[i + 3])
  end
  answers[#answers + 1] = answer
end
if accepted > 0 then
  redis.call('DECRBY', prefix .. ':stock', accepted)
  redis.call('SET', KEYS[2], 'op', 'EX', ARGV[2])
end
answers[1] = left - accepted
answers[#answers + 1] = accepted
return answers
