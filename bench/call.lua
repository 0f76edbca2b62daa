-- bench/call.lua - what wrk sends for bench/agents.py: one request for ever, at full speed or
-- with a pause between two of a connection; its figures end as one line of JSON.
-- Arguments: the token, the file of the body ("-": a GET), the pause in milliseconds.

function init(args)
    pause = tonumber(args[3])
    wrk.headers["Authorization"] = "Bearer " .. args[1]
    if args[2] ~= "-" then
        wrk.method = "POST"
        wrk.body = io.open(args[2]):read("*a")
        wrk.headers["Content-Type"] = "application/json"
        wrk.headers["Accept"] = "application/json, text/event-stream"
    end
    -- A function that is there is called for each request, also when it only says 0.
    if pause > 0 then
        delay = function() return math.random(math.floor(pause / 2), math.floor(pause * 1.5)) end
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "bytes": %d, "p50": %d, "p99": %d}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout, summary.bytes,
        latency:percentile(50), latency:percentile(99)))
end
