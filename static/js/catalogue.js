// What there is, for people: the texts and links of an answer of OGC API.
import { e, head, page, panel, ready } from "./office.js";

const main = head();
const links = (all = []) => e("p", {}, ...all.filter(link => !link.templated).flatMap(link => [e("a", { href: link.href, textContent: link.title ?? link.rel.split("/").pop() }), " "]));
const facts = one => Object.entries(one).filter(([, value]) => typeof value === "string" || typeof value === "number")
  .map(([name, value]) => e("p", {}, e("span", { className: "quiet", textContent: `${name} ` }), String(value)));

const { collections, conformsTo: classes, ...answer } = page.answer;
if (collections) main.append(...collections.map(one => panel(one.title_zh ? `${one.title_zh} ${one.title}` : one.title, e("p", { className: "quiet", textContent: one.id }), links(one.links))));
else if (classes) main.append(panel(page.title, ...classes.map(uri => e("p", { textContent: uri }))));
else main.append(panel(page.title, ...facts(answer), links(answer.links)));
main.querySelectorAll(".panel").forEach(part => { if (!collections) part.classList.add("wide"); });
ready();
