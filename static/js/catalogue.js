// Pages of OGC API resources: the texts and links of an answer.
import { element } from "./element.js";
import { head, panel } from "./office.js";
import { page, ready } from "./page.js";
import { say } from "./text.js";

const main = head();
const FORMS = { json: "GeoJSON", geojsonseq: "GeoJSON-Seq", csv: "CSV", fgb: "FlatGeobuf", parquet: "GeoParquet" };
const form = link => new URL(link.href).searchParams.get("f");
const items = one => one.links.filter(link => link.rel === "items");
const card = one =>
  panel(
    page.lang === "zh" ? one.title_zh : one.title,
    element("p", { className: "quiet", textContent: one.id }),
    element(
      "p",
      {},
      element("a", {
        className: "action",
        href: items(one).find(link => form(link) === "html").href,
        textContent: say("look"),
      }),
    ),
    element(
      "p",
      {},
      ...items(one)
        .filter(link => form(link) !== "html")
        .flatMap(link => [element("a", { href: link.href, textContent: FORMS[form(link)] }), " "]),
    ),
    element(
      "p",
      {},
      element("a", { href: `/collections/${one.id}/queryables`, textContent: say("properties") }),
      " ",
      element("a", { href: `/collections/${one.id}/tiles/WebMercatorQuad/tilejson.json`, textContent: "TileJSON" }),
    ),
  );
const links = (all = []) =>
  element(
    "p",
    {},
    ...all
      .filter(link => !link.templated)
      .flatMap(link => [element("a", { href: link.href, textContent: link.title ?? link.rel.split("/").pop() }), " "]),
  );
const facts = one =>
  Object.entries(one)
    .filter(([, value]) => typeof value === "string" || typeof value === "number")
    .map(([name, value]) =>
      element("p", {}, element("span", { className: "quiet", textContent: `${name} ` }), String(value)),
    );

const { collections, conformsTo: classes, ...answer } = page.answer;
if (collections) main.append(...collections.map(card));
else if (classes) main.append(panel(page.title, ...classes.map(uri => element("p", { textContent: uri }))));
else main.append(panel(page.title, ...facts(answer), links(answer.links)));
main.querySelectorAll(".panel").forEach(part => {
  if (!collections) part.classList.add("wide");
});
ready();
