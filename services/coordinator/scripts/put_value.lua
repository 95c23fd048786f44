-- Writes a value; 0 unless the stored version is the expected one (0: there is none).
-- KEYS: value. ARGV: JSON, expected version.
local stored = redis.call('GET', KEYS[1])
local version = stored and cjson.decode(stored).version or 0
if version ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
