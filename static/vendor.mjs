// Copies the files that package.json names under "vendor" from node_modules into static/vendor; a star in a name stands
// for anything, and its files go into a folder.
import { cpSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";

const { vendor } = JSON.parse(readFileSync("package.json", "utf8"));
const fresh = "static/vendor.new";
rmSync(fresh, { recursive: true, force: true });
for (const [from, to] of Object.entries(vendor)) {
  const [before, after] = basename(from).split("*");
  const folder = `node_modules/${dirname(from)}`;
  if (after === undefined) cpSync(`node_modules/${from}`, `${fresh}/${to}`, { recursive: true });
  else
    for (const name of readdirSync(folder).filter(one => one.startsWith(before) && one.endsWith(after)))
      cpSync(`${folder}/${name}`, `${fresh}/${to}/${name}`);
}
rmSync("static/vendor", { recursive: true, force: true });
renameSync(fresh, "static/vendor");
