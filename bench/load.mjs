// Asks a server for many paths with autocannon and prints what it measured as one JSON object.
// node load.mjs NODE_MODULES < {"url": ..., "paths": [...], "connections": n, "seconds": n, "key": ...}
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const autocannon = createRequire(process.argv[2] + "/")("autocannon");
const asked = JSON.parse(readFileSync(0, "utf8"));
const result = await autocannon({
  url: asked.url,
  connections: asked.connections,
  duration: asked.seconds,
  headers: asked.key ? { authorization: `Bearer ${asked.key}` } : {},
  requests: asked.paths.map((path) => ({ method: "GET", path })),
});
console.log(JSON.stringify({
  requests_per_s: result.requests.average,
  p50_ms: result.latency.p50,
  p99_ms: result.latency.p99,
  answered: result["2xx"],
  failed: result.non2xx + result.errors + result.timeouts,
}));
