-- What wrk sends. Arguments: the kind of request, a file with a player a line (id, device, secret, access token), and a
-- text that makes this run's keys unlike those of every other run. Prints one line of JSON at the end.
local HOST = "Host: bench\r\n"
local JSON = HOST .. "Content-Type: application/json\r\n"

local function get(path)
  return function(player)
    local whole = "GET " .. path:gsub("{id}", player.id) .. " HTTP/1.1\r\n" .. HOST
      .. "Authorization: Bearer " .. player.token .. "\r\n\r\n"
    return function() return whole end
  end
end

local function post(path, player, headers, length)
  return "POST " .. path .. " HTTP/1.1\r\n" .. JSON .. headers
    .. "Authorization: Bearer " .. player.token .. "\r\nContent-Length: " .. length .. "\r\n"
end

-- Each makes, for a player, what makes its requests. `key(n)` is unique; all keys of a run have one length.
local count, run = 0, ""
local function key()
  count = count + 1
  return string.format("%s%09d", run, count)
end

local function score(points)
  return function(player)
    local function body() return string.format('{"score":%9d,"run_id":"%s"}', points(), key()) end
    local head = post("/v1/users/" .. player.id .. "/scores", player, "", #body()) .. "\r\n"
    return function() return head .. body() end
  end
end

local kinds = {
  rank = get("/v1/users/{id}/rank"),
  ["top 10"] = get("/v1/leaderboard?limit=10"),
  ["top 100"] = get("/v1/leaderboard?limit=100"),
  around = get("/v1/leaderboards/main/around/{id}?radius=5"),
  -- As high as those that are there already.
  score = score(function() return math.random(0, 999999) end),
  -- The dearest sort: each moves its player to the top.
  ["new best"] = score(function() return 1000000 + count end),
  buy = function(player)
    local body = '{"item_id":"101","expected_price":100}'
    local head = post("/v1/users/" .. player.id .. "/items", player, "", #body) .. "Idempotency-Key: "
    local tail = "\r\n\r\n" .. body
    return function() return head .. key() .. tail end
  end,
  login = function(player)
    local body = '{"device_id":"' .. player.device .. '","device_secret":"' .. player.secret .. '"}'
    local whole = "POST /v1/sessions HTTP/1.1\r\n" .. JSON .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
    return function() return whole end
  end,
}

local makers = {}

function init(args)
  run = args[3]
  for line in io.lines(args[2]) do
    local id, device, secret, token = line:match("^(%S+) (%S+) (%S+) (%S+)$")
    makers[#makers + 1] = kinds[args[1]]({ id = id, device = device, secret = secret, token = token })
  end
  math.randomseed(os.time())
end

function request()
  return makers[math.random(#makers)]()
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
