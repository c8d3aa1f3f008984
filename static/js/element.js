import { at } from "./address.js";

// Makes an element. Text goes in as text, never as HTML: names come from files and callers.
export function element(tag, properties = {}, ...children) {
  const { data, ...rest } = properties;
  for (const name of ["href", "src"]) if (typeof rest[name] === "string") rest[name] = at(rest[name]);
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, data);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}
