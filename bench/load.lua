-- bench/load.lua - what wrk sends: one request for ever, or one for each line of a
-- file in turn; its figures end as one line of JSON.
-- Arguments: the file of Authorization headers, one a line.

function init(args)
    local values = {}
    for line in io.lines(args[1]) do
        values[#values + 1] = line
    end
    if #values == 1 then
        wrk.headers["Authorization"] = values[1]
        return
    end
    -- Lua's own cost lies on the core of the load, not on the proxy's.
    local requests, at = {}, 0
    for i, value in ipairs(values) do
        wrk.headers["Authorization"] = value
        requests[i] = wrk.format("GET", "/orders/v1/orders/" .. i)
    end
    function request()
        at = at % #requests + 1
        return requests[at]
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50": %d, "p99": %d}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
