// Copies the files that package.json names under "vendor" from node_modules into static/vendor.
import { cpSync, readFileSync, renameSync, rmSync } from "node:fs";

const { vendor } = JSON.parse(readFileSync("package.json", "utf8"));
const fresh = "static/vendor.new";
rmSync(fresh, { recursive: true, force: true });
for (const [from, to] of Object.entries(vendor)) {
  cpSync(`node_modules/${from}`, `${fresh}/${to}`, { recursive: true });
}
rmSync("static/vendor", { recursive: true, force: true });
renameSync(fresh, "static/vendor");
